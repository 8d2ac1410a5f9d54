//! A batch: a handful of lives one after the other, in namespaces and a folder of their own, and who watches them from outside.
//!
//! Key types: [`Batch`], [`Rights`]. The keeper makes the namespaces and stays outside the pid namespace, so that nothing reaches it. A life that
//! waits is nudged by `SIGALRM`; one that cannot be nudged is killed and counts as stuck, which is its right: it may have blocked the signal.
//! What then does not end is hung, and that is the kernel's fault. The namespace's own end is watched in the same way.

use std::io;
use std::os::fd::{AsRawFd, OwnedFd, RawFd};
use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use nix::sched::CloneFlags;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{Mode, OFlags};
use rustix::mount::MountFlags;
use rustix::process::{Pid, PidfdFlags, Resource, Rlimit, Signal, WaitOptions};
use user::raw::expendable::{call, sacrifice};
use user::raw::{Disposition, set_signal};

use super::dice::Dice;
use super::ground;
use super::life::{Board, Life, Trail, place};

/// Lives of a batch.
const LIVES: u64 = 6;
/// How often the keeper looks whether a life moves.
const TICK: Duration = Duration::from_millis(1);
/// So many ticks without a call it is nudged, then it is killed.
const NUDGES: u32 = 20;
/// What is killed and has not ended after this time hangs.
const LIMIT: Duration = Duration::from_secs(60);

/// Where a keeper has its cgroup's list of processes.
const GROUP: RawFd = 1000;

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
/// The keeper's exit status when there was no room for the batch's first process: others have taken it, and will end.
pub const FULL: i32 = 5;

impl Batch<'_> {
    /// Does it all, in a process that exists for it; its exit status.
    pub fn keep(&self) -> i32 {
        let mut dice = Dice::new(self.seed, self.number << 8);
        let rights = dice.pick(self.rights);
        let isolated = rights != Rights::Bare;
        let prepared = self.prepare(&mut dice, rights);
        let init = match prepared {
            Ok(init) => init,
            Err(error) if error.raw_os_error() == Some(libc::EAGAIN) => return FULL,
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
            ground::isolate(rights)?;
        }
        if let Some(cgroup) = &self.cgroup {
            open_group(cgroup)?;
        }
        ground::furnish(&self.folder, dice, rights)?;
        ground::close_all_but(self.cgroup.as_ref().map(|_| GROUP as usize))?;
        let init = if rights == Rights::Bare { None } else { Some(self.first_process(rights)?) };
        ground::descriptors(init)?;
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
        if self.cgroup.is_none() {
            return Ok(());
        }
        let words = b"0";
        let args = [GROUP as usize, words.as_ptr().expose_provenance(), words.len(), 0, 0, 0];
        call(libc::SYS_write, args).map_err(io::Error::from_raw_os_error)?;
        call(libc::SYS_close, [GROUP as usize, 0, 0, 0, 0, 0]).map_err(io::Error::from_raw_os_error)?;
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

/// Opens the list of a cgroup's processes as the descriptor [`GROUP`]: where the batch lives no path leads to it.
fn open_group(cgroup: &Path) -> io::Result<()> {
    let list = rustix::fs::open(cgroup.join("cgroup.procs"), OFlags::WRONLY | OFlags::CLOEXEC, Mode::empty())?;
    let kept = rustix::io::fcntl_dupfd_cloexec(&list, GROUP)?;
    if kept.as_raw_fd() != GROUP {
        return Err(io::Error::from_raw_os_error(libc::EBADF));
    }
    std::mem::forget(kept);
    Ok(())
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
