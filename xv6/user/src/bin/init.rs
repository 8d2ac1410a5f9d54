//! init: process 1 of the machine. Mounts what the kernel does not, names the host, runs one session on the console, reaps
//! every orphan, and ends the machine when the session ends.
//!
//! Without arguments the session is a login shell, with arguments it is that command. Its exit status becomes the machine's (`reboot(2)` with
//! `exit:STATUS`), as ssh(1) passes on what ran at the other end.

use std::ffi::{CString, OsString};
use std::fs::{self, OpenOptions};
use std::os::unix::process::CommandExt;
use std::process::{Command, ExitCode};

use rustix::io::Errno;
use rustix::mount::{MountFlags, mount};
use rustix::process::{Pid, WaitOptions};

use user::raw::arena::Arena;
use user::raw::{Forked, fork, reboot_with};
use user::{About, Failure, fail};

#[global_allocator]
static ALLOCATOR: Arena = Arena::new();

/// What is mounted, in order: source, folder, type, flags, options.
const MOUNTS: [(&str, &str, &str, MountFlags, &str); 9] = {
    let safe = MountFlags::NOSUID.union(MountFlags::NODEV);
    let closed = safe.union(MountFlags::NOEXEC);
    [
        ("proc", "/proc", "proc", closed, ""),
        ("dev", "/dev", "devtmpfs", MountFlags::NOSUID, "mode=0755"),
        ("devpts", "/dev/pts", "devpts", MountFlags::NOSUID.union(MountFlags::NOEXEC), "mode=0620,ptmxmode=0666"),
        ("shm", "/dev/shm", "tmpfs", safe, "mode=1777"),
        ("tmp", "/tmp", "tmpfs", safe, "mode=1777"),
        ("run", "/run", "tmpfs", safe, "mode=0755"),
        ("sys", "/sys", "tmpfs", closed, "mode=0755"),
        ("cgroup2", "/sys/fs/cgroup", "cgroup2", closed, ""),
        ("/dev/vdb", "/images", "vfat", safe.union(MountFlags::RDONLY), ""),
    ]
};

const USAGE: &str = "init [COMMAND [ARGUMENT...]]";

fn main() -> ExitCode {
    user::run("init", USAGE, |_, _| {
        // Everything after the kernel's own options is the command: no option of init's.
        // `%00` is how the kernel's command line spells an empty argument.
        let plain = |word: OsString| if word == "%00" { OsString::new() } else { word };
        let command: Vec<OsString> = std::env::args_os().skip(1).map(plain).collect();
        if std::process::id() != 1 {
            return Err(Failure::new("must be run as process 1").with_status(2));
        }
        set_up();
        let status = session(&command);
        rustix::fs::sync();
        let argument = CString::new(format!("exit:{status}")).map_err(|_| Failure::new("bad exit status"))?;
        Err(reboot_with(&argument)).about("reboot")
    })
}

/// Mounts, hostname; each failure is told and the rest still done: a machine with a prompt can be looked into.
fn set_up() {
    for (source, target, kind, flags, options) in MOUNTS {
        // What the kernel has mounted stays; a machine without an image volume has no device for it.
        if is_mounted(target) || source.starts_with('/') && !fs::exists(source).unwrap_or(false) {
            continue;
        }
        let options = CString::new(options).unwrap_or_default();
        let attempt = || mount(source, target, kind, flags, options.as_c_str());
        let mounted = match attempt() {
            Err(Errno::NOENT) => fs::create_dir_all(target).and_then(|()| Ok(attempt()?)),
            result => result.map_err(Into::into),
        };
        if let Err(error) = mounted
            && error.raw_os_error() != Some(Errno::BUSY.raw_os_error())
        {
            user::warn(&Failure::new(format!("mount {target}: {}", fail::why(&error))));
        }
    }
    let name = fs::read_to_string("/etc/hostname").unwrap_or_default();
    let name = if name.trim().is_empty() { "xv6" } else { name.trim() };
    if let Err(failure) = rustix::system::sethostname(name.as_bytes()).about("sethostname") {
        user::warn(&failure);
    }
}

/// Whether something is mounted on `target`, a folder of a folder: the two are then on different devices (as mountpoint(1) sees it). Reading the
/// mount table would take longer than all the mounting.
fn is_mounted(target: &str) -> bool {
    let device = |path: &str| rustix::fs::stat(path).map(|stat| stat.st_dev);
    match (device(target), device(&format!("{target}/.."))) {
        (Ok(here), Ok(above)) => here != above,
        _ => false,
    }
}

/// Runs the session to its end; its status.
fn session(command: &[OsString]) -> u8 {
    match fork() {
        Ok(Forked::Child) => become_session(command),
        Ok(Forked::Parent(child)) => reap_until(child),
        Err(error) => {
            user::warn(&Failure::new(format!("fork: {}", fail::why(&error))));
            1
        }
    }
}

/// Reaps everything until `session` ends.
fn reap_until(session: Pid) -> u8 {
    loop {
        match rustix::process::wait(WaitOptions::empty()) {
            Ok(Some((pid, status))) if pid == session => {
                let status = status.exit_status().or_else(|| status.terminating_signal().map(|signal| 128 + signal));
                return u8::try_from(status.unwrap_or(1) & 0xff).unwrap_or(1);
            }
            Ok(_) | Err(Errno::INTR) => {}
            Err(error) => {
                user::warn(&Failure::new(format!("wait: {}", fail::why(&error.into()))));
                return 1;
            }
        }
    }
}

/// In the child: a session of its own with the console as its terminal, then the command.
fn become_session(command: &[OsString]) -> ! {
    if let Err(failure) = take_console() {
        user::warn(&failure);
    }
    let login = ["/bin/sh".into()];
    let words = if command.is_empty() { &login[..] } else { command };
    let mut child = Command::new(&words[0]);
    child.args(&words[1..]).current_dir(if fs::exists("/root").unwrap_or(false) { "/root" } else { "/" });
    // What the kernel's command line sets (`env.NAME=VALUE`) stays.
    for (name, value) in [("PATH", "/bin:/sbin"), ("HOME", "/root"), ("TERM", "linux")] {
        if std::env::var_os(name).is_none() {
            child.env(name, value);
        }
    }
    if command.is_empty() {
        child.arg0("-sh");
    }
    let error = child.exec();
    let (text, status) = match error.kind() {
        std::io::ErrorKind::NotFound => ("not found".to_owned(), 127),
        _ => (fail::why(&error), 126),
    };
    user::warn(&Failure::new(format!("{}: {text}", words[0].to_string_lossy())));
    std::process::exit(status)
}

fn take_console() -> Result<(), Failure> {
    rustix::process::setsid().about("setsid")?;
    let console = OpenOptions::new().read(true).write(true).open("/dev/console").about("/dev/console")?;
    rustix::stdio::dup2_stdin(&console).about("/dev/console")?;
    rustix::stdio::dup2_stdout(&console).about("/dev/console")?;
    rustix::stdio::dup2_stderr(&console).about("/dev/console")?;
    // The open above may have made it the controlling terminal already.
    rustix::process::ioctl_tiocsctty(rustix::stdio::stdin()).about("/dev/console: controlling terminal")
}
