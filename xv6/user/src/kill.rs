//! Sending signals by number, as kill(1) and the shell's `kill` do: 0 tests, a negative pid is a process group, -1 everyone.

use std::io;

use nix::errno::Errno;
use nix::sys::signal::{self, Signal};
use nix::unistd::Pid;

/// kill(2).
pub fn send(pid: i32, number: i32) -> io::Result<()> {
    let number = match number {
        0 => None,
        number => Some(Signal::try_from(number).map_err(|_| io::Error::from(Errno::EINVAL))?),
    };
    Ok(signal::kill(Pid::from_raw(pid), number)?)
}
