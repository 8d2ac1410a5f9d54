//! images: folders with the files of Debian's packages, as images `busybox`, `bash` and `debian`, and a machine that has them.
//!
//! The first two hold static programs. `debian` holds the host's own, which glibc's loader puts together with its libraries, and perl,
//! which loads libraries of its own while it runs.
//!
//! A file is written only when it changes, so that the image volume of the last run serves again.

use harness::fixture::machine_with;
use harness::{Extra, Machine, workspace};
use std::collections::BTreeSet;
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
/// Where the host's programs are.
const PATH: [&str; 2] = ["/usr/bin", "/bin"];
/// Dynamic programs that every Debian and Ubuntu has.
const DYNAMIC: &str = "base64 bash cat chmod cmp comm cp cut date dd diff env find grep head id ln ls md5sum mkdir mkfifo mv nice od paste perl readlink \
    realpath rm rmdir sed seq sh sha256sum sleep sort split stat tac tail tar tee test timeout touch tr true truncate uname uniq wc xargs yes";
/// Prints the files of the perl modules that `same.debian` uses, and of the libraries that these load.
const PERL_FILES: &str = "print map { \"$_\\n\" } values %INC, @DynaLoader::dl_shared_objects";
/// Directories of an image that nothing is in.
const EMPTY: [&str; 7] = ["dev", "proc", "sys", "tmp", "run", "root", "mnt"];

/// A machine with the images.
pub fn machine(name: &str) -> Machine {
    let [busybox, bash, debian] = folders();
    let extra = |name: &str, path: &Path| Extra { name: name.into(), path: path.into() };
    machine_with(name, &[extra("busybox", busybox), extra("bash", bash), extra("debian", debian)])
}

/// The folders of the images `busybox`, `bash` and `debian`, made once.
pub fn folders() -> &'static [PathBuf; 3] {
    static MADE: OnceLock<[PathBuf; 3]> = OnceLock::new();
    MADE.get_or_init(|| {
        let programs = workspace::root().join(PROGRAMS);
        let busybox = folder("linux/busybox");
        copy(&programs.join("same.sh"), &busybox.join("bin/same.sh"));
        let bash = folder("linux/bash");
        copy(Path::new(BASH), &bash.join("bin/bash"));
        copy(&programs.join("same.bash"), &bash.join("bin/same.bash"));
        compile("musl-gcc", &["-static"], &programs.join("hello.c"), &bash.join("bin/hello"));
        [busybox, bash, debian(&programs)]
    })
}

/// A root file system with the host's own programs and what these load.
fn debian(programs: &Path) -> PathBuf {
    let root = empty("linux/debian");
    copy(&programs.join("same.debian"), &root.join("bin/same.debian"));
    compile("cc", &["-pthread"], &programs.join("hello.c"), &root.join("bin/hello"));
    let modules = ["-MPOSIX", "-MSocket", "-MIO::Select", "-MFcntl", "-MDynaLoader"];
    let perl = lines(Command::new("perl").args(modules).args(["-e", PERL_FILES]));
    let mut files: BTreeSet<PathBuf> = perl.iter().map(PathBuf::from).filter(|file| file.is_absolute()).collect();
    for name in DYNAMIC.split_whitespace() {
        let path = PATH.iter().map(|dir| Path::new(dir).join(name)).find(|path| path.exists());
        let path = path.unwrap_or_else(|| panic!("{name}, which every Debian has"));
        copy(&path, &root.join("bin").join(name));
        files.extend(libraries(&path));
    }
    // pthread_cancel(3) loads it by name.
    let unwinder = lines(Command::new("cc").arg("-print-file-name=libgcc_s.so.1"));
    files.extend(unwinder.iter().map(|file| std::fs::canonicalize(file).expect("gcc's library")));
    files.extend(perl.iter().filter(|file| file.ends_with(".so")).flat_map(|file| libraries(Path::new(file))));
    for file in files {
        let to = root.join(file.strip_prefix("/").expect("a whole path"));
        std::fs::create_dir_all(to.parent().expect("a directory")).expect("a directory");
        copy(&file, &to);
    }
    root
}

/// The loader and the libraries of a dynamic program or library.
fn libraries(of: &Path) -> Vec<PathBuf> {
    let words = lines(Command::new("ldd").arg(of)).join(" ");
    words
        .split_whitespace()
        .filter(|word| word.starts_with('/'))
        .map(|word| word.trim_end_matches(':').into())
        .collect()
}

/// The lines that a command prints.
fn lines(command: &mut Command) -> Vec<String> {
    let output = command.output().unwrap_or_else(|e| panic!("{command:?}: {e}"));
    String::from_utf8_lossy(&output.stdout).lines().map(String::from).collect()
}

/// A root file system with busybox and its applets.
fn folder(name: &str) -> PathBuf {
    let root = empty(name);
    for script in ["worker.sh", "resized.sh"] {
        copy(&workspace::root().join(PROGRAMS).join(script), &root.join("bin").join(script));
    }
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

/// A root file system without programs.
fn empty(name: &str) -> PathBuf {
    let root = workspace::build_dir(name).expect("a folder");
    for dir in EMPTY.iter().chain(&["bin", "etc"]) {
        std::fs::create_dir_all(root.join(dir)).expect("a directory");
    }
    text(&root.join("etc/passwd"), "root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/:/bin/false\n");
    text(&root.join("etc/group"), "root:x:0:\nnogroup:x:65534:\n");
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

/// Compiles a C program, unless the last one is newer.
fn compile(compiler: &str, options: &[&str], source: &Path, program: &Path) {
    let time = |path: &Path| path.metadata().and_then(|meta| meta.modified()).ok();
    if time(program).is_some_and(|made| Some(made) > time(source)) {
        return;
    }
    let mut compiler = Command::new(compiler);
    compiler.args(options).args(["-O2", "-Wall", "-Wextra", "-Werror", "-o"]).arg(program).arg(source);
    assert!(compiler.status().expect("a compiler, which ci/setup installs").success(), "{compiler:?}");
}
