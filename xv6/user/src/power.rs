//! What `poweroff` and `reboot` share: the options, and the way down (reboot(2)).

use rustix::system::{RebootCommand, reboot};

use crate::{About, Args, Failure};

/// Writes everything to disk, unless `-n` is given, and ends the machine as `command` says.
pub fn end(args: &mut Args, command: RebootCommand) -> Result<u8, Failure> {
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
    reboot(command).about("reboot")?;
    Ok(0)
}
