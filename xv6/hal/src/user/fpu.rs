//! A user thread's FPU and SSE state. The kernel is compiled without either, so a user's state stays in the registers through
//! system calls and interrupts; it is saved when its thread is switched away ([`save_live`]) and restored when its thread next returns to
//! user mode ([`FpuState::load`]), unless the registers still hold it.
//!
//! FXSAVE and FXRSTOR are slow under QEMU's TCG (0.7 us each, against 0.1 us for moving the XMM registers one by one), so they serve only
//! who uses the x87: while its registers are empty and its flags are as after reset, they are not saved, and set to zero on
//! return, so that nothing of another thread's shows. The memory always has FXSAVE64's format.

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
    /// The x87 part is as after reset.
    x87_clean: Cell<bool>,
}

/// Bytes of the x87 part but for MXCSR: control words before it, registers behind it.
const X87_HEAD: core::ops::Range<usize> = 0..MXCSR;
const X87_REGISTERS: core::ops::Range<usize> = 32..160;

impl FpuState {
    /// The state after reset: all exceptions masked, round to nearest.
    pub const fn new() -> Self {
        let mut bytes = [0; FPU_BYTES];
        (bytes[0], bytes[1]) = (0x7f, 0x03); // FCW
        (bytes[MXCSR], bytes[MXCSR + 1]) = (0x80, 0x1f);
        Self {
            area: Area(UnsafeCell::new(bytes)),
            live_on: Cell::new(0),
            loaded_on: Cell::new(0),
            x87_clean: Cell::new(true),
        }
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
        self.x87_clean.set(false);
    }

    /// Copies another's state, as it is now.
    pub fn copy_from(&mut self, other: &FpuState) {
        self.set(&other.bytes());
        self.x87_clean.set(other.x87_clean.get());
    }

    #[cfg(not(target_os = "none"))]
    fn sync(&self) {}

    #[cfg(not(target_os = "none"))]
    fn forget(&mut self) {}
}

#[cfg(target_os = "none")]
mod machine {
    use super::{FpuState, X87_HEAD, X87_REGISTERS};
    use crate::cpu::local::{Local, local};
    use core::arch::asm;
    use core::ptr::null;

    /// What FNSTENV writes.
    #[repr(C, align(4))]
    struct Environment([u32; 7]);

    impl Environment {
        /// Whether it is as after reset: all exceptions masked, none noted, all registers empty.
        fn is_clean(&self) -> bool {
            (self.0[0] & 0xffff, self.0[1] & 0xffff, self.0[2] & 0xffff) == (0x37f, 0, 0xffff)
        }
    }

    /// Writes the registers to `state`'s memory.
    fn save(state: &FpuState) {
        let mut environment = Environment([0; 7]);
        let area = state.area.0.get().cast::<u8>();
        // SAFETY: the environment is 28 bytes. FNSTENV masks the x87's exceptions: in a clean state they are.
        unsafe { asm!("fnstenv [{}]", in(reg) &raw mut environment, options(nostack)) };
        if !environment.is_clean() {
            // SAFETY: the area is 512 bytes, aligned to 16; FLDENV undoes FNSTENV's masking first.
            unsafe {
                asm!("fldenv [{}]", "fxsave64 [{}]", in(reg) &raw const environment, in(reg) area, options(nostack))
            };
            state.x87_clean.set(false);
            return;
        }
        if !state.x87_clean.replace(true) {
            let fresh = FpuState::new();
            for range in [X87_HEAD, X87_REGISTERS] {
                // SAFETY: both areas hold the range, and only this CPU uses `state`'s now.
                unsafe {
                    area.add(range.start).copy_from(fresh.area.0.get().cast::<u8>().add(range.start), range.len())
                };
            }
        }
        // SAFETY: MXCSR and the XMM registers have these places in the area, which is aligned to 16.
        unsafe {
            asm!(
                "stmxcsr [{0} + 24]",
                "movaps [{0} + 160], xmm0", "movaps [{0} + 176], xmm1", "movaps [{0} + 192], xmm2", "movaps [{0} + 208], xmm3",
                "movaps [{0} + 224], xmm4", "movaps [{0} + 240], xmm5", "movaps [{0} + 256], xmm6", "movaps [{0} + 272], xmm7",
                "movaps [{0} + 288], xmm8", "movaps [{0} + 304], xmm9", "movaps [{0} + 320], xmm10", "movaps [{0} + 336], xmm11",
                "movaps [{0} + 352], xmm12", "movaps [{0} + 368], xmm13", "movaps [{0} + 384], xmm14", "movaps [{0} + 400], xmm15",
                in(reg) area, options(nostack, preserves_flags),
            );
        }
    }

    /// Loads the registers from `state`'s memory.
    fn restore(state: &FpuState) {
        let area = state.area.0.get().cast::<u8>();
        if !state.x87_clean.get() {
            // SAFETY: the area is 512 bytes, aligned to 16, and holds a state with no reserved bit set.
            unsafe { asm!("fxrstor64 [{}]", in(reg) area, options(nostack)) };
            return;
        }
        // SAFETY: as in `save`; eight zeros fill all x87 registers, and FNINIT empties them.
        unsafe {
            asm!(
                "fninit", "fldz", "fldz", "fldz", "fldz", "fldz", "fldz", "fldz", "fldz", "fninit",
                "ldmxcsr [{0} + 24]",
                "movaps xmm0, [{0} + 160]", "movaps xmm1, [{0} + 176]", "movaps xmm2, [{0} + 192]", "movaps xmm3, [{0} + 208]",
                "movaps xmm4, [{0} + 224]", "movaps xmm5, [{0} + 240]", "movaps xmm6, [{0} + 256]", "movaps xmm7, [{0} + 272]",
                "movaps xmm8, [{0} + 288]", "movaps xmm9, [{0} + 304]", "movaps xmm10, [{0} + 320]", "movaps xmm11, [{0} + 336]",
                "movaps xmm12, [{0} + 352]", "movaps xmm13, [{0} + 368]", "movaps xmm14, [{0} + 384]", "movaps xmm15, [{0} + 400]",
                in(reg) area, options(nostack, readonly),
            );
        }
    }

    impl FpuState {
        /// Makes the memory current.
        pub(super) fn sync(&self) {
            let me = local().id + 1;
            match self.live_on.get() {
                0 => {}
                cpu if cpu == me => save(self),
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
        #[inline(always)]
        pub fn load(&self, local: &Local) {
            if core::ptr::eq(local.fpu_live.get(), self) {
                return;
            }
            let me = local.id + 1;
            assert_eq!(self.live_on.get(), 0, "FPU state run while live on another CPU");
            save_live();
            if !core::ptr::eq(local.fpu_loaded.get(), self) || self.loaded_on.get() != me {
                restore(self);
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
