//! `/dev/kmsg`: the kernel log, one record per read (Linux's Documentation/ABI/testing/dev-kmsg): `priority,sequence,microseconds,-;text`.
//!
//! The log is a ring of lines stamped `[seconds.micros]`; a record's sequence number is its position. A write adds a line.
//!
//! Locks: each open file's position, a sleeping leaf.

use crate::error::{Errno, Result};
use crate::mm::{ReadBuf, WriteBuf};
use crate::sync::{Mutex, Rank};
use crate::vfs::File;
use crate::vfs::file::FileOps;
use alloc::format;
use alloc::string::String;
use core::any::Any;
use hal::log::{self, Level};

/// Longest line that a read or write handles.
const LINE: usize = 1024;

/// An open log.
pub struct Kmsg {
    position: Mutex<u64>,
}

impl Kmsg {
    /// At the oldest line still kept.
    pub fn new() -> Kmsg {
        Kmsg { position: Mutex::new(Rank::Leaf, "kmsg position", 0) }
    }
}

impl Default for Kmsg {
    fn default() -> Kmsg {
        Kmsg::new()
    }
}

/// A log line as a record: its time stamp, if it has one, in microseconds.
fn record(position: u64, line: &str) -> String {
    let stamped = line.strip_prefix('[').and_then(|rest| rest.split_once(']'));
    let time = stamped.and_then(|(stamp, text)| {
        let (seconds, fraction) = stamp.trim().split_once('.')?;
        let micros: u64 = fraction.get(..6)?.parse().ok()?;
        Some((seconds.parse::<u64>().ok()? * 1_000_000 + micros, text.trim_start()))
    });
    let (micros, text) = time.unwrap_or((0, line));
    format!("6,{position},{micros},-;{text}\n")
}

impl FileOps for Kmsg {
    /// The next record; `EAGAIN` when there is none (also without `O_NONBLOCK`: the log wakes nobody), `EINVAL` if it does not fit.
    fn read(&self, _file: &File, buf: &mut ReadBuf<'_>, _offset: &mut u64) -> Result<usize> {
        let mut position = self.position.lock();
        let mut bytes = [0; LINE];
        let (start, got) = log::read(*position, &mut bytes);
        if got == 0 {
            return Err(Errno::EAGAIN.into());
        }
        let (line, used) = match bytes[..got].iter().position(|&byte| byte == b'\n') {
            Some(end) => (&bytes[..end], end + 1),
            None => (&bytes[..got], got),
        };
        let text = record(start, &String::from_utf8_lossy(line));
        if text.len() > buf.remaining() {
            return Err(Errno::EINVAL.into());
        }
        *position = start + used as u64;
        buf.put(text.as_bytes())
    }

    fn write(&self, _file: &File, buf: &mut WriteBuf<'_>, _offset: &mut u64) -> Result<usize> {
        let all = buf.remaining();
        let mut bytes = [0; LINE];
        let taken = buf.take(&mut bytes)?;
        let text = String::from_utf8_lossy(&bytes[..taken]);
        // `<N>` before the text is its level and facility (syslog(2)).
        let plain = text.strip_prefix('<').and_then(|rest| rest.split_once('>')).map_or(&*text, |(_, plain)| plain);
        log::record(Level::Info, format_args!("{}", plain.trim_end()));
        Ok(all)
    }

    fn is_stream(&self) -> bool {
        true
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}

#[cfg(test)]
mod tests {
    use super::record;

    #[test]
    fn a_stamped_line_becomes_a_record() {
        assert_eq!(record(7, "[    1.000250] up"), "6,7,1000250,-;up\n");
        assert_eq!(record(0, "plain"), "6,0,0,-;plain\n");
    }
}
