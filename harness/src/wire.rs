//! wire: what a machine has said so far, shared by the threads that listen to it.
//!
//! [`Wire`] holds the console's and the serial port's bytes and the way the machine ended, under one lock with one
//! condition variable, so that a waiter wakes for whichever comes first. [`Tee`] is the reader given to rexpect: it keeps
//! the raw transcript and tells the wire which bytes rexpect has already received. That order matters: rexpect polls every
//! 100 ms, so the console asks it only after the wire has shown that the answer is there, and a round trip costs
//! microseconds.

use std::fs::File;
use std::io::{self, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::ExitStatus;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// How many lines of the transcript go into a failure.
const TAIL_LINES: usize = 40;

/// How QEMU's process ended.
#[derive(Clone, Debug)]
pub struct Gone {
    /// The process's status.
    pub status: ExitStatus,
    /// What QEMU itself had to say.
    pub stderr: String,
}

/// Everything heard from one machine.
#[derive(Debug, Default)]
pub struct Heard {
    /// The console's bytes, all of which rexpect has already received.
    pub console: Vec<u8>,
    /// The serial port's bytes: the kernel's log.
    pub serial: Vec<u8>,
    /// Set once QEMU's process is gone.
    pub gone: Option<Gone>,
    open: usize,
}

impl Heard {
    /// Whether QEMU is gone and everything it said has arrived.
    pub fn ended(&self) -> bool {
        self.gone.is_some() && self.open == 0
    }
}

/// The meeting point of a machine's listeners and those who wait for what it says.
#[derive(Debug)]
pub struct Wire {
    heard: Mutex<Heard>,
    changed: Condvar,
    transcript: Mutex<File>,
    path: PathBuf,
}

/// Which of a machine's lines a [`Tee`] listens to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Line {
    /// The console.
    Console,
    /// The serial port.
    Serial,
}

impl Wire {
    /// A wire whose transcript goes to `path`.
    ///
    /// # Errors
    /// The file's creation.
    pub fn new(path: &Path) -> io::Result<Arc<Self>> {
        let transcript = Mutex::new(File::create(path)?);
        Ok(Arc::new(Self { heard: Mutex::default(), changed: Condvar::new(), transcript, path: path.to_path_buf() }))
    }

    /// Where the transcript lies.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// A look at what was heard.
    pub fn heard(&self) -> MutexGuard<'_, Heard> {
        self.heard.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Changes what was heard and wakes the waiters.
    pub fn update(&self, change: impl FnOnce(&mut Heard)) {
        change(&mut self.heard());
        self.changed.notify_all();
    }

    /// Sleeps until `look` gives an answer or `limit` has passed; `None` says it passed.
    pub fn wait<T>(&self, limit: Duration, mut look: impl FnMut(&Heard) -> Option<T>) -> Option<T> {
        let end = Instant::now() + limit;
        let mut heard = self.heard();
        loop {
            if let Some(answer) = look(&heard) {
                return Some(answer);
            }
            let left = end.checked_duration_since(Instant::now())?;
            heard = self.changed.wait_timeout(heard, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// The last lines of the transcript, control characters left out.
    pub fn tail(&self) -> String {
        let text = std::fs::read(&self.path).unwrap_or_default();
        let text = String::from_utf8_lossy(&text);
        let clean: String = text.chars().filter(|c| *c == '\n' || *c == '\t' || !c.is_control()).collect();
        let lines: Vec<&str> = clean.lines().collect();
        lines[lines.len().saturating_sub(TAIL_LINES)..].join("\n")
    }

    fn record(&self, bytes: &[u8]) {
        // A transcript that cannot be written (a full disk) must not end the machine it describes.
        let _ = self.transcript.lock().unwrap_or_else(PoisonError::into_inner).write_all(bytes);
    }
}

/// A reader of one line that keeps the transcript and publishes bytes once its own reader has taken them.
#[derive(Debug)]
pub struct Tee {
    stream: UnixStream,
    wire: Arc<Wire>,
    line: Line,
    unpublished: Vec<u8>,
}

impl Tee {
    /// Listens to `stream` for `wire`.
    pub fn new(stream: UnixStream, wire: &Arc<Wire>, line: Line) -> Self {
        wire.update(|heard| heard.open += 1);
        Self { stream, wire: Arc::clone(wire), line, unpublished: Vec::new() }
    }

    /// Reads to the end on a thread of its own, giving each piece to `sink`.
    pub fn drain(mut self, mut sink: impl FnMut(&[u8]) + Send + 'static) -> std::thread::JoinHandle<()> {
        std::thread::spawn(move || {
            let mut piece = [0; 8192];
            while let Ok(n @ 1..) = self.read(&mut piece) {
                sink(&piece[..n]);
            }
        })
    }
}

impl Read for Tee {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        // Being asked for more means that what was read before has been delivered.
        if !self.unpublished.is_empty() {
            let bytes = std::mem::take(&mut self.unpublished);
            let line = self.line;
            self.wire.update(|heard| match line {
                Line::Console => heard.console.extend(bytes),
                Line::Serial => heard.serial.extend(bytes),
            });
        }
        let n = loop {
            match self.stream.read(buffer) {
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                // A reset connection is how a killed QEMU looks: an end like any other.
                Err(_) => break 0,
                Ok(n) => break n,
            }
        };
        self.wire.record(&buffer[..n]);
        self.unpublished.extend(&buffer[..n]);
        Ok(n)
    }
}

impl Drop for Tee {
    fn drop(&mut self) {
        self.wire.update(|heard| heard.open -= 1);
    }
}
