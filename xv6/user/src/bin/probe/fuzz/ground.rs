//! Where a batch lives: namespaces, a file system with something of each kind in it, that file system as the root, and open descriptors.
//!
//! ```text
//!   /            the batch's folder on the disk, or a tmpfs, or an overlay in it; what lies above it is out of reach
//!     a b d/ l   what the calls' paths lead to
//!     bin/true   a copy: what is written to it is nobody else's program
//!     proc       of its pid namespace (none where nothing may be mounted);  g  its cgroups;  pts  its terminals
//! ```
//! So no call reaches a file of another batch, or a device's node. Neighbours: `batch.rs` asks for it; `values.rs` has the paths.

use std::fs;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use nix::sched::CloneFlags;
use rustix::fs::{CWD, FileType, Mode, OFlags};
use rustix::mount::{MountFlags, MountPropagationFlags, UnmountFlags};
use rustix::process::{Pid, PidfdFlags};
use user::raw::expendable::call;

use super::batch::Rights;
use super::dice::Dice;

/// Enters namespaces of one's own; children are in a pid namespace of their own.
pub fn isolate(rights: Rights) -> io::Result<()> {
    let kinds = CloneFlags::CLONE_NEWNS
        | CloneFlags::CLONE_NEWPID
        | CloneFlags::CLONE_NEWUTS
        | CloneFlags::CLONE_NEWIPC
        | CloneFlags::CLONE_NEWNET;
    if rights == Rights::User {
        nix::sched::unshare(kinds | CloneFlags::CLONE_NEWUSER)?;
        fs::write("/proc/self/setgroups", "deny")?;
        fs::write("/proc/self/uid_map", "0 0 1")?;
        fs::write("/proc/self/gid_map", "0 0 1")?;
    } else {
        nix::sched::unshare(kinds)?;
    }
    Ok(rustix::mount::mount_change("/", MountPropagationFlags::PRIVATE | MountPropagationFlags::REC)?)
}

/// Makes the folder the current one and the root, with something of each kind in it.
pub fn furnish(folder: &Path, dice: &mut Dice, rights: Rights) -> io::Result<()> {
    enter(folder, dice, rights)?;
    fs::create_dir("bin")?;
    fs::copy("/bin/true", "bin/true")?;
    if rights == Rights::Bare {
        // Not to be left without a chroot(2) of one's own, which is an exception.
        rustix::process::chroot(".")?;
    } else {
        become_root(rights)?;
    }
    std::env::set_current_dir("/")?;
    fill()
}

/// Makes the folder the current one, on a file system of its own in some batches.
fn enter(folder: &Path, dice: &mut Dice, rights: Rights) -> io::Result<()> {
    let none = MountFlags::empty();
    match dice.below(3) {
        1 => {
            // What is refused is missing, and that is one more case.
            let _ = rustix::mount::mount("fuzz", folder, "tmpfs", none, Some(c"size=4m,nr_inodes=500"));
            std::env::set_current_dir(folder)
        }
        2 if rights == Rights::Root => {
            for name in ["lower", "upper", "work", "merged"] {
                fs::create_dir(folder.join(name))?;
            }
            fs::write(folder.join("lower/a"), "below")?;
            std::env::set_current_dir(folder)?;
            let options = Some(c"lowerdir=lower,upperdir=upper,workdir=work");
            rustix::mount::mount("overlay", "merged", "overlay", none, options)?;
            std::env::set_current_dir("merged")
        }
        _ => std::env::set_current_dir(folder),
    }
}

/// pivot_root(2), "pivot_root(".", ".")": the current folder becomes the root, with a place for /proc.
fn become_root(rights: Rights) -> io::Result<()> {
    let here = std::env::current_dir()?;
    rustix::mount::mount_bind(&here, &here)?;
    std::env::set_current_dir(&here)?;
    fs::create_dir("proc")?;
    if rights == Rights::User {
        // In a container, whose own is masked, a new one is refused to a user namespace: then this one shows.
        rustix::mount::mount_bind_recursive("/proc", "proc")?;
    }
    rustix::process::pivot_root(".", ".")?;
    Ok(rustix::mount::unmount(".", UnmountFlags::DETACH)?)
}

