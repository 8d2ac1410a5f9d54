//! [`Tty`]: a terminal as programs read and write it.
//!
//! Reading waits for what the discipline calls readable; writing runs through the discipline into the [`Port`], a piece at a time, and
//! waits while the port is full or Ctrl-S holds the output. A hang-up (the pty's master is gone) turns reads into end of
//! file and writes into `EIO` for good.
//!
//! Locks: `line`, taken by readers, writers and input alike; the port is called under it, so that echo and output keep their order.

use super::discipline::{Discipline, Key};
use super::job::Control;
use super::termios::{Char, Local, WindowSize};
use crate::error::{Errno, Result};
use crate::mm::{ReadBuf, WriteBuf};
use crate::sync::{Poller, WaitQueue};
use crate::task::signal::{SigInfo, Signal};
use crate::task::{ControllingTty, ProcessGroup};
use crate::vfs::File;
use crate::vfs::file::{Events, FileOps};
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::any::Any;
use core::sync::atomic::{AtomicBool, Ordering};
use hal::sync::{Rank, SpinLock};

/// Where a terminal's output goes. Called under the terminal's spin lock: it must not sleep.
pub trait Port: Send + Sync {
    /// How many bytes it takes now.
    fn room(&self) -> usize;
    /// Takes bytes; those past `room` are lost.
    fn write(&self, bytes: &[u8]);
}

/// The most bytes that one program byte becomes (a tab expanded to spaces).
const GROWTH: usize = 8;
/// Program bytes processed at a time.
const PIECE: usize = 512;

/// What the line lock guards.
pub(super) struct Line {
    pub(super) discipline: Discipline,
    pub(super) window: WindowSize,
}

/// A terminal.
pub struct Tty {
    /// Its device number.
    pub(super) device: u64,
    pub(super) line: SpinLock<Line>,
    pub(super) control: SpinLock<Control>,
    port: Arc<dyn Port>,
    readers: WaitQueue,
    writers: WaitQueue,
    hung_up: AtomicBool,
}

impl Tty {
    /// A terminal with default settings whose output goes to `port`.
    pub fn new(device: u64, port: Arc<dyn Port>) -> Arc<Tty> {
        let line = Line { discipline: Discipline::default(), window: WindowSize::default() };
        Arc::new(Tty {
            device,
            line: SpinLock::new(Rank::Tty, "terminal line", line),
            control: SpinLock::new(Rank::Tty, "terminal control", Control::default()),
            port,
            readers: WaitQueue::new(),
            writers: WaitQueue::new(),
            hung_up: AtomicBool::new(false),
        })
    }

    /// Takes typed bytes: echoes them, wakes readers, raises the signals of Ctrl-C and its like. Returns how many it took; the
    /// rest finds no room before somebody reads.
    pub fn input(&self, bytes: &[u8]) -> usize {
        let mut echo = Vec::new();
        let mut taken = 0;
        while taken < bytes.len() {
            let mut line = self.line.lock();
            let mut key = None;
            while taken < bytes.len() && key.is_none() && line.discipline.room() > 0 {
                key = line.discipline.input(bytes[taken], &mut echo);
                taken += 1;
            }
            let full = line.discipline.room() == 0;
            self.port.write(&echo);
            echo.clear();
            let running = !line.discipline.is_stopped();
            drop(line);
            if running {
                self.writers.wake_all();
            }
            match key {
                Some(key) => self.raise(key),
                None if full => break,
                None => {}
            }
        }
        self.readers.wake_all();
        taken
    }

    fn raise(&self, key: Key) {
        let signal = match key {
            Key::Interrupt => Signal::INT,
            Key::Quit => Signal::QUIT,
            Key::Suspend => Signal::TSTP,
        };
        self.signal_foreground(signal);
    }

    /// Sends `signal` to the foreground process group, if there is one.
    pub(super) fn signal_foreground(&self, signal: Signal) {
        if let Some(group) = self.foreground() {
            group.signal(&SigInfo::kernel(signal));
        }
    }

    /// How many typed bytes it takes now.
    pub(super) fn input_room(&self) -> usize {
        self.line.lock().discipline.room()
    }

    /// The other end has room again.
    pub(super) fn output_drained(&self) {
        self.writers.wake_all();
    }

    /// The other end is gone.
    pub(super) fn hang_up(&self) {
        self.hung_up.store(true, Ordering::Relaxed);
        self.signal_hangup();
        self.readers.wake_all();
        self.writers.wake_all();
    }

    pub(super) fn is_hung_up(&self) -> bool {
        self.hung_up.load(Ordering::Relaxed)
    }

    /// read(2). Past a hang-up it is the end of file.
    pub(super) fn read(&self, buf: &mut ReadBuf<'_>, nonblocking: bool) -> Result<usize> {
        self.check_background(Signal::TTIN)?;
        let most = buf.remaining();
        if most == 0 {
            return Ok(0);
        }
        let bytes = match self.take(most) {
            Some(bytes) => bytes,
            None if nonblocking => return Err(Errno::EAGAIN.into()),
            None => self.wait_for_input(most)?,
        };
        buf.put(&bytes)
    }

    /// What is readable now; empty past a hang-up.
    fn take(&self, most: usize) -> Option<Vec<u8>> {
        let mut line = self.line.lock();
        let ready = line.discipline.is_readable() || polls(&line.discipline);
        let bytes =
            if ready { line.discipline.read(most).or_else(|| polls(&line.discipline).then(Vec::new)) } else { None };
        drop(line);
        bytes.or_else(|| self.is_hung_up().then(Vec::new))
    }

