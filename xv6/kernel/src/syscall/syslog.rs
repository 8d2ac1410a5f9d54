//! syslog(2), which libc calls klogctl(3): the kernel log as text, and the console's level.

use super::{Call, Row};
use crate::drivers::klog;
use crate::error::{Errno, Result};
use crate::mm::user as memory;
use alloc::collections::VecDeque;
use alloc::string::String;
use hal::log;

/// The calls of this file.
pub const ROWS: &[Row] = &[Row { number: 103, name: "syslog", handler: syslog }];

const CLOSE: usize = 0;
const OPEN: usize = 1;
const READ: usize = 2;
const READ_ALL: usize = 3;
const READ_CLEAR: usize = 4;
const CLEAR: usize = 5;
const CONSOLE_OFF: usize = 6;
const CONSOLE_ON: usize = 7;
const CONSOLE_LEVEL: usize = 8;
const SIZE_UNREAD: usize = 9;
const SIZE_BUFFER: usize = 10;

fn syslog(call: &mut Call<'_>) -> Result<usize> {
    let [action, address, len, ..] = call.args;
    klog::check(matches!(action, READ_ALL | SIZE_BUFFER))?;
    let len = len as i32;
    match action {
        CLOSE | OPEN => Ok(0),
        READ | READ_ALL | READ_CLEAR => {
            let len = usize::try_from(len).map_err(|_| Errno::EINVAL)?;
            match (address, len) {
                (0, _) => Err(Errno::EINVAL.into()),
                (_, 0) => Ok(0),
                _ if action == READ => read(address, len),
                _ => {
                    let count = read_all(address, len)?;
                    if action == READ_CLEAR {
                        klog::clear();
                    }
                    Ok(count)
                }
            }
        }
        CLEAR => {
            klog::clear();
            Ok(0)
        }
        CONSOLE_OFF | CONSOLE_ON => {
            klog::switch_console(action == CONSOLE_ON);
            Ok(0)
        }
        CONSOLE_LEVEL => match len {
            1..=8 => {
                klog::set_console_level(len as u8);
                Ok(0)
            }
            _ => Err(Errno::EINVAL.into()),
        },
        SIZE_UNREAD => Ok(klog::unread()),
        SIZE_BUFFER => Ok(log::SIZE),
        _ => Err(Errno::EINVAL.into()),
    }
}

/// Waits for text and takes up to `len` bytes of it.
fn read(address: usize, len: usize) -> Result<usize> {
    let text = klog::readers().wait_interruptible(None, || {
        klog::want();
        Some(klog::take(len.min(log::SIZE))).filter(|text| !text.is_empty())
    })?;
    memory::write_bytes(address, text.as_bytes())?;
    Ok(text.len())
}

/// Copies the last `len` bytes since the last clearing, whole lines.
fn read_all(address: usize, len: usize) -> Result<usize> {
    let mut lines: VecDeque<String> = VecDeque::new();
    let mut bytes = 0;
    let mut at = klog::cleared();
    while let Some((text, next)) = klog::line(at) {
        bytes += text.len();
        lines.push_back(text);
        at = next;
        while bytes > len
            && let Some(first) = lines.pop_front()
        {
            bytes -= first.len();
        }
    }
    let mut done = 0;
    for line in lines {
        memory::write_bytes(address.wrapping_add(done), line.as_bytes())?;
        done += line.len();
    }
    Ok(done)
}
