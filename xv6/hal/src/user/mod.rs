//! User mode: running user code, and its memory as seen from the kernel.

mod context;
#[cfg(target_os = "none")]
pub(crate) mod copy;
#[cfg(not(target_os = "none"))]
#[path = "hosted.rs"]
pub(crate) mod copy;
pub(crate) mod fpu;

pub use context::{Event, FPU_BYTES, Registers, UserContext};
pub use copy::{cmpxchg_u32, load_u32, read, read_cstr, store_u32, write};

#[cfg(target_os = "none")]
pub(crate) use fpu::FpuState;

/// One past the highest user address.
pub const LIMIT: usize = 0x7fff_ffff_f000;

/// A user address that could not be accessed: not mapped, not permitted, or out of the user range.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Fault {
    /// The address.
    pub addr: usize,
    /// Whether it was to be written.
    pub write: bool,
}
