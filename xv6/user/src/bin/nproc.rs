//! nproc: prints how many processors this process may use.

use std::io::Write;
use std::process::ExitCode;

use user::{About, Failure};

fn main() -> ExitCode {
    user::run("nproc", "nproc", |args, out| {
        let [] = args.exactly();
        writeln!(out, "{}", std::thread::available_parallelism().about("sched_getaffinity")?)?;
        Ok::<u8, Failure>(0)
    })
}
