//! Disks, asynchronous: requests are queued with the frames they move, completions come from the interrupt. The driver is
//! virtio-blk (specification 5.2). Locks: one a disk ([`crate::sync::Rank::Device`]), not held while completions run.

use crate::frame::Frame;
use alloc::boxed::Box;
use alloc::vec::Vec;

/// Bytes in a sector, the unit of addresses.
pub const SECTOR: usize = 512;

/// A stretch of a frame that a request reads into or writes from.
#[derive(Clone, Debug)]
pub struct Segment {
    /// The frame; the driver holds it until the request completes.
    pub frame: Frame,
    /// Where in the frame, in bytes.
    pub offset: usize,
    /// How many bytes; a multiple of [`SECTOR`].
    pub len: usize,
}

/// What to do.
#[derive(Clone, Debug)]
pub enum Request {
    /// Read sectors from `sector` on into the segments, in order.
    Read {
        /// The first sector.
        sector: u64,
        /// Where to.
        segments: Vec<Segment>,
    },
    /// Write the segments, in order, to sectors from `sector` on.
    Write {
        /// The first sector.
        sector: u64,
        /// Where from.
        segments: Vec<Segment>,
    },
    /// Make all completed writes durable.
    Flush,
}

/// The device, or the request, failed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct IoError;

/// Called once when a request is done, in interrupt context (see [`crate::irq`]) or, for a request that is wrong in itself, from [`BlockDevice::submit`].
pub type Completion = Box<dyn FnOnce(Result<(), IoError>) + Send>;

/// The most segments of a request.
pub const MAX_SEGMENTS: usize = 64;

/// A disk.
pub struct BlockDevice {
    index: usize,
    sectors: u64,
    read_only: bool,
    #[cfg(target_os = "none")]
    driver: crate::sync::SpinLock<machine::Driver>,
}

impl BlockDevice {
    /// Its place in [`devices`]: 0 is QEMU's first `-device virtio-blk-device`.
    pub fn index(&self) -> usize {
        self.index
    }

    /// Size in sectors.
    pub fn sectors(&self) -> u64 {
        self.sectors
    }

    /// Whether writes are refused.
    pub fn read_only(&self) -> bool {
        self.read_only
    }

    /// Queues a request. Never waits: what the device has no room for yet is kept in order. Requests may complete in any order. A
    /// request outside the disk or its segments' frames, with more than [`MAX_SEGMENTS`], or that writes to a read-only disk, fails.
    pub fn submit(&self, request: Request, done: Completion) {
        if !self.valid(&request) {
            return done(Err(IoError));
        }
        #[cfg(target_os = "none")]
        self.queue(request, done);
        #[cfg(not(target_os = "none"))]
        panic!("disks need the machine");
    }

    /// Whether a request makes sense.
    fn valid(&self, request: &Request) -> bool {
        let (sector, segments, write) = match request {
            Request::Read { sector, segments } => (*sector, segments, false),
            Request::Write { sector, segments } => (*sector, segments, true),
            Request::Flush => return true,
        };
        let good = |s: &Segment| {
            s.len > 0
                && s.len.is_multiple_of(SECTOR)
                && s.offset.checked_add(s.len).is_some_and(|end| end <= crate::frame::SIZE)
        };
        if segments.is_empty() || segments.len() > MAX_SEGMENTS || !segments.iter().all(good) || write && self.read_only
        {
            return false;
        }
        let count = segments.iter().map(|s| s.len as u64).sum::<u64>() / SECTOR as u64;
        sector.checked_add(count).is_some_and(|end| end <= self.sectors)
    }
}

/// The disks, in the order of QEMU's command line.
pub fn devices() -> &'static [BlockDevice] {
    #[cfg(target_os = "none")]
    return machine::devices();
    #[cfg(not(target_os = "none"))]
    &[]
}

#[cfg(target_os = "none")]
pub(crate) use machine::init;

#[cfg(target_os = "none")]
#[path = "virtio_blk.rs"]
mod machine;
