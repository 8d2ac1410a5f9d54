//! The virtio-blk driver: a chain of header, segments and status byte for each request, many in flight.

use super::{BlockDevice, Completion, IoError, Request, Segment};
use crate::frame::Frame;
use crate::sync::{Once, Rank, SpinLock};
use crate::virtio::mmio::Device;
use crate::virtio::queue::{Piece, Queue, SIZE};
use alloc::collections::VecDeque;
use alloc::vec::Vec;

/// Features (specification 5.2.3).
const READ_ONLY: u64 = 1 << 5;
const FLUSH: u64 = 1 << 9;

/// Request types.
const READ: u32 = 0;
const WRITE: u32 = 1;
const DO_FLUSH: u32 = 4;

/// Bytes of a request's header.
const HEADER: usize = 16;
/// Where the status bytes lie in the side frame.
const STATUS: usize = SIZE * HEADER;

/// What is in flight: what is called when it is done, and the frames that the device uses until then.
struct InFlight {
    done: Completion,
    _segments: Vec<Segment>,
}

/// A disk's driver.
pub struct Driver {
    device: Device,
    queue: Queue,
    can_flush: bool,
    /// Headers and status bytes, by the chain's head.
    side: Frame,
    in_flight: Vec<Option<InFlight>>,
    /// Requests that wait for room.
    waiting: VecDeque<(Request, Completion)>,
}

static DEVICES: Once<Vec<BlockDevice>> = Once::new();

pub fn devices() -> &'static [BlockDevice] {
    DEVICES.get().map_or(&[], Vec::as_slice)
}

/// Sets up the disks found.
pub fn init(found: &[Device]) {
    let disks = DEVICES.call_once(|| {
        let mut disks = Vec::new();
        for &device in found {
            disks.extend(set_up(device, disks.len()));
        }
        disks
    });
    for (index, disk) in disks.iter().enumerate() {
        let device = disk.driver.lock().device;
        device.ready(interrupt, index);
    }
}

fn set_up(device: Device, index: usize) -> Option<BlockDevice> {
    let features = device.start(READ_ONLY | FLUSH)?;
    let driver = Driver {
        queue: device.queue(0)?,
        device,
        can_flush: features & FLUSH != 0,
        side: Frame::zeroed()?,
        in_flight: (0..SIZE).map(|_| None).collect(),
        waiting: VecDeque::new(),
    };
    Some(BlockDevice {
        index,
        sectors: device.config_u64(0),
        read_only: features & READ_ONLY != 0,
        driver: SpinLock::new(Rank::Device, "virtio-blk", driver),
    })
}

/// The interrupt of disk `index`.
fn interrupt(index: usize) {
    if let Some(disk) = devices().get(index) {
        let device = disk.driver.lock().device;
        device.acknowledge();
        disk.complete();
    }
}

impl BlockDevice {
    /// Starts a valid request, or keeps it until there is room.
    pub(super) fn queue(&self, request: Request, done: Completion) {
        let mut driver = self.driver.lock();
        if matches!(request, Request::Flush) && !driver.can_flush {
            // A disk without a write cache.
            drop(driver);
            return done(Ok(()));
        }
        driver.waiting.push_back((request, done));
        if driver.start() {
            driver.queue.notify();
        }
    }

    /// Ends the requests that the device is done with.
    fn complete(&self) {
        loop {
            let mut driver = self.driver.lock();
            let Some((head, _)) = driver.queue.take() else {
                if driver.start() {
                    driver.queue.notify();
                }
                return;
            };
            let mut status = [0];
            driver.side.read(STATUS + usize::from(head), &mut status);
            let ended = driver.in_flight[usize::from(head)].take();
            drop(driver);
            if let Some(InFlight { done, .. }) = ended {
                done(if status[0] == 0 { Ok(()) } else { Err(IoError) });
            }
        }
    }
}

impl Driver {
    /// Offers waiting requests to the device while there is room; whether there were any.
    fn start(&mut self) -> bool {
        let mut any = false;
        while let Some((request, _)) = self.waiting.front() {
            let segments = match request {
                Request::Read { segments, .. } | Request::Write { segments, .. } => segments.len(),
                Request::Flush => 0,
            };
            if segments + 2 > self.queue.free() {
                break;
            }
            if let Some((request, done)) = self.waiting.pop_front() {
                self.offer(request, done);
                any = true;
            }
        }
        any
    }

    fn offer(&mut self, request: Request, done: Completion) {
        let (kind, sector, segments) = match request {
            Request::Read { sector, segments } => (READ, sector, segments),
            Request::Write { sector, segments } => (WRITE, sector, segments),
            Request::Flush => (DO_FLUSH, 0, Vec::new()),
        };
        let head = usize::from(self.queue.next_head());
        let mut header = [0; HEADER];
        header[..4].copy_from_slice(&kind.to_le_bytes());
        header[8..].copy_from_slice(&sector.to_le_bytes());
        self.side.write(head * HEADER, &header);
        self.side.write(STATUS + head, &[0xff]);
        let side = self.side.addr();
        let none = Piece { addr: 0, len: 0, device_writes: false };
        let mut pieces = [none; super::MAX_SEGMENTS + 2];
        pieces[0] = Piece { addr: side + (head * HEADER) as u64, len: HEADER as u32, device_writes: false };
        let mut count = 1;
        for segment in &segments {
            let addr = segment.frame.addr() + segment.offset as u64;
            let last = &mut pieces[count - 1];
            if count > 1 && last.addr + u64::from(last.len) == addr {
                last.len += segment.len as u32;
            } else {
                pieces[count] = Piece { addr, len: segment.len as u32, device_writes: kind == READ };
                count += 1;
            }
        }
        pieces[count] = Piece { addr: side + (STATUS + head) as u64, len: 1, device_writes: true };
        let offered = self.queue.offer(&pieces[..=count]);
        self.in_flight[usize::from(offered)] = Some(InFlight { done, _segments: segments });
    }
}
