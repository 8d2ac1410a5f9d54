//! The command line: every verb and flag as a documented type (`conductor help VERB` prints these words).

use clap::{Args, Parser, Subcommand};

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
    Monitor {
        /// The container's id.
        id: String,
        /// The descriptor to report the start on.
        report: i32,
    },
}

/// `conductor run`.
#[derive(Args, Debug, Clone)]
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
#[derive(Args, Debug, Clone)]
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
#[derive(Args, Debug)]
pub struct Stop {
    /// Seconds between TERM and KILL
    #[arg(short, long, default_value_t = 10)]
    pub time: u64,
    /// Names, id prefixes, or pids of inits
    #[arg(required = true, value_name = "CONTAINER|PID")]
    pub containers: Vec<String>,
}

/// `conductor rm`.
#[derive(Args, Debug)]
pub struct Rm {
    /// Kill it first if it runs
    #[arg(short, long)]
    pub force: bool,
    /// Names or id prefixes
    #[arg(required = true, value_name = "CONTAINER")]
    pub containers: Vec<String>,
}

/// `conductor ps`.
#[derive(Args, Debug)]
pub struct Ps {
    /// Show containers that ended, too
    #[arg(short, long)]
    pub all: bool,
    /// Print ids only
    #[arg(short, long)]
    pub quiet: bool,
}

/// `conductor images`.
#[derive(Args, Debug)]
pub struct Images {
    /// Print image ids only
    #[arg(short, long)]
    pub quiet: bool,
}

/// `conductor logs`.
#[derive(Args, Debug)]
pub struct Logs {
    /// A name, the start of an id, or the pid of the container's init
    pub container: String,
}

/// `conductor inspect`.
#[derive(Args, Debug)]
pub struct Inspect {
    /// A name, the start of an id, or the pid of the container's init
    pub container: String,
}
