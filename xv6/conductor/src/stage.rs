//! The first process inside a container, before it becomes the command: a fork of its monitor, which knows everything already.
//!
//! ```text
//!   parent (run, exec)                      stage
//!   unshare/setns of the pid namespace
//!   fork -------------------------------->  take the stdio
//!                                           join the cgroup            (so that everything after is charged)
//!                                           own session, namespaces, root, host name, terminal (see `pty`)
//!                                           user, capabilities, directory
//!   read the report: empty, at end of file  execve                     (the report closes by itself)
//!   read the report: "STATUS MESSAGE"       or: report and end
//! ```
//! The report is a pipe that closes on exec, as every descriptor here does but the stdio.

use crate::error::{Context, Failure, NOT_EXECUTABLE, NOT_FOUND, Result, reason};
use crate::monitor::Ends;
use crate::plan::{Command, DEFAULT_PATH, Place, Plan};
use crate::{capabilities, cgroup, process, rootfs, user};
use nix::sched::CloneFlags;
use rustix::fd::AsFd;
use rustix::thread::ThreadNameSpaceType;
use std::convert::Infallible;
use std::io::{ErrorKind, PipeWriter, Write};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};

/// Does what `plan` says and becomes its command. A failure goes to `report`.
pub fn run(plan: &Plan, ends: Ends, mut report: PipeWriter) -> ! {
    let Err(failure) = become_command(plan, ends);
    // A parent that is gone needs no report.
    let _ = write!(report, "{} {}", failure.status, failure.message);
    std::process::exit(i32::from(failure.status))
}

fn become_command(plan: &Plan, ends: Ends) -> Result<Infallible> {
    let terminal = match ends {
        Ends::Terminal(request) => Some(request),
        Ends::Pipes(stdio) => {
            process::take_stdio(&stdio.input, &stdio.output, &stdio.error)?;
            None
        }
    };
    cgroup::join(&plan.id)?;
    rustix::process::setsid().context("setsid")?;
    match &plan.place {
        Place::New(config) => {
            let all = CloneFlags::CLONE_NEWNS
                | CloneFlags::CLONE_NEWUTS
                | CloneFlags::CLONE_NEWIPC
                | CloneFlags::CLONE_NEWNET
                | CloneFlags::CLONE_NEWCGROUP;
            nix::sched::unshare(all).context("making namespaces")?;
            rustix::system::sethostname(config.hostname.as_bytes()).context("setting the host name")?;
            rootfs::enter(config)?;
        }
        Place::Running { .. } => {
            let all = ThreadNameSpaceType::MOUNT
                | ThreadNameSpaceType::HOST_NAME_AND_NIS_DOMAIN_NAME
                | ThreadNameSpaceType::INTER_PROCESS_COMMUNICATION
                | ThreadNameSpaceType::NETWORK
                | ThreadNameSpaceType::CONTROL_GROUP;
            // The parent entered the pid namespace, so here the init is process 1.
            let init = process::pidfd(1)?;
            rustix::thread::move_into_thread_name_spaces(init.as_fd(), all).context("entering the namespaces")?;
        }
    }
    if let Some(request) = terminal {
        let path = request.take()?;
        if matches!(plan.place, Place::New(_)) {
            rootfs::bind_console(&path)?;
        }
        rustix::process::ioctl_tiocsctty(std::io::stdin()).context("taking the terminal")?;
    }
    let may_create_directory = matches!(plan.place, Place::New(_));
    execute(&plan.command, may_create_directory)
}

/// Takes on the command's directory, user and capabilities, and becomes it.
fn execute(command: &Command, may_create_directory: bool) -> Result<Infallible> {
    let user = user::find(&command.user)?;
    let directory = Path::new(&command.workdir);
    if may_create_directory && !directory.exists() {
        std::fs::create_dir_all(directory).at(directory)?;
    }
    std::env::set_current_dir(directory)
        .map_err(|error| Failure::with_status(NOT_FOUND, format!("{}: {}", directory.display(), reason(&error))))?;
    let name = &command.argv[0];
    let program = find_program(name, &command.env)?;
    capabilities::drop_to_default()?;
    let env = command.env.iter().filter_map(|pair| pair.split_once('='));
    let mut process = std::process::Command::new(&program);
    process.arg0(name).args(&command.argv[1..]).env_clear().envs(env);
    if user.uid != 0 || user.gid != 0 {
        process.uid(user.uid).gid(user.gid);
    }
    let error = process.exec();
    let status = if error.kind() == ErrorKind::NotFound { NOT_FOUND } else { NOT_EXECUTABLE };
    Err(Failure::with_status(status, format!("{name}: {}", reason(&error))))
}

/// The file that `name` means: itself if it has a slash, else the first executable of that name along the command's `PATH`.
fn find_program(name: &str, env: &[String]) -> Result<PathBuf> {
    if name.contains('/') {
        return Ok(PathBuf::from(name));
    }
    let path = env.iter().find_map(|pair| pair.strip_prefix("PATH=")).unwrap_or(DEFAULT_PATH);
    let mut refused = None;
    for directory in path.split(':') {
        let candidate = Path::new(if directory.is_empty() { "." } else { directory }).join(name);
        match std::fs::metadata(&candidate) {
            Ok(meta) if meta.is_file() && meta.permissions().mode() & 0o111 != 0 => return Ok(candidate),
            Ok(_) => refused = refused.or(Some(candidate)),
            Err(_) => {}
        }
    }
    Err(match refused {
        Some(file) => Failure::with_status(NOT_EXECUTABLE, format!("{}: not executable", file.display())),
        None => Failure::with_status(NOT_FOUND, format!("{name}: command not found in the container")),
    })
}
