//! The command line: every verb and flag as a documented type (`conductor help VERB` prints these words).

use clap::{Parser, Subcommand};
use std::ffi::OsString;

/// Runs containers from OCI images.
#[derive(Parser, Debug)]
#[command(name = "conductor", version, disable_help_subcommand = false)]
pub struct Arguments {
    /// What to do.
    #[command(subcommand)]
    pub verb: Verb,
}

/// What to do.
#[derive(Subcommand, Debug)]
pub enum Verb {
    /// Prepare the store (run does it too)
    Init,
    /// Run a command in a new container
    #[command(
        override_usage = "conductor run [OPTIONS] IMAGE [CMD ARG...]\n       conductor run [OPTIONS] IMAGE NAME -- [CMD ARG...]"
    )]
    Run(Run),
    /// Run a command in a running container
    #[command(override_usage = "conductor exec [OPTIONS] CONTAINER|PID [--] [CMD ARG...]")]
    Exec(Exec),
    /// Stop containers (TERM, grace, KILL) and remove them
    Stop(Stop),
    /// Remove containers that do not run
    Rm(Rm),
    /// List containers
    Ps(Ps),
    /// List images
    Images(Images),
    /// Print what a container wrote
    Logs(Logs),
    /// Print a container's configuration and state as JSON
    Inspect(Inspect),
    /// The process that keeps a detached container's stdio (started by run -d)
    #[command(hide = true)]
    Monitor(Monitor),
}

impl Verb {
    /// What `words`, the command's name and its arguments, ask for. Of all verbs' arguments only those of the one that is named are made ready: all of them
    /// take clap a seventh of what a start does in user mode. Whatever is not plainly right goes the whole way, which knows how to help and how to say
    /// what is wrong.
    ///
    /// # Errors
    /// Help, the version, or a mistake, as clap has them.
    pub fn from_words(words: &[OsString]) -> Result<Verb, clap::Error> {
        match words.get(1..).and_then(Verb::named_first) {
            Some(verb) => Ok(verb),
            None => Arguments::try_parse_from(words).map(|arguments| arguments.verb),
        }
    }

    fn named_first(words: &[OsString]) -> Option<Verb> {
        fn parse<T: Parser>(words: &[OsString]) -> Option<T> {
            T::try_parse_from(words).ok()
        }
        match words.first()?.to_str()? {
            "run" => parse(words).map(Verb::Run),
            "exec" => parse(words).map(Verb::Exec),
            "stop" => parse(words).map(Verb::Stop),
            "rm" => parse(words).map(Verb::Rm),
            "ps" => parse(words).map(Verb::Ps),
            "images" => parse(words).map(Verb::Images),
            "logs" => parse(words).map(Verb::Logs),
            "inspect" => parse(words).map(Verb::Inspect),
            "monitor" => parse(words).map(Verb::Monitor),
            _ => None,
        }
    }
}

/// `conductor run`.
#[derive(Parser, Debug, Clone)]
pub struct Run {
    /// Run in the background and print the container's id
    #[arg(short, long)]
    pub detach: bool,
    /// Keep standard input open
    #[arg(short, long)]
    pub interactive: bool,
    /// Give the container a terminal
    #[arg(short, long)]
    pub tty: bool,
    /// Remove the container when it ends
    #[arg(long)]
    pub rm: bool,
    /// The container's name
    #[arg(long)]
    pub name: Option<String>,
    /// The container's host name
    #[arg(long)]
    pub hostname: Option<String>,
    /// Set an environment variable (K alone takes the caller's value)
    #[arg(short, long, value_name = "K=V")]
    pub env: Vec<String>,
    /// The working directory
    #[arg(short, long, value_name = "DIR")]
    pub workdir: Option<String>,
    /// The user (name or uid, with an optional :group)
    #[arg(short, long)]
    pub user: Option<String>,
    /// Replace the image's entrypoint
    #[arg(long)]
    pub entrypoint: Option<String>,
    /// Mount the container's root read-only
    #[arg(long)]
    pub read_only: bool,
    /// The most tasks the container may have
    #[arg(long, value_name = "N", default_value_t = crate::plan::DEFAULT_PIDS, value_parser = clap::value_parser!(u32).range(1..=4_000_000))]
    pub pids: u32,
    /// The image
    pub image: String,
    /// The command and its arguments; or NAME -- CMD ARG...
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    pub command: Vec<String>,
}

