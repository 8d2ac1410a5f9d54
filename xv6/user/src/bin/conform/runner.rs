//! Runs one check: in a process of its own, in an empty folder of its own, with a deadline.
//!
//! Key types: [`Check`], [`Needs`], [`Runner`]. A plain check of a root runner runs as user 65534, so that its result is the one an
//! ordinary user gets. With CAP_SYS_ADMIN the runner has a mount namespace of its own and a tmpfs for the folders, unless it shall use
//! the file system that is there. A check that does not end in time is killed and told as `HUNG`, one that a signal ends as `DIED`.

use std::fs;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::mount::{MountFlags, MountPropagationFlags};
use rustix::process::{Pid, Signal, WaitOptions};
use user::raw::expendable::sacrifice;
use user::{About, Failure};

use crate::line::{Line, RESULT, SKIPPED};
use crate::sys::{must, sys};

/// What a check needs to run at all.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Needs {
    /// Nothing: it runs as an ordinary user.
    Plain,
    /// Root with the capabilities that Docker leaves it in a container, and more than one user id.
    Root,
    /// CAP_SYS_ADMIN, and mounts of its own.
    Admin,
}

/// One check.
pub struct Check {
    /// Its name within the area.
    pub name: &'static str,
    needs: Needs,
    run: fn(&mut Line),
}

/// Checks that belong together.
pub struct Area {
    /// The first half of their names.
    pub name: &'static str,
    /// The checks.
    pub checks: &'static [Check],
}

/// A check for an ordinary user.
pub const fn plain(name: &'static str, run: fn(&mut Line)) -> Check {
    Check { name, needs: Needs::Plain, run }
}

/// A check for root as a container has it.
pub const fn root(name: &'static str, run: fn(&mut Line)) -> Check {
    Check { name, needs: Needs::Root, run }
}

/// A check for the host's root.
pub const fn admin(name: &'static str, run: fn(&mut Line)) -> Check {
    Check { name, needs: Needs::Admin, run }
}

/// Who plain checks of a root runner are.
pub const NOBODY: u32 = 65534;

/// The capabilities of [`Needs::Root`]: CHOWN, DAC_OVERRIDE, FOWNER, FSETID, KILL, SETGID, SETUID, SETPCAP, SYS_CHROOT, MKNOD.
const ROOT: u64 = 0b1_1111_1011 | 1 << 18 | 1 << 27;
/// CAP_SYS_ADMIN.
const ADMIN: u64 = 1 << 21;

/// The longest that a check may take.
const LIMIT: Duration = Duration::from_secs(15);

/// Where and as whom checks run.
pub struct Runner {
    base: PathBuf,
    may: Needs,
    mounted: bool,
}

impl Runner {
    /// Prepares a folder in `folder`, on the file system that is `here` or on one of its own.
    pub fn new(folder: &Path, here: bool) -> Result<Self, Failure> {
        let base = folder.join(format!("conform.{}", std::process::id()));
        fs::create_dir(&base).about(&base)?;
        fs::set_permissions(&base, fs::Permissions::from_mode(0o755)).about(&base)?;
        let mut runner = Self { base, may: privilege()?, mounted: false };
        if runner.may == Needs::Admin && runner.isolate(here).is_err() {
            runner.may = Needs::Root;
        }
        let program = runner.base.join("prog");
        fs::copy("/proc/self/exe", &program).about(&program)?;
        fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).about(&program)?;
        Ok(runner)
    }

    /// A mount namespace, and a tmpfs over the folder unless it is to stay what it is.
    fn isolate(&mut self, here: bool) -> rustix::io::Result<()> {
        nix::sched::unshare(nix::sched::CloneFlags::CLONE_NEWNS)
            .map_err(|errno| rustix::io::Errno::from_raw_os_error(errno as i32))?;
        rustix::mount::mount_change("/", MountPropagationFlags::PRIVATE | MountPropagationFlags::REC)?;
        if !here {
            rustix::mount::mount("conform", &self.base, c"tmpfs", MountFlags::empty(), c"mode=755")?;
            self.mounted = true;
        }
        Ok(())
    }

    /// Runs `check` and returns its result.
    pub fn run(&self, check: &Check) -> Result<String, Failure> {
        if check.needs > self.may {
            let cause = if check.needs == Needs::Admin { "needs CAP_SYS_ADMIN" } else { "needs root" };
            return Ok(format!("{SKIPPED}{cause}"));
        }
        let work = self.base.join("work");
        let drop = check.needs == Needs::Plain && self.may > Needs::Plain;
        fs::create_dir(&work).about(&work)?;
        fs::set_permissions(&work, fs::Permissions::from_mode(0o755)).about(&work)?;
        if drop {
            std::os::unix::fs::chown(&work, Some(NOBODY), Some(NOBODY)).about(&work)?;
        }
        let (read, write) = rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC).about("pipe")?;
        let child = sacrifice(&mut || live(check, &work, &write, drop)).about("fork")?;
        std::mem::drop(write);
        let result = self.watch(&read, child)?;
        self.put_away(&work)?;
        Ok(match result.find(SKIPPED) {
            Some(at) => result[at..].trim_end().to_owned(),
            None => result.trim_end().to_owned(),
        })
    }

    /// Makes room for the next check. What is on the runner's own tmpfs goes with it; a kernel may still be at work on the mounts that
    /// ended with the check.
    fn put_away(&self, work: &Path) -> Result<(), Failure> {
        if !self.mounted {
            return remove(work).about(work);
        }
        let done = (0..).map(|i| self.base.join(format!("done.{i}"))).find(|path| !path.exists());
        fs::rename(work, done.unwrap_or_default()).about(work)
    }

    /// Reads what the check writes until it ends, or its time does.
    fn watch(&self, read: &OwnedFd, child: Pid) -> Result<String, Failure> {
        let start = Instant::now();
        let (mut text, mut hung) = (Vec::new(), false);
        loop {
            let left = LIMIT.saturating_sub(start.elapsed());
            let mut ready = [PollFd::new(read, PollFlags::IN)];
            let timeout = Timespec { tv_sec: left.as_secs().cast_signed(), tv_nsec: left.subsec_nanos().into() };
            if poll(&mut ready, Some(&timeout)).about("poll")? == 0 {
                hung = true;
                break;
            }
            let mut bytes = [0; 4096];
            match rustix::io::read(read, &mut bytes).about("pipe")? {
                0 => break,
                count => text.extend_from_slice(&bytes[..count]),
            }
        }
        if hung {
            // It is there to be killed until it is waited for.
            rustix::process::kill_process(child, Signal::KILL).about("kill")?;
        }
        let status = rustix::process::waitpid(Some(child), WaitOptions::empty()).about("wait")?;
        let mut text = String::from_utf8_lossy(&text).into_owned();
        match status.map(|(_, status)| status) {
            _ if hung => text.push_str("HUNG"),
            Some(status) if status.exit_status() == Some(0) => {}
            Some(status) => {
                let signal = status.terminating_signal().map_or("exit".to_owned(), crate::child::signal_name);
                text.push_str(&format!("DIED-{signal}"));
            }
            None => text.push_str("LOST"),
        }
        Ok(text)
    }

    /// Removes what [`Runner::new`] made.
    pub fn finish(self) -> Result<(), Failure> {
        if self.mounted {
            rustix::mount::unmount(&self.base, rustix::mount::UnmountFlags::DETACH).about(&self.base)?;
            // A namespace that ended with a check may still hold the place: then an empty folder is left.
            let _ = fs::remove_dir(&self.base);
            return Ok(());
        }
        remove(&self.base).about(&self.base)
    }
}

