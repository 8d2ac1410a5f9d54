//! The transport: a page fraction of registers for each device (specification 4.2, version 2 only).

use super::queue::Queue;
use crate::irq::ioapic::{self, Trigger};
use crate::phys::direct;

/// The slots of QEMU's microvm.
const BASE: u64 = 0xfeb0_0000;
const STRIDE: u64 = 0x200;
/// Slots, and the first one's interrupt line.
const USUAL: (u32, u32) = (8, 16);
/// The same when there is a second I/O APIC, which is then theirs.
const WITH_SECOND: (u32, u32) = (24, 24);

fn slots() -> (u32, u32) {
    if ioapic::has_second() { WITH_SECOND } else { USUAL }
}

const MAGIC: u64 = 0x00;
const VERSION: u64 = 0x04;
const KIND: u64 = 0x08;
const DEVICE_FEATURES: u64 = 0x10;
const DEVICE_FEATURES_SELECT: u64 = 0x14;
const DRIVER_FEATURES: u64 = 0x20;
const DRIVER_FEATURES_SELECT: u64 = 0x24;
const QUEUE_SELECT: u64 = 0x30;
const QUEUE_SIZE_MOST: u64 = 0x34;
const QUEUE_SIZE: u64 = 0x38;
const QUEUE_READY: u64 = 0x44;
const QUEUE_NOTIFY: u64 = 0x50;
const INTERRUPT_STATUS: u64 = 0x60;
const INTERRUPT_ACKNOWLEDGE: u64 = 0x64;
const STATUS: u64 = 0x70;
const QUEUE_DESCRIPTORS: u64 = 0x80;
const QUEUE_AVAILABLE: u64 = 0x90;
const QUEUE_USED: u64 = 0xa0;
const CONFIG: u64 = 0x100;

/// Status bits: acknowledge, driver, features agreed, driver ready.
const FOUND: u32 = 1 | 2;
const FEATURES_OK: u32 = 8;
const DRIVER_OK: u32 = 4;

/// The modern interface.
const VERSION_1: u64 = 1 << 32;

/// A device's registers.
#[derive(Clone, Copy, Debug)]
pub struct Device {
    slot: u32,
}

/// The device in `slot`, and its kind, if there is one.
fn probe(slot: u32) -> Option<(Device, u32)> {
    let device = Device { slot };
    let kind = device.read(KIND);
    let there = kind != 0 && device.read(MAGIC) == 0x7472_6976 && device.read(VERSION) == 2;
    there.then_some((device, kind))
}

/// All devices with their kinds. QEMU fills the slots from the highest down, so that this is the order of its command line.
pub fn devices() -> impl Iterator<Item = (Device, u32)> {
    (0..slots().0).rev().filter_map(probe)
}

impl Device {
    fn address(self, register: u64) -> *mut u32 {
        direct(BASE + u64::from(self.slot) * STRIDE + register).cast()
    }

    fn read(self, register: u64) -> u32 {
        // SAFETY: the direct map covers the registers, uncached.
        unsafe { self.address(register).read_volatile() }
    }

    fn write(self, register: u64, value: u32) {
        // SAFETY: as for `read`; what the device may then do to memory, its queues say.
        unsafe { self.address(register).write_volatile(value) };
    }

    fn write_address(self, register: u64, addr: u64) {
        self.write(register, addr as u32);
        self.write(register + 4, (addr >> 32) as u32);
    }

    /// Resets the device and agrees on features: those of `wanted` that it has, which are returned. `None`: it has no modern interface.
    pub fn start(self, wanted: u64) -> Option<u64> {
        self.write(STATUS, 0);
        self.write(STATUS, FOUND);
        self.write(DEVICE_FEATURES_SELECT, 1);
        let high = u64::from(self.read(DEVICE_FEATURES)) << 32;
        self.write(DEVICE_FEATURES_SELECT, 0);
        let agreed = (high | u64::from(self.read(DEVICE_FEATURES))) & (wanted | VERSION_1);
        self.write(DRIVER_FEATURES_SELECT, 1);
        self.write(DRIVER_FEATURES, (agreed >> 32) as u32);
        self.write(DRIVER_FEATURES_SELECT, 0);
        self.write(DRIVER_FEATURES, agreed as u32);
        self.write(STATUS, FOUND | FEATURES_OK);
        (self.read(STATUS) & FEATURES_OK != 0 && agreed & VERSION_1 != 0).then_some(agreed)
    }

    /// Sets up queue `index`.
    pub fn queue(self, index: u32) -> Option<Queue> {
        self.write(QUEUE_SELECT, index);
        let queue = Queue::new(self, index, self.read(QUEUE_SIZE_MOST))?;
        let [descriptors, available, used] = queue.addresses();
        self.write(QUEUE_SIZE, u32::from(queue.size()));
        self.write_address(QUEUE_DESCRIPTORS, descriptors);
        self.write_address(QUEUE_AVAILABLE, available);
        self.write_address(QUEUE_USED, used);
        self.write(QUEUE_READY, 1);
        Some(queue)
    }

    /// The driver is ready: the device may work. Its interrupts call `handler(argument)`.
    pub fn ready(self, handler: fn(usize), argument: usize) {
        ioapic::connect(slots().1 + self.slot, Trigger::Level, 0, handler, argument);
        self.write(STATUS, FOUND | FEATURES_OK | DRIVER_OK);
    }

    /// Tells the device that queue `index` has something new.
    pub fn notify(self, index: u32) {
        self.write(QUEUE_NOTIFY, index);
    }

    /// Quiets the interrupt.
    pub fn acknowledge(self) {
        let status = self.read(INTERRUPT_STATUS);
        self.write(INTERRUPT_ACKNOWLEDGE, status);
    }

    /// A 64-bit field of the configuration.
    pub fn config_u64(self, offset: u64) -> u64 {
        u64::from(self.read(CONFIG + offset + 4)) << 32 | u64::from(self.read(CONFIG + offset))
    }
}
