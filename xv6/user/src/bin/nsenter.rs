//! nsenter: runs a command in the namespaces of another process.

use std::fs::File;
use std::os::fd::AsFd;
use std::os::unix::process::ExitStatusExt;
use std::process::{Command, ExitCode};

use nix::sched::CloneFlags;
use user::{About, Args, Failure, Out, namespaces, run_command};

const USAGE: &str = "nsenter [-a] [-t PID] [-C[FILE]] [-U[FILE]] [-i[FILE]] [-m[FILE]] [-n[FILE]] [-p[FILE]] [-u[FILE]] [-r[DIR]] [-w[DIR]] [-F] \
[COMMAND [ARGUMENT...]]";

fn main() -> ExitCode {
    user::run("nsenter", USAGE, body)
}

fn body(args: &mut Args, _: &mut Out) -> Result<u8, Failure> {
    args.stop_at_operand();
    let (mut all, mut fork) = (false, true);
    let mut target: Option<i32> = None;
    let mut chosen = Vec::new();
    let (mut root, mut folder) = (None, None);
    while let Some(option) = args.option() {
        match option.as_str() {
            "t" | "--target" => target = Some(args.number()),
            "a" | "--all" => all = true,
            "F" | "--no-fork" => fork = false,
            "r" | "--root" => root = Some(args.optional_value()),
            "w" | "--wd" => folder = Some(args.optional_value()),
            option => match namespaces::by_option(option) {
                // `-mun` is three letters, not a file called `un`: a file must hold a slash.
                Some(kind) if option.starts_with("--") => chosen.push((kind, args.optional_value())),
                Some(kind) => chosen.push((kind, None)),
                None => args.usage_error(),
            },
        }
    }
    let words = run_command::or_shell(args.operands());
    let of_target = |name: &str| match target {
        Some(pid) => Ok(format!("/proc/{pid}/{name}")),
        None => Err(Failure::new("no target process: give -t").with_status(2)),
    };
    if all {
        for kind in &namespaces::ALL {
            let (own, other) =
                (std::fs::read_link(format!("/proc/self/ns/{}", kind.file)), of_target(&format!("ns/{}", kind.file))?);
            let other = std::fs::read_link(&other).about(&other)?;
            if own.about("/proc/self/ns")? != other {
                chosen.push((kind, None));
            }
        }
    }
    // Everything is opened first: after the first step the paths mean something else.
    let mut files = Vec::new();
    for kind in &namespaces::ALL {
        if let Some((_, file)) = chosen.iter().find(|(known, _)| known.file == kind.file) {
            let path = match file {
                Some(path) => path.to_string_lossy().into_owned(),
                None => of_target(&format!("ns/{}", kind.file))?,
            };
            files.push((kind.flag, File::open(&path).about(&path)?, path));
        }
    }
    let open = |wanted: Option<Option<std::ffi::OsString>>, name: &str| -> Result<Option<File>, Failure> {
        let Some(path) = wanted else { return Ok(None) };
        let path = match path {
            Some(path) => path,
            None => of_target(name)?.into(),
        };
        File::open(&path).about(&path).map(Some)
    };
    let (root, folder) = (open(root, "root")?, open(folder, "cwd")?);
    let pid_changes = files.iter().any(|(flag, ..)| *flag == CloneFlags::CLONE_NEWPID);
    for (flag, file, path) in &files {
        nix::sched::setns(file.as_fd(), *flag).about(path)?;
    }
    if let Some(root) = &root {
        rustix::process::fchdir(root).about("root")?;
        rustix::process::chroot(".").about("root")?;
    }
    if let Some(folder) = &folder {
        rustix::process::fchdir(folder).about("working folder")?;
    } else if root.is_some() {
        std::env::set_current_dir("/").about("/")?;
    }
    if !(fork && pid_changes) {
        return Err(run_command::exec(&words));
    }
    // Only a child is in the new pid namespace.
    let status =
        Command::new(&words[0]).args(&words[1..]).status().map_err(|error| run_command::failure(&words[0], &error))?;
    let code = status.code().or_else(|| status.signal().map(|signal| 128 + signal)).unwrap_or(1);
    Ok(u8::try_from(code & 0xff).unwrap_or(1))
}
