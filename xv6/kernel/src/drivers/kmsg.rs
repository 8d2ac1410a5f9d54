//! `/dev/kmsg`: the kernel log, one record per read (Linux's Documentation/ABI/testing/dev-kmsg): `priority,sequence,microseconds,-;text`.
//!
//! A write adds a record, its priority in front as `<N>`. Locks: each open file's place in the log, a sleeping leaf.

use super::klog;
use crate::error::{Errno, Result};
use crate::mm::{ReadBuf, WriteBuf};
use crate::sync::{Mutex, Poller, Rank};
use crate::vfs::File;
use crate::vfs::file::{Events, FileOps, OpenFlags};
use crate::vfs::openfile::Whence;
use alloc::format;
use alloc::string::String;
use core::any::Any;
use core::fmt::Write;
use hal::log::{self, Cursor, Overwritten, Record, TEXT_MAX};

/// The facility of messages from programs that name none (`LOG_USER`).
const FACILITY_USER: u16 = 1;

/// An open log.
pub struct Kmsg {
    place: Mutex<Cursor>,
}

impl Kmsg {
    /// At the oldest record still kept. `EPERM` for those who may not read, unless they only write.
    pub fn open(flags: OpenFlags) -> Result<Kmsg> {
        if flags.reads() {
            klog::check(true)?;
        }
        Ok(Kmsg { place: Mutex::new(Rank::Leaf, "kmsg place", log::oldest()) })
    }
}

/// What a read does: a record's line and the place after it, or nothing yet.
type Next = Result<Option<(String, Cursor)>>;

fn next(place: &mut Cursor) -> Next {
    let mut text = [0; TEXT_MAX];
    match log::read(*place, &mut text) {
        Ok(Some(record)) => Ok(Some((show(&record, &text[..record.length]), record.next))),
        Ok(None) => Ok(None),
        Err(Overwritten(oldest)) => {
            *place = oldest;
            Err(Errno::EPIPE.during("reading a log record that was overwritten"))
        }
    }
}

/// A record as a reader gets it: what is no printable ASCII is escaped.
fn show(record: &Record, text: &[u8]) -> String {
    let mut line = format!("{},{},{},-;", record.priority, record.next.sequence() - 1, record.micros);
    for &byte in text {
        if byte == b'\\' || !(b' '..0x7f).contains(&byte) {
            // A `String` takes everything.
            let _ = write!(line, "\\x{byte:02x}");
        } else {
            line.push(char::from(byte));
        }
    }
    line.push('\n');
    line
}

/// The priority in front of a message, if it has one, and the rest.
fn priority(text: &str) -> (u16, &str) {
    let usual = FACILITY_USER << 3 | u16::from(klog::MESSAGE_LEVEL);
    let prefixed = text.strip_prefix('<').and_then(|rest| rest.split_once('>'));
    match prefixed.and_then(|(number, rest)| Some((number.parse::<u16>().ok()?, rest))) {
        Some((number @ 8.., rest)) => (number, rest),
        // No program speaks as the kernel.
        Some((level, rest)) => (FACILITY_USER << 3 | level, rest),
        None => (usual, text),
    }
}

impl FileOps for Kmsg {
    /// The next record, waited for unless the file is non-blocking. `EPIPE` once when records were overwritten before they were read, `EINVAL` if
    /// the record does not fit.
    fn read(&self, file: &File, buf: &mut ReadBuf<'_>, _offset: &mut u64) -> Result<usize> {
        let mut place = self.place.lock();
        let (line, after) = loop {
            if let Some(found) = next(&mut place)? {
                break found;
            }
            if file.is_nonblocking() {
                return Err(Errno::EAGAIN.into());
            }
            let at = *place;
            drop(place);
            klog::readers().wait_interruptible(None, || {
                klog::want();
                (log::newest() != at).then_some(())
            })?;
            place = self.place.lock();
        };
        if line.len() > buf.remaining() {
            return Err(Errno::EINVAL.into());
        }
        let put = buf.put(line.as_bytes())?;
        *place = after;
        Ok(put)
    }

    fn write(&self, _file: &File, buf: &mut WriteBuf<'_>, _offset: &mut u64) -> Result<usize> {
        let all = buf.remaining();
        let mut bytes = [0; TEXT_MAX];
        if all > bytes.len() {
            return Err(Errno::EINVAL.into());
        }
        let taken = buf.take(&mut bytes)?;
        let text = String::from_utf8_lossy(&bytes[..taken]);
        let (priority, text) = priority(&text);
        log::record_from(priority, format_args!("{}", text.trim_end_matches('\n')));
        Ok(all)
    }

    fn is_stream(&self) -> bool {
        true
    }

    /// To the oldest record, to what came after the last clearing (`SEEK_DATA`), or behind the newest; nowhere else.
    fn seek(&self, whence: Whence, by: i64) -> Result<u64> {
        let to = match whence {
            Whence::Set => log::oldest(),
            Whence::Data => klog::cleared(),
            Whence::End => log::newest(),
            Whence::Current | Whence::Hole => return Err(Errno::EINVAL.into()),
        };
        if by != 0 {
            return Err(Errno::ESPIPE.into());
        }
        *self.place.lock() = to;
        Ok(0)
    }

    fn poll(&self, _file: &File, poller: Option<&mut Poller>) -> Events {
        if let Some(poller) = poller {
            poller.register(klog::readers());
            klog::want();
        }
        let place = *self.place.lock();
        let mut events = Events::OUT | Events::WRNORM;
        events.set(Events::IN | Events::RDNORM, log::newest() != place);
        events
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}

#[cfg(test)]
mod tests {
    use super::{priority, show};
    use hal::log::{Cursor, Record};

    #[test]
    fn a_record_is_one_line_of_ascii() {
        let ring = {
            hal::log::record_from(14, format_args!("up"));
            hal::log::oldest()
        };
        let record = hal::log::read(ring, &mut []).expect("kept").expect("a record");
        assert_eq!(record.next.sequence(), Cursor::START.sequence() + 1);
        let record = Record { micros: 1_000_250, priority: 14, ..record };
        assert_eq!(show(&record, b"up"), "14,0,1000250,-;up\n");
        assert_eq!(show(&record, "a\n\\é".as_bytes()), "14,0,1000250,-;a\\x0a\\x5c\\xc3\\xa9\n");
    }

    #[test]
    fn a_message_names_its_priority() {
        assert_eq!(priority("<3>broken"), (8 + 3, "broken"));
        assert_eq!(priority("<30>daemon"), (30, "daemon"));
        assert_eq!(priority("plain"), (8 + 4, "plain"));
        assert_eq!(priority("<x>plain"), (8 + 4, "<x>plain"));
    }
}