/// `conductor exec`.
#[derive(Parser, Debug, Clone)]
pub struct Exec {
    /// Run in the background
    #[arg(short, long)]
    pub detach: bool,
    /// Keep standard input open
    #[arg(short, long)]
    pub interactive: bool,
    /// Give the command a terminal
    #[arg(short, long)]
    pub tty: bool,
    /// Set an environment variable
    #[arg(short, long, value_name = "K=V")]
    pub env: Vec<String>,
    /// The working directory
    #[arg(short, long, value_name = "DIR")]
    pub workdir: Option<String>,
    /// The user (name or uid, with an optional :group)
    #[arg(short, long)]
    pub user: Option<String>,
    /// A name, the start of an id, or the pid of the container's init
    pub container: String,
    /// The command and its arguments; the shell if there is none
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    pub command: Vec<String>,
}

/// `conductor stop`.
#[derive(Parser, Debug)]
pub struct Stop {
    /// Seconds between TERM and KILL
    #[arg(short, long, default_value_t = 10)]
    pub time: u64,
    /// Names, id prefixes, or pids of inits
    #[arg(required = true, value_name = "CONTAINER|PID")]
    pub containers: Vec<String>,
}

/// `conductor rm`.
#[derive(Parser, Debug)]
pub struct Rm {
    /// Kill it first if it runs
    #[arg(short, long)]
    pub force: bool,
    /// Names or id prefixes
    #[arg(required = true, value_name = "CONTAINER")]
    pub containers: Vec<String>,
}

/// `conductor ps`.
#[derive(Parser, Debug)]
pub struct Ps {
    /// Show containers that ended, too
    #[arg(short, long)]
    pub all: bool,
    /// Print ids only
    #[arg(short, long)]
    pub quiet: bool,
}

/// `conductor images`.
#[derive(Parser, Debug)]
pub struct Images {
    /// Print image ids only
    #[arg(short, long)]
    pub quiet: bool,
}

/// `conductor logs`.
#[derive(Parser, Debug)]
pub struct Logs {
    /// A name, the start of an id, or the pid of the container's init
    pub container: String,
}

/// `conductor inspect`.
#[derive(Parser, Debug)]
pub struct Inspect {
    /// A name, the start of an id, or the pid of the container's init
    pub container: String,
}

/// `conductor monitor`.
#[derive(Parser, Debug)]
pub struct Monitor {
    /// The container's id.
    pub id: String,
    /// The descriptor to report the start on.
    pub report: i32,
}

#[cfg(test)]
mod tests {
    use super::{Arguments, Verb};
    use clap::Parser;
    use std::ffi::OsString;

    #[test]
    fn the_short_way_reads_what_the_whole_way_reads() {
        for line in [
            "run sample",
            "run -dit --rm --name n -e A=1 -e B --pids 7 sample sh -c --x",
            "run sample name -- ls -l",
            "run -- -image",
            "exec -it c -- ps --all",
            "exec 12 ls",
            "stop -t 3 a b",
            "rm -f a",
            "ps -aq",
            "images --quiet",
            "logs a",
            "inspect a",
            "monitor a 5",
        ] {
            let words: Vec<OsString> = line.split(' ').map(OsString::from).collect();
            let short = Verb::named_first(&words).unwrap_or_else(|| panic!("{line}"));
            let whole = Arguments::try_parse_from(["conductor".into()].into_iter().chain(words)).expect(line);
            assert_eq!(format!("{short:?}"), format!("{:?}", whole.verb), "{line}");
        }
    }

    #[test]
    fn help_and_mistakes_are_told_the_whole_way() {
        for line in [
            "",
            "init",
            "help run",
            "run",
            "run --help",
            "run --pids 0 sample",
            "stop",
            "monitor a b",
            "--version",
            "fly",
        ] {
            let words: Vec<OsString> = line.split(' ').map(OsString::from).collect();
            assert!(Verb::named_first(&words).is_none(), "{line}");
        }
        let words = ["conductor", "run", "--pids", "0", "sample"].map(OsString::from);
        let told = Verb::from_words(&words).expect_err("a mistake").to_string();
        assert!(told.contains("conductor run --help") || told.contains("--pids"), "{told}");
    }
}
