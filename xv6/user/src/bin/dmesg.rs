//! dmesg: prints and controls the kernel's log, as util-linux's does.
//!
//! Records come from `/dev/kmsg`, one a read: `PRIORITY,SEQUENCE,MICROSECONDS,FLAGS;TEXT`. Clearing and the console's level are
//! syslog(2)'s affair; so is reading where there is no `/dev/kmsg`, as in a container, which then tells why it may not.

use std::fs::File;
use std::io::{self, ErrorKind, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::process::ExitCode;

use user::clock::{self, Civil, MONTHS, WEEKDAYS};
use user::raw::{LogAction, kernel_log};
use user::{About, Args, Failure, Out};

const USAGE: &str = "dmesg [-CcDEHkrTtuwx] [-l LEVEL,...] [-f FACILITY,...] [-n LEVEL]";

/// syslog(3)'s names, by number.
const LEVELS: [&str; 8] = ["emerg", "alert", "crit", "err", "warn", "notice", "info", "debug"];
/// syslog(3)'s names, by number.
const FACILITIES: [&str; 12] =
    ["kern", "user", "mail", "daemon", "auth", "syslog", "lpr", "news", "uucp", "cron", "authpriv", "ftp"];

/// How the time of a record is shown.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Stamp {
    None,
    SinceBoot,
    /// As calendar time; the seconds since the epoch of the boot.
    Calendar(i64),
}

/// What is shown, and how.
struct View {
    stamp: Stamp,
    raw: bool,
    decode: bool,
    /// Bit n for level n, or facility n.
    levels: u32,
    facilities: u32,
}

/// One record.
struct Record<'a> {
    priority: u32,
    micros: u64,
    text: &'a [u8],
}

fn main() -> ExitCode {
    user::run("dmesg", USAGE, body)
}

fn body(args: &mut Args, out: &mut Out) -> Result<u8, Failure> {
    let mut view = View { stamp: Stamp::SinceBoot, raw: false, decode: false, levels: u32::MAX, facilities: u32::MAX };
    let (mut follow, mut clear) = (false, false);
    while let Some(option) = args.option() {
        match option.as_str() {
            "t" | "--notime" => view.stamp = Stamp::None,
            "T" | "--ctime" => view.stamp = Stamp::Calendar(boot_time()?),
            "r" | "--raw" => view.raw = true,
            "x" | "--decode" => view.decode = true,
            "w" | "--follow" => follow = true,
            "k" | "--kernel" => view.facilities = 1,
            "u" | "--userspace" => view.facilities = !1,
            "l" | "--level" => view.levels = set(&args.text(), &LEVELS)?,
            "f" | "--facility" => view.facilities = set(&args.text(), &FACILITIES)?,
            "c" | "--read-clear" => clear = true,
            "C" | "--clear" => return control(LogAction::Clear),
            "D" | "--console-off" => return control(LogAction::ConsoleOff),
            "E" | "--console-on" => return control(LogAction::ConsoleOn),
            "n" | "--console-level" => return control(LogAction::ConsoleLevel(console_level(&args.text())?)),
            _ => args.usage_error(),
        }
    }
    let [] = args.exactly();
    match open(follow) {
        Ok(log) => show_records(log, follow, &view, out)?,
        Err(error) if error.kind() == ErrorKind::NotFound => show_buffer(&view, out)?,
        Err(error) => return Err(error).about("/dev/kmsg"),
    }
    if clear { control(LogAction::Clear) } else { Ok(0) }
}

fn control(action: LogAction) -> Result<u8, Failure> {
    kernel_log(action).about("syslog")?;
    Ok(0)
}

/// Opens the log after what was cleared.
fn open(follow: bool) -> io::Result<File> {
    let flags = if follow { 0 } else { libc::O_NONBLOCK };
    let mut log = File::options().read(true).custom_flags(flags).open("/dev/kmsg")?;
    // std has no name for SEEK_DATA; a kernel without it begins at the oldest record.
    if rustix::fs::seek(&log, rustix::fs::SeekFrom::Data(0)).is_err() {
        log.seek(SeekFrom::Start(0))?;
    }
    Ok(log)
}

