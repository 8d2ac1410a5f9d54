//! trace: runs a command and prints its system calls and signals, as strace(1) does, with ptrace(2).
//!
//! `tracer` is the loop; `start` makes the child; `calls` is the table of calls, `decode`, `flags` and `signal` turn them into text, with
//! `memory` to look into the tracee; `output` and `summary` are the two ways to show it. It runs on Linux as well.

mod calls;
mod decode;
mod flags;
mod memory;
mod output;
mod signal;
mod start;
mod summary;
mod tracer;

use std::fs::File;
use std::process::ExitCode;

use output::Output;
use summary::Summary;
use tracer::Tracer;
use user::raw::{self, Disposition};
use user::{About, Args, Failure, Out};

const USAGE: &str = "trace [-cf] [-e CALL,...] [-o FILE] -p PID | COMMAND [ARGUMENT...]";

/// `PTRACE_O_*`: calls and events have codes of their own; the tracer's end kills.
const SYSGOOD: i32 = 1;
const FOLLOW: i32 = 2 | 4 | 8;
const EXEC: i32 = 16;
const EXITKILL: i32 = 1 << 20;

fn main() -> ExitCode {
    user::run("trace", USAGE, body)
}

fn body(args: &mut Args, _out: &mut Out) -> Result<u8, Failure> {
    args.stop_at_operand();
    let (mut follow, mut count, mut names, mut file, mut pids) = (false, false, None, None, Vec::new());
    while let Some(option) = args.option() {
        match option.as_str() {
            "f" => follow = true,
            "c" => count = true,
            "e" => names = Some(wanted(&args.text())?),
            "o" => {
                let path = args.value();
                file = Some(File::create(&path).about(&path)?);
            }
            "p" => pids.push(args.number::<i32>()),
            _ => args.usage_error(),
        }
    }
    let words = args.operands();
    if words.is_empty() == pids.is_empty() {
        args.usage_error();
    }
    let mut tracer = Tracer::new(Output::new(file, follow || pids.len() > 1));
    (tracer.names, tracer.summary) = (names, count.then(Summary::default));
    let options = SYSGOOD | EXEC | if follow { FOLLOW } else { 0 };
    let command = !words.is_empty();
    if command {
        let started = start::start(&words)?;
        tracer.main = started.pid;
        tracer.hide_start();
        tracer.seize(started.pid, options | EXITKILL).about("ptrace")?;
        tracer.gate = Some(started.held);
        // They are for the command, whose end is ours.
        for signal in [libc::SIGINT, libc::SIGQUIT, libc::SIGTERM] {
            raw::set_signal(signal, Disposition::Ignore).about("sigaction")?;
        }
    } else {
        raw::set_signal(libc::SIGINT, Disposition::Catch).about("sigaction")?;
        for pid in pids {
            for tid in threads_of(pid, follow) {
                tracer.seize(tid, options).about(format!("attach to {tid}"))?;
            }
        }
    }
    tracer.run(|| !command && raw::take_caught(libc::SIGINT))?;
    if let Some(summary) = &tracer.summary {
        summary.print(tracer.output.sink()).about("writing")?;
    }
    tracer.output.flush().about("writing")?;
    Ok(tracer.status.map_or(0, exit_as))
}

/// The calls of `-e`: a list of names, perhaps after `trace=`.
fn wanted(list: &str) -> Result<Vec<String>, Failure> {
    let list = list.strip_prefix("trace=").unwrap_or(list);
    let names: Vec<String> = list.split(',').map(str::to_owned).collect();
    match names.iter().find(|name| !calls::is_name(name)) {
        Some(name) => Err(Failure::new(format!("invalid system call '{name}'"))),
        None => Ok(names),
    }
}

/// The threads of process `pid`, if all are to be traced.
fn threads_of(pid: i32, all: bool) -> Vec<i32> {
    let entries = std::fs::read_dir(format!("/proc/{pid}/task")).ok().filter(|_| all);
    let number = |entry: std::io::Result<std::fs::DirEntry>| entry.ok()?.file_name().to_str()?.parse().ok();
    let tids: Vec<i32> = entries.map_or_else(Vec::new, |entries| entries.filter_map(number).collect());
    if tids.is_empty() { vec![pid] } else { tids }
}

/// The exit status that a wait(2) status is; a signal that killed the command kills this program, too.
fn exit_as(status: u32) -> u8 {
    match status & 0x7f {
        0 => (status >> 8) as u8,
        killer => {
            let killer = killer as i32;
            let own = i32::try_from(std::process::id()).unwrap_or(0);
            let _ = raw::set_signal(killer, Disposition::Default);
            let _ = user::kill::send(own, killer);
            (128 + killer) as u8
        }
    }
}
