//! images: folders with the files of Debian's packages, as images `busybox` and `bash`, and a machine that has them.
//!
//! A file is written only when it changes, so that the image volume of the last run serves again.

use harness::fixture::machine_with;
use harness::{Extra, Machine, workspace};
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

/// The program of `busybox-static`.
pub const BUSYBOX: &str = "/bin/busybox";
/// The program of `bash-static`.
const BASH: &str = "/bin/bash-static";
/// Our scripts and the C program.
const PROGRAMS: &str = "harness/tests/linux/programs";
/// Directories of an image that nothing is in.
const EMPTY: [&str; 7] = ["dev", "proc", "sys", "tmp", "run", "root", "mnt"];

/// A machine with the images.
pub fn machine(name: &str) -> Machine {
    let [busybox, bash] = folders();
    let extra = |name: &str, path: &Path| Extra { name: name.into(), path: path.into() };
    machine_with(name, &[extra("busybox", busybox), extra("bash", bash)])
}

/// The folders of the images `busybox` and `bash`, made once.
pub fn folders() -> &'static [PathBuf; 2] {
    static MADE: OnceLock<[PathBuf; 2]> = OnceLock::new();
    MADE.get_or_init(|| {
        let programs = workspace::root().join(PROGRAMS);
        let busybox = folder("linux/busybox");
        copy(&programs.join("same.sh"), &busybox.join("bin/same.sh"));
        let bash = folder("linux/bash");
        copy(Path::new(BASH), &bash.join("bin/bash"));
        copy(&programs.join("same.bash"), &bash.join("bin/same.bash"));
        compile(&programs.join("hello.c"), &bash.join("bin/hello"));
        [busybox, bash]
    })
}

/// A root file system with busybox and its applets.
fn folder(name: &str) -> PathBuf {
    let root = workspace::build_dir(name).expect("a folder");
    for dir in EMPTY.iter().chain(&["bin", "etc"]) {
        std::fs::create_dir_all(root.join(dir)).expect("a directory");
    }
    for script in ["worker.sh", "resized.sh"] {
        copy(&workspace::root().join(PROGRAMS).join(script), &root.join("bin").join(script));
    }
    text(&root.join("etc/passwd"), "root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/:/bin/false\n");
    text(&root.join("etc/group"), "root:x:0:\nnogroup:x:65534:\n");
    copy(Path::new(BUSYBOX), &root.join("bin/busybox"));
    let list = Command::new(BUSYBOX).arg("--list").output().expect("busybox, which ci/setup installs");
    for applet in String::from_utf8_lossy(&list.stdout).lines().filter(|applet| *applet != "busybox") {
        let link = root.join("bin").join(applet);
        if link.symlink_metadata().is_err() {
            symlink("busybox", link).expect("a link");
        }
    }
    root
}

/// Writes a text that is not there already.
fn text(to: &Path, text: &str) {
    if std::fs::read_to_string(to).is_ok_and(|old| old == text) {
        return;
    }
    std::fs::write(to, text).expect("a file");
}

/// Copies a file whose copy is not there already.
fn copy(from: &Path, to: &Path) {
    let bytes = std::fs::read(from).unwrap_or_else(|e| panic!("{}, which ci/setup installs: {e}", from.display()));
    if std::fs::read(to).is_ok_and(|old| old == bytes) {
        return;
    }
    std::fs::copy(from, to).expect("a copy");
}

/// Compiles a C program with musl's compiler, unless the last one is newer.
fn compile(source: &Path, program: &Path) {
    let time = |path: &Path| path.metadata().and_then(|meta| meta.modified()).ok();
    if time(program).is_some_and(|made| Some(made) > time(source)) {
        return;
    }
    let mut compiler = Command::new("musl-gcc");
    compiler.args(["-static", "-O2", "-Wall", "-Wextra", "-Werror", "-o"]).arg(program).arg(source);
    assert!(compiler.status().expect("musl-gcc, which ci/setup installs").success(), "{compiler:?}");
}
