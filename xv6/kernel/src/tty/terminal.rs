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
use crate::error::{Errno, Error, Result};
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
    /// Whether all that was written has gone out; if not, [`Tty::output_drained`] is called later.
    fn is_sent(&self) -> bool {
        true
    }
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
            let length = buf.remaining().min(PIECE);
            let (shown, refused) = match buf.take(&mut piece[..length]) {
                Ok(_) => self.show_all(&piece[..length], nonblocking),
                Err(fault) => (0, Some(fault)),
            };
            written += shown;
            match refused {
                Some(error) if written == 0 => return Err(error),
                Some(_) => break,
                None => {}
            }
        }
        Ok(written)
    }

    /// Shows bytes as there is room for them: how many, and why not all.
    fn show_all(&self, bytes: &[u8], nonblocking: bool) -> (usize, Option<Error>) {
        let mut shown = 0;
        while shown < bytes.len() {
            let refused = match self.show(&bytes[shown..]) {
                _ if self.is_hung_up() => Some(Errno::EIO.into()),
                0 if nonblocking => Some(Errno::EAGAIN.into()),
                0 => self.writers.wait_interruptible(None, || self.has_room_or_end()).err(),
                more => {
                    shown += more;
                    None
                }
            };
            if refused.is_some() {
                return (shown, refused);
            }
        }
        (shown, None)
    }

    /// Shows as many bytes as the port takes now; how many. Room is asked for and used under one lock, since there may be other writers.
    fn show(&self, bytes: &[u8]) -> usize {
        let mut screen = Vec::with_capacity(bytes.len() + bytes.len() / 4);
        let mut line = self.line.lock();
        let count = bytes.len().min(self.room(&line));
        if count > 0 {
            line.discipline.output(&bytes[..count], &mut screen);
            self.port.write(&screen);
        }
        count
    }

    /// tcdrain(3): waits until all output has gone out.
    pub(super) fn drain(&self) -> Result<()> {
        self.writers.wait_interruptible(None, || self.port.is_sent().then_some(()))
    }

    /// As `drain`, whatever the signal.
    pub(super) fn drain_for_good(&self) {
        self.writers.wait(|| self.port.is_sent().then_some(()));
    }

    /// How many program bytes the port certainly takes.
    fn room(&self, line: &Line) -> usize {
        if self.is_hung_up() || line.discipline.is_stopped() { 0 } else { self.port.room() / GROWTH }
    }

    fn has_room(&self) -> bool {
        self.room(&self.line.lock()) > 0
    }

    /// As `has_room`, and past a hang-up, so that a waiting writer finds out.
    fn has_room_or_end(&self) -> Option<()> {
        (self.has_room() || self.is_hung_up()).then_some(())
    }

    pub(super) fn events(&self, poller: Option<&mut Poller>) -> Events {
        if let Some(poller) = poller {
            poller.register(&self.readers);
            poller.register(&self.writers);
        }
        let mut events = Events::empty();
        let readable = self.line.lock().discipline.is_readable();
        events.set(Events::IN | Events::RDNORM, readable);
        if self.is_hung_up() {
            // Nothing waits any more: reads end, writes and settings fail.
            events |= Events::IN | Events::RDNORM | Events::OUT | Events::WRNORM | Events::ERR | Events::HUP;
        } else if self.has_room() {
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
