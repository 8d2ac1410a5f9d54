//! Disks with blocking calls: [`BlockDevice`] over hal's asynchronous virtio-blk.
//!
//! A call queues its requests, all at once, and sleeps until the device has answered the last of them. Whole frames go straight to and from the disk;
//! byte slices pass through frames of their own. Neighbours: xv6fs and the FAT reader use it, `chr` opens it as `/dev/vdX` through [`BlockDevice::pages`].
//! Lock: each call's [`Transfer`] has a spin lock that the completion interrupt takes too.

use crate::error::{Errno, Result};
use crate::mm::{PageCache, PageSource};
use crate::sync::WaitQueue;
use crate::task::iocount;
use alloc::boxed::Box;
use alloc::sync::{Arc, Weak};
use alloc::vec::Vec;
use hal::dev::block::{IoError, Request, Segment};
use hal::frame::{self, Frame};
use hal::sync::{Lazy, Rank, SpinLock};

/// Bytes in a sector, the unit of addresses.
pub const SECTOR: usize = 512;

/// Frames in one request: 256 KiB.
const REQUEST_FRAMES: usize = 64;

/// One disk. Calls sleep until the device has answered; they may come from several threads at once.
pub struct BlockDevice {
    index: usize,
    disk: &'static hal::dev::block::BlockDevice,
    pages: Arc<PageCache>,
}

/// Requests under way for one call.
struct Transfer {
    state: SpinLock<State>,
    done: WaitQueue,
}

struct State {
    left: usize,
    failed: bool,
}

impl Transfer {
    fn complete(&self, result: core::result::Result<(), IoError>) {
        let last = {
            let mut state = self.state.lock();
            state.left -= 1;
            state.failed |= result.is_err();
            state.left == 0
        };
        if last {
            self.done.wake_all();
        }
    }

    fn outcome(&self) -> Option<bool> {
        let state = self.state.lock();
        (state.left == 0).then_some(!state.failed)
    }
}

impl BlockDevice {
    fn new(index: usize, disk: &'static hal::dev::block::BlockDevice) -> Arc<BlockDevice> {
        Arc::new_cyclic(|this: &Weak<BlockDevice>| BlockDevice {
            index,
            disk,
            pages: PageCache::new(this.clone(), disk.sectors() * SECTOR as u64),
        })
    }

    /// Its place on QEMU's command line: 0 is `vda`.
    pub fn index(&self) -> usize {
        self.index
    }

    /// Size in sectors.
    pub fn sectors(&self) -> u64 {
        self.disk.sectors()
    }

    /// Whether writes are refused (`EROFS`).
    pub fn read_only(&self) -> bool {
        self.disk.read_only()
    }

    fn check(&self, sector: u64, bytes: usize) -> Result<()> {
        if !bytes.is_multiple_of(SECTOR) {
            return Err(Errno::EINVAL.during("disk access of a part of a sector"));
        }
        let end = sector.checked_add((bytes / SECTOR) as u64);
        if end.is_none_or(|end| end > self.sectors()) {
            return Err(Errno::EIO.during("disk access past the end"));
        }
        Ok(())
    }

    fn check_write(&self, sector: u64, bytes: usize) -> Result<()> {
        if self.read_only() {
            return Err(Errno::EROFS.during("writing to a read-only disk"));
        }
        self.check(sector, bytes)
    }

    /// Queues all requests and waits for them.
    fn run(&self, requests: Vec<Request>) -> Result<()> {
        let state = State { left: requests.len(), failed: false };
        let transfer =
            Arc::new(Transfer { state: SpinLock::new(Rank::Block, "transfer", state), done: WaitQueue::new() });
        for request in requests {
            let transfer = transfer.clone();
            self.disk.submit(request, Box::new(move |result| transfer.complete(result)));
        }
        if transfer.done.wait(|| transfer.outcome()) { Ok(()) } else { Err(Errno::EIO.during("disk request")) }
    }

    /// Reads `bytes` bytes from `sector` on into `frames`; the running thread caused it.
    fn fetch(&self, sector: u64, frames: &[Frame], bytes: usize) -> Result<()> {
        iocount::fetched(bytes);
        self.run(Self::requests(sector, frames, bytes, |sector, segments| Request::Read { sector, segments }))
    }

    /// Splits `bytes` bytes of `frames`, which start at `sector`, into requests.
    fn requests(
        sector: u64,
        frames: &[Frame],
        bytes: usize,
        make: impl Fn(u64, Vec<Segment>) -> Request,
    ) -> Vec<Request> {
        let mut requests = Vec::with_capacity(frames.len().div_ceil(REQUEST_FRAMES));
        for (number, run) in frames.chunks(REQUEST_FRAMES).enumerate() {
            let at = number * REQUEST_FRAMES * frame::SIZE;
            let segment = |(place, frame): (usize, &Frame)| {
                let len = (bytes - at - place * frame::SIZE).min(frame::SIZE);
                Segment { frame: frame.clone(), offset: 0, len }
            };
            requests.push(make(sector + (at / SECTOR) as u64, run.iter().enumerate().map(segment).collect()));
        }
        requests
    }

