//! Signals: two processes that answer each other, children that stop and go on, that spin or sleep in a call until one comes, and a
//! process group that ends as one.

use std::io::{Read, Write};

use super::{End, Worker, child, ensure, expect, pipe, tell};
use nix::sys::signal::{SigSet, Signal as Number};
use rustix::process::{Signal, WaitOptions, kill_current_process_group, kill_process, kill_process_group, waitpid};
use user::raw::{Disposition, Forked, fork, set_signal, take_caught};
use user::{About, Failure};

/// Signals that two processes exchange in a round.
const EXCHANGES: usize = 30;
/// How often a child is stopped in a round.
const STOPS: usize = 5;
/// Processes of a group.
const MEMBERS: usize = 3;

pub fn round(worker: &mut Worker) -> Result<(), Failure> {
    match worker.dice.below(5) {
        0 => exchange(),
        1 => stop_and_go(worker.dice.below(3)),
        2 => spinning(),
        3 => asleep(),
        _ => group(),
    }
}

/// Each waits for the other's signal with sigwait(3), so that none is lost.
fn exchange() -> Result<(), Failure> {
    let caller = child(|| {
        let both = SigSet::from_iter([Number::SIGUSR1, Number::SIGUSR2]);
        both.thread_block().about("sigprocmask")?;
        let own = rustix::process::getpid();
        let other = child(|| {
            for _ in 0..EXCHANGES {
                wait_for(&both, Number::SIGUSR1)?;
                kill_process(own, Signal::USR2).about("kill")?;
            }
            Ok(0)
        })?;
        for _ in 0..EXCHANGES {
            kill_process(other, Signal::USR1).about("kill")?;
            wait_for(&both, Number::SIGUSR2)?;
        }
        expect(other, End::Status(0)).map(|()| 0)
    })?;
    expect(caller, End::Status(0))
}

fn wait_for(set: &SigSet, signal: Number) -> Result<(), Failure> {
    let got = set.wait().about("sigwait")?;
    ensure(got == signal, || format!("{got} came, not {signal}"))
}

/// A child that works, with threads or without, is stopped and continued, and killed while it is stopped.
fn stop_and_go(threads: usize) -> Result<(), Failure> {
    let busy = || {
        loop {
            std::hint::black_box(vec![0_u8; 1 << 14]);
            let _ = rustix::process::getppid();
        }
    };
    let pid = child(|| {
        for _ in 0..threads {
            std::thread::spawn(busy);
        }
        busy()
    })?;
    let changed = |options| {
        let status = waitpid(Some(pid), options).about("waitpid")?;
        status.map(|(_, status)| status).ok_or_else(|| Failure::new("waitpid: nothing"))
    };
    for stop in 0..STOPS {
        kill_process(pid, Signal::STOP).about("kill")?;
        let status = changed(WaitOptions::UNTRACED)?;
        ensure(status.stopping_signal() == Some(libc::SIGSTOP), || format!("stopped: {status:?}"))?;
        if stop + 1 < STOPS {
            kill_process(pid, Signal::CONT).about("kill")?;
            let status = changed(WaitOptions::CONTINUED)?;
            ensure(status.continued(), || format!("continued: {status:?}"))?;
        }
    }
    kill_process(pid, Signal::KILL).about("kill")?;
    expect(pid, End::Killed(Signal::KILL))
}

/// A child that makes no call notices its signal.
fn spinning() -> Result<(), Failure> {
    let (mut reader, mut writer) = pipe()?;
    let pid = child(|| {
        set_signal(libc::SIGUSR1, Disposition::Catch).about("sigaction")?;
        writer.write_all(b"r").about("pipe")?;
        while !take_caught(libc::SIGUSR1) {
            std::hint::spin_loop();
        }
        Ok(5)
    })?;
    reader.read_exact(&mut [0]).about("pipe")?;
    kill_process(pid, Signal::USR1).about("kill")?;
    expect(pid, End::Status(5))
}

/// A signal ends a read; one that comes before the read does not, so they come until the child ends.
fn asleep() -> Result<(), Failure> {
    let (reader, writer) = pipe()?;
    let pid = child(|| {
        set_signal(libc::SIGUSR1, Disposition::Catch).about("sigaction")?;
        let read = rustix::io::read(&reader, &mut [0; 1]);
        Ok(if read == Err(rustix::io::Errno::INTR) { 6 } else { 1 })
    })?;
    // Before there is a handler, the signal would kill.
    let caught = |line: &str| {
        let mask = line.strip_prefix("SigCgt:").and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok());
        mask.is_some_and(|mask| mask & 1 << (libc::SIGUSR1 - 1) != 0)
    };
    while !std::fs::read_to_string(format!("/proc/{pid}/status")).about("status")?.lines().any(caught) {
        rustix::thread::sched_yield();
    }
    loop {
        kill_process(pid, Signal::USR1).about("kill")?;
        if let Some((_, status)) = waitpid(Some(pid), WaitOptions::NOHANG).about("waitpid")? {
            drop(writer);
            return ensure(End::Status(6).is(status), || format!("the reader ended with {status:?}"));
        }
        rustix::thread::sched_yield();
    }
}

/// One signal ends a whole group; the last one's end closes the pipe.
fn group() -> Result<(), Failure> {
    let (mut reader, mut writer) = pipe()?;
    let mut member = || {
        if let Forked::Child = fork().about("fork")? {
            writer.write_all(b"m").about("pipe")?;
            loop {
                std::thread::park();
            }
        }
        Ok(())
    };
    let leader = child(|| {
        rustix::process::setpgid(None, None).about("setpgid")?;
        if let Err(failure) = (0..MEMBERS).try_for_each(|_| member()) {
            tell(&failure);
            // Nobody else would end those that are there already; a member that failed ends all, too.
            kill_current_process_group(Signal::KILL).about("kill")?;
        }
        loop {
            std::thread::park();
        }
    })?;
    drop(writer);
    reader.read_exact(&mut [0; MEMBERS]).about("pipe")?;
    kill_process_group(leader, Signal::TERM).about("killpg")?;
    expect(leader, End::Killed(Signal::TERM))?;
    ensure(reader.read(&mut [0]).about("pipe")? == 0, || "a member writes after its end".into())
}
