//! tty: names the terminal that is standard input; status 1 if there is none.

use std::io::Write;
use std::process::ExitCode;

use user::{Args, Failure, Out};

fn main() -> ExitCode {
    user::run("tty", "tty [-s]", body)
}

fn body(args: &mut Args, out: &mut Out) -> Result<u8, Failure> {
    let mut silent = false;
    while let Some(option) = args.option() {
        match option.as_str() {
            "s" => silent = true,
            _ => args.usage_error(),
        }
    }
    let [] = args.exactly();
    let input = rustix::stdio::stdin();
    if !rustix::termios::isatty(input) {
        if !silent {
            writeln!(out, "not a tty")?;
        }
        return Ok(1);
    }
    if !silent {
        let name =
            std::fs::read_link("/proc/self/fd/0").map_or("/dev/tty".to_owned(), |path| path.display().to_string());
        writeln!(out, "{name}")?;
    }
    Ok(0)
}
