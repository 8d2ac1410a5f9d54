//! `conductor exec`: one more process in a running container.

use crate::args::Exec;
use crate::error::{Context, Failure, Result};
use crate::monitor::{self, Wishes};
use crate::plan::{self, Command, Place, Plan};
use crate::store;
use std::process::Stdio;

/// Runs the verb. The exit status is the command's.
pub fn run(args: &Exec) -> Result<u8> {
    let record = store::find_running(&args.container)?;
    let argv = match args.command.as_slice() {
        [dashes, rest @ ..] if dashes == "--" => rest,
        all => all,
    };
    if args.detach {
        return detach(args);
    }
    let mut env = record.config.command.env.clone();
    for pair in plan::caller_env(&args.env) {
        plan::set(&mut env, &pair);
    }
    let workdir = args.workdir.clone().unwrap_or_else(|| record.config.command.workdir.clone());
    if !workdir.starts_with('/') {
        return Err(Failure::new(format!("--workdir {workdir}: must be an absolute path")));
    }
    let command = Command {
        argv: if argv.is_empty() { vec!["/bin/sh".to_owned()] } else { argv.to_vec() },
        env,
        workdir,
        user: args.user.clone().unwrap_or_else(|| record.config.command.user.clone()),
        tty: args.tty,
    };
    let place = Place::Running { init: record.state.pid };
    let plan = Plan { id: record.config.id, place, command };
    monitor::start(plan, Wishes { interactive: args.interactive, attached: true })?.attend(None)
}

/// Runs the same verb without `-d` beside us, with nobody listening.
fn detach(args: &Exec) -> Result<u8> {
    let mut words = vec!["exec".to_owned()];
    let options = [("--workdir", &args.workdir), ("--user", &args.user)];
    words.extend(args.env.iter().map(|pair| format!("--env={pair}")));
    words.extend(options.iter().filter_map(|(flag, value)| Some(format!("{flag}={}", value.as_ref()?))));
    words.push(args.container.clone());
    words.extend(args.command.iter().cloned());
    let mut process = std::process::Command::new("/proc/self/exe");
    process.args(words).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    process.spawn().context("starting the process")?;
    Ok(0)
}
