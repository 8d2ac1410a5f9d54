//! Checks of several processes: children, their ends, and waiting for each other without sleeping.
//!
//! Key types: [`Ended`], how a child changed state, and [`Gate`], which one process opens for another. A child dies with its parent.

use std::time::{Duration, Instant};

use user::raw::{Forked, fork};

use crate::line::{Line, Show};
use crate::sys::{Answer, Errno, Fd, call, kill, must, pipe, sys};

/// How a process changed state, as wait4(2) tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ended(pub i32);

impl Show for Ended {
    fn show(&self, text: &mut String) {
        let status = self.0;
        if libc::WIFEXITED(status) {
            text.push_str(&format!("exit-{}", libc::WEXITSTATUS(status)));
        } else if libc::WIFSTOPPED(status) {
            text.push_str(&format!("stopped-{}", signal_name(libc::WSTOPSIG(status))));
        } else if libc::WIFCONTINUED(status) {
            text.push_str("continued");
        } else {
            text.push_str(&signal_name(libc::WTERMSIG(status)));
        }
    }
}

/// `SIGTERM`, `SIGRT+2`, or the number.
pub fn signal_name(signal: i32) -> String {
    match user::signals::name(signal) {
        Some(name) => format!("SIG{name}"),
        None if (32..=64).contains(&signal) => format!("SIGRT+{}", signal - 32),
        None => signal.to_string(),
    }
}

/// Forks; the child runs `life` and exits with what it returns.
pub fn spawn(life: impl FnOnce() -> i32) -> i32 {
    let parent = crate::sys::getpid();
    match fork() {
        Ok(Forked::Parent(pid)) => pid.as_raw_nonzero().get(),
        Ok(Forked::Child) => {
            must(sys!(SYS_prctl, libc::PR_SET_PDEATHSIG, libc::SIGKILL));
            // The parent may have died before that.
            if must(sys!(SYS_getppid)) as i32 != parent {
                exit(120);
            }
            exit(life())
        }
        Err(error) => must(Err(Errno(error.raw_os_error().unwrap_or_default()))),
    }
}

/// exit_group(2), with nothing flushed or run before.
pub fn exit(status: i32) -> ! {
    let _ = sys!(SYS_exit_group, status);
    std::process::abort()
}

/// Waits until `pid` ends.
pub fn reap(pid: i32) -> Answer<Ended> {
    wait(pid, 0).map(|(_, ended)| ended)
}

/// wait4(2): the pid (0 if none changed), and how it changed.
pub fn wait(pid: i32, options: i32) -> Answer<(i32, Ended)> {
    let mut status = [0i32; 1];
    let pid = sys!(SYS_wait4, pid, &mut status, options, 0)?;
    Ok((pid as i32, Ended(status[0])))
}

/// Runs a part of a check in a child and waits for it; an end that is not plain is told.
pub fn part(line: &mut Line, life: impl FnOnce(&mut Line)) {
    let pid = spawn(|| {
        life(&mut Line::new());
        0
    });
    let ended = reap(pid);
    if ended != Ok(Ended(0)) {
        line.is("part", ended);
    }
}

/// Runs `step` in a child and returns how that ended.
pub fn end_of(step: impl FnOnce() -> i32) -> Answer<Ended> {
    reap(spawn(step))
}

/// What one process waits for and another opens, once.
#[derive(Clone, Copy)]
pub struct Gate(Fd, Fd);

impl Gate {
    pub fn new() -> Self {
        let (read, write) = must(pipe(libc::O_CLOEXEC));
        Self(read, write)
    }

    pub fn open(self) {
        must(crate::sys::write(self.1, "x"));
    }

    /// Nothing is allocated here: in the fork of one of several threads, the allocator's lock may be another's for ever.
    pub fn wait(self) {
        must(sys!(SYS_read, self.0, &mut [0u8], 1));
    }
}

/// Waits until `is` holds; a check that waits for more than some seconds ends.
pub fn until(what: &str, mut is: impl FnMut() -> bool) {
    let start = Instant::now();
    while !is() {
        if start.elapsed() > Duration::from_secs(5) {
            Line::new().is("never", what);
            std::process::abort();
        }
        std::thread::sleep(Duration::from_micros(500));
    }
}

/// The letter of the process's state in `/proc/PID/stat`; a dot if there is no such process.
pub fn state(pid: i32) -> char {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.rsplit_once(") ").and_then(|(_, rest)| rest.chars().next()).unwrap_or('.')
}

/// Waits until `pid` sleeps in a call.
pub fn until_asleep(pid: i32) {
    until("asleep", || state(pid) == 'S');
}

/// Skips the check where process 1 is the user's own, as in some containers: what it asks of a stranger cannot be asked.
pub fn needs_foreign_init(line: &mut Line) {
    let owner = rustix::fs::stat("/proc/1").map(|stat| stat.st_uid as usize);
    if owner.ok() == sys!(SYS_getuid).ok() {
        line.skip("process 1 is the user's own");
    }
}

/// Lets a child sleep until it is killed.
pub fn sleeper() -> i32 {
    spawn(|| {
        loop {
            let _ = call(libc::SYS_pause, &[]);
        }
    })
}

/// Kills and reaps `pid`.
pub fn end(pid: i32) {
    let _ = kill(pid, libc::SIGKILL);
    let _ = reap(pid);
}
