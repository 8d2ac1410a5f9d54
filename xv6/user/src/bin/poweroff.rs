//! poweroff: writes everything to disk and switches the machine off.

use std::process::ExitCode;

use rustix::system::RebootCommand;

fn main() -> ExitCode {
    user::run("poweroff", "poweroff [-fn]", |args, _| user::power::end(args, RebootCommand::PowerOff))
}
