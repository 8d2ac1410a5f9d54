//! Physical addresses made usable: the direct map, or off the machine an arena that plays the memory.

#[cfg(target_os = "none")]
pub(crate) use crate::boot::layout::{direct, physical};

#[cfg(not(target_os = "none"))]
pub(crate) use hosted::{ARENA, direct};

#[cfg(not(target_os = "none"))]
mod hosted {
    use std::alloc::{Layout, alloc_zeroed};
    use std::sync::OnceLock;

    /// Bytes of pretended memory; the host gives only what is touched.
    pub const ARENA: u64 = 256 << 20;

    static BASE: OnceLock<usize> = OnceLock::new();

    /// A pretended physical address, as a pointer into the arena.
    pub fn direct(addr: u64) -> *mut u8 {
        assert!(addr < ARENA, "no such memory");
        let base = *BASE.get_or_init(|| {
            let layout = Layout::from_size_align(ARENA as usize, 4096).expect("a sound layout");
            // SAFETY: the size is not zero.
            let base = unsafe { alloc_zeroed(layout) };
            assert!(!base.is_null(), "no memory for the arena");
            base as usize
        });
        (base + addr as usize) as *mut u8
    }
}
