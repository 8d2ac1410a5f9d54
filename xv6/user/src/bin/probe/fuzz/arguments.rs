//! Arguments of wild calls: each kind has plausible values, which get far, and any argument may be wild instead.
//!
//! Key types: [`Kind`], [`Maker`]. A maker draws calls from dice; what pointers lead to it writes into a small scratch memory of the
//! caller's, or they lead into the arena, pages of every protection that `life.rs` makes. Neighbour: `calls.rs`, the table of calls.

use super::calls::{AREAS, Row};
use super::dice::Dice;
use super::values::{ADDRESSES, NUMBERS, PATHS, PROGRAMS, SPECIAL_PATHS};
use user::raw::expendable::WildCall;

/// What an argument should be.
#[derive(Clone, Copy)]
pub enum Kind {
    /// Whatever.
    Any,
    /// Some of these bits, mostly few.
    Bits(usize),
    /// An address to write to.
    Buffer,
    /// A descriptor of a folder, or the current one.
    DirFd,
    /// A descriptor.
    Fd,
    /// A user or a group.
    Id,
    /// An array of `struct iovec`.
    IoVec,
    /// A number of bytes.
    Length,
    /// A file's type and permissions.
    Mode,
    /// One of these strings.
    Name(&'static [&'static [u8]]),
    /// A place in a file.
    Offset,
    /// The address of a page.
    Page,
    /// A path.
    Path,
    /// A process or a group.
    Pid,
    /// One of these numbers.
    Pick(&'static [usize]),
    /// A program's path.
    Program,
    /// A set of signals.
    SigSet,
    /// A signal.
    Signal,
    /// A small number.
    Small,
    /// An array of strings.
    Strings,
    /// Up to two `struct timespec`, mostly of a short time.
    Times,
    /// A structure of random words.
    Words,
}

/// Bytes of the scratch memory.
pub const SCRATCH: usize = 4096;
/// Pages of the arena.
pub const ARENA_PAGES: usize = 32;
/// Bytes of a page.
pub const PAGE: usize = 4096;

/// How the calls of one life are drawn.
#[derive(Clone, Copy)]
pub struct Taste {
    /// Where the arena is.
    pub arena: usize,
    /// The process that begins.
    pub pid: usize,
    /// The area that most calls are of, if there is one.
    pub area: Option<&'static [Row]>,
}

/// Draws calls.
pub struct Maker<'a> {
    dice: Dice,
    taste: Taste,
    scratch: &'a mut [u8; SCRATCH],
    used: usize,
}

impl<'a> Maker<'a> {
    /// A maker that writes into `scratch`.
    pub fn new(dice: Dice, taste: Taste, scratch: &'a mut [u8; SCRATCH]) -> Self {
        Self { dice, taste, scratch, used: 0 }
    }

    /// The next call.
    pub fn call(&mut self) -> WildCall {
        self.used = 0;
        // Now and then a number without a row, or none at all.
        if self.dice.one_in(50) {
            let number = if self.dice.one_in(2) { self.dice.roll() } else { self.dice.below(512) as u64 };
            return (number.cast_signed(), std::array::from_fn(|_| self.wild()));
        }
        let row = loop {
            let area = match self.taste.area {
                Some(area) if !self.dice.one_in(4) => area,
                // Each call is as likely as each other, whatever the size of its area.
                _ => {
                    let mut index = self.dice.below(AREAS.iter().map(|area| area.len()).sum());
                    let found = AREAS.iter().find(|area| {
                        let inside = index < area.len();
                        index = index.wrapping_sub(if inside { 0 } else { area.len() });
                        inside
                    });
                    let Some(area) = found else { continue };
                    &area[index..=index]
                }
            };
            let row = self.dice.pick(area);
            if self.dice.one_in(row.rarity) {
                break row;
            }
        };
        // Half the calls are as they should be, most others wrong in places, some wild.
        let wildness = match self.dice.below(10) {
            0..5 => 0,
            5..9 => 25,
            _ => 100,
        };
        let args = std::array::from_fn(|index| match row.args.get(index) {
            Some(kind) if self.dice.below(100) >= wildness => self.plausible(*kind),
            Some(_) => self.wild(),
            // Registers that the call has no argument in hold something, too.
            None => self.dice.pick(&ADDRESSES),
        });
        (row.number, args)
    }

