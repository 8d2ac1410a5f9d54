//! virtio-blk disks, asynchronous: requests are queued with the frames they move, completions come from the interrupt.

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

/// A disk.
pub struct BlockDevice {
    index: usize,
}

impl BlockDevice {
    /// Its place in [`devices`]: 0 is QEMU's first `-device virtio-blk-device`.
    pub fn index(&self) -> usize {
        self.index
    }

    /// Size in sectors.
    pub fn sectors(&self) -> u64 {
        todo!()
    }

    /// Whether writes are refused.
    pub fn read_only(&self) -> bool {
        todo!()
    }

    /// Queues a request. Never waits: what the device has no room for yet is kept in order. Requests may complete in any order.
    pub fn submit(&self, request: Request, done: Completion) {
        let _ = (request, done);
        todo!()
    }
}

/// The disks, in the order of QEMU's command line.
pub fn devices() -> &'static [BlockDevice] {
    todo!()
}
