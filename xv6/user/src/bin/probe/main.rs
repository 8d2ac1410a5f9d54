//! probe: the test tool that runs inside containers and beside them. Each subcommand prints one clear line per result, as
//! `WHAT<TAB>RESULT`, so that a test reads what a person would see.
//!
//! `escape.rs` tries to leave the root folder, `errno.rs` makes one system call and names its errno, `load.rs` uses resources up, `hog.rs` memory
//! of each sort, `bomb.rs` does so by the number, `full.rs` a disk's, `long.rs` makes calls that take long, `fuzz` wild ones, `exec.rs` executes
//! damaged programs, `spaces.rs` looks whether memory is each process's own, `stress.rs` does everything at once, `synced.rs` changes files
//! durably, `bench.rs` measures; this file reads the command line and has the small ones.

mod bench;
mod bomb;
mod errno;
mod escape;
mod exec;
mod full;
mod fuzz;
mod hog;
mod load;
mod long;
mod spaces;
mod stress;
mod synced;

use std::fs;
use std::io::Write;
use std::os::unix::fs::MetadataExt;
use std::process::ExitCode;

use user::{Args, Failure, Out};

const USAGE: &str = "probe ids | signal PID [SIGNAL] | open PATH | escape [DIR] | chroot-escape [DIR] | fchdir-escape [DIR] | \
proc-root [DIR] | errno CALL [ARGUMENT...] | forks [N] | mem SIZE [--hold] | tables SIZE | hog KIND SIZE [FILE] | fill PATH [--remove] | full DIR [--keep] | long KIND | spin [SECONDS] | \
threads N | bomb KIND [--limit N] [--in DIR] [--tmpfs INODES] [--keep] | \
fuzz [--calls N] [--seed S] [--from BATCH] [--jobs N] [--counts] | fuzz --list | \
exec [--runs N] [--seed S] [--program FILE] | spaces [ROUNDS] | \
stress [--seconds N] [--seed S] [--workers N] [--in DIR]... [KIND]... | synced DIR STEPS SEED | bench [--list] [NAME...]";

fn main() -> ExitCode {
    user::run("probe", USAGE, body)
}

