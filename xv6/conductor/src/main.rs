//! conductor(1): parses the arguments, runs the verb, turns a failure into one line and an exit status.

use clap::Parser;
use conductor::args::{Arguments, Verb};
use conductor::{stage, verbs};
use std::process::ExitCode;

fn main() -> ExitCode {
    let result = match Arguments::parse().verb {
        Verb::Init => verbs::init::run(),
        Verb::Run(args) => verbs::run::run(&args),
        Verb::Exec(args) => verbs::exec::run(&args),
        Verb::Stop(args) => verbs::stop::run(&args),
        Verb::Rm(args) => verbs::rm::run(&args),
        Verb::Ps(args) => verbs::ps::run(&args),
        Verb::Images(args) => verbs::images::run(&args),
        Verb::Logs(args) => verbs::logs::run(&args),
        Verb::Inspect(args) => verbs::inspect::run(&args),
        Verb::Monitor { id, report } => verbs::run::monitor(&id, report),
        Verb::Stage { plan, report } => stage::run(&plan, report),
    };
    match result {
        Ok(status) => ExitCode::from(status),
        Err(failure) => {
            eprintln!("conductor: {failure}");
            ExitCode::from(failure.status)
        }
    }
}