/// Removes a folder with all that is in it, whatever permissions its folders were left with.
fn remove(folder: &Path) -> std::io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            fs::set_permissions(entry.path(), fs::Permissions::from_mode(0o700))?;
            remove(&entry.path())?;
        } else {
            fs::remove_file(entry.path())?;
        }
    }
    fs::remove_dir(folder)
}

/// What this process may run.
fn privilege() -> Result<Needs, Failure> {
    let status = fs::read_to_string("/proc/self/status").about("/proc/self/status")?;
    let effective = status.lines().find_map(|line| line.strip_prefix("CapEff:\t"));
    let effective = effective.and_then(|word| u64::from_str_radix(word, 16).ok()).unwrap_or_default();
    let map = fs::read_to_string("/proc/self/uid_map").about("/proc/self/uid_map")?;
    let users = map.split_whitespace().nth(2).and_then(|word| word.parse::<u64>().ok()).unwrap_or_default();
    Ok(match () {
        _ if !rustix::process::geteuid().is_root() || effective & ROOT != ROOT || users <= NOBODY.into() => {
            Needs::Plain
        }
        _ if effective & ADMIN == 0 => Needs::Root,
        _ => Needs::Admin,
    })
}

/// The check's process: known descriptors, signals, folder, user; then the check.
fn live(check: &Check, work: &Path, write: &OwnedFd, drop: bool) {
    must(sys!(SYS_dup3, write.as_fd().as_raw_fd(), RESULT, libc::O_CLOEXEC));
    must(sys!(SYS_dup3, must(sys!(SYS_open, c"/dev/null", libc::O_RDONLY)), 0, 0));
    must(sys!(SYS_close_range, 3, RESULT - 1, 0));
    must(sys!(SYS_prctl, libc::PR_SET_PDEATHSIG, libc::SIGKILL));
    must(sys!(SYS_rt_sigprocmask, libc::SIG_SETMASK, &[0u64], 0, 8));
    // What Rust's start set up for a stack overflow, and what the caller ignores; KILL and STOP refuse.
    for signal in 1..=64 {
        let _ = sys!(SYS_rt_sigaction, signal, &[0u64; 4], 0, 8);
    }
    must(sys!(SYS_sigaltstack, &[0u64, libc::SS_DISABLE as u64, 0], 0));
    must(sys!(SYS_umask, 0o022));
    if check.needs == Needs::Admin {
        // Its mounts end with it.
        must(sys!(SYS_unshare, libc::CLONE_NEWNS));
    }
    must(rustix::process::chdir(work));
    if drop {
        must(sys!(SYS_setgroups, 0, 0));
        must(sys!(SYS_setresgid, NOBODY, NOBODY, NOBODY));
        must(sys!(SYS_setresuid, NOBODY, NOBODY, NOBODY));
        // What a change of user takes away: the right to its own /proc files, and the death of its parent.
        must(sys!(SYS_prctl, libc::PR_SET_DUMPABLE, 1));
        must(sys!(SYS_prctl, libc::PR_SET_PDEATHSIG, libc::SIGKILL));
    }
    (check.run)(&mut Line::new());
}
