//! A container's root: the overlay, `/proc`, `/sys`, a private `/dev`, and the step into it.
//!
//! ```text
//!   overlay  upper (its folder) over the image's layers            /
//!   proc     of its pid namespace, some files masked or read-only  /proc
//!   tmpfs    null zero full random urandom tty, pts, shm           /dev
//!   tmpfs    read-only, with its cgroup's subtree                  /sys
//! ```
//! All of it is mounted in the container's own mount namespace, so it goes when the container goes, and one place ([`store::ROOTFS`]) serves
//! all containers. What is masked is Docker's list (moby, `oci/defaults.go`) and this kernel's debug file. Paths are relative to the new
//! root: short to walk, and each is walked several times a start.

use crate::error::{Context, Failure, Result};
use crate::plan::Config;
use crate::{layers, store};
use rustix::fs::{CWD, FileType, Mode};
use rustix::io::Errno;
use rustix::mount::{MountFlags, MountPropagationFlags, UnmountFlags};
use std::ffi::CString;
use std::path::Path;

const MASKED: [&str; 7] =
    ["proc/kcore", "proc/keys", "proc/kmsg", "proc/timer_list", "proc/sched_debug", "proc/sysrq-trigger", "proc/xv6"];
const READ_ONLY: [&str; 4] = ["proc/bus", "proc/fs", "proc/irq", "proc/sys"];

/// (path, major, minor) of the device nodes that every container has.
const DEVICES: [(&str, u32, u32); 6] = [
    ("dev/null", 1, 3),
    ("dev/zero", 1, 5),
    ("dev/full", 1, 7),
    ("dev/random", 1, 8),
    ("dev/urandom", 1, 9),
    ("dev/tty", 5, 0),
];

const LINKS: [(&str, &str); 5] = [
    ("/proc/self/fd", "dev/fd"),
    ("/proc/self/fd/0", "dev/stdin"),
    ("/proc/self/fd/1", "dev/stdout"),
    ("/proc/self/fd/2", "dev/stderr"),
    ("pts/ptmx", "dev/ptmx"),
];

/// Builds the root in the calling process's mount namespace, which must be its own by now, and moves into it.
pub fn enter(config: &Config) -> Result<()> {
    rustix::mount::mount_change("/", MountPropagationFlags::PRIVATE | MountPropagationFlags::REC)
        .context("making mounts private")?;
    mount_overlay(config)?;
    rustix::process::chdir(store::ROOTFS).context(store::ROOTFS)?;
    mount_proc()?;
    mount_dev()?;
    mount_sys()?;
    if config.read_only {
        remount_read_only(".", MountFlags::empty())?;
    }
    pivot()
}

/// Mounts at `target`, a folder that is made if the image has none.
fn mount(kind: &str, target: &str, flags: MountFlags, data: &str) -> Result<()> {
    let data = CString::new(data).map_err(|_| Failure::new("a mount option contains a NUL byte"))?;
    let attempt = || rustix::mount::mount(kind, target, kind, flags, data.as_c_str());
    let result = match attempt() {
        Err(Errno::NOENT) => {
            std::fs::create_dir_all(target).context(target)?;
            attempt()
        }
        result => result,
    };
    result.context(format!("mounting {kind}"))
}

fn make_folder(path: &str) -> Result<()> {
    rustix::fs::mkdir(path, Mode::from(0o755)).context(path)
}

fn mount_overlay(config: &Config) -> Result<()> {
    let folder = store::folder(&config.id);
    let lower: Vec<String> =
        config.layers.iter().map(|digest| layers::directory(digest).display().to_string()).collect();
    let (upper, work) = (folder.join("upper"), folder.join("work"));
    let data = format!("lowerdir={},upperdir={},workdir={}", lower.join(":"), upper.display(), work.display());
    mount("overlay", store::ROOTFS, MountFlags::NODEV, &data)
}

fn mount_proc() -> Result<()> {
    let safe = MountFlags::NOSUID | MountFlags::NODEV | MountFlags::NOEXEC;
    mount("proc", "proc", safe, "")?;
    let exists = |path: &&str| Path::new(path).exists();
    for path in READ_ONLY.into_iter().filter(exists) {
        rustix::mount::mount_bind(path, path).context(path)?;
        remount_read_only(path, safe)?;
    }
    for path in MASKED.into_iter().filter(exists) {
        rustix::mount::mount_bind("/dev/null", path).context(path)?;
    }
    Ok(())
}

fn mount_dev() -> Result<()> {
    mount("tmpfs", "dev", MountFlags::NOSUID, "mode=755,size=64k")?;
    let inherited = rustix::process::umask(Mode::empty());
    for (path, major, minor) in DEVICES {
        let number = rustix::fs::makedev(major, minor);
        rustix::fs::mknodat(CWD, path, FileType::CharacterDevice, Mode::from(0o666), number).context(path)?;
    }
    rustix::process::umask(inherited);
    for (target, path) in LINKS {
        rustix::fs::symlink(target, path).context(path)?;
    }
    let quiet = MountFlags::NOSUID | MountFlags::NOEXEC;
    make_folder("dev/pts")?;
    mount("devpts", "dev/pts", quiet, "newinstance,ptmxmode=0666,mode=0620")?;
    make_folder("dev/shm")?;
    mount("tmpfs", "dev/shm", quiet | MountFlags::NODEV, "mode=1777,size=64m")?;
    Ok(())
}

/// Makes the container's own `terminal` its `/dev/console`, too. In the new root.
pub fn bind_console(terminal: &str) -> Result<()> {
    let console = "/dev/console";
    std::fs::File::create(console).context(console)?;
    rustix::mount::mount_bind(terminal, console).context(console)
}

fn mount_sys() -> Result<()> {
    let safe = MountFlags::NOSUID | MountFlags::NODEV | MountFlags::NOEXEC;
    mount("tmpfs", "sys", safe, "mode=755,size=4k")?;
    make_folder("sys/fs")?;
    make_folder("sys/fs/cgroup")?;
    mount("cgroup2", "sys/fs/cgroup", safe | MountFlags::RDONLY, "")?;
    remount_read_only("sys", safe)
}

fn remount_read_only(path: &str, keep: MountFlags) -> Result<()> {
    let flags = MountFlags::BIND | MountFlags::RDONLY | keep;
    rustix::mount::mount_remount(path, flags, c"").context(format!("making {path} read-only"))
}

/// pivot_root(2), "pivot_root(".", ".")": the old root ends up on top of the new one, and is taken off.
fn pivot() -> Result<()> {
    rustix::process::pivot_root(".", ".").context("pivot_root")?;
    rustix::mount::unmount(".", UnmountFlags::DETACH).context("unmounting the old root")?;
    rustix::process::chdir("/").context("/")
}
