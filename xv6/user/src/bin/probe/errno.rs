//! One system call, and the name of its errno: what a test of refusals needs. The arguments are the man page's, in order.

use std::fs;
use std::io::{self, Write};
use std::os::fd::AsFd;

use nix::sched::CloneFlags;
use rustix::fs::{CWD, FileType, Mode, OFlags};
use rustix::mount::{MountFlags, UnmountFlags};

use user::{Failure, Out, signals};

/// `EPERM` and so on; the number if it has no name.
pub fn name(error: &io::Error) -> String {
    match error.raw_os_error() {
        Some(number) => match nix::errno::Errno::from_raw(number) {
            nix::errno::Errno::UnknownErrno => format!("errno {number}"),
            errno => format!("{errno:?}"),
        },
        None => error.to_string(),
    }
}

/// Prints `what<TAB>ok` or `what<TAB>EPERM`; the status says which.
pub fn report(what: &str, result: io::Result<()>, out: &mut Out) -> io::Result<u8> {
    match &result {
        Ok(()) => writeln!(out, "{what}\tok")?,
        Err(error) => writeln!(out, "{what}\t{}", name(error))?,
    }
    Ok(u8::from(result.is_err()))
}

/// kill(2).
pub fn kill(pid: &str, signal: &str) -> Result<io::Result<()>, Failure> {
    let signal = signals::parse(signal).ok_or_else(|| bad("signal", signal))?;
    Ok(user::kill::send(number(pid)?, signal))
}

fn bad(what: &str, word: &str) -> Failure {
    Failure::new(format!("{word}: bad {what}")).with_status(2)
}

fn number<T: std::str::FromStr>(word: &str) -> Result<T, Failure> {
    word.parse().map_err(|_| bad("number", word))
}

fn octal(word: &str) -> Result<u32, Failure> {
    u32::from_str_radix(word, 8).map_err(|_| bad("mode", word))
}

/// Flags by name or number, joined by `,` or `|`.
fn flags(words: &str, names: &[(&str, u32)]) -> Result<u32, Failure> {
    let mut bits = 0;
    for word in words.split([',', '|']).filter(|word| !word.is_empty()) {
        let known = names.iter().find(|(name, _)| name.eq_ignore_ascii_case(word)).map(|(_, bit)| *bit);
        bits |= match known {
            Some(bit) => bit,
            None => number(word)?,
        };
    }
    Ok(bits)
}

const MOUNT: [(&str, u32); 14] = [
    ("rdonly", 1),
    ("nosuid", 2),
    ("nodev", 4),
    ("noexec", 8),
    ("remount", 32),
    ("bind", 4096),
    ("move", 8192),
    ("rec", 16384),
    ("silent", 32768),
    ("unbindable", 1 << 17),
    ("private", 1 << 18),
    ("slave", 1 << 19),
    ("shared", 1 << 20),
    ("relatime", 1 << 21),
];

const NAMESPACES: [(&str, u32); 8] = [
    ("mnt", 0x0002_0000),
    ("cgroup", 0x0200_0000),
    ("uts", 0x0400_0000),
    ("ipc", 0x0800_0000),
    ("user", 0x1000_0000),
    ("pid", 0x2000_0000),
    ("net", 0x4000_0000),
    ("fs", 0x0000_0200),
];

const OPEN: [(&str, u32); 10] = [
    ("rdonly", 0),
    ("wronly", 1),
    ("rdwr", 2),
    ("creat", 0o100),
    ("excl", 0o200),
    ("trunc", 0o1000),
    ("append", 0o2000),
    ("directory", 0o200_000),
    ("nofollow", 0o400_000),
    ("path", 0o10_000_000),
];

