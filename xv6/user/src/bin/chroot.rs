//! chroot: runs a command with another root folder.

use std::process::ExitCode;

use user::{About, Args, Failure, Out, run_command};

fn main() -> ExitCode {
    user::run("chroot", "chroot FOLDER [COMMAND [ARGUMENT...]]", |args, out| {
        body(args, out).map_err(|failure| if failure.status() == 1 { failure.with_status(125) } else { failure })
    })
}

fn body(args: &mut Args, _: &mut Out) -> Result<u8, Failure> {
    args.stop_at_operand();
    let mut words = args.some();
    let folder = words.remove(0);
    rustix::process::chroot(&folder).about(&folder)?;
    std::env::set_current_dir("/").about("/")?;
    Err(run_command::exec(&run_command::or_shell(words)))
}
