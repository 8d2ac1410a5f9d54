//! The machine's console as a terminal: `/dev/console` and `/dev/tty1`, on the virtio console if there is one, else on the serial port.
//!
//! The receive interrupt only wakes a kernel thread, which feeds the line discipline: signals are sent from there, where locks
//! may be taken.

use super::terminal::{OpenTty, Port, Tty};
use super::termios::WindowSize;
use crate::drivers::chr::{self, CharDevice};
use crate::error::{Errno, Result};
use crate::sync::WaitQueue;
use crate::task;
use crate::vfs::devnum;
use crate::vfs::file::{FileOps, OpenFlags};
use alloc::sync::Arc;
use hal::sync::Lazy;

/// The console's device number, (5, 1).
const DEVICE: u64 = devnum::make(5, 1);

struct Machine;

impl Port for Machine {
    fn room(&self) -> usize {
        // The serial port waits by itself when the host is slow.
        if hal::dev::console::present() { hal::dev::console::room() } else { usize::MAX }
    }

    fn write(&self, bytes: &[u8]) {
        if hal::dev::console::present() { hal::dev::console::write(bytes) } else { hal::dev::serial::write(bytes) }
    }

    fn is_sent(&self) -> bool {
        hal::dev::console::is_sent()
    }
}

static CONSOLE: Lazy<Arc<Tty>> = Lazy::new(|| Tty::new(DEVICE, Arc::new(Machine)));
static KEYS: WaitQueue = WaitQueue::new();

/// Registers the console's nodes and has its keys wake [`listen`]. `window` is the `winsize=` kernel option, `ROWSxCOLS`; without it, 24 rows of 80 columns.
pub fn init(window: Option<&str>) {
    let size = window.and_then(|text| text.split_once('x'));
    let size = size.and_then(|(rows, columns)| Some((rows.parse().ok()?, columns.parse().ok()?)));
    let (rows, columns) = size.unwrap_or((24, 80));
    CONSOLE.set_window(WindowSize { rows, columns, ..WindowSize::default() });
    hal::dev::console::on_output(|| CONSOLE.output_drained());
    let wake = || KEYS.wake_one();
    if hal::dev::console::present() {
        hal::dev::console::on_input(wake);
        // The serial line then has no other use than to be asked.
        task::sleepers::init();
    } else {
        hal::dev::serial::on_input(wake)
    }
    chr::register(5, 0..1, Arc::new(Controlling));
    chr::register(5, 1..2, Arc::new(Console { adopts: false }));
    chr::register(4, 1..2, Arc::new(Console { adopts: true }));
}

/// Waits until the host has taken all output, however long it takes: a reader that pauses (`harness run ... | less`) gets everything.
pub fn drain() {
    CONSOLE.drain_for_good();
}

/// The node (5, 0), `/dev/tty`: the caller's controlling terminal, or `ENXIO`.
struct Controlling;

impl CharDevice for Controlling {
    fn open(&self, _minor: u32, _flags: OpenFlags) -> Result<Arc<dyn FileOps>> {
        let terminal = task::current().process.session().tty().ok_or(Errno::ENXIO)?;
        let terminal = terminal.as_any().downcast::<Tty>().map_err(|_| Errno::ENXIO)?;
        Ok(Arc::new(OpenTty(terminal)))
    }
}

/// The console under its two numbers. Only as (4, 1), `/dev/tty1`, does it become a controlling terminal by being opened; as (5, 1),
/// `/dev/console`, a session leader asks for that with `TIOCSCTTY` (tty_ioctl(4)), so that an init does not take it by accident.
struct Console {
    adopts: bool,
}

impl CharDevice for Console {
    fn open(&self, _minor: u32, flags: OpenFlags) -> Result<Arc<dyn FileOps>> {
        if self.adopts && !flags.contains(OpenFlags::NOCTTY) {
            CONSOLE.adopt_on_open();
        }
        Ok(Arc::new(OpenTty(CONSOLE.clone())))
    }
}

/// The console's kernel thread: feeds what is typed to the line discipline, for ever.
pub fn listen() {
    let mut keys = [0; 256];
    loop {
        let count = KEYS.rest(|| {
            let count = read(&mut keys);
            (count > 0).then_some(count)
        });
        // What a full line buffer does not take is lost, with a bell: there is no telling the keyboard to wait.
        CONSOLE.input(&keys[..count]);
    }
}

fn read(keys: &mut [u8]) -> usize {
    if hal::dev::console::present() {
        return hal::dev::console::read(keys);
    }
    let mut count = 0;
    while count < keys.len()
        && let Some(byte) = hal::dev::serial::read()
    {
        keys[count] = byte;
        count += 1;
    }
    count
}