/// Makes the call; `None` if there is none of that name with so many arguments.
pub fn call(call: &str, arguments: &[&str]) -> Result<Option<io::Result<()>>, Failure> {
    let done: rustix::io::Result<()> = match (call, arguments) {
        ("kill", [pid, signal]) => return kill(pid, signal).map(Some),
        ("mount", [source, target, kind, rest @ ..]) if rest.len() < 3 => {
            let bits = flags(rest.first().unwrap_or(&""), &MOUNT)?;
            let data =
                std::ffi::CString::new(rest.get(1).copied().unwrap_or_default()).map_err(|_| bad("data", "NUL"))?;
            return mount(source, target, kind, bits, &data).map(Some);
        }
        ("umount", [target]) => rustix::mount::unmount(*target, UnmountFlags::empty()),
        ("umount", [target, bits]) => rustix::mount::unmount(*target, UnmountFlags::from_bits_retain(number(bits)?)),
        ("pivot_root", [new, old]) => rustix::process::pivot_root(*new, *old),
        ("chroot", [path]) => rustix::process::chroot(*path),
        ("chdir", [path]) => rustix::process::chdir(*path),
        ("setns", [path, kind]) => {
            let file = fs::File::open(path).map_err(|error| Failure::new(format!("{path}: {}", name(&error))))?;
            let kind = CloneFlags::from_bits_retain(flags(kind, &NAMESPACES)?.cast_signed());
            return Ok(Some(nix::sched::setns(file.as_fd(), kind).map_err(io::Error::from)));
        }
        ("unshare", [kinds]) => {
            let kinds = CloneFlags::from_bits_retain(flags(kinds, &NAMESPACES)?.cast_signed());
            return Ok(Some(nix::sched::unshare(kinds).map_err(io::Error::from)));
        }
        ("mknod", [path, kind, rest @ ..]) if rest.len() == 2 || rest.is_empty() => {
            let kind = match *kind {
                "c" => FileType::CharacterDevice,
                "b" => FileType::BlockDevice,
                "p" => FileType::Fifo,
                "f" => FileType::RegularFile,
                _ => return Err(bad("kind", kind)),
            };
            let device =
                if let [major, minor] = rest { rustix::fs::makedev(number(major)?, number(minor)?) } else { 0 };
            rustix::fs::mknodat(CWD, *path, kind, Mode::from_raw_mode(0o666), device)
        }
        ("sethostname", [text]) => rustix::system::sethostname(text.as_bytes()),
        ("setdomainname", [text]) => rustix::system::setdomainname(text.as_bytes()),
        ("open", [path, bits]) => {
            let flags = OFlags::from_bits_retain(flags(bits, &OPEN)?);
            rustix::fs::open(*path, flags | OFlags::CLOEXEC, Mode::from_raw_mode(0o666)).map(drop)
        }
        ("write", [path, text]) => {
            return Ok(Some(
                fs::OpenOptions::new().write(true).open(path).and_then(|mut file| file.write_all(text.as_bytes())),
            ));
        }
        ("read", [path]) => return Ok(Some(fs::read(path).map(drop))),
        ("mkdir", [path]) => rustix::fs::mkdir(*path, Mode::from_raw_mode(0o777)),
        ("rmdir", [path]) => rustix::fs::rmdir(*path),
        ("unlink", [path]) => rustix::fs::unlink(*path),
        ("rename", [from, to]) => rustix::fs::rename(*from, *to),
        ("link", [from, to]) => rustix::fs::link(*from, *to),
        ("symlink", [target, path]) => rustix::fs::symlink(*target, *path),
        ("readlink", [path]) => rustix::fs::readlink(*path, Vec::new()).map(drop),
        ("stat", [path]) => rustix::fs::stat(*path).map(drop),
        ("access", [path, bits]) => rustix::fs::access(*path, rustix::fs::Access::from_bits_retain(octal(bits)?)),
        ("truncate", [path, length]) => {
            let length = number(length)?;
            return Ok(Some(fs::OpenOptions::new().write(true).open(path).and_then(|file| file.set_len(length))));
        }
        ("chmod", [path, mode]) => rustix::fs::chmod(*path, Mode::from_raw_mode(octal(mode)?)),
        ("chown", [path, user, group]) => {
            let (user, group) = (rustix::fs::Uid::from_raw(number(user)?), rustix::fs::Gid::from_raw(number(group)?));
            rustix::fs::chown(*path, Some(user), Some(group))
        }
        ("execve", [path]) => {
            use std::os::unix::process::CommandExt;
            return Ok(Some(Err(std::process::Command::new(path).exec())));
        }
        ("setsid", []) => rustix::process::setsid().map(drop),
        ("setpgid", [pid, group]) => {
            use rustix::process::Pid;
            rustix::process::setpgid(Pid::from_raw(number(pid)?), Pid::from_raw(number(group)?))
        }
        ("fork", []) => {
            return Ok(Some(user::raw::fork().map(|side| {
                if let user::raw::Forked::Child = side {
                    std::process::exit(0);
                }
            })));
        }
        ("pidfd_open", [pid]) => {
            let pid = rustix::process::Pid::from_raw(number(pid)?).ok_or_else(|| bad("pid", pid))?;
            rustix::process::pidfd_open(pid, rustix::process::PidfdFlags::empty()).map(drop)
        }
        ("reboot", ["cad_off"]) => rustix::system::reboot(rustix::system::RebootCommand::CadOff),
        _ => return Ok(None),
    };
    Ok(Some(done.map_err(io::Error::from)))
}

/// mount(2) with the flags as numbers, which decide what it does.
fn mount(source: &str, target: &str, kind: &str, bits: u32, data: &std::ffi::CStr) -> Result<io::Result<()>, Failure> {
    let flags = MountFlags::from_bits_retain(bits);
    Ok(rustix::mount::mount(source, target, kind, flags, data).map_err(io::Error::from))
}
