//! The checks, one function each.

use crate::{devices, machine, memory, smp, user};
use hal::{boot, power, println, time};

/// Runs all checks.
pub fn run() -> ! {
    println!("kernel_main after {} us, cmdline {:?}", time::now_ns() / 1000, boot::cmdline());
    match boot::cmdline() {
        "panic" => panic!("as asked"),
        "fault" => machine::fault(),
        "overflow" => println!("{}", machine::overflow(1)),
        "exit" => power::exit(42),
        "input" => devices::input(),
        _ => {}
    }
    memory::frames();
    memory::heap();
    memory::speed();
    machine::timer();
    user::events();
    user::copies();
    user::fpu();
    user::speed();
    machine::threads();
    devices::disks();
    devices::output();
    smp::all();
    println!("selftest passed");
    power::exit(0)
}

/// Prints what one of `count` runs of `f` takes: the best of ten stretches, for the host has other work.
pub fn measure(what: &str, count: u64, mut f: impl FnMut()) {
    let mut best = u64::MAX;
    for _ in 0..10 {
        let start = time::now_ns();
        for _ in 0..count / 10 {
            f();
        }
        best = best.min((time::now_ns() - start) * 100 / count);
    }
    println!("  {what}: {}.{} ns", best / 10, best % 10);
}
