//! Ending the machine.

/// Ends QEMU with a program's exit status: prints `xv6: exit status N` on the serial log, then powers off (0), or leaves
/// through isa-debug-exit with the value `status + 1` (1 to 125), or powers off (above: the line carries it).
pub fn exit(status: u8) -> ! {
    crate::println!("xv6: exit status {status}");
    #[cfg(target_os = "none")]
    if (1..=125).contains(&status) {
        machine::debug_exit(status + 1);
    }
    #[cfg(target_os = "none")]
    machine::off();
    #[cfg(not(target_os = "none"))]
    std::process::exit(i32::from(status));
}

/// Powers the machine off, as [`exit`] with status 0: QEMU gives 0 for a reset too, and the line tells them apart.
pub fn off() -> ! {
    exit(0)
}

/// Resets the machine (QEMU ends when it runs with `-no-reboot`).
pub fn reboot() -> ! {
    #[cfg(target_os = "none")]
    machine::reboot();
    #[cfg(not(target_os = "none"))]
    std::process::exit(0);
}

#[cfg(target_os = "none")]
pub(crate) mod machine {
    use crate::phys::direct;
    use crate::x86::{halt_forever, outl};

    /// The isa-debug-exit device.
    const DEBUG_EXIT: u16 = 0xf4;
    /// microvm's ACPI sleep control and reset registers (its generic event device).
    const SLEEP_CONTROL: u64 = 0xfea0_0200;
    const RESET: u64 = 0xfea0_0202;

    /// Ends QEMU with status `2 * value + 1`. Returns if the device is not there.
    pub fn debug_exit(value: u8) {
        outl(DEBUG_EXIT, u32::from(value));
    }

    fn write(register: u64, value: u8) {
        // SAFETY: the direct map covers the registers; where the device is missing, the write goes nowhere.
        unsafe { direct(register).write_volatile(value) };
    }

    /// Powers off.
    pub fn off() -> ! {
        write(SLEEP_CONTROL, 0x34); // sleep type 5, enable
        halt_forever()
    }

    /// Resets.
    pub fn reboot() -> ! {
        write(RESET, 0x42);
        halt_forever()
    }
}