/// Fills the current folder.
fn fill() -> io::Result<()> {
    let none = MountFlags::empty();
    for name in ["d", "d/e", "u", "w", "g", "pts"] {
        fs::create_dir(name)?;
    }
    fs::write("a", [0x61; 5000])?;
    fs::write("b", [0; 70_000])?;
    fs::write("d/a", "x")?;
    fs::write("script", "#!/bin/true\n")?;
    for name in ["script", "b", "."] {
        fs::set_permissions(name, fs::Permissions::from_mode(0o777))?;
    }
    std::os::unix::fs::symlink("d/a", "l")?;
    std::os::unix::fs::symlink("d", "l2")?;
    std::os::unix::fs::symlink("loop", "loop")?;
    for name in ["a", "d"] {
        let _ = rustix::fs::setxattr(name, "user.a", b"value", rustix::fs::XattrFlags::empty());
    }
    let _ = rustix::fs::mknodat(CWD, "fifo", FileType::Fifo, Mode::RWXU | Mode::RWXG | Mode::RWXO, 0);
    let _ =
        rustix::fs::mknodat(CWD, "null", FileType::CharacterDevice, Mode::RWXU | Mode::RWXO, rustix::fs::makedev(1, 3));
    let _ = rustix::mount::mount("pts", "pts", "devpts", none, Some(c"newinstance,ptmxmode=0666"));
    Ok(())
}

/// Closes every descriptor but `kept`.
pub fn close_all_but(kept: Option<usize>) -> io::Result<()> {
    let close = |first, last| {
        call(libc::SYS_close_range, [first, last, 0, 0, 0, 0]).map(drop).map_err(io::Error::from_raw_os_error)
    };
    let Some(kept) = kept else { return close(0, usize::MAX) };
    close(0, kept - 1)?;
    close(kept + 1, usize::MAX)
}

/// Opens one descriptor of each kind, 0 to 21, where none are open; they stay open. What cannot be had is the current folder.
pub fn descriptors(init: Option<Pid>) -> io::Result<()> {
    let open = |path: &str, flags: OFlags| rustix::fs::open(path, flags, Mode::RUSR | Mode::WUSR);
    let folder = || open(".", OFlags::RDONLY | OFlags::DIRECTORY);
    let keep = |descriptor: rustix::io::Result<OwnedFd>| descriptor.or_else(|_| folder()).map(std::mem::forget);
    keep(open("null", OFlags::RDWR))?;
    keep(open("b", OFlags::RDWR))?;
    keep(folder())?;
    let (reader, writer) = rustix::pipe::pipe()?;
    rustix::io::write(&writer, &[7; 100])?;
    keep(Ok(reader))?;
    keep(Ok(writer))?;
    keep(open("a", OFlags::RDWR | OFlags::APPEND))?;
    let terminal = open("pts/ptmx", OFlags::RDWR | OFlags::NOCTTY);
    let unlocked = terminal.as_ref().is_ok_and(|terminal| rustix::pty::unlockpt(terminal).is_ok());
    keep(terminal)?;
    keep(if unlocked { open("pts/0", OFlags::RDWR | OFlags::NOCTTY) } else { folder() })?;
    let pair = [0; 8];
    let sockets = call(libc::SYS_socketpair, [1, 1, 0, pair.as_ptr().expose_provenance(), 0, 0]);
    if sockets.is_err() {
        keep(folder())?;
        keep(folder())?;
    }
    keep(rustix::event::eventfd(3, rustix::event::EventfdFlags::NONBLOCK))?;
    keep(rustix::event::epoll::create(rustix::event::epoll::CreateFlags::empty()))?;
    keep(rustix::fs::memfd_create("m", rustix::fs::MemfdFlags::empty()))?;
    keep(init.map_or_else(folder, |init| rustix::process::pidfd_open(init, PidfdFlags::empty())))?;
    keep(open("/proc/self/ns/uts", OFlags::RDONLY))?;
    keep(open("/proc/self/ns/mnt", OFlags::RDONLY))?;
    keep(open("/proc/self/status", OFlags::RDONLY))?;
    keep(open("d", OFlags::RDONLY | OFlags::DIRECTORY))?;
    keep(open("fifo", OFlags::RDWR | OFlags::NONBLOCK))?;
    keep(open("a", OFlags::PATH))?;
    keep(open("g/cgroup.procs", OFlags::RDWR))?;
    keep(open("/proc/self/oom_score_adj", OFlags::RDWR))?;
    Ok(())
}
