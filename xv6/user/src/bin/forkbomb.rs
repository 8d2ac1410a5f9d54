//! forkbomb: starts copies of itself as fast as it can, without end. For tests of limits.
//!
//! The first process counts: its children wait until fork(2) fails for the first time, which it reports in one line; then all
//! of them fork for ever.

use std::io::Write;
use std::process::ExitCode;

use user::raw::{Forked, fork};
use user::{About, Args, Failure, Out, fail};

fn main() -> ExitCode {
    user::run("forkbomb", "forkbomb", body)
}

fn body(args: &mut Args, out: &mut Out) -> Result<u8, Failure> {
    let [] = args.exactly();
    let (gate, opener) = rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC).about("pipe")?;
    let mut tasks = 1_u64;
    loop {
        match fork() {
            Ok(Forked::Parent(_)) => tasks += 1,
            Ok(Forked::Child) => {
                drop(opener);
                // The gate opens when the first process closes the only writing end.
                let _ = rustix::io::read(&gate, &mut [0; 1]);
                bomb();
            }
            Err(error) => {
                writeln!(out, "forkbomb: {tasks} tasks, then: {}", fail::why(&error))?;
                out.flush()?;
                drop(opener);
                bomb();
            }
        }
    }
}

fn bomb() -> ! {
    loop {
        // Failures are what it is here to meet.
        let _ = fork();
    }
}
