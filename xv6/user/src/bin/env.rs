//! env: prints the environment, or runs a command in a changed one.

use std::ffi::OsString;
use std::io::Write;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::process::{Command, ExitCode};

use user::{Args, Failure, Out, run_command};

fn main() -> ExitCode {
    user::run("env", "env [-0i] [-u NAME] [-C FOLDER] [NAME=VALUE...] [COMMAND [ARGUMENT...]]", |args, out| {
        body(args, out).map_err(|failure| if failure.status() == 1 { failure.with_status(125) } else { failure })
    })
}

fn body(args: &mut Args, out: &mut Out) -> Result<u8, Failure> {
    use std::os::unix::process::CommandExt;
    args.stop_at_operand();
    let mut environment: Vec<(OsString, OsString)> = std::env::vars_os().collect();
    let (mut end, mut folder) = (b'\n', None);
    while let Some(option) = args.option() {
        match option.as_str() {
            "i" => environment.clear(),
            "u" => {
                let name = args.value();
                environment.retain(|(known, _)| *known != name);
            }
            "C" => folder = Some(args.value()),
            "0" => end = 0,
            _ => args.usage_error(),
        }
    }
    let mut words = args.operands();
    if words.first().is_some_and(|word| word == "-") {
        environment.clear();
        words.remove(0);
    }
    while let Some(at) =
        words.first().and_then(|word| word.as_bytes().iter().position(|byte| *byte == b'=')).filter(|at| *at > 0)
    {
        let word = words.remove(0).into_vec();
        let (name, value) = (OsString::from_vec(word[..at].to_vec()), OsString::from_vec(word[at + 1..].to_vec()));
        environment.retain(|(known, _)| *known != name);
        environment.push((name, value));
    }
    let Some(name) = words.first() else {
        for (name, value) in environment {
            out.write_all(&[name.as_bytes(), b"=", value.as_bytes(), &[end]].concat())?;
        }
        return Ok(0);
    };
    let mut command = Command::new(name);
    // The command is looked for along the new PATH.
    command.args(&words[1..]).env_clear().envs(environment);
    if let Some(folder) = folder {
        command.current_dir(folder);
    }
    Err(run_command::failure(name, &command.exec()))
}
