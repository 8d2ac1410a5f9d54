//! The atomics, fences and access marks that the kernel's concurrent types are made of: `core`'s, and nothing. With `--cfg loom` they are
//! the loom model checker's (`crate::model`), so that the very types the kernel runs on are what the models check.

pub use core::sync::atomic::Ordering;
#[cfg(not(loom))]
pub use core::sync::atomic::{AtomicBool, AtomicU8, AtomicU32, AtomicU64, AtomicUsize, fence};
#[cfg(not(loom))]
pub(crate) use unwatched::{Access, Watch};

#[cfg(loom)]
pub(crate) use crate::model::atomic::{Access, Watch};
#[cfg(loom)]
pub use crate::model::atomic::{AtomicBool, AtomicU8, AtomicU32, AtomicU64, AtomicUsize, fence};

#[cfg(not(loom))]
mod unwatched {
    /// Says to a model when the value beside it is used, so that two uses at once, or a use that is not ordered after a change, are found.
    /// Nothing in a real build.
    pub struct Watch;

    /// A use of the value beside a [`Watch`].
    pub struct Access;

    impl Watch {
        /// A watch over a value nobody uses.
        pub const fn new() -> Watch {
            Watch
        }

        /// The value may be changed until [`Access::end`].
        #[inline(always)]
        pub fn write(&self) -> Access {
            Access
        }

        /// The value is read until [`Access::end`].
        #[inline(always)]
        pub fn read(&self) -> Access {
            Access
        }
    }

    impl Access {
        /// The use is over.
        #[inline(always)]
        pub fn end(&mut self) {}
    }
}
