//! uname: names the system.

use std::io::Write;
use std::process::ExitCode;

use user::{Args, Failure, Out};

fn main() -> ExitCode {
    user::run("uname", "uname [-asnrvmo]", body)
}

fn body(args: &mut Args, out: &mut Out) -> Result<u8, Failure> {
    let mut chosen = String::new();
    while let Some(option) = args.option() {
        match option.as_str() {
            "a" | "--all" => chosen.push_str("snrvmo"),
            "s" | "n" | "r" | "v" | "m" | "o" => chosen.push_str(&option),
            "p" | "i" => chosen.push('m'),
            _ => args.usage_error(),
        }
    }
    let [] = args.exactly();
    if chosen.is_empty() {
        chosen.push('s');
    }
    let names = rustix::system::uname();
    let parts = [
        ('s', names.sysname()),
        ('n', names.nodename()),
        ('r', names.release()),
        ('v', names.version()),
        ('m', names.machine()),
        ('o', c"GNU/Linux"),
    ];
    let shown: Vec<_> =
        parts.iter().filter(|(letter, _)| chosen.contains(*letter)).map(|(_, name)| name.to_string_lossy()).collect();
    writeln!(out, "{}", shown.join(" "))?;
    Ok(0)
}
