//! What is to run: [`Config`], a container's resolved options (its `config.json`), and [`Plan`], what a stage is told.

use crate::args::Run;
use crate::error::{Failure, Result};
use crate::image::Image;
use crate::names;
use serde::{Deserialize, Serialize};

/// The most tasks a container may have unless `--pids` says otherwise.
pub const DEFAULT_PIDS: u32 = 128;

/// The search path of a container whose image sets none (Docker's).
pub const DEFAULT_PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// One process to run inside a container.
#[derive(Serialize, Deserialize, Debug, Clone, PartialEq, Eq)]
pub struct Command {
    /// Program and arguments; never empty.
    pub argv: Vec<String>,
    /// `K=V` lines.
    pub env: Vec<String>,
    /// Working directory inside.
    pub workdir: String,
    /// `name|uid[:group|gid]`; empty for root.
    pub user: String,
    /// The process has a terminal.
    pub tty: bool,
}

/// A container's resolved options.
#[derive(Serialize, Deserialize, Debug, Clone, PartialEq, Eq)]
pub struct Config {
    /// 12 hex digits.
    pub id: String,
    /// Unique among containers.
    pub name: String,
    /// The image's name as given.
    pub image: String,
    /// Layer digests (hex), topmost first.
    pub layers: Vec<String>,
    /// Host name inside.
    pub hostname: String,
    /// The init's command.
    pub command: Command,
    /// The root is mounted read-only.
    pub read_only: bool,
    /// The container vanishes when it ends.
    pub remove: bool,
    /// Standard input stays open.
    pub interactive: bool,
    /// The most tasks.
    pub pids: u32,
}

impl Config {
    /// Resolves the options of `run` against the image's configuration, as Docker does: `--entrypoint` replaces the entrypoint and
    /// drops the image's command; a command given replaces the image's.
    pub fn resolve(args: &Run, image: &Image, id: String) -> Result<Config> {
        let (positional_name, given) = split_name(&args.command);
        let name = match (&args.name, positional_name) {
            (Some(name), Some(other)) if name != other => {
                return Err(Failure::new(format!("two names given: {name} and {other}")));
            }
            (Some(name), _) => name.clone(),
            (None, Some(name)) => name.to_owned(),
            (None, None) => names::from_id(&id),
        };
        if !names::is_valid(&name) {
            return Err(Failure::new(format!("{name}: not a valid container name (letters, digits, '_', '.', '-')")));
        }
        let mut argv = match &args.entrypoint {
            Some(entrypoint) if entrypoint.is_empty() => Vec::new(),
            Some(entrypoint) => vec![entrypoint.clone()],
            None => image.entrypoint.clone(),
        };
        if !given.is_empty() {
            argv.extend(given.iter().cloned());
        } else if args.entrypoint.is_none() {
            argv.extend(image.cmd.iter().cloned());
        }
        if argv.is_empty() {
            return Err(Failure::new(format!("{}: the image names no command and none was given", args.image)));
        }
        let hostname = args.hostname.clone().unwrap_or_else(|| id.clone());
        if hostname.is_empty() || hostname.len() > 64 {
            return Err(Failure::new(format!("--hostname {hostname}: must have 1 to 64 bytes")));
        }
        let mut env = vec![format!("PATH={DEFAULT_PATH}"), "HOME=/root".to_owned(), format!("HOSTNAME={hostname}")];
        if args.tty {
            env.push("TERM=xterm".to_owned());
        }
        for pair in image.env.iter().chain(&caller_env(&args.env)) {
            set(&mut env, pair);
        }
        let workdir = args.workdir.clone().unwrap_or_else(|| image.workdir.clone());
        if !workdir.is_empty() && !workdir.starts_with('/') {
            return Err(Failure::new(format!("--workdir {workdir}: must be an absolute path")));
        }
        Ok(Config {
            name,
            image: args.image.clone(),
            layers: image.layers.clone(),
            hostname,
            command: Command {
                argv,
                env,
                workdir: if workdir.is_empty() { "/".to_owned() } else { workdir },
                user: args.user.clone().unwrap_or_else(|| image.user.clone()),
                tty: args.tty,
            },
            read_only: args.read_only,
            remove: args.rm,
            interactive: args.interactive,
            pids: args.pids,
            id,
        })
    }
}

/// `NAME -- CMD ARG...` of the second grammar; otherwise all of it is the command.
fn split_name(words: &[String]) -> (Option<&str>, &[String]) {
    match words {
        [name, dashes, command @ ..] if dashes == "--" => (Some(name), command),
        [dashes, command @ ..] if dashes == "--" => (None, command),
        command => (None, command),
    }
}

/// The pairs of `-e`: `K=V` as it is, `K` alone with the caller's value, or nothing if the caller has none.
pub fn caller_env(words: &[String]) -> Vec<String> {
    let from_caller = |key: &String| std::env::var(key).ok().map(|value| format!("{key}={value}"));
    words.iter().filter_map(|word| if word.contains('=') { Some(word.clone()) } else { from_caller(word) }).collect()
}

/// Adds `K=V`, replacing an earlier value of K.
pub fn set(env: &mut Vec<String>, pair: &str) {
    let key = pair.split_inclusive('=').next().unwrap_or(pair);
    env.retain(|old| !old.starts_with(key));
    env.push(pair.to_owned());
}

/// How a stage finds its container.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// A new one, with this configuration.
    New(Box<Config>),
    /// A running one, by the host pid of its init.
    Running {
        /// Host pid of the init.
        init: u32,
    },
}

/// What a stage is told: where, and what to run there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    /// The container's id: names its cgroup.
    pub id: String,
    /// A new container or a running one.
    pub place: Place,
    /// The process to become.
    pub command: Command,
}

#[cfg(test)]
mod tests;
