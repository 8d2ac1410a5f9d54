//! A batch: a handful of lives one after the other, in namespaces and a folder of their own, and who watches them from outside.
//!
//! Key types: [`Batch`], [`Rights`]. The keeper makes the namespaces and stays outside the pid namespace, so that nothing reaches it. A life that
//! waits is nudged by `SIGALRM`; one that cannot be nudged is killed and counts as stuck, which is its right: it may have blocked the signal.
//! What then does not end is hung, and that is the kernel's fault. The namespace's own end is watched in the same way.

use std::fs;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use nix::sched::CloneFlags;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{CWD, FileType, Mode, OFlags};
use rustix::mount::{MountFlags, MountPropagationFlags};
use rustix::process::{Pid, PidfdFlags, Resource, Rlimit, Signal, WaitOptions};
use user::raw::expendable::{call, sacrifice};
use user::raw::{Disposition, set_signal};

use super::dice::Dice;
use super::life::{Board, Life, Trail, place};

/// Lives of a batch.
const LIVES: u64 = 6;
/// How often the keeper looks whether a life moves.
const TICK: Duration = Duration::from_millis(1);
/// So many ticks without a call it is nudged, then it is killed.
const NUDGES: u32 = 20;
/// What is killed and has not ended after this time hangs.
const LIMIT: Duration = Duration::from_secs(60);

/// As whom, and where, the lives of a batch run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rights {
    /// The caller's user, in namespaces of their own.
    Root,
    /// Root of a user namespace of their own, and of the others.
    User,
    /// An ordinary user, in namespaces of their own.
    Plain,
    /// The caller's user, in the caller's namespaces.
    Bare,
}

/// What one batch is.
pub struct Batch<'a> {
    /// What all of it depends on, with the number.
    pub seed: u64,
    /// Its number.
    pub number: u64,
    /// The rights to choose from.
    pub rights: &'a [Rights],
    /// An empty folder.
    pub folder: PathBuf,
    /// Its cgroup's folder, if it has one.
    pub cgroup: Option<PathBuf>,
    /// Where calls are counted.
    pub board: Board,
    /// Where the lives tell what they do.
    pub trail: Trail,
    /// Where ends are counted.
    pub ends: Ends<'a>,
}

/// How many lives ended how.
#[derive(Clone, Copy)]
pub struct Ends<'a> {
    /// They made all their calls.
    pub whole: &'a std::sync::atomic::AtomicU64,
    /// A call ended them, or broke them.
    pub broken: &'a std::sync::atomic::AtomicU64,
    /// They had to be killed.
    pub stuck: &'a std::sync::atomic::AtomicU64,
    /// Why the last batch could not be prepared, an errno.
    pub refusal: &'a std::sync::atomic::AtomicU64,
}

/// The keeper's exit status when something hangs.
pub const HUNG: i32 = 3;
/// The keeper's exit status when the batch could not be prepared.
pub const UNPREPARED: i32 = 4;

impl Batch<'_> {
    /// Does it all, in a process that exists for it; its exit status.
    pub fn keep(&self) -> i32 {
        let mut dice = Dice::new(self.seed, self.number << 8);
        let rights = dice.pick(self.rights);
        let isolated = rights != Rights::Bare;
        let prepared = self.prepare(&mut dice, rights);
        let init = match prepared {
            Ok(init) => init,
            Err(error) => {
                self.ends.refusal.store(error.raw_os_error().unwrap_or(0) as u64, Ordering::Relaxed);
                return UNPREPARED;
            }
        };
        let mut status = 0;
        for life in 0..LIVES {
            self.trail.clear();
            let dice = Dice::new(self.seed, self.number << 8 | (life + 1));
            let life = Life { dice, isolated, board: self.board, trail: self.trail };
            let born = sacrifice(&mut || {
                if self.settle(rights).is_ok() {
                    life.clone().live();
                }
            });
            // Without a first process, which may have been ended, the namespace has no more lives.
            let Ok(child) = born else { break };
            if !self.watch(child) {
                status = HUNG;
                break;
            }
        }
        match init {
            Some(init) if !end(init) => HUNG,
            _ => status,
        }
    }

    /// Namespaces, limits, folder, first process, descriptors.
    fn prepare(&self, dice: &mut Dice, rights: Rights) -> io::Result<Option<Pid>> {
        let _ = rustix::process::setsid();
        set_signal(libc::SIGALRM, Disposition::Catch)?;
        set_signal(libc::SIGXFSZ, Disposition::Ignore)?;
        // No file fills the disk.
        let size = Rlimit { current: Some(16 << 20), maximum: Some(16 << 20) };
        rustix::process::setrlimit(Resource::Fsize, size)?;
        if rights != Rights::Bare {
            isolate(rights)?;
        }
        furnish(&self.folder, dice, rights)?;
        let init = if rights == Rights::Bare { None } else { Some(self.first_process(rights)?) };
        descriptors(init)?;
        Ok(init)
    }

    /// The namespace's process 1: it mounts what only a process inside can, then waits for its end.
    fn first_process(&self, rights: Rights) -> io::Result<Pid> {
        let (reader, writer) = rustix::pipe::pipe()?;
        let init = sacrifice(&mut || {
            // Without a cgroup of its own it would show everybody's to the lives.
            if self.settle_group().is_err() {
                return;
            }
            let _ = set_signal(libc::SIGCHLD, Disposition::Ignore);
            let none = MountFlags::empty();
            // What is refused is missing, and that is one more case.
            let _ = rustix::mount::mount("proc", "/proc", "proc", none, None::<&std::ffi::CStr>);
            if rights == Rights::Root {
                let _ = rustix::mount::mount("g", "g", "cgroup2", none, None::<&std::ffi::CStr>);
            }
            let _ = rustix::io::write(&writer, b"!");
            let _ = call(libc::SYS_close_range, [0, usize::MAX, 0, 0, 0, 0]);
            loop {
                let _ = call(libc::SYS_pause, [0; 6]);
            }
        })?;
        drop(writer);
        match rustix::io::read(&reader, &mut [0; 1])? {
            0 => Err(io::Error::other("the namespace's first process has ended")),
            _ => Ok(init),
        }
    }

    /// What a life does before its calls: its cgroup, its session, its user.
    fn settle(&self, rights: Rights) -> io::Result<()> {
        self.settle_group()?;
        let _ = rustix::process::setsid();
        if rights == Rights::Plain {
            for number in [libc::SYS_setresgid, libc::SYS_setresuid] {
                call(number, [1000, 1000, 1000, 0, 0, 0]).map_err(io::Error::from_raw_os_error)?;
            }
        }
        Ok(())
    }

    fn settle_group(&self) -> io::Result<()> {
        let Some(cgroup) = &self.cgroup else { return Ok(()) };
        fs::write(cgroup.join("cgroup.procs"), "0")?;
        Ok(nix::sched::unshare(CloneFlags::CLONE_NEWCGROUP)?)
    }

    /// Watches a life to its end; whether it has one.
    fn watch(&self, child: Pid) -> bool {
        let Ok(descriptor) = rustix::process::pidfd_open(child, PidfdFlags::empty()) else { return false };
        let (mut begun, mut still) = (0, 0);
        let mut killed = false;
        while !ended(&descriptor, TICK) {
            let now = self.trail.begun();
            still = if now == begun { still + 1 } else { 0 };
            begun = now;
            if still > NUDGES {
                if let Some((_, (number, _))) = self.trail.last(0).last() {
                    self.board.stuck[place(*number)].fetch_add(1, Ordering::Relaxed);
                }
                killed = true;
                let _ = rustix::process::kill_process(child, Signal::KILL);
                if !ended(&descriptor, LIMIT) {
                    return false;
                }
            } else if still > 0 {
                let _ = rustix::process::pidfd_send_signal(&descriptor, Signal::ALARM);
            }
        }
        let whole = matches!(rustix::process::waitpid(Some(child), WaitOptions::empty()),
            Ok(Some((_, status))) if status.exit_status() == Some(0));
        let end = if killed {
            self.ends.stuck
        } else if whole {
            self.ends.whole
        } else {
            self.ends.broken
        };
        end.fetch_add(1, Ordering::Relaxed);
        true
    }
}

