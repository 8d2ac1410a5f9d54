//! conductor(1): parses the arguments, runs the verb, turns a failure into one line and an exit status.

use conductor::args::Verb;
use conductor::error::OWN;
use conductor::verbs;
use std::ffi::OsString;
use std::process::ExitCode;
use user::raw::arena::Arena;

#[global_allocator]
static ALLOCATOR: Arena = Arena::new();

fn main() -> ExitCode {
    let words: Vec<OsString> = std::env::args_os().collect();
    let verb = match Verb::from_words(&words) {
        Ok(verb) => verb,
        Err(answer) => return refuse(&answer),
    };
    let result = match verb {
        Verb::Init => verbs::init::run(),
        Verb::Run(args) => verbs::run::run(&args),
        Verb::Exec(args) => verbs::exec::run(&args),
        Verb::Stop(args) => verbs::stop::run(&args),
        Verb::Rm(args) => verbs::rm::run(&args),
        Verb::Ps(args) => verbs::ps::run(&args),
        Verb::Images(args) => verbs::images::run(&args),
        Verb::Logs(args) => verbs::logs::run(&args),
        Verb::Inspect(args) => verbs::inspect::run(&args),
        Verb::Monitor(args) => verbs::run::monitor(&args),
    };
    match result {
        Ok(status) => ExitCode::from(status),
        Err(failure) => {
            eprintln!("conductor: {failure}");
            ExitCode::from(failure.status)
        }
    }
}

/// Help and the version are printed as they are; of a mistake one line says what is wrong and where the usage is.
fn refuse(answer: &clap::Error) -> ExitCode {
    if !answer.use_stderr() {
        print!("{answer}");
        return ExitCode::SUCCESS;
    }
    if answer.kind() == clap::error::ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand {
        eprint!("{answer}");
        return ExitCode::from(OWN);
    }
    let text = answer.to_string();
    let words = text
        .lines()
        .map(str::trim)
        .take_while(|line| !["Usage:", "tip:", "For more"].iter().any(|end| line.starts_with(end)));
    let what = words.filter(|line| !line.is_empty()).collect::<Vec<_>>().join(" ");
    let known = answer.kind() != clap::error::ErrorKind::InvalidSubcommand;
    let verb = std::env::args().nth(1).filter(|word| known && !word.starts_with('-'));
    let verb = verb.map_or(String::new(), |verb| verb + " ");
    eprintln!("conductor: {} (see 'conductor {verb}--help')", what.trim_start_matches("error: "));
    ExitCode::from(OWN)
}
