//! container_init: a container's first process when nothing else is to run. It reaps what its children leave behind and ends,
//! with status 0, when it is told to (SIGTERM or SIGINT).

use std::process::ExitCode;

use nix::sys::signal::{SigSet, Signal};
use rustix::process::WaitOptions;

use user::raw::{Disposition, set_signal};
use user::{About, Args, Failure, Out};

fn main() -> ExitCode {
    user::run("container_init", "container_init", body)
}

fn body(args: &mut Args, _: &mut Out) -> Result<u8, Failure> {
    let [] = args.exactly();
    // A process 1 gets only signals that it has a handler for; blocked, they wait for `wait` below.
    let mut awaited = SigSet::empty();
    for signal in [Signal::SIGTERM, Signal::SIGINT, Signal::SIGCHLD] {
        awaited.add(signal);
    }
    awaited.thread_block().about("sigprocmask")?;
    for signal in [libc::SIGTERM, libc::SIGINT, libc::SIGCHLD] {
        set_signal(signal, Disposition::Catch).about("sigaction")?;
    }
    loop {
        if awaited.wait().about("sigwait")? != Signal::SIGCHLD {
            return Ok(0);
        }
        // Ends with ECHILD, or with nothing left to reap.
        while let Ok(Some(_)) = rustix::process::wait(WaitOptions::NOHANG) {}
    }
}
