//! process: QEMU as a child of ours.
//!
//! [`spawn`] starts QEMU for a [`Machine`] with two socket pairs as its descriptors 0 (console) and 1 (serial port): no
//! paths, no lost boot text, a clean end of file. A [`Process`] kills its QEMU when dropped. Should the harness itself
//! be killed, the kernel kills QEMU: `setpriv --pdeathsig` arranges that without `unsafe` here. The signal comes when the
//! *thread* that forked ends, so one thread that lives as long as the process does all the forking.

use crate::deadline::scaled;
use crate::drive::Writes;
use crate::failure::{Evidence, Failure};
use crate::machine::Machine;
use crate::monitor::Monitor;
use crate::overlay;
use crate::symbols::Symbols;
use crate::wire::{Gone, Wire};
use crate::workspace;
use rustix::io::FdFlags;
use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};
use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc::{self, Sender};
use std::sync::{Arc, LazyLock};
use std::time::{Duration, SystemTime};

/// How many transcripts are kept.
const KEPT_TRANSCRIPTS: usize = 200;

/// A running QEMU and our ends of its lines.
#[derive(Debug)]
pub struct Process {
    /// The console's line.
    pub console: UnixStream,
    /// The serial port's line.
    pub serial: UnixStream,
    /// What the machine says, and how it ends.
    pub wire: Arc<Wire>,
    /// QEMU's process id.
    pub pid: u32,
    pidfd: OwnedFd,
    monitor: Monitor,
    kernel: PathBuf,
}

impl Process {
    /// What is known about this machine now, for a failure: `awaited` is what did not come. With `stacks`, QEMU is asked
    /// where every CPU is, and the kernel what its threads sleep in.
    pub fn evidence(&self, awaited: &str, stacks: bool) -> Box<Evidence> {
        let stacks = if stacks { self.stacks() + &self.sleepers() } else { String::new() };
        Box::new(Evidence {
            transcript: self.wire.path().to_path_buf(),
            tail: self.wire.tail(),
            awaited: awaited.to_string(),
            stacks,
        })
    }

    /// Waits until QEMU is set up: its sockets listen, and the machine runs or waits for gdb.
    ///
    /// # Errors
    /// QEMU's end, or its silence.
    pub fn ready(&self) -> io::Result<()> {
        self.monitor.ready(self.pidfd.as_fd())
    }

    /// The code address that each CPU is at now; `None` for one that is halted.
    ///
    /// # Errors
    /// QEMU's end, or its silence.
    pub fn sample(&self) -> io::Result<Vec<Option<u64>>> {
        self.monitor.sample()
    }

    /// Every CPU's state and call stack; empty when QEMU does not tell.
    pub fn stacks(&self) -> String {
        self.monitor.stacks(&self.kernel).unwrap_or_default()
    }

    /// Every thread of the guest that does not run, with its kernel stack: the kernel answers a `t` on the serial line from its interrupt.
    /// The transcript keeps the bare answer. One line says so when none comes: the machine stands, or its first CPU is busy in the kernel.
    fn sleepers(&self) -> String {
        const ANSWER: Duration = Duration::from_millis(500);
        let from = self.wire.heard().serial.len();
        if (&self.serial).write_all(b"t").is_err() {
            return String::new();
        }
        let answer = self.wire.wait(scaled(ANSWER), |heard| {
            let text = String::from_utf8_lossy(&heard.serial[from.min(heard.serial.len())..]).into_owned();
            let (_, text) = text.split_once("sleeping threads:")?;
            Some(text.split_once("end of threads")?.0.to_owned())
        });
        let Some(answer) = answer else { return "The kernel does not tell what its threads sleep in.\n".into() };
        match Symbols::load(&self.kernel) {
            Ok(symbols) => symbols.resolve(answer.trim_start()),
            Err(_) => answer,
        }
    }

    /// Ends QEMU at once. Harmless when it is gone already.
    pub fn kill(&self) {
        let _ = pidfd_send_signal(&self.pidfd, Signal::KILL);
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
    }
}

