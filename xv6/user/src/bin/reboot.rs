//! reboot: writes everything to disk and starts the machine anew.

use std::process::ExitCode;

use rustix::system::{RebootCommand, reboot};
use user::{About, Args, Failure, Out};

fn main() -> ExitCode {
    user::run("reboot", "reboot [-fn]", body)
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
    reboot(RebootCommand::Restart).about("reboot")?;
    Ok(0)
}
