//! hostname: prints or sets the name of the UTS namespace.

use std::io::Write;
use std::process::ExitCode;

use user::{About, Args, Failure, Out};

fn main() -> ExitCode {
    user::run("hostname", "hostname [-s] [-F FILE | NAME]", body)
}

fn body(args: &mut Args, out: &mut Out) -> Result<u8, Failure> {
    let (mut file, mut short) = (None, false);
    while let Some(option) = args.option() {
        match option.as_str() {
            "F" => file = Some(args.value()),
            "s" => short = true,
            _ => args.usage_error(),
        }
    }
    let operands = args.operands();
    let name = match (file, operands.as_slice()) {
        (Some(file), []) => std::fs::read_to_string(&file).about(&file)?.trim().to_owned(),
        (None, [name]) => name.to_string_lossy().into_owned(),
        (None, []) => {
            let uname = rustix::system::uname();
            let name = uname.nodename().to_string_lossy();
            let shown = if short { name.split('.').next().unwrap_or_default() } else { &name };
            writeln!(out, "{shown}")?;
            return Ok(0);
        }
        _ => args.usage_error(),
    };
    rustix::system::sethostname(name.as_bytes()).about(&name)?;
    Ok(0)
}