/// Starts QEMU for `machine`.
///
/// # Errors
/// `Setup` when QEMU is not installed, a file of the machine is missing, or the process cannot be made.
pub fn spawn(machine: &Machine) -> Result<Process, Failure> {
    let qemu = find_qemu(&machine.qemu)?;
    for file in machine.drives.iter().map(|drive| &drive.file).chain([&machine.kernel]) {
        if !file.exists() {
            return Err(Failure::setup(file.display(), "no such file; `harness build` makes it"));
        }
    }
    for log in machine.drives.iter().filter_map(|drive| drive.log.as_ref()) {
        std::fs::File::create(log).map_err(|e| Failure::setup(format_args!("create {}", log.display()), e))?;
    }
    let path = transcript_path(&machine.name)?;
    let wire = Wire::new(&path).map_err(|e| Failure::setup(format_args!("create {}", path.display()), e))?;
    let starting = |e: io::Error| Failure::setup("start QEMU", e);
    let (console, console_end) = UnixStream::pair().map_err(starting)?;
    let (serial, serial_end) = UnixStream::pair().map_err(starting)?;
    let monitor = Monitor::listen()?;
    let overlays = overlays(machine)?;
    let mut command = Command::new("setpriv");
    command.args(["--pdeathsig", "KILL", "--"]).arg(qemu).args(machine.arguments()).args(monitor.arguments());
    for (number, file) in &overlays {
        command.args(["-add-fd".to_string(), format!("fd={},set={number}", file.as_raw_fd())]);
    }
    command.stdin(OwnedFd::from(console_end)).stdout(OwnedFd::from(serial_end)).stderr(Stdio::piped());
    let inherited = overlays.into_iter().map(|(_, file)| file).collect();
    let child = fork_elsewhere(command, inherited).map_err(starting)?;
    let id = child.id();
    let pid = i32::try_from(id).ok().and_then(Pid::from_raw);
    let pidfd = pid.ok_or(rustix::io::Errno::SRCH).and_then(|pid| pidfd_open(pid, PidfdFlags::empty()));
    let pidfd = pidfd.map_err(|e| starting(e.into()))?;
    let heard = Arc::clone(&wire);
    std::thread::spawn(move || reap(child, &heard));
    Ok(Process { console, serial, wire, pid: id, pidfd, monitor, kernel: machine.kernel.clone() })
}

/// Waits for QEMU's end and puts it on the wire.
fn reap(mut child: Child, wire: &Wire) {
    let mut stderr = String::new();
    if let Some(mut pipe) = child.stderr.take() {
        let _ = pipe.read_to_string(&mut stderr);
    }
    if let Ok(status) = child.wait() {
        wire.update(|heard| heard.gone = Some(Gone { status, stderr: stderr.trim().to_string() }));
    }
}

/// What the drives that forget their writes write to, by the drive's number.
fn overlays(machine: &Machine) -> Result<Vec<(usize, File)>, Failure> {
    let mut files = Vec::new();
    for (number, drive) in machine.drives.iter().enumerate() {
        if drive.writes == Writes::Forgotten {
            let overlay = drive.file.metadata().and_then(|meta| overlay::create(meta.len()));
            let overlay = overlay.map_err(|e| Failure::setup(drive.file.display(), e))?;
            files.extend(overlay.map(|file| (number, file)));
        }
    }
    Ok(files)
}

/// A command to start, the files that it inherits, and where its child is awaited.
type Order = (Command, Vec<File>, Sender<io::Result<Child>>);

/// Spawns `command`, which inherits `files`, from a thread that never ends.
fn fork_elsewhere(command: Command, files: Vec<File>) -> io::Result<Child> {
    static FORKER: LazyLock<Sender<Order>> = LazyLock::new(|| {
        let (orders, inbox) = mpsc::channel::<Order>();
        std::thread::spawn(move || {
            for (mut command, files, reply) in inbox {
                // Only here, where one child is made after another: no machine gets another's files.
                let keep = |file: &File| rustix::io::fcntl_setfd(file, FdFlags::empty());
                let child = files.iter().try_for_each(keep).map_err(io::Error::from).and_then(|()| command.spawn());
                // Our copies of the guest's ends must close before the child's end can be seen.
                drop((command, files));
                let _ = reply.send(child);
            }
        });
        orders
    });
    let (reply, answer) = mpsc::channel();
    FORKER.send((command, files, reply)).map_err(|_| io::ErrorKind::BrokenPipe)?;
    answer.recv().map_err(|_| io::ErrorKind::BrokenPipe)?
}

/// QEMU's path.
fn find_qemu(name: &Path) -> Result<PathBuf, Failure> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    // Joining an absolute path to a folder gives that path.
    std::env::split_paths(&path)
        .map(|dir| dir.join(name))
        .find(|file| file.is_file())
        .ok_or_else(|| Failure::setup(name.display(), "not found; run ci/setup to install it"))
}

/// A new transcript's path; the oldest transcripts make room for it.
fn transcript_path(name: &str) -> Result<PathBuf, Failure> {
    static NEXT: AtomicU32 = AtomicU32::new(1);
    let dir = workspace::build_dir("transcripts")?;
    let mut old: Vec<(SystemTime, PathBuf)> = std::fs::read_dir(&dir)
        .map(|entries| {
            entries.flatten().filter_map(|e| Some((e.metadata().ok()?.modified().ok()?, e.path()))).collect()
        })
        .unwrap_or_default();
    old.sort();
    for (_, path) in &old[..old.len().saturating_sub(KEPT_TRANSCRIPTS)] {
        let _ = std::fs::remove_file(path);
    }
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    Ok(dir.join(format!("{name}-{}-{number}.transcript", std::process::id())))
}
