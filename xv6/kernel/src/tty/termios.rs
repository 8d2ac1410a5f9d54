//! [`Termios`]: a terminal's settings in the layout of Linux's `struct termios` (ioctl_tty(2), termios(3)).
//!
//! ```text
//!   0      4      8      12     16     17                36
//!   | iflag| oflag| cflag| lflag| line | control chars 19 |      TCGETS, TCSETS, TCSETSW, TCSETSF
//! ```
//!
//! Plain data, no locks. The neighbours are `discipline`, which obeys it, and `ioctl`, which moves it to and from programs.
#![expect(missing_docs, reason = "termios(3) documents each flag")]

use bitflags::bitflags;

bitflags! {
    /// Input modes.
    #[derive(Clone, Copy, PartialEq, Eq, Debug)]
    pub struct Input: u32 {
        const IGNBRK = 0o1;
        const BRKINT = 0o2;
        const ISTRIP = 0o40;
        const INLCR = 0o100;
        const IGNCR = 0o200;
        const ICRNL = 0o400;
        const IXON = 0o2000;
        const IXANY = 0o4000;
        const IXOFF = 0o10000;
        const IMAXBEL = 0o20000;
        const IUTF8 = 0o40000;
        const _ = !0;
    }
}

bitflags! {
    /// Output modes.
    #[derive(Clone, Copy, PartialEq, Eq, Debug)]
    pub struct Output: u32 {
        const OPOST = 0o1;
        const ONLCR = 0o4;
        const OCRNL = 0o10;
        const ONOCR = 0o20;
        const ONLRET = 0o40;
        const XTABS = 0o14000;
        const _ = !0;
    }
}

bitflags! {
    /// Local modes.
    #[derive(Clone, Copy, PartialEq, Eq, Debug)]
    pub struct Local: u32 {
        const ISIG = 0o1;
        const ICANON = 0o2;
        const ECHO = 0o10;
        const ECHOE = 0o20;
        const ECHOK = 0o40;
        const ECHONL = 0o100;
        const NOFLSH = 0o200;
        const TOSTOP = 0o400;
        const ECHOCTL = 0o1000;
        const ECHOKE = 0o4000;
        const IEXTEN = 0o100000;
        const _ = !0;
    }
}

/// Indices into [`Termios::chars`].
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Char {
    Intr = 0,
    Quit = 1,
    Erase = 2,
    Kill = 3,
    Eof = 4,
    Time = 5,
    Min = 6,
    Start = 8,
    Stop = 9,
    Susp = 10,
    Eol = 11,
    Reprint = 12,
    WordErase = 14,
    LiteralNext = 15,
    Eol2 = 16,
}

/// Bytes of Linux's `struct termios`.
pub const SIZE: usize = 36;

/// A terminal's settings.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Termios {
    /// Input modes.
    pub input: Input,
    /// Output modes.
    pub output: Output,
    /// Control modes: kept for programs, without effect on a terminal that has no line.
    pub control: u32,
    /// Local modes.
    pub local: Local,
    /// The line discipline's number; 0, `N_TTY`, is the only one.
    pub line: u8,
    /// Special characters by [`Char`]; 0 disables one (`_POSIX_VDISABLE`).
    pub chars: [u8; 19],
}

impl Default for Termios {
    /// Linux's `tty_std_termios`: a cooked terminal with echo, 38400 baud, 8 bits, UTF-8.
    fn default() -> Termios {
        Termios {
            input: Input::ICRNL | Input::IXON | Input::IUTF8,
            output: Output::OPOST | Output::ONLCR,
            control: 0o17 | 0o60 | 0o200, // B38400 | CS8 | CREAD
            local: Local::ISIG
                | Local::ICANON
                | Local::ECHO
                | Local::ECHOE
                | Local::ECHOK
                | Local::ECHOCTL
                | Local::ECHOKE
                | Local::IEXTEN,
            line: 0,
            chars: [0x03, 0x1c, 0x7f, 0x15, 0x04, 0, 1, 0, 0x11, 0x13, 0x1a, 0, 0x12, 0x0f, 0x17, 0x16, 0, 0, 0],
        }
    }
}

impl Termios {
    /// The special character `which`; 0 if disabled.
    pub fn char(&self, which: Char) -> u8 {
        self.chars[which as usize]
    }

    /// True if `byte` is the special character `which` and that is not disabled.
    pub fn is(&self, byte: u8, which: Char) -> bool {
        byte != 0 && byte == self.char(which)
    }

    /// The bytes a program gets from `TCGETS`.
    pub fn to_bytes(self) -> [u8; SIZE] {
        let mut bytes = [0; SIZE];
        let words = [self.input.bits(), self.output.bits(), self.control, self.local.bits()];
        for (place, word) in bytes.chunks_exact_mut(4).zip(words) {
            place.copy_from_slice(&word.to_ne_bytes());
        }
        bytes[16] = self.line;
        bytes[17..].copy_from_slice(&self.chars);
        bytes
    }

    /// The settings that a program gave to `TCSETS`.
    pub fn from_bytes(bytes: &[u8; SIZE]) -> Termios {
        let word = |at: usize| u32::from_ne_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]]);
        let mut chars = [0; 19];
        chars.copy_from_slice(&bytes[17..]);
        Termios {
            input: Input::from_bits_retain(word(0)),
            output: Output::from_bits_retain(word(4)),
            control: word(8),
            local: Local::from_bits_retain(word(12)),
            line: bytes[16],
            chars,
        }
    }
}

/// A window's size in characters and pixels (`struct winsize`, ioctl_tty(2)).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct WindowSize {
    /// Rows.
    pub rows: u16,
    /// Columns.
    pub columns: u16,
    /// Width in pixels, unused.
    pub x_pixels: u16,
    /// Height in pixels, unused.
    pub y_pixels: u16,
}

impl WindowSize {
    /// The bytes a program gets from `TIOCGWINSZ`.
    pub fn to_bytes(self) -> [u8; 8] {
        let mut bytes = [0; 8];
        for (place, word) in bytes.chunks_exact_mut(2).zip([self.rows, self.columns, self.x_pixels, self.y_pixels]) {
            place.copy_from_slice(&word.to_ne_bytes());
        }
        bytes
    }

    /// The size that a program gave to `TIOCSWINSZ`.
    pub fn from_bytes(bytes: &[u8; 8]) -> WindowSize {
        let word = |at: usize| u16::from_ne_bytes([bytes[at], bytes[at + 1]]);
        WindowSize { rows: word(0), columns: word(2), x_pixels: word(4), y_pixels: word(6) }
    }
}
