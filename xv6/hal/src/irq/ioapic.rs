//! The I/O APICs: device lines to vectors of the first CPU, and the devices' handlers.

use super::vector::{DEVICE, DEVICES};
use crate::phys::direct;
use crate::sync::{Once, Rank, SpinLock};

/// One I/O APIC, as the MADT describes it.
#[derive(Clone, Copy)]
pub struct IoApic {
    /// Physical address of its registers.
    pub addr: u64,
    /// Its first line's number.
    pub base: u32,
}

static CHIPS: SpinLock<[Option<IoApic>; 2]> = SpinLock::new(Rank::Device, "I/O APICs", [None; 2]);

type DeviceHandler = (fn(usize), usize);

static HANDLERS: [Once<DeviceHandler>; DEVICES] = [const { Once::new() }; DEVICES];

/// Takes note of the chips found.
pub fn init(found: [Option<IoApic>; 2]) {
    *CHIPS.lock() = found;
}

/// Whether there are two.
pub fn has_second() -> bool {
    CHIPS.lock().iter().flatten().count() > 1
}

/// How a line signals.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Trigger {
    /// By going up (ISA devices).
    Edge,
    /// By being up until the device is served (virtio).
    Level,
}

/// Has line `gsi` call `handler(argument)` on CPU `cpu`. Nothing happens when no chip has the line.
pub fn connect(gsi: u32, trigger: Trigger, cpu: usize, handler: fn(usize), argument: usize) {
    HANDLERS[gsi as usize].call_once(|| (handler, argument));
    let apic_id = crate::cpu::local::LOCALS[cpu].apic_id.load(core::sync::atomic::Ordering::Relaxed);
    let chips = CHIPS.lock();
    let Some(chip) = chips.iter().flatten().filter(|chip| chip.base <= gsi).max_by_key(|chip| chip.base) else {
        return;
    };
    let entry = 0x10 + 2 * (gsi - chip.base);
    write(chip, entry + 1, apic_id << 24);
    write(chip, entry, (gsi + u32::from(DEVICE)) | if trigger == Trigger::Level { 1 << 15 } else { 0 });
}

fn write(chip: &IoApic, register: u32, value: u32) {
    let window = direct(chip.addr).cast::<u32>();
    // SAFETY: the direct map covers the chip's registers, uncached: select at 0, data at 0x10.
    unsafe {
        window.write_volatile(register);
        window.add(4).write_volatile(value);
    }
}

/// Calls line `gsi`'s handler.
pub fn call(gsi: usize) {
    if let Some((handler, argument)) = HANDLERS.get(gsi).and_then(Once::get) {
        handler(*argument);
    }
}
