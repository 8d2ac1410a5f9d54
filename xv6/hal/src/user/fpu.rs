//! A user thread's FPU and SSE state. The kernel is compiled without either, so a user's state stays in the registers through
//! system calls and interrupts; it is saved when its thread is switched away ([`save_live`]) and restored when its thread next returns to
//! user mode ([`FpuState::load`]), unless the registers still hold it.

use super::context::FPU_BYTES;
use core::cell::{Cell, UnsafeCell};

/// Where MXCSR lies in the state.
const MXCSR: usize = 24;
/// MXCSR bits that are not reserved.
const MXCSR_MASK: u32 = 0xffff;

#[repr(align(16))]
struct Area(UnsafeCell<[u8; FPU_BYTES]>);

/// The state, in memory and, while `live_on` says so, in a CPU's registers.
pub struct FpuState {
    area: Area,
    /// The CPU (plus one) whose registers hold the state, which may have changed there; 0: the memory is current.
    live_on: Cell<u32>,
    /// The CPU (plus one) whose registers last held it; they still do if that CPU has loaded no other.
    loaded_on: Cell<u32>,
}

impl FpuState {
    /// The state after reset: all exceptions masked, round to nearest.
    pub const fn new() -> Self {
        let mut bytes = [0; FPU_BYTES];
        (bytes[0], bytes[1]) = (0x7f, 0x03); // FCW
        (bytes[MXCSR], bytes[MXCSR + 1]) = (0x80, 0x1f);
        Self { area: Area(UnsafeCell::new(bytes)), live_on: Cell::new(0), loaded_on: Cell::new(0) }
    }

    /// The bytes as they are now.
    pub fn bytes(&self) -> [u8; FPU_BYTES] {
        self.sync();
        // SAFETY: the memory is current, and nobody writes to it: `sync` has checked that no other CPU will.
        unsafe { *self.area.0.get() }
    }

    /// Replaces the state.
    pub fn set(&mut self, bytes: &[u8; FPU_BYTES]) {
        self.forget();
        *self.area.0.get_mut() = *bytes;
        let mxcsr = &mut self.area.0.get_mut()[MXCSR..MXCSR + 4];
        let value = u32::from_le_bytes([mxcsr[0], mxcsr[1], mxcsr[2], mxcsr[3]]) & MXCSR_MASK;
        mxcsr.copy_from_slice(&value.to_le_bytes());
        self.loaded_on.set(0);
    }

    #[cfg(not(target_os = "none"))]
    fn sync(&self) {}

    #[cfg(not(target_os = "none"))]
    fn forget(&mut self) {}
}

#[cfg(target_os = "none")]
mod machine {
    use super::FpuState;
    use crate::cpu::local::local;
    use core::arch::asm;
    use core::ptr::null;

    impl FpuState {
        /// Makes the memory current.
        pub(super) fn sync(&self) {
            let me = local().id + 1;
            match self.live_on.get() {
                0 => {}
                // SAFETY: this CPU's registers hold the state; the area is 512 bytes, aligned to 16.
                cpu if cpu == me => unsafe { asm!("fxsave64 [{}]", in(reg) self.area.0.get(), options(nostack)) },
                cpu => panic!("FPU state used while live on CPU {}", cpu - 1),
            }
        }

        /// The registers' contents are not wanted any more.
        pub(super) fn forget(&mut self) {
            if self.live_on.get() != 0 {
                assert_eq!(self.live_on.get(), local().id + 1, "FPU state dropped while live on another CPU");
                self.live_on.set(0);
                local().fpu_live.set(null());
            }
        }

        /// Has the registers hold this state.
        pub fn load(&self) {
            let local = local();
            if core::ptr::eq(local.fpu_live.get(), self) {
                return;
            }
            let me = local.id + 1;
            assert_eq!(self.live_on.get(), 0, "FPU state run while live on another CPU");
            save_live();
            if !core::ptr::eq(local.fpu_loaded.get(), self) || self.loaded_on.get() != me {
                // SAFETY: the area is 512 bytes, aligned to 16, and holds a state with no reserved bit set.
                unsafe { asm!("fxrstor64 [{}]", in(reg) self.area.0.get(), options(nostack)) };
                local.fpu_loaded.set(self);
                self.loaded_on.set(me);
            }
            self.live_on.set(me);
            local.fpu_live.set(self);
        }
    }

    impl Drop for FpuState {
        fn drop(&mut self) {
            self.forget();
        }
    }

    /// Saves the state that the registers hold, if its thread may be leaving this CPU.
    pub fn save_live() {
        let local = local();
        // SAFETY: a live state is alive: dropping it clears the pointer.
        if let Some(state) = unsafe { local.fpu_live.get().as_ref() } {
            state.sync();
            state.live_on.set(0);
            local.fpu_live.set(null());
        }
    }
}

#[cfg(target_os = "none")]
pub use machine::save_live;
