//! reboot: writes everything to disk and starts the machine anew.

use std::process::ExitCode;

use rustix::system::RebootCommand;

fn main() -> ExitCode {
    user::run("reboot", "reboot [-fn]", |args, _| user::power::end(args, RebootCommand::Restart))
}
