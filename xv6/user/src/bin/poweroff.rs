//! poweroff: writes everything to disk and switches the machine off.

use std::process::ExitCode;

use rustix::system::{RebootCommand, reboot};
use user::{About, Args, Failure, Out};

fn main() -> ExitCode {
    user::run("poweroff", "poweroff [-fn]", body)
}

fn body(args: &mut Args, _: &mut Out) -> Result<u8, Failure> {
    let mut sync = true;
    while let Some(option) = args.option() {
        match option.as_str() {
            "f" => {}
            "n" => sync = false,
            _ => args.usage_error(),
        }
    }
    let [] = args.exactly();
    if sync {
        rustix::fs::sync();
    }
    reboot(RebootCommand::PowerOff).about("reboot")?;
    Ok(0)
}
