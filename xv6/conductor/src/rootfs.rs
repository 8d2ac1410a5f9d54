//! A container's root: the overlay, `/proc`, `/sys`, a private `/dev`, and the step into it.
//!
//! ```text
//!   overlay  upper (its folder) over the image's layers            /
//!   proc     of its pid namespace, some files masked or read-only  /proc
//!   tmpfs    null zero full random urandom tty, pts, shm           /dev
//!   tmpfs    read-only, with its cgroup's subtree                  /sys
//! ```
//! All of it is mounted in the container's own mount namespace, so it goes when the container goes. What is masked is Docker's
//! list (moby, `oci/defaults.go`) and this kernel's debug file.

use crate::error::{Context, Failure, Result};
use crate::plan::Config;
use crate::{layers, store};
use rustix::fs::{FileType, Mode};
use rustix::mount::{MountFlags, MountPropagationFlags, UnmountFlags};
use std::ffi::CString;
use std::path::Path;

const MASKED: [&str; 7] =
    ["proc/kcore", "proc/keys", "proc/kmsg", "proc/timer_list", "proc/sched_debug", "proc/sysrq-trigger", "proc/xv6"];
const READ_ONLY: [&str; 4] = ["proc/bus", "proc/fs", "proc/irq", "proc/sys"];

/// (name, major, minor) of the device nodes that every container has.
const DEVICES: [(&str, u32, u32); 6] =
    [("null", 1, 3), ("zero", 1, 5), ("full", 1, 7), ("random", 1, 8), ("urandom", 1, 9), ("tty", 5, 0)];

const LINKS: [(&str, &str); 5] = [
    ("/proc/self/fd", "fd"),
    ("/proc/self/fd/0", "stdin"),
    ("/proc/self/fd/1", "stdout"),
    ("/proc/self/fd/2", "stderr"),
    ("pts/ptmx", "ptmx"),
];

/// Builds the root in the calling process's mount namespace, which must be its own by now, and moves into it.
pub fn enter(config: &Config, terminal: Option<&str>) -> Result<()> {
    rustix::mount::mount_change("/", MountPropagationFlags::PRIVATE | MountPropagationFlags::REC)
        .context("making mounts private")?;
    let root = store::folder(&config.id).join("rootfs");
    mount_overlay(config, &root)?;
    mount_proc(&root)?;
    mount_dev(&root, terminal)?;
    mount_sys(&root)?;
    if config.read_only {
        remount_read_only(&root, MountFlags::empty())?;
    }
    pivot(&root)
}

fn mount(kind: &str, target: &Path, flags: MountFlags, data: &str) -> Result<()> {
    let data = CString::new(data).map_err(|_| Failure::new("a mount option contains a NUL byte"))?;
    if !target.exists() {
        std::fs::create_dir_all(target).at(target)?;
    }
    rustix::mount::mount(kind, target, kind, flags, data.as_c_str()).context(format!("mounting {kind}"))
}

fn mount_overlay(config: &Config, root: &Path) -> Result<()> {
    let folder = store::folder(&config.id);
    let lower: Vec<String> =
        config.layers.iter().map(|digest| layers::directory(digest).display().to_string()).collect();
    let (upper, work) = (folder.join("upper"), folder.join("work"));
    let data = format!("lowerdir={},upperdir={},workdir={}", lower.join(":"), upper.display(), work.display());
    mount("overlay", root, MountFlags::NODEV, &data)
}

fn mount_proc(root: &Path) -> Result<()> {
    let safe = MountFlags::NOSUID | MountFlags::NODEV | MountFlags::NOEXEC;
    mount("proc", &root.join("proc"), safe, "")?;
    for path in READ_ONLY.map(|path| root.join(path)).iter().filter(|path| path.exists()) {
        rustix::mount::mount_bind(path, path).at(path)?;
        remount_read_only(path, safe)?;
    }
    for path in MASKED.map(|path| root.join(path)).iter().filter(|path| path.exists()) {
        rustix::mount::mount_bind("/dev/null", path).at(path)?;
    }
    Ok(())
}

fn mount_dev(root: &Path, terminal: Option<&str>) -> Result<()> {
    let dev = root.join("dev");
    mount("tmpfs", &dev, MountFlags::NOSUID, "mode=755,size=64k")?;
    for (name, major, minor) in DEVICES {
        let path = dev.join(name);
        let number = rustix::fs::makedev(major, minor);
        rustix::fs::mknodat(rustix::fs::CWD, &path, FileType::CharacterDevice, Mode::from(0o666), number).at(&path)?;
        rustix::fs::chmod(&path, Mode::from(0o666)).at(&path)?;
    }
    for (target, name) in LINKS {
        std::os::unix::fs::symlink(target, dev.join(name)).at(&dev.join(name))?;
    }
    let quiet = MountFlags::NOSUID | MountFlags::NOEXEC;
    mount("devpts", &dev.join("pts"), quiet, "newinstance,ptmxmode=0666,mode=0620")?;
    mount("tmpfs", &dev.join("shm"), quiet | MountFlags::NODEV, "mode=1777,size=64m")?;
    if let Some(terminal) = terminal {
        let console = dev.join("console");
        std::fs::File::create(&console).at(&console)?;
        rustix::mount::mount_bind(terminal, &console).at(&console)?;
    }
    Ok(())
}

fn mount_sys(root: &Path) -> Result<()> {
    let safe = MountFlags::NOSUID | MountFlags::NODEV | MountFlags::NOEXEC;
    let sys = root.join("sys");
    mount("tmpfs", &sys, safe, "mode=755,size=4k")?;
    mount("cgroup2", &sys.join("fs/cgroup"), safe | MountFlags::RDONLY, "")?;
    remount_read_only(&sys, safe)
}

fn remount_read_only(path: &Path, keep: MountFlags) -> Result<()> {
    let flags = MountFlags::BIND | MountFlags::RDONLY | keep;
    rustix::mount::mount_remount(path, flags, c"").context(format!("making {} read-only", path.display()))
}

/// pivot_root(2), "pivot_root(".", ".")": the old root ends up on top of the new one, and is taken off.
fn pivot(root: &Path) -> Result<()> {
    std::env::set_current_dir(root).at(root)?;
    rustix::process::pivot_root(".", ".").context("pivot_root")?;
    rustix::mount::unmount(".", UnmountFlags::DETACH).context("unmounting the old root")?;
    std::env::set_current_dir("/").context("/")
}