/// Ends a namespace by its first process, with everything that is in it; whether that works.
fn end(init: Pid) -> bool {
    let Ok(descriptor) = rustix::process::pidfd_open(init, PidfdFlags::empty()) else { return false };
    let _ = rustix::process::kill_process(init, Signal::KILL);
    let start = Instant::now();
    while !ended(&descriptor, TICK) {
        // The namespace is only empty when children that a life has made ours (CLONE_PARENT) are reaped.
        while let Ok(Some((child, _))) = rustix::process::wait(WaitOptions::NOHANG) {
            if child == init {
                return true;
            }
        }
        if start.elapsed() > LIMIT {
            return false;
        }
    }
    true
}

/// Whether a process has ended within `limit`.
fn ended(descriptor: &OwnedFd, limit: Duration) -> bool {
    let limit = Timespec {
        tv_sec: i64::try_from(limit.as_secs()).unwrap_or(i64::MAX),
        tv_nsec: i64::from(limit.subsec_nanos()),
    };
    poll(&mut [PollFd::new(descriptor, PollFlags::IN)], Some(&limit)).is_ok_and(|count| count > 0)
}

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

/// Makes the folder the current one, on a file system of its own in some batches, with something of each kind in it.
fn furnish(folder: &Path, dice: &mut Dice, rights: Rights) -> io::Result<()> {
    let none = MountFlags::empty();
    match dice.below(3) {
        1 => {
            let _ = rustix::mount::mount("fuzz", folder, "tmpfs", none, Some(c"size=4m,nr_inodes=500"));
        }
        2 if rights == Rights::Root => {
            for name in ["lower", "upper", "work", "merged"] {
                fs::create_dir(folder.join(name))?;
            }
            fs::write(folder.join("lower/a"), "below")?;
            std::env::set_current_dir(folder)?;
            let options = Some(c"lowerdir=lower,upperdir=upper,workdir=work");
            rustix::mount::mount("overlay", "merged", "overlay", none, options)?;
            std::env::set_current_dir("merged")?;
        }
        _ => {}
    }
    if !std::env::current_dir()?.starts_with(folder) {
        std::env::set_current_dir(folder)?;
    }
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
    let _ = rustix::fs::mknodat(CWD, "fifo", FileType::Fifo, Mode::RWXU | Mode::RWXG | Mode::RWXO, 0);
    let _ =
        rustix::fs::mknodat(CWD, "null", FileType::CharacterDevice, Mode::RWXU | Mode::RWXO, rustix::fs::makedev(1, 3));
    let _ = rustix::mount::mount("pts", "pts", "devpts", none, Some(c"newinstance,ptmxmode=0666"));
    Ok(())
}

/// Closes what there is and opens one descriptor of each kind, 0 to 21; they stay open. What cannot be had is the current folder.
fn descriptors(init: Option<Pid>) -> io::Result<()> {
    call(libc::SYS_close_range, [0, usize::MAX, 0, 0, 0, 0]).map_err(io::Error::from_raw_os_error)?;
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
