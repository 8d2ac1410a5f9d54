//! pivot_root: makes a mount the root of this mount namespace, and moves the old root into it.

use std::process::ExitCode;

use user::{About, Failure};

fn main() -> ExitCode {
    user::run("pivot_root", "pivot_root NEW_ROOT PUT_OLD", |args, _| {
        let [new, old] = args.exactly();
        rustix::process::pivot_root(&new, &old).about(&new)?;
        Ok::<u8, Failure>(0)
    })
}
