//! What the ACPI tables say: the CPUs and the I/O APICs (the MADT; ACPI specification 5.2.12). Without tables there is one CPU.

use crate::cpu;
use crate::irq::ioapic::IoApic;
use crate::phys::direct;

/// What was found.
pub struct Tables {
    /// The local APICs of usable CPUs, in the tables' order.
    pub cpus: [u8; cpu::MAX],
    /// How many.
    pub cpu_count: usize,
    /// The I/O APICs.
    pub io_apics: [Option<IoApic>; 2],
}

/// Bytes of physical memory.
///
/// # Safety
/// The direct map covers them, and they do not change.
unsafe fn bytes(addr: u64, len: usize) -> &'static [u8] {
    // SAFETY: passed on to the caller.
    unsafe { core::slice::from_raw_parts(direct(addr), len) }
}

fn number(bytes: &[u8]) -> u64 {
    bytes.iter().rev().fold(0, |number, &byte| number << 8 | u64::from(byte))
}

/// A table with its header, 36 bytes.
///
/// # Safety
/// `addr` comes from the firmware's tables.
unsafe fn table(addr: u64) -> &'static [u8] {
    // SAFETY: passed on to the caller; the length is in the header.
    unsafe { bytes(addr, number(&bytes(addr, 8)[4..]) as usize) }
}

/// Reads the tables that `rsdp` (0: none) leads to.
///
/// # Safety
/// `rsdp` comes from the loader.
pub unsafe fn find(rsdp: u64) -> Tables {
    let mut found = Tables { cpus: [0; cpu::MAX], cpu_count: 0, io_apics: [None; 2] };
    if rsdp != 0 {
        // SAFETY: passed on to the caller; the RSDP points to the RSDT or XSDT, that to tables.
        unsafe {
            let pointer = bytes(rsdp, 36);
            let extended = pointer[15] >= 2 && number(&pointer[24..32]) != 0;
            let (root, width) = if extended { (&pointer[24..32], 8) } else { (&pointer[16..20], 4) };
            for entry in table(number(root))[36..].chunks_exact(width) {
                let table = table(number(entry));
                if table.starts_with(b"APIC") {
                    madt(&table[44..], &mut found);
                }
            }
        }
    }
    if found.cpu_count == 0 {
        found.cpu_count = 1;
    }
    found
}

/// Reads the MADT's entries: kind, length, body.
fn madt(mut entries: &[u8], found: &mut Tables) {
    while let [kind, length, ..] = *entries {
        let (entry, rest) = entries.split_at((length as usize).clamp(2, entries.len()));
        entries = rest;
        match (kind, entry) {
            (0, &[_, _, _, apic, flags, ..]) if flags & 1 != 0 && found.cpu_count < cpu::MAX => {
                found.cpus[found.cpu_count] = apic;
                found.cpu_count += 1;
            }
            (1, entry) if entry.len() >= 12 => {
                let chip = IoApic { addr: number(&entry[4..8]), base: number(&entry[8..12]) as u32 };
                if let Some(slot) = found.io_apics.iter_mut().find(|slot| slot.is_none()) {
                    *slot = Some(chip);
                }
            }
            _ => {}
        }
    }
}