    fn plausible(&mut self, kind: Kind) -> usize {
        match kind {
            Kind::Any => self.wild(),
            Kind::Bits(mask) => {
                let few = self.dice.roll() & self.dice.roll() & self.dice.roll();
                let bits = [0, few, self.dice.roll()];
                mask & word(self.dice.pick(&bits))
            }
            Kind::Buffer if self.dice.one_in(4) => self.words(8),
            Kind::Buffer => self.in_arena(),
            Kind::DirFd if self.dice.one_in(2) => word(libc::AT_FDCWD as u64),
            Kind::DirFd => self.dice.pick(&[2, 2, 2, 17]),
            // The files on the disk or in memory take part in most.
            Kind::Fd if self.dice.one_in(3) => self.dice.pick(&[1, 5, 12]),
            Kind::Fd => self.dice.below(22),
            Kind::Id => self.dice.pick(&[0, 0, 1, 1000, 65_534, 65_536, usize::MAX]),
            Kind::IoVec => self.vectors(),
            Kind::Length => match self.dice.below(8) {
                0 => self.edge(),
                1 => self.dice.below(16) * PAGE,
                _ => self.dice.below(5000),
            },
            Kind::Mode => {
                let kinds = [0, 0, 0o010_000, 0o020_000, 0o040_000, 0o100_000, 0o140_000];
                self.dice.pick(&kinds) | self.dice.below(0o10_000) | 0o600
            }
            Kind::Name(names) => {
                let name = self.dice.pick(names);
                self.place(name)
            }
            Kind::Offset if self.dice.one_in(8) => self.edge(),
            Kind::Offset => self.dice.below(4) * PAGE + self.dice.pick(&[0, 0, 1, 100, 4095]),
            Kind::Page if self.dice.one_in(8) => 0,
            Kind::Page => self.taste.arena + self.dice.below(ARENA_PAGES) * PAGE,
            Kind::Path => {
                let paths = if self.dice.one_in(3) { SPECIAL_PATHS } else { PATHS };
                let path = self.dice.pick(paths);
                self.place(path)
            }
            Kind::Pid => {
                let own = self.taste.pid;
                // A child has the next number, or nearly.
                let child = own + 1 + self.dice.below(3);
                let near = self.dice.below(6);
                self.dice.pick(&[0, 1, near, own, child, child, child, usize::MAX, near.wrapping_neg()])
            }
            Kind::Pick(values) => self.dice.pick(values),
            Kind::Program => {
                let path = self.dice.pick(PROGRAMS);
                self.place(path)
            }
            Kind::SigSet => {
                // SIGALRM nudges a waiting call: it is mostly let through.
                let nudge = if self.dice.one_in(16) { 0 } else { 1 << (libc::SIGALRM - 1) };
                let set = [0, u64::MAX, self.dice.roll()];
                let set = self.dice.pick(&set) & !nudge;
                self.place(&set.to_le_bytes())
            }
            Kind::Signal => self.dice.pick(&[0, 1, 2, 9, 10, 12, 13, 15, 17, 18, 19, 20, 23, 28, 34, 64, 65]),
            Kind::Small => self.dice.pick(&[0, 1, 1, 2, 3, 4, 5, 8, 16, 40, 64]),
            Kind::Strings => {
                let mut array = [0; 40];
                for slot in array[..32].chunks_exact_mut(8).take(self.dice.below(5)) {
                    let path = self.dice.pick(PATHS);
                    slot.copy_from_slice(&self.place(path).to_le_bytes());
                }
                self.place(&array)
            }
            Kind::Times => {
                let mut times = [0; 32];
                for half in times.chunks_exact_mut(16) {
                    let long = self.dice.one_in(16);
                    let seconds = if long { self.dice.pick(&NUMBERS) } else { 0 };
                    half[..8].copy_from_slice(&seconds.to_le_bytes());
                    let parts = self.dice.pick(&[0_u64, 1, 1000, 100_000, 999_999, 1_000_000_000, 0x3fff_ffff]);
                    half[8..].copy_from_slice(&parts.to_le_bytes());
                }
                self.place(&times)
            }
            Kind::Words => {
                let count = self.dice.pick(&[2, 4, 4, 8, 11, 18]);
                self.words(count)
            }
        }
    }

    /// Anything: a small number, a pid, a number near an edge, a wild address, a bit, or memory with a path or words in it.
    fn wild(&mut self) -> usize {
        match self.dice.below(10) {
            0 | 1 => self.dice.below(24),
            2 => self.plausible(Kind::Pid),
            3 | 4 => self.edge(),
            5 => self.dice.pick(&ADDRESSES),
            6 => word(self.dice.roll()) & (1 << self.dice.below(64)),
            7 => self.plausible(Kind::Path),
            8 => self.in_arena(),
            _ => self.words(8),
        }
    }

    fn edge(&mut self) -> usize {
        word(self.dice.pick(&NUMBERS))
    }

    /// An address in the arena, mostly near where a page ends.
    fn in_arena(&mut self) -> usize {
        let page = self.taste.arena + self.dice.below(ARENA_PAGES) * PAGE;
        let near = [0, 0, PAGE - 1, PAGE - 4, PAGE - 8, PAGE - 100, self.dice.below(PAGE)];
        page + self.dice.pick(&near)
    }

    /// Memory with `count` words in it: small numbers, numbers near edges, addresses, noise.
    fn words(&mut self, count: usize) -> usize {
        let mut bytes = [0; 18 * 8];
        for slot in bytes[..count * 8].chunks_exact_mut(8) {
            let value = match self.dice.below(8) {
                0..3 => self.dice.below(20) as u64,
                3 => self.dice.pick(&NUMBERS),
                4 => self.dice.pick(&ADDRESSES) as u64,
                5 => self.in_arena() as u64,
                // Two halves, as structures of 32-bit numbers have them.
                6 => (self.dice.below(20) as u64) << 32 | self.dice.below(20) as u64,
                _ => self.dice.roll(),
            };
            slot.copy_from_slice(&value.to_le_bytes());
        }
        self.place(&bytes[..count * 8])
    }

    /// An array of four vectors, of which a few may be wrong.
    fn vectors(&mut self) -> usize {
        let mut bytes = [0; 64];
        for slot in bytes.chunks_exact_mut(16) {
            let base = if self.dice.one_in(8) { self.dice.pick(&ADDRESSES) } else { self.in_arena() };
            let length = self.plausible(Kind::Length);
            slot[..8].copy_from_slice(&base.to_le_bytes());
            slot[8..].copy_from_slice(&length.to_le_bytes());
        }
        self.place(&bytes)
    }

    /// Puts bytes into the scratch memory, aligned.
    fn place(&mut self, bytes: &[u8]) -> usize {
        let at = self.used;
        self.scratch[at..at + bytes.len()].copy_from_slice(bytes);
        self.used = (at + bytes.len()).next_multiple_of(8);
        self.scratch.as_mut_ptr().expose_provenance() + at
    }
}

fn word(value: u64) -> usize {
    value as usize
}