fn body(args: &mut Args, out: &mut Out) -> Result<u8, Failure> {
    args.stop_at_operand();
    let mut words: Vec<String> = args.some().iter().map(|word| word.to_string_lossy().into_owned()).collect();
    let command = words.remove(0);
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    match (command.as_str(), words.as_slice()) {
        ("ids", []) => ids(out),
        ("signal", [pid, signal @ ..]) if signal.len() < 2 => {
            let signal = signal.first().copied().unwrap_or("0");
            Ok(errno::report(&format!("signal {pid}"), errno::kill(pid, signal)?, out)?)
        }
        ("open", [path]) => Ok(errno::report(&format!("open {path}"), fs::File::open(path).map(drop), out)?),
        ("escape", folder) if folder.len() < 2 => escape::run(&escape::ALL, folder.first().copied(), out),
        ("chroot-escape", folder) if folder.len() < 2 => escape::run(&["double chroot"], folder.first().copied(), out),
        ("fchdir-escape", folder) if folder.len() < 2 => escape::run(&["fchdir"], folder.first().copied(), out),
        ("proc-root", folder) if folder.len() < 2 => escape::run(&["/proc/*/root"], folder.first().copied(), out),
        ("errno", [call, arguments @ ..]) => {
            let Some(result) = errno::call(call, arguments)? else { args.usage_error() };
            Ok(errno::report(call, result, out)?)
        }
        ("forks" | "fork-until-fail", []) => load::forks(u64::MAX, out),
        ("forks" | "fork-until-fail", [most]) => load::forks(number(args, most), out),
        ("mem", [size, hold @ ..]) if matches!(hold, [] | ["--hold"]) => {
            let Some(bytes) = user::size::parse(size) else { args.usage_error() };
            load::memory(bytes, !hold.is_empty(), out)
        }
        ("tables", [size]) => {
            let Some(bytes) = user::size::parse(size) else { args.usage_error() };
            load::tables(bytes, out)
        }
        ("hog", [kind, size, path @ ..]) if path.len() < 2 => {
            let Some(bytes) = user::size::parse(size).and_then(|bytes| usize::try_from(bytes).ok()) else {
                args.usage_error()
            };
            hog::run(kind, bytes, path.first().copied(), out).unwrap_or_else(|| args.usage_error())
        }
        ("fill", [path, remove @ ..]) if matches!(remove, [] | ["--remove"]) => {
            load::fill(path, !remove.is_empty(), out)
        }
        ("full", [dir, keep @ ..]) if matches!(keep, [] | ["--keep"]) => full::run(dir, !keep.is_empty(), out),
        ("long", [kind]) => long::run(kind, out).unwrap_or_else(|| args.usage_error()),
        ("spin", []) => load::spin(None),
        ("spin", [seconds]) => load::spin(Some(number(args, seconds))),
        ("threads", [count]) => load::threads(number(args, count), out),
        ("bomb", options) => {
            let Some(plan) = bomb::Plan::read(options) else { args.usage_error() };
            bomb::run(&plan, out)
        }
        ("fuzz", options) => {
            let Some(plan) = fuzz::Plan::read(options) else { args.usage_error() };
            fuzz::run(&plan, out)
        }
        ("spaces", []) => spaces::run(1000, out),
        ("spaces", [rounds]) => spaces::run(number(args, rounds), out),
        ("exec", options) => {
            let Some(plan) = exec::Plan::read(options) else { args.usage_error() };
            exec::run(&plan, out)
        }
        ("stress", options) => {
            let Some(plan) = stress::Plan::read(options) else { args.usage_error() };
            stress::run(&plan, out)
        }
        ("synced", [dir, steps, seed]) => {
            synced::run(&synced::Plan { dir, steps: number(args, steps), seed: number(args, seed) }, out)
        }
        ("bench", names) => bench::run(names, out),
        _ => args.usage_error(),
    }
}

fn number(args: &Args, text: &str) -> u64 {
    match text.parse() {
        Ok(number) => number,
        Err(_) => args.usage_error(),
    }
}

/// Who and where the process is: its ids, its namespaces, its root, its cgroup.
fn ids(out: &mut Out) -> Result<u8, Failure> {
    use rustix::process::{getegid, geteuid, getpgrp, getpid, getppid, getsid};
    writeln!(out, "pid\t{}", getpid().as_raw_nonzero())?;
    writeln!(out, "ppid\t{}", getppid().map_or(0, |pid| pid.as_raw_nonzero().get()))?;
    writeln!(out, "pgrp\t{}", getpgrp().as_raw_nonzero())?;
    // A session led from outside the namespace has no number in it.
    writeln!(out, "sid\t{}", getsid(None).map_or(0, |pid| pid.as_raw_nonzero().get()))?;
    writeln!(out, "uid\t{}", geteuid().as_raw())?;
    writeln!(out, "gid\t{}", getegid().as_raw())?;
    writeln!(out, "hostname\t{}", rustix::system::uname().nodename().to_string_lossy())?;
    if let Ok(root) = fs::metadata("/") {
        writeln!(out, "root\t{}:{}", root.dev(), root.ino())?;
    }
    for name in ["cgroup", "ipc", "mnt", "net", "pid", "user", "uts"] {
        let link = fs::read_link(format!("/proc/self/ns/{name}"));
        writeln!(
            out,
            "ns/{name}\t{}",
            link.map_or_else(|error| errno::name(&error), |link| link.display().to_string())
        )?;
    }
    let cgroup = fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
    writeln!(out, "cgroup\t{}", cgroup.lines().last().unwrap_or_default())?;
    Ok(0)
}
