//! Arguments as text: what each [`Kind`] of argument looks like, as strace(1) writes it.
//!
//! Some arguments are only there once the call has returned ([`Kind::is_output`]). The tracee's memory comes from `memory`; what cannot
//! be read prints as its address.

use crate::flags::{self, constant, set};
use crate::memory::Memory;

/// What an argument is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    Int,
    Uint,
    Hex,
    Ptr,
    Fd,
    /// A descriptor or `AT_FDCWD`.
    DirFd,
    Path,
    /// A path that the call writes, NUL-terminated.
    PathOut,
    /// Bytes, as many as argument n says.
    BufIn(usize),
    /// Bytes that the call writes, as many as its result says; argument n is their room.
    BufOut(usize),
    /// The same, random.
    BufHex,
    /// An array of buffers, as many as argument n says.
    IoVec(usize),
    /// A NULL-terminated array of strings.
    Strings,
    /// The same, counted only.
    Count,
    Mode,
    /// Left out without `O_CREAT` in the argument before.
    ModeIfCreate,
    OpenFlags,
    PipeFlags,
    Prot,
    MapFlags,
    CloneFlags,
    MountFlags,
    UmountFlags,
    WaitFlags,
    AtFlags,
    Access,
    Whence,
    Fcntl,
    Ioctl,
    ArchPrctl,
    Futex,
    Clock,
    Signal,
    SigHow,
    SigSet,
    SigSetOut,
    /// wait(2)'s status, written by the call.
    Status,
    /// Two descriptors, written by the call.
    FdPair,
    /// `struct timespec`.
    Time,
    TimeOut,
    /// `struct stat`, written by the call.
    Stat,
}

/// The most bytes of a string or buffer that are shown.
const SHOWN: usize = 32;
/// The most strings of an array.
const SHOWN_STRINGS: usize = 32;
/// The longest path read.
const PATH_MAX: usize = 4096;

/// `AT_FDCWD`.
const AT_FDCWD: i32 = -100;
/// `O_CREAT` and `O_TMPFILE`: a mode follows.
const CREATES: u64 = 0o20000100;

/// One call's arguments and, once it has returned, its result.
pub struct Call<'a> {
    /// The registers.
    pub args: [u64; 6],
    /// The result, negative for an error; `None` before.
    pub result: Option<i64>,
    /// The tracee's memory.
    pub memory: &'a Memory,
}

impl Kind {
    /// Whether the argument is there only after the call.
    pub fn is_output(self) -> bool {
        matches!(
            self,
            Kind::PathOut
                | Kind::BufOut(_)
                | Kind::BufHex
                | Kind::SigSetOut
                | Kind::Status
                | Kind::FdPair
                | Kind::TimeOut
                | Kind::Stat
        )
    }

