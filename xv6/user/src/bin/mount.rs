//! mount: lists mounts, or makes, binds, moves or changes one.

use std::ffi::{CString, OsString};
use std::io::Write;
use std::os::unix::ffi::OsStrExt;
use std::process::ExitCode;

use rustix::mount::{MountFlags, MountPropagationFlags};
use user::{About, Args, Failure, Out, mounts};

const USAGE: &str = "mount [-t TYPE] [-o OPTIONS] [-rw] [--bind|--rbind|--move] SOURCE FOLDER | \
mount --make-[r]{private,slave,shared,unbindable} FOLDER | mount [-t TYPE]";

fn main() -> ExitCode {
    // 32 is mount(8)'s status for a failed mount.
    user::run("mount", USAGE, |args, out| body(args, out).map_err(|failure| failure.with_status(32)))
}

/// What to do besides mounting a file system.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Action {
    New,
    Bind,
    BindAll,
    Move,
    Remount,
}

fn body(args: &mut Args, out: &mut Out) -> Result<u8, Failure> {
    let mut kind = None;
    let mut action = Action::New;
    let mut flags = MountFlags::empty();
    let mut data = Vec::new();
    let mut propagation = MountPropagationFlags::empty();
    while let Some(option) = args.option() {
        match option.as_str() {
            "t" | "--types" => kind = Some(args.text()),
            "r" | "--read-only" => flags |= MountFlags::RDONLY,
            "w" => flags -= MountFlags::RDONLY,
            "n" | "v" => {}
            "B" | "--bind" => action = Action::Bind,
            "R" | "--rbind" => action = Action::BindAll,
            "M" | "--move" => action = Action::Move,
            "o" | "--options" => {
                for word in args.text().split(',') {
                    if !general_option(word, &mut flags, &mut action, &mut propagation) && !word.is_empty() {
                        data.push(word.to_owned());
                    }
                }
            }
            long => match long.strip_prefix("--make-").and_then(propagation_of) {
                Some(change) => propagation |= change,
                None => args.usage_error(),
            },
        }
    }
    let operands = args.operands();
    if operands.is_empty() && action == Action::New && propagation.is_empty() {
        for mount in mounts::all().about("/proc/self/mounts")? {
            if kind.as_ref().is_none_or(|kind| *kind == mount.kind) {
                writeln!(out, "{} on {} type {} ({})", mount.source, mount.target, mount.kind, mount.options)?;
            }
        }
        return Ok(0);
    }
    let (source, target): (OsString, &OsString) = match operands.as_slice() {
        [source, target] => (source.clone(), target),
        [target] if action == Action::Remount || !propagation.is_empty() => ("none".into(), target),
        _ => args.usage_error(),
    };
    let data = CString::new(data.join(",")).map_err(|_| Failure::new("option with a NUL byte"))?;
    let done = match action {
        Action::Bind => rustix::mount::mount_bind(&source, target),
        Action::BindAll => rustix::mount::mount_bind_recursive(&source, target),
        Action::Move => rustix::mount::mount_move(&source, target),
        Action::Remount => rustix::mount::mount_remount(target, flags, data.as_c_str()),
        Action::New if operands.len() == 1 => Ok(()),
        Action::New => {
            let Some(kind) = kind.or_else(|| guess(&source)) else {
                return Err(Failure::new(format!("{}: type unknown, give -t", source.to_string_lossy())));
            };
            rustix::mount::mount(&source, target, kind, flags, data.as_c_str())
        }
    };
    done.about(target)?;
    if matches!(action, Action::Bind | Action::BindAll) && !flags.is_empty() {
        // Linux takes a bind mount's flags in a second step only.
        rustix::mount::mount_remount(target, flags | MountFlags::BIND, c"").about(target)?;
    }
    if !propagation.is_empty() {
        rustix::mount::mount_change(target, propagation).about(target)?;
    }
    Ok(0)
}

/// A word of `-o` that is a flag of mount(2); `false` if it is the file system's own.
fn general_option(
    word: &str,
    flags: &mut MountFlags,
    action: &mut Action,
    propagation: &mut MountPropagationFlags,
) -> bool {
    match word {
        "ro" => *flags |= MountFlags::RDONLY,
        "rw" => *flags -= MountFlags::RDONLY,
        "nosuid" => *flags |= MountFlags::NOSUID,
        "nodev" => *flags |= MountFlags::NODEV,
        "noexec" => *flags |= MountFlags::NOEXEC,
        "noatime" => *flags |= MountFlags::NOATIME,
        "nodiratime" => *flags |= MountFlags::NODIRATIME,
        "relatime" => *flags |= MountFlags::RELATIME,
        "sync" => *flags |= MountFlags::SYNCHRONOUS,
        "suid" => *flags -= MountFlags::NOSUID,
        "dev" => *flags -= MountFlags::NODEV,
        "exec" => *flags -= MountFlags::NOEXEC,
        "defaults" | "async" | "auto" | "noauto" => {}
        "bind" if *action == Action::Remount => *flags |= MountFlags::BIND,
        "remount" => {
            if *action == Action::Bind {
                *flags |= MountFlags::BIND;
            }
            *action = Action::Remount;
        }
        "bind" => *action = Action::Bind,
        "rbind" => *action = Action::BindAll,
        "move" => *action = Action::Move,
        _ => match propagation_of(word) {
            Some(change) => *propagation |= change,
            None => return false,
        },
    }
    true
}

fn propagation_of(word: &str) -> Option<MountPropagationFlags> {
    let (recursive, name) = match word.strip_prefix('r') {
        Some(rest) if !word.starts_with("ro") => (MountPropagationFlags::REC, rest),
        _ => (MountPropagationFlags::empty(), word),
    };
    let kind = match name {
        "private" => MountPropagationFlags::PRIVATE,
        "slave" => MountPropagationFlags::DOWNSTREAM,
        "shared" => MountPropagationFlags::SHARED,
        "unbindable" => MountPropagationFlags::UNBINDABLE,
        _ => return None,
    };
    Some(kind | recursive)
}

/// The type that a source without `-t` most likely has, by its first bytes.
fn guess(source: &OsString) -> Option<String> {
    use std::io::{Read, Seek, SeekFrom};
    let name = source.to_str()?;
    if ["proc", "tmpfs", "sysfs", "devtmpfs", "devpts", "cgroup2", "overlay"].contains(&name) {
        return Some(name.to_owned());
    }
    let mut file = std::fs::File::open(source).ok()?;
    let mut head = [0; 512];
    file.read_exact(&mut head).ok()?;
    if &head[82..87] == b"FAT32" || &head[54..57] == b"FAT" {
        return Some("vfat".to_owned());
    }
    if &head[257..262] == b"ustar" {
        return Some("tarfs".to_owned());
    }
    let mut magic = [0; 2];
    file.seek(SeekFrom::Start(1080)).ok()?;
    file.read_exact(&mut magic).ok()?;
    let ext = magic == [0x53, 0xef];
    (source.as_bytes().starts_with(b"/dev/")).then(|| if ext { "ext4" } else { "xv6fs" }.to_owned())
}