fn show_records(mut log: File, follow: bool, view: &View, out: &mut Out) -> Result<(), Failure> {
    let mut bytes = vec![0; 8192];
    loop {
        match log.read(&mut bytes) {
            Ok(0) => return Ok(()),
            Ok(length) => {
                let line = &bytes[..length];
                let (head, text) = line.split_at(line.iter().position(|byte| *byte == b';').unwrap_or(0));
                let head = String::from_utf8_lossy(head);
                let mut fields = head.split(',').map(|field| field.parse::<u64>().unwrap_or(0));
                let priority = u32::try_from(fields.next().unwrap_or(0)).unwrap_or(0);
                // Lines after the first are for machines.
                let text =
                    text.strip_prefix(b";").unwrap_or(text).split(|byte| *byte == b'\n').next().unwrap_or_default();
                let text = unescape(text);
                view.show(&Record { priority, micros: fields.nth(1).unwrap_or(0), text: &text }, out)?;
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
            // Records were overwritten before they were read; the next read goes on after them.
            Err(error) if matches!(error.kind(), ErrorKind::BrokenPipe | ErrorKind::Interrupted) => {}
            Err(error) => return Err(error).about("/dev/kmsg"),
        }
        if follow {
            out.flush()?;
        }
    }
}

/// Shows what syslog(2) gives: lines `<PRIORITY>[SECONDS.MICROS] TEXT`.
fn show_buffer(view: &View, out: &mut Out) -> Result<(), Failure> {
    let size = kernel_log(LogAction::Size).about("read kernel buffer failed")?;
    let mut bytes = vec![0; size];
    let length = kernel_log(LogAction::ReadAll(&mut bytes)).about("read kernel buffer failed")?;
    for line in String::from_utf8_lossy(&bytes[..length]).lines() {
        let (priority, rest) = line.strip_prefix('<').and_then(|rest| rest.split_once('>')).unwrap_or(("6", line));
        let (stamp, text) = rest.strip_prefix('[').and_then(|rest| rest.split_once("] ")).unwrap_or(("0.0", rest));
        let micros = stamp.trim().replace('.', "").parse().unwrap_or(0);
        view.show(&Record { priority: priority.parse().unwrap_or(6), micros, text: text.as_bytes() }, out)?;
    }
    Ok(())
}

impl View {
    fn show(&self, record: &Record<'_>, out: &mut Out) -> Result<(), Failure> {
        let (level, facility) = (record.priority & 7, record.priority >> 3);
        let shown = self.levels & 1 << level != 0 && self.facilities & 1u32.checked_shl(facility).unwrap_or(0) != 0;
        if !shown {
            return Ok(());
        }
        let (seconds, micros) = (record.micros / 1_000_000, record.micros % 1_000_000);
        if self.raw {
            write!(out, "<{}>[{seconds:5}.{micros:06}] ", record.priority)?;
        } else {
            if self.decode {
                let facility =
                    FACILITIES.get(facility as usize).map_or_else(|| facility.to_string(), ToString::to_string);
                write!(out, "{facility:<6}:{:<6}: ", LEVELS[level as usize])?;
            }
            match self.stamp {
                Stamp::None => {}
                Stamp::SinceBoot => write!(out, "[{seconds:5}.{micros:06}] ")?,
                Stamp::Calendar(boot) => {
                    let at = Civil::from_epoch(boot + i64::try_from(seconds).unwrap_or(0));
                    let Civil { day, hour, minute, second, year, .. } = at;
                    let (weekday, month) = (WEEKDAYS[at.weekday], MONTHS[at.month - 1]);
                    write!(out, "[{weekday} {month} {day:2} {hour:02}:{minute:02}:{second:02} {year}] ")?;
                }
            }
        }
        out.write_all(record.text)?;
        out.write_all(b"\n")?;
        Ok(())
    }
}

/// Undoes the kernel's `\xNN`.
fn unescape(text: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text;
    while let [first, tail @ ..] = rest {
        let code = tail.strip_prefix(b"x").and_then(|tail| std::str::from_utf8(tail.get(..2)?).ok());
        let byte = code.filter(|_| *first == b'\\').and_then(|code| u8::from_str_radix(code, 16).ok());
        out.push(byte.unwrap_or(*first));
        rest = if byte.is_some() { &tail[3..] } else { tail };
    }
    out
}

/// The set of a list such as `err,warn`; `err+` is all from there to the more urgent, as util-linux has it.
fn set(list: &str, names: &[&str]) -> Result<u32, Failure> {
    let mut set = 0;
    for word in list.split(',') {
        let bare = word.trim_matches('+');
        let number = number(bare, names).ok_or_else(|| Failure::new(format!("unknown level '{word}'")))?;
        set |= match (word.starts_with('+'), word.ends_with('+')) {
            (true, _) => u32::MAX << number,
            (_, true) => (2 << number) - 1,
            _ => 1 << number,
        };
    }
    Ok(set)
}

fn number(word: &str, names: &[&str]) -> Option<usize> {
    names.iter().position(|name| *name == word).or_else(|| word.parse().ok().filter(|number| *number < names.len()))
}

/// `-n`: a number is the console's level itself, a name the last level that it shows.
fn console_level(word: &str) -> Result<i32, Failure> {
    let by_name = LEVELS.iter().position(|name| *name == word).map(|level| level + 1);
    let level = by_name.or_else(|| word.parse().ok()).and_then(|level| i32::try_from(level).ok());
    level.ok_or_else(|| Failure::new(format!("unknown level '{word}'")))
}

/// When the machine started, in seconds since the epoch.
fn boot_time() -> Result<i64, Failure> {
    let uptime = std::fs::read_to_string("/proc/uptime").about("/proc/uptime")?;
    let seconds: f64 = uptime.split(' ').next().and_then(|word| word.parse().ok()).unwrap_or(0.0);
    Ok(clock::now() - seconds as i64)
}