    /// Argument `index` of `call`, which is of this kind; `None` if it is left out.
    pub fn show(self, call: &Call<'_>, index: usize) -> Option<String> {
        let value = call.args[index];
        let number = value as i32;
        let failed = call.result.is_some_and(|result| result < 0);
        let memory = call.memory;
        Some(match self {
            Kind::Int => (value as i64).to_string(),
            Kind::Uint => value.to_string(),
            Kind::Hex if value == 0 => "0".to_owned(),
            Kind::Hex => format!("{value:#x}"),
            Kind::Ptr => pointer(value),
            _ if self.is_output() && failed => pointer(value),
            Kind::Fd => number.to_string(),
            Kind::DirFd if number == AT_FDCWD => "AT_FDCWD".to_owned(),
            Kind::DirFd => number.to_string(),
            Kind::Path | Kind::PathOut => match memory.text(value, PATH_MAX) {
                Some((text, ended)) => quote(&text, text.len(), ended),
                None => pointer(value),
            },
            Kind::BufIn(length) => buffer(memory, value, call.args[length]),
            Kind::BufOut(_) => buffer(memory, value, call.result.map_or(0, |result| result.max(0) as u64)),
            Kind::BufHex => random(memory, value, call.result.unwrap_or(0)),
            Kind::IoVec(count) => vector(memory, value, call.args[count]),
            Kind::Strings => strings(memory, value).unwrap_or_else(|| pointer(value)),
            Kind::Count => match memory.words(value) {
                Some(words) if words.len() == 1 => format!("{} /* 1 var */", pointer(value)),
                Some(words) => format!("{} /* {} vars */", pointer(value), words.len()),
                None => pointer(value),
            },
            Kind::Mode => octal(value),
            Kind::ModeIfCreate if call.args[index - 1] & CREATES == 0 => return None,
            Kind::ModeIfCreate => octal(value),
            Kind::OpenFlags => open_flags(value),
            Kind::PipeFlags => set(flags::PIPE, value, "0"),
            Kind::Prot => set(flags::PROT, value, "PROT_NONE"),
            Kind::MapFlags => set(flags::MAP, value, "0"),
            Kind::CloneFlags => clone_flags(value),
            Kind::MountFlags => set(flags::MOUNT, value, "0"),
            Kind::UmountFlags => set(flags::UMOUNT, value, "0"),
            Kind::WaitFlags => set(flags::WAIT, value & 0xffff_ffff, "0"),
            Kind::AtFlags => set(flags::AT, value, "0"),
            Kind::Access => set(flags::ACCESS, value, "F_OK"),
            Kind::Whence => constant(flags::WHENCE, value),
            Kind::Fcntl => constant(flags::FCNTL, value),
            Kind::Ioctl => constant(flags::IOCTL, value & 0xffff_ffff),
            Kind::ArchPrctl => constant(flags::ARCH_PRCTL, value),
            Kind::Futex => futex(value),
            Kind::Clock => constant(flags::CLOCK, value),
            Kind::Signal => flags::signal(value & 0xffff_ffff),
            Kind::SigHow => constant(flags::SIG_HOW, value),
            Kind::SigSet | Kind::SigSetOut => memory.word(value).map_or_else(|| pointer(value), signals),
            Kind::Status => memory.word(value).map_or_else(|| pointer(value), |word| status(word as u32)),
            Kind::FdPair => memory
                .word(value)
                .map_or_else(|| pointer(value), |word| format!("[{}, {}]", word as u32, (word >> 32) as u32)),
            Kind::Time | Kind::TimeOut => match (memory.word(value), memory.word(value.wrapping_add(8))) {
                (Some(seconds), Some(nanos)) => format!("{{tv_sec={seconds}, tv_nsec={nanos}}}"),
                _ => pointer(value),
            },
            Kind::Stat => stat(memory, value).unwrap_or_else(|| pointer(value)),
        })
    }
}

/// An address.
pub fn pointer(value: u64) -> String {
    if value == 0 { "NULL".to_owned() } else { format!("{value:#x}") }
}

fn octal(value: u64) -> String {
    if value == 0 { "000".to_owned() } else { format!("0{value:o}") }
}

fn open_flags(value: u64) -> String {
    let mode = flags::ACCESS_MODES[(value & 3) as usize];
    match set(flags::OPEN, value & !3, "") {
        rest if rest.is_empty() => mode.to_owned(),
        rest => format!("{mode}|{rest}"),
    }
}

fn clone_flags(value: u64) -> String {
    let names = set(flags::CLONE, value & !0xff, "");
    match (names.is_empty(), value & 0xff) {
        (_, 0) => {
            if names.is_empty() {
                "0".to_owned()
            } else {
                names
            }
        }
        (true, number) => flags::signal(number),
        (false, number) => format!("{names}|{}", flags::signal(number)),
    }
}

/// `FUTEX_PRIVATE_FLAG` and `FUTEX_CLOCK_REALTIME` stand beside the operation.
fn futex(value: u64) -> String {
    let private = if value & 128 != 0 { "_PRIVATE" } else { "" };
    let clock = if value & 256 != 0 { "|FUTEX_CLOCK_REALTIME" } else { "" };
    format!("{}{private}{clock}", constant(flags::FUTEX, value & 0x7f))
}

/// The signals of a set: `[INT CHLD]`, or `~[...]` when most are in.
fn signals(set: u64) -> String {
    let (mark, listed) = if set.count_ones() > 32 { ("~", !set) } else { ("", set) };
    let names: Vec<String> = (1..=64)
        .filter(|number| listed & 1 << (number - 1) != 0)
        .map(|number| flags::signal(number).trim_start_matches("SIG").to_owned())
        .collect();
    format!("{mark}[{}]", names.join(" "))
}

