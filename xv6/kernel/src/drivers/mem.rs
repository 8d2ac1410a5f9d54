//! The memory devices, major 1: null, zero, full, random, urandom (mem(4), full(4), random(4)).
//!
//! One set of operations for each; they hold no state, so all opens share them.

use super::chr::{self, CharDevice};
use super::kmsg::Kmsg;
use crate::error::{Errno, Result};
use crate::mm::{PageCache, ReadBuf, WriteBuf};
use crate::vfs::File;
use crate::vfs::file::{FileOps, OpenFlags};
use crate::vfs::openfile::Whence;
use alloc::sync::Arc;
use core::any::Any;

/// The devices' major number.
pub const MAJOR: u32 = 1;

/// The nodes to make: name, minor, mode.
pub const NODES: &[(&str, u32, u16)] = &[
    ("null", 3, 0o666),
    ("zero", 5, 0o666),
    ("full", 7, 0o666),
    ("random", 8, 0o666),
    ("urandom", 9, 0o666),
    ("kmsg", 11, 0o644),
];

/// Lets this driver serve its numbers.
pub fn init() {
    chr::register(MAJOR, 0..256, Arc::new(Mem));
}

struct Mem;

impl CharDevice for Mem {
    fn open(&self, minor: u32, flags: OpenFlags) -> Result<Arc<dyn FileOps>> {
        match minor {
            3 => Ok(Arc::new(Device::Null)),
            5 => Ok(Arc::new(Device::Zero)),
            7 => Ok(Arc::new(Device::Full)),
            8 | 9 => Ok(Arc::new(Device::Random)),
            11 => Ok(Arc::new(Kmsg::open(flags)?)),
            _ => Err(Errno::ENXIO.into()),
        }
    }
}

enum Device {
    Null,
    Zero,
    Full,
    Random,
}

impl FileOps for Device {
    fn read(&self, _file: &File, buf: &mut ReadBuf<'_>, _offset: &mut u64) -> Result<usize> {
        match self {
            Device::Null => Ok(0),
            Device::Zero | Device::Full => buf.put_zeros(buf.remaining()),
            Device::Random => random(buf),
        }
    }

    /// What is written is gone; full(4) has no room for it. random(4) would mix it in, which RDRAND does not need.
    fn write(&self, _file: &File, buf: &mut WriteBuf<'_>, _offset: &mut u64) -> Result<usize> {
        match self {
            Device::Full => Err(Errno::ENOSPC.into()),
            _ => Ok(buf.remaining()),
        }
    }

    fn has_offset(&self) -> bool {
        !matches!(self, Device::Null | Device::Zero | Device::Full)
    }

    /// One place is as good as another.
    fn seek(&self, _whence: Whence, _by: i64) -> Result<u64> {
        Ok(0)
    }

    fn sync(&self, _file: &File) -> Result<()> {
        Err(Errno::EINVAL.into())
    }

    /// A mapping of zero(4) is anonymous memory.
    fn pages(&self) -> Option<Arc<PageCache>> {
        matches!(self, Device::Zero).then(|| PageCache::memory(None, i64::MAX as u64))
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}

fn random(buf: &mut ReadBuf<'_>) -> Result<usize> {
    let mut bytes = [0; 256];
    let mut done = 0;
    while buf.remaining() > 0 {
        let len = buf.remaining().min(bytes.len());
        hal::dev::rng::fill(&mut bytes[..len]);
        match buf.put(&bytes[..len]) {
            Ok(put) if put == len => done += put,
            Ok(put) => return Ok(done + put),
            Err(error) if done == 0 => return Err(error),
            Err(_) => break,
        }
    }
    Ok(done)
}
