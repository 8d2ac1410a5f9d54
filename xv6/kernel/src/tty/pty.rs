//! Pseudo-terminals (pty(7)): a master that a program like `conductor` or `sshd` holds, and a slave that is a [`Tty`].
//!
//! ```text
//!   master write() -> slave's discipline -> slave read()
//!   master read()  <- queue (64 KiB)     <- slave write(), echo
//! ```
//!
//! The pair is made by opening `ptmx` and lives in the [`DevPts`](super::devpts::DevPts) that `ptmx` belongs to. When the last
//! master closes, the slave hangs up and its file vanishes; when the last slave closes, the master reads `EIO`.
//!
//! Locks: `queue`, `Rank::Leaf`, inside the terminal's line lock.

use super::devpts::DevPts;
use super::ioctl::{FIONREAD, TIOCGWINSZ, TIOCSWINSZ};
use super::{Port, Tty};
use crate::error::{Errno, Result};
use crate::mm::{ReadBuf, WriteBuf, user};
use crate::sync::{Poller, WaitQueue};
use crate::vfs::File;
use crate::vfs::file::{Events, FileOps, OpenFlags};
use alloc::collections::VecDeque;
use alloc::sync::{Arc, Weak};
use alloc::vec::Vec;
use core::any::Any;
use core::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use hal::sync::{Rank, SpinLock};

/// Bytes that wait for the master.
const CAPACITY: usize = 64 * 1024;

/// The major number of slaves (`UNIX98_PTY_SLAVE_MAJOR`).
pub const SLAVE_MAJOR: u32 = 136;

const TIOCSPTLCK: u32 = 0x4004_5431;
const TIOCGPTN: u32 = 0x8004_5430;
const TIOCGPTLCK: u32 = 0x8004_5439;

/// What waits for the master.
struct Queue {
    bytes: SpinLock<VecDeque<u8>>,
    changed: WaitQueue,
}

impl Port for Queue {
    fn room(&self) -> usize {
        CAPACITY.saturating_sub(self.bytes.lock().len())
    }

    fn write(&self, bytes: &[u8]) {
        let mut queue = self.bytes.lock();
        let room = CAPACITY.saturating_sub(queue.len());
        queue.extend(&bytes[..bytes.len().min(room)]);
        drop(queue);
        if !bytes.is_empty() {
            self.changed.wake_all();
        }
    }
}

/// A pseudo-terminal.
pub struct Pty {
    /// Its number: the slave's file name.
    pub number: u32,
    /// The slave's terminal.
    pub tty: Arc<Tty>,
    queue: Arc<Queue>,
    locked: AtomicBool,
    slaves: AtomicU32,
    /// A slave was open once: from then on none means a hang-up for the master.
    used: AtomicBool,
    home: Weak<DevPts>,
}

impl Pty {
    /// A new pair with `number` in `home`; the slave is locked until `TIOCSPTLCK` (unlockpt(3)).
    pub fn new(number: u32, home: Weak<DevPts>) -> Arc<Pty> {
        let bytes = SpinLock::new(Rank::Leaf, "pty queue", VecDeque::new());
        let queue = Arc::new(Queue { bytes, changed: WaitQueue::new() });
        let device = crate::vfs::devnum::make(SLAVE_MAJOR, number);
        Arc::new(Pty {
            number,
            tty: Tty::new(device, queue.clone()),
            queue,
            locked: AtomicBool::new(true),
            slaves: AtomicU32::new(0),
            used: AtomicBool::new(false),
            home,
        })
    }

    /// open(2) of the slave.
    pub fn open_slave(self: &Arc<Self>, flags: OpenFlags) -> Result<Arc<dyn FileOps>> {
        if self.locked.load(Ordering::Relaxed) || self.tty.is_hung_up() {
            return Err(Errno::EIO.into());
        }
        self.slaves.fetch_add(1, Ordering::Relaxed);
        self.used.store(true, Ordering::Relaxed);
        if !flags.contains(OpenFlags::NOCTTY) {
            self.tty.adopt_on_open();
        }
        Ok(Arc::new(Slave { pty: self.clone() }))
    }

    fn slave_is_gone(&self) -> bool {
        self.used.load(Ordering::Relaxed) && self.slaves.load(Ordering::Relaxed) == 0
    }
}

/// An open slave.
struct Slave {
    pty: Arc<Pty>,
}

impl Drop for Slave {
    fn drop(&mut self) {
        if self.pty.slaves.fetch_sub(1, Ordering::Relaxed) == 1 {
            self.pty.queue.changed.wake_all();
        }
    }
}

impl FileOps for Slave {
    fn read(&self, file: &File, buf: &mut ReadBuf<'_>, _offset: &mut u64) -> Result<usize> {
        let count = self.pty.tty.read(buf, file.is_nonblocking());
        self.pty.queue.changed.wake_all(); // a master that found no room for input may go on
        count
    }