    /// Waits for input as `VMIN` and `VTIME` say (termios(3), "Canonical and noncanonical mode").
    fn wait_for_input(&self, most: usize) -> Result<Vec<u8>> {
        let (raw, min, time) = {
            let line = self.line.lock();
            let termios = line.discipline.termios();
            (!termios.local.contains(Local::ICANON), termios.char(Char::Min), termios.char(Char::Time))
        };
        let interval = u64::from(time) * 100_000_000;
        let timed = raw && min == 0 && time > 0;
        let deadline = timed.then(|| hal::time::now_ns() + interval);
        let mut bytes = match self.readers.wait_interruptible(deadline, || self.take(most)) {
            Err(error) if error.errno == Errno::ETIMEDOUT => return Ok(Vec::new()),
            bytes => bytes?,
        };
        // MIN > 0, TIME > 0: more may follow, each byte within TIME of the last.
        while raw && time > 0 && !bytes.is_empty() && bytes.len() < most.min(usize::from(min)) {
            let left = most - bytes.len();
            match self.readers.wait_interruptible(Some(hal::time::now_ns() + interval), || self.take(left)) {
                Ok(more) if !more.is_empty() => bytes.extend(more),
                _ => break,
            }
        }
        Ok(bytes)
    }

    /// write(2). Waits until everything is taken, unless non-blocking.
    pub(super) fn write(&self, buf: &mut WriteBuf<'_>, nonblocking: bool) -> Result<usize> {
        if self.line.lock().discipline.termios().local.contains(Local::TOSTOP) {
            self.check_background(Signal::TTOU)?;
        }
        let mut written = 0;
        let mut piece = [0; PIECE];
        while buf.remaining() > 0 {
            let room = match self.output_room() {
                Some(room) => room,
                None if self.is_hung_up() && written == 0 => return Err(Errno::EIO.into()),
                None if self.is_hung_up() => break,
                None if nonblocking && written == 0 => return Err(Errno::EAGAIN.into()),
                None if nonblocking => break,
                None => match self.writers.wait_interruptible(None, || self.output_room_or_end()) {
                    Err(_) if written > 0 => break,
                    room => room?,
                },
            };
            if room == 0 {
                continue;
            }
            let length = buf.remaining().min(PIECE).min(room);
            buf.take(&mut piece[..length])?;
            self.show(&piece[..length]);
            written += length;
        }
        Ok(written)
    }

    fn show(&self, bytes: &[u8]) {
        let mut screen = Vec::with_capacity(bytes.len() + bytes.len() / 4);
        let mut line = self.line.lock();
        line.discipline.output(bytes, &mut screen);
        self.port.write(&screen);
    }

    /// How many program bytes the port certainly takes; `None` while it takes none.
    fn output_room(&self) -> Option<usize> {
        if self.is_hung_up() || self.line.lock().discipline.is_stopped() {
            return None;
        }
        match self.port.room() / GROWTH {
            0 => None,
            room => Some(room),
        }
    }

    /// As `output_room`, with 0 past a hang-up, so that a waiting writer finds out.
    fn output_room_or_end(&self) -> Option<usize> {
        self.output_room().or_else(|| self.is_hung_up().then_some(0))
    }

    pub(super) fn events(&self, poller: Option<&mut Poller>) -> Events {
        if let Some(poller) = poller {
            poller.register(&self.readers);
            poller.register(&self.writers);
        }
        let mut events = Events::empty();
        let readable = self.line.lock().discipline.is_readable();
        if readable || self.is_hung_up() {
            events |= Events::IN | Events::RDNORM;
        }
        if self.is_hung_up() {
            events |= Events::HUP;
        } else if self.output_room().is_some() {
            events |= Events::OUT | Events::WRNORM;
        }
        events
    }

    pub(super) fn wake_readers(&self) {
        self.readers.wake_all();
    }

    pub(super) fn wake_writers(&self) {
        self.writers.wake_all();
    }
}

/// `VMIN` 0 and `VTIME` 0: a read never waits.
fn polls(discipline: &Discipline) -> bool {
    let termios = discipline.termios();
    !termios.local.contains(Local::ICANON) && termios.char(Char::Min) == 0 && termios.char(Char::Time) == 0
}

impl ControllingTty for Tty {
    fn device(&self) -> u64 {
        self.device
    }

    fn foreground(&self) -> Option<Arc<ProcessGroup>> {
        Tty::foreground(self)
    }

    fn leader_exited(&self) {
        self.release();
    }

    fn as_any(self: Arc<Self>) -> Arc<dyn Any + Send + Sync> {
        self
    }
}

/// An open terminal: the console or `/dev/tty`. A pty's slave counts its openings and wraps this.
pub(super) struct OpenTty(pub(super) Arc<Tty>);

impl FileOps for OpenTty {
    fn read(&self, file: &File, buf: &mut ReadBuf<'_>, _offset: &mut u64) -> Result<usize> {
        self.0.read(buf, file.is_nonblocking())
    }

    fn write(&self, file: &File, buf: &mut WriteBuf<'_>, _offset: &mut u64) -> Result<usize> {
        self.0.write(buf, file.is_nonblocking())
    }

    fn is_stream(&self) -> bool {
        true
    }

    fn poll(&self, _file: &File, poller: Option<&mut Poller>) -> Events {
        self.0.events(poller)
    }

    fn ioctl(&self, _file: &File, request: u32, arg: usize) -> Result<usize> {
        self.0.ioctl(request, arg)
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}