    /// Frames for a copy of `bytes` bytes.
    fn bounce(bytes: usize) -> Result<Vec<Frame>> {
        let none = Errno::ENOMEM.during("taking frames for a disk transfer");
        let mut frames = Vec::with_capacity(bytes.div_ceil(frame::SIZE));
        for _ in 0..bytes.div_ceil(frame::SIZE) {
            frames.push(Frame::alloc().ok_or(none)?);
        }
        Ok(frames)
    }

    /// Reads whole sectors from `sector` on into `buf`. `EIO` past the end or when the device fails.
    pub fn read(&self, sector: u64, buf: &mut [u8]) -> Result<()> {
        self.check(sector, buf.len())?;
        for (number, part) in buf.chunks_mut(REQUEST_FRAMES * frame::SIZE).enumerate() {
            let at = sector + (number * REQUEST_FRAMES * frame::SIZE / SECTOR) as u64;
            let frames = Self::bounce(part.len())?;
            self.fetch(at, &frames, part.len())?;
            for (bytes, frame) in part.chunks_mut(frame::SIZE).zip(&frames) {
                frame.read(0, bytes);
            }
        }
        Ok(())
    }

    /// Writes whole sectors.
    pub fn write(&self, sector: u64, buf: &[u8]) -> Result<()> {
        self.check_write(sector, buf.len())?;
        for (number, part) in buf.chunks(REQUEST_FRAMES * frame::SIZE).enumerate() {
            let at = sector + (number * REQUEST_FRAMES * frame::SIZE / SECTOR) as u64;
            let frames = Self::bounce(part.len())?;
            for (bytes, frame) in part.chunks(frame::SIZE).zip(&frames) {
                frame.write(0, bytes);
            }
            self.run(Self::requests(at, &frames, part.len(), |sector, segments| Request::Write { sector, segments }))?;
        }
        Ok(())
    }

    /// Reads whole frames straight from the disk, without a copy.
    pub fn read_frames(&self, sector: u64, frames: &[Frame]) -> Result<()> {
        let bytes = frames.len() * frame::SIZE;
        self.check(sector, bytes)?;
        self.fetch(sector, frames, bytes)
    }

    /// Writes whole frames straight to the disk.
    pub fn write_frames(&self, sector: u64, frames: &[Frame]) -> Result<()> {
        let bytes = frames.len() * frame::SIZE;
        self.check_write(sector, bytes)?;
        self.run(Self::requests(sector, frames, bytes, |sector, segments| Request::Write { sector, segments }))
    }

    /// Returns when all completed writes are durable.
    pub fn flush(&self) -> Result<()> {
        self.run(Vec::from([Request::Flush]))
    }

    /// The device's content as pages: what `/dev/vdX` reads and writes, and file systems without their own block layer.
    pub fn pages(&self) -> Arc<PageCache> {
        self.pages.clone()
    }
}

/// The last page of a disk may be cut short.
impl PageSource for BlockDevice {
    fn read_pages(&self, first: u64, frames: &mut [Frame]) -> Result<()> {
        let at = first * frame::SIZE as u64;
        let bytes = (frames.len() as u64 * frame::SIZE as u64).min((self.sectors() * SECTOR as u64).saturating_sub(at))
            as usize;
        let used = bytes.div_ceil(frame::SIZE);
        for (number, frame) in frames.iter().enumerate().skip(bytes / frame::SIZE) {
            let from = bytes.saturating_sub(number * frame::SIZE).min(frame::SIZE);
            frame.fill(from, frame::SIZE - from, 0);
        }
        self.fetch(at / SECTOR as u64, &frames[..used], bytes)
    }

    fn write_pages(&self, first: u64, frames: &[Frame]) -> Result<()> {
        let at = first * frame::SIZE as u64;
        let bytes = (frames.len() as u64 * frame::SIZE as u64).min((self.sectors() * SECTOR as u64).saturating_sub(at))
            as usize;
        let sector = at / SECTOR as u64;
        self.check_write(sector, bytes)?;
        let used = bytes.div_ceil(frame::SIZE);
        self.run(Self::requests(sector, &frames[..used], bytes, |sector, segments| Request::Write { sector, segments }))
    }

    fn reserve(&self, _first: u64, _pages: usize) -> Result<()> {
        if self.read_only() { Err(Errno::EROFS.during("writing to a read-only disk")) } else { Ok(()) }
    }
}

static DEVICES: Lazy<Vec<Arc<BlockDevice>>> = Lazy::new(|| {
    hal::dev::block::devices().iter().enumerate().map(|(index, disk)| BlockDevice::new(index, disk)).collect()
});

/// All disks, in order: index 0 is `vda` (major 254, minor 0).
pub fn devices() -> &'static [Arc<BlockDevice>] {
    &DEVICES
}
