//! What the small user programs share: the frame of a program, options, error lines, names, numbers, `/proc`, and the shell's language.
//!
//! A program is one file in `src/bin/`: its `main` is one call of [`run`] with its name, its usage line and its body.
//! The frame flushes standard output, prints a failure as one line (`name: what: why`) and turns it into the exit status.
//! Neighbours: none; the programs see the kernel through system calls only, and run on Linux as well.

pub mod args;
pub mod calls;
pub mod clock;
pub mod echo;
pub mod fail;
pub mod kill;
pub mod mode;
pub mod mounts;
pub mod names;
pub mod namespaces;
pub mod power;
pub mod printf;
pub mod procfs;
pub mod raw;
pub mod run_command;
pub mod shell;
pub mod signals;
pub mod size;
pub mod test;
pub mod text;
pub mod walk;

use std::io::{BufWriter, StdoutLock, Write};
use std::process::ExitCode;
use std::sync::OnceLock;

pub use args::Args;
pub use fail::{About, Failure};

/// Standard output as a program's body gets it: buffered, flushed by [`run`].
pub type Out = BufWriter<StdoutLock<'static>>;

static NAME: OnceLock<&'static str> = OnceLock::new();

/// Runs a program: `body` gets the options and standard output, and returns the exit status.
pub fn run(
    name: &'static str,
    usage: &'static str,
    body: impl FnOnce(&mut Args, &mut Out) -> Result<u8, Failure>,
) -> ExitCode {
    let _ = NAME.set(name);
    // Rust's start-up ignores SIGPIPE; `yes | head` wants it back.
    let _ = raw::set_signal(libc::SIGPIPE, raw::Disposition::Default);
    let mut out = BufWriter::new(std::io::stdout().lock());
    let result = body(&mut Args::from_env(usage), &mut out);
    let status = match (result, out.flush().about("standard output")) {
        (Err(failure), _) => report(&failure),
        (Ok(_), Err(failure)) => report(&failure),
        (Ok(status), Ok(())) => status,
    };
    ExitCode::from(status)
}

/// Prints `name: what: why` on standard error; for programs that go on with their next operand.
pub fn warn(failure: &Failure) {
    // Nobody is left to tell when standard error itself fails.
    let _ = writeln!(std::io::stderr(), "{}: {failure}", NAME.get().unwrap_or(&"?"));
}

fn report(failure: &Failure) -> u8 {
    if !failure.is_silent() {
        warn(failure);
    }
    failure.status()
}
