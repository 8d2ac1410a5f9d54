//! sync: writes what is cached to disk: everything, or the files given.

use std::fs::File;
use std::process::ExitCode;

use user::{About, Args, Failure, Out};

fn main() -> ExitCode {
    user::run("sync", "sync [-df] [FILE...]", body)
}

fn body(args: &mut Args, _: &mut Out) -> Result<u8, Failure> {
    let (mut data, mut system) = (false, false);
    while let Some(option) = args.option() {
        match option.as_str() {
            "d" => data = true,
            "f" => system = true,
            _ => args.usage_error(),
        }
    }
    let files = args.operands();
    if files.is_empty() {
        rustix::fs::sync();
    }
    for name in files {
        let file = File::open(&name).about(&name)?;
        match (system, data) {
            (true, _) => rustix::fs::syncfs(&file).about(&name)?,
            (false, true) => file.sync_data().about(&name)?,
            (false, false) => file.sync_all().about(&name)?,
        }
    }
    Ok(0)
}
