//! Links the `xv6` binary with hal's layout when it is built for the machine.

fn main() {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/../hal/kernel.ld");
    println!("cargo::rerun-if-changed={script}");
    if std::env::var("CARGO_CFG_TARGET_OS").as_deref() == Ok("none") {
        println!("cargo::rustc-link-arg-bins=-T{script}");
    }
}