    fn write(&self, file: &File, buf: &mut WriteBuf<'_>, _offset: &mut u64) -> Result<usize> {
        self.pty.tty.write(buf, file.is_nonblocking())
    }

    fn is_stream(&self) -> bool {
        true
    }

    fn poll(&self, _file: &File, poller: Option<&mut Poller>) -> Events {
        self.pty.tty.events(poller)
    }

    fn ioctl(&self, _file: &File, request: u32, arg: usize) -> Result<usize> {
        self.pty.tty.ioctl(request, arg)
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}

/// The open master. There is one per pair: each open of `ptmx` makes a new pair.
pub struct Master {
    pty: Arc<Pty>,
}

impl Master {
    /// The master of a fresh pair.
    pub fn new(pty: Arc<Pty>) -> Master {
        Master { pty }
    }

    fn take(&self, most: usize) -> Option<Vec<u8>> {
        let mut bytes = self.pty.queue.bytes.lock();
        let count = bytes.len().min(most);
        (count > 0).then(|| bytes.drain(..count).collect())
    }
}

impl Drop for Master {
    fn drop(&mut self) {
        if let Some(home) = self.pty.home.upgrade() {
            home.forget(self.pty.number);
        }
        self.pty.tty.hang_up();
    }
}

impl FileOps for Master {
    fn read(&self, file: &File, buf: &mut ReadBuf<'_>, _offset: &mut u64) -> Result<usize> {
        let most = buf.remaining();
        if most == 0 {
            return Ok(0);
        }
        let nonblocking = file.is_nonblocking();
        let bytes = self.pty.queue.changed.wait_interruptible(None, || match self.take(most) {
            Some(bytes) => Some(Ok(bytes)),
            None if self.pty.slave_is_gone() => Some(Err(Errno::EIO)),
            None if nonblocking => Some(Err(Errno::EAGAIN)),
            None => None,
        })??;
        self.pty.tty.output_drained();
        buf.put(&bytes)
    }

    fn write(&self, file: &File, buf: &mut WriteBuf<'_>, _offset: &mut u64) -> Result<usize> {
        let mut written = 0;
        let mut piece = [0; 512];
        while buf.remaining() > 0 {
            let length = buf.remaining().min(piece.len());
            buf.take(&mut piece[..length])?;
            let mut given = 0;
            while given < length {
                let taken = self.pty.tty.input(&piece[given..length]);
                given += taken;
                written += taken;
                if taken > 0 {
                    continue;
                }
                // The slave's input is full: wait until somebody reads there.
                if file.is_nonblocking() {
                    return if written > 0 { Ok(written) } else { Err(Errno::EAGAIN.into()) };
                }
                let room = || (self.pty.tty.input_room() > 0 || self.pty.slave_is_gone()).then_some(());
                match self.pty.queue.changed.wait_interruptible(None, room) {
                    Err(_) if written > 0 => return Ok(written),
                    waited => waited?,
                }
                if self.pty.slave_is_gone() {
                    return if written > 0 { Ok(written) } else { Err(Errno::EIO.into()) };
                }
            }
        }
        Ok(written)
    }

    fn is_stream(&self) -> bool {
        true
    }

    fn poll(&self, _file: &File, poller: Option<&mut Poller>) -> Events {
        if let Some(poller) = poller {
            poller.register(&self.pty.queue.changed);
        }
        let mut events = Events::empty();
        if !self.pty.queue.bytes.lock().is_empty() {
            events |= Events::IN | Events::RDNORM;
        }
        if self.pty.slave_is_gone() {
            events |= Events::HUP;
        } else if self.pty.tty.input_room() > 0 {
            events |= Events::OUT | Events::WRNORM;
        }
        events
    }

    fn ioctl(&self, _file: &File, request: u32, arg: usize) -> Result<usize> {
        match request {
            TIOCGPTN => user::write(arg, &self.pty.number)?,
            TIOCSPTLCK => {
                let lock: i32 = user::read(arg)?;
                self.pty.locked.store(lock != 0, Ordering::Relaxed);
            }
            TIOCGPTLCK => user::write(arg, &i32::from(self.pty.locked.load(Ordering::Relaxed)))?,
            FIONREAD => {
                let waiting = self.pty.queue.bytes.lock().len() as i32;
                user::write(arg, &waiting)?;
            }
            // Settings and size are the slave's; the rest concerns only a process whose terminal the slave is.
            TIOCGWINSZ | TIOCSWINSZ | 0x5401..=0x5404 | 0x540b => return self.pty.tty.ioctl(request, arg),
            _ => return Err(Errno::ENOTTY.into()),
        }
        Ok(0)
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}
