//! The local APIC: timer, end of interrupt, interrupts between CPUs. Its registers are memory-mapped (QEMU's TCG has no x2APIC),
//! and each access leaves the guest, so they are few.

use super::vector;
use crate::cpu::local::{LOCALS, local};
use crate::phys::direct;
use core::sync::atomic::Ordering;

/// Where the registers lie.
const BASE: u64 = 0xfee0_0000;

const ID: u64 = 0x20;
const TASK_PRIORITY: u64 = 0x80;
const END_OF_INTERRUPT: u64 = 0xb0;
const SPURIOUS: u64 = 0xf0;
const COMMAND_LOW: u64 = 0x300;
const COMMAND_HIGH: u64 = 0x310;
const TIMER: u64 = 0x320;
const LINT0: u64 = 0x350;
const LINT1: u64 = 0x360;
const INITIAL_COUNT: u64 = 0x380;
const CURRENT_COUNT: u64 = 0x390;
const DIVIDE: u64 = 0x3e0;

/// Masks a local vector.
const MASKED: u32 = 1 << 16;
/// The timer counts once in this many nanoseconds: QEMU's bus clock is 1 GHz, divided by 16.
pub const TICK_NS: u64 = 16;

fn read(register: u64) -> u32 {
    // SAFETY: the direct map covers the registers, uncached.
    unsafe { direct(BASE + register).cast::<u32>().read_volatile() }
}

fn write(register: u64, value: u32) {
    // SAFETY: as for `read`; the values written are those of this module.
    unsafe { direct(BASE + register).cast::<u32>().write_volatile(value) };
}

/// Sets up the running CPU's APIC, its timer counting down from the top, silent.
pub fn init() {
    local().apic_id.store(read(ID) >> 24, Ordering::Relaxed);
    write(TASK_PRIORITY, 0);
    write(LINT0, MASKED);
    write(LINT1, MASKED);
    write(SPURIOUS, 1 << 8 | u32::from(vector::SPURIOUS));
    write(DIVIDE, 0b0011);
    write(TIMER, MASKED | u32::from(vector::TIMER));
    write(INITIAL_COUNT, u32::MAX);
}

/// Ticks since [`init`] (to measure the TSC against).
pub fn elapsed_ticks() -> u32 {
    u32::MAX - read(CURRENT_COUNT)
}

/// Lets the timer interrupt.
pub fn unmask_timer() {
    write(INITIAL_COUNT, 0);
    write(TIMER, u32::from(vector::TIMER));
}

/// Starts the one-shot timer.
pub fn start_timer(ticks: u32) {
    write(INITIAL_COUNT, ticks);
}

/// Ends the interrupt being handled.
pub fn acknowledge() {
    write(END_OF_INTERRUPT, 0);
}

fn command(apic_id: u32, low: u32) {
    write(COMMAND_HIGH, apic_id << 24);
    write(COMMAND_LOW, low);
}

/// Interrupts `cpu` with `number`.
pub fn send(cpu: usize, number: u8) {
    command(LOCALS[cpu].apic_id.load(Ordering::Relaxed), 1 << 14 | u32::from(number));
}

/// Wakes `cpu`, unless a kick is on its way already.
pub fn kick(cpu: usize) {
    if !LOCALS[cpu].kicked.swap(true, Ordering::AcqRel) {
        send(cpu, vector::KICK);
    }
}

/// Stops all other CPUs, whatever they do, by NMI.
pub fn stop_others() {
    let others = crate::boot::online() & !(1 << local().id);
    for cpu in LOCALS.iter().filter(|cpu| others & 1 << cpu.id != 0) {
        command(cpu.apic_id.load(Ordering::Relaxed), 1 << 14 | 0b100 << 8);
    }
}

/// Resets an application processor and starts it in real mode at `page * 4096`.
pub fn start_cpu(apic_id: u32, page: u8) {
    command(apic_id, 1 << 14 | 0b101 << 8);
    command(apic_id, 1 << 14 | 0b110 << 8 | u32::from(page));
}