/// wait(2)'s status, as the macros take it apart.
fn status(status: u32) -> String {
    let inner = match (status & 0x7f, status >> 8 & 0xff) {
        (0, code) => format!("{{WIFEXITED(s) && WEXITSTATUS(s) == {code}}}"),
        (0x7f, _) if status == 0xffff => "{WIFCONTINUED(s)}".to_owned(),
        (0x7f, signal) => format!("{{WIFSTOPPED(s) && WSTOPSIG(s) == {}}}", flags::signal(signal.into())),
        (signal, _) => format!("{{WIFSIGNALED(s) && WTERMSIG(s) == {}}}", flags::signal(signal.into())),
    };
    format!("[{inner}]")
}

/// The mode and what the type makes interesting: size or device.
fn stat(memory: &Memory, at: u64) -> Option<String> {
    let mode = memory.word(at.checked_add(24)?)? & 0xffff_ffff;
    let kind = constant(flags::FILE_TYPE, mode & 0o170000);
    let rest = if matches!(mode & 0o170000, 0o020000 | 0o060000) {
        let device = memory.word(at + 40)?;
        let (major, minor) = (device >> 8 & 0xfff, device & 0xff | device >> 12 & 0xfff00);
        format!("st_rdev=makedev({major:#x}, {minor:#x})")
    } else {
        format!("st_size={}", memory.word(at + 48)?)
    };
    Some(format!("{{st_mode={kind}|0{:o}, {rest}, ...}}", mode & 0o7777))
}

/// Bytes in quotes, escaped as in C; `...` follows if there are more.
pub fn quote(bytes: &[u8], most: usize, whole: bool) -> String {
    let shown = &bytes[..bytes.len().min(most)];
    let mut text = String::from("\"");
    for (index, &byte) in shown.iter().enumerate() {
        match byte {
            b'"' => text += "\\\"",
            b'\\' => text += "\\\\",
            b'\n' => text += "\\n",
            b'\r' => text += "\\r",
            b'\t' => text += "\\t",
            0x0b => text += "\\v",
            0x0c => text += "\\f",
            b' '..=b'~' => text.push(char::from(byte)),
            // A digit that follows would be read as part of a short octal number.
            _ if shown.get(index + 1).is_some_and(u8::is_ascii_digit) => text += &format!("\\{byte:03o}"),
            _ => text += &format!("\\{byte:o}"),
        }
    }
    text.push('"');
    if !whole || shown.len() < bytes.len() {
        text += "...";
    }
    text
}

fn buffer(memory: &Memory, at: u64, length: u64) -> String {
    if at == 0 {
        return "NULL".to_owned();
    }
    let wanted = usize::try_from(length).unwrap_or(usize::MAX);
    match memory.bytes(at, wanted.min(SHOWN)) {
        Some(bytes) => quote(&bytes, SHOWN, wanted <= bytes.len()),
        None => pointer(at),
    }
}

/// Bytes without any meaning, as hexadecimal codes.
fn random(memory: &Memory, at: u64, length: i64) -> String {
    let wanted = usize::try_from(length).unwrap_or(0);
    match memory.bytes(at, wanted.min(SHOWN)) {
        Some(bytes) => {
            let codes: String = bytes.iter().map(|byte| format!("\\x{byte:02x}")).collect();
            format!("\"{codes}\"{}", if wanted > bytes.len() { "..." } else { "" })
        }
        None => pointer(at),
    }
}

fn vector(memory: &Memory, at: u64, count: u64) -> String {
    let mut parts = Vec::new();
    for index in 0..count.min(SHOWN_STRINGS as u64) {
        let place = at.wrapping_add(16 * index);
        let (Some(base), Some(length)) = (memory.word(place), memory.word(place.wrapping_add(8))) else {
            return pointer(at);
        };
        parts.push(format!("{{iov_base={}, iov_len={length}}}", buffer(memory, base, length)));
    }
    format!("[{}]", parts.join(", "))
}

fn strings(memory: &Memory, at: u64) -> Option<String> {
    let words = memory.words(at)?;
    let mut parts: Vec<String> = Vec::new();
    for word in words.iter().take(SHOWN_STRINGS) {
        let (text, ended) = memory.text(*word, SHOWN + 1)?;
        parts.push(quote(&text, SHOWN, ended && text.len() <= SHOWN));
    }
    if words.len() > SHOWN_STRINGS {
        parts.push("...".to_owned());
    }
    Some(format!("[{}]", parts.join(", ")))
}
