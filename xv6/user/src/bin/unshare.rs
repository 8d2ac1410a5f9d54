//! unshare: runs a command in new namespaces.

use std::ffi::OsString;
use std::fs;
use std::process::{Command, ExitCode};

use nix::sched::CloneFlags;
use rustix::mount::{MountFlags, MountPropagationFlags};
use user::{About, Args, Failure, Out, namespaces, run_command};

const USAGE: &str = "unshare [-CUfimnpru] [--mount] [--uts] [--ipc] [--net] [--pid] [--user] [--cgroup] [--fork] [--mount-proc[=DIR]] \
[--map-root-user] [--propagation private|shared|slave|unchanged] [COMMAND [ARGUMENT...]]";

fn main() -> ExitCode {
    user::run("unshare", USAGE, body)
}

fn body(args: &mut Args, _: &mut Out) -> Result<u8, Failure> {
    args.stop_at_operand();
    let mut flags = CloneFlags::empty();
    let (mut fork, mut map_root, mut mount_proc) = (false, false, None);
    let mut propagation = Some(MountPropagationFlags::PRIVATE);
    while let Some(option) = args.option() {
        match option.as_str() {
            "f" | "--fork" => fork = true,
            "r" | "--map-root-user" => {
                map_root = true;
                flags |= CloneFlags::CLONE_NEWUSER;
            }
            "--mount-proc" => {
                mount_proc = Some(args.optional_value().unwrap_or_else(|| "/proc".into()));
                flags |= CloneFlags::CLONE_NEWNS;
            }
            "--propagation" => {
                propagation = match args.text().as_str() {
                    "private" => Some(MountPropagationFlags::PRIVATE),
                    "shared" => Some(MountPropagationFlags::SHARED),
                    "slave" => Some(MountPropagationFlags::DOWNSTREAM),
                    "unchanged" => None,
                    _ => args.usage_error(),
                }
            }
            option => match namespaces::by_option(option) {
                Some(kind) => flags |= kind.flag,
                None => args.usage_error(),
            },
        }
    }
    let words = run_command::or_shell(args.operands());
    let (user, group) = (rustix::process::geteuid().as_raw(), rustix::process::getegid().as_raw());
    nix::sched::unshare(flags).about("unshare")?;
    if map_root {
        fs::write("/proc/self/setgroups", "deny").about("/proc/self/setgroups")?;
        fs::write("/proc/self/uid_map", format!("0 {user} 1")).about("/proc/self/uid_map")?;
        fs::write("/proc/self/gid_map", format!("0 {group} 1")).about("/proc/self/gid_map")?;
    }
    if flags.contains(CloneFlags::CLONE_NEWNS)
        && let Some(kind) = propagation
    {
        rustix::mount::mount_change("/", kind | MountPropagationFlags::REC).about("/")?;
    }
    if fork { run_child(&words, mount_proc) } else { become_command(&words, mount_proc) }
}

fn become_command(words: &[OsString], mount_proc: Option<OsString>) -> Result<u8, Failure> {
    if let Some(folder) = mount_proc {
        let flags = MountFlags::NOSUID | MountFlags::NODEV | MountFlags::NOEXEC;
        rustix::mount::mount("proc", &folder, "proc", flags, None).about(&folder)?;
    }
    Err(run_command::exec(words))
}

/// Runs the command in a child, which is process 1 of a new pid namespace; its status is ours.
fn run_child(words: &[OsString], mount_proc: Option<OsString>) -> Result<u8, Failure> {
    use std::os::unix::process::ExitStatusExt;
    let status = if mount_proc.is_none() {
        Command::new(&words[0]).args(&words[1..]).status().map_err(|error| run_command::failure(&words[0], &error))?
    } else {
        match user::raw::fork().about("fork")? {
            user::raw::Forked::Child => {
                let status = become_command(words, mount_proc).unwrap_or_else(|failure| {
                    user::warn(&failure);
                    failure.status()
                });
                std::process::exit(i32::from(status));
            }
            user::raw::Forked::Parent(child) => {
                let waited =
                    rustix::process::waitpid(Some(child), rustix::process::WaitOptions::empty()).about("wait")?;
                std::process::ExitStatus::from_raw(waited.map_or(0, |(_, status)| status.as_raw()))
            }
        }
    };
    let code = status.code().or_else(|| status.signal().map(|signal| 128 + signal)).unwrap_or(1);
    Ok(u8::try_from(code & 0xff).unwrap_or(1))
}
