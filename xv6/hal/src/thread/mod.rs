//! Kernel threads: contexts with guarded stacks, and the switch between them. Locks: [`stack`]'s pool.

#[cfg(target_os = "none")]
mod machine;
#[cfg(target_os = "none")]
pub(crate) mod stack;

#[cfg(target_os = "none")]
pub(crate) use machine::Inner;
#[cfg(target_os = "none")]
pub use machine::{Context, switch};

#[cfg(not(any(target_os = "none", loom)))]
pub use hosted::{Context, switch};

#[cfg(loom)]
pub use crate::model::thread::{Context, switch};

/// Bytes of kernel stacks now. Off the machine there are none.
pub fn stack_bytes() -> usize {
    #[cfg(target_os = "none")]
    return stack::bytes();
    #[cfg(not(target_os = "none"))]
    0
}

mod held;

#[cfg(loom)]
pub(crate) use held::forget;
pub use held::{adopt, finish_switch, switch_to};

#[cfg(not(any(target_os = "none", loom)))]
mod hosted {
    use alloc::boxed::Box;

    /// A context that cannot run: switching needs the machine.
    pub struct Context(());

    impl Context {
        /// A context; `entry` is dropped.
        pub fn new(_stack_pages: usize, _entry: Box<dyn FnOnce() + Send>) -> Option<Context> {
            Some(Context(()))
        }

        /// A context.
        pub fn idle() -> Context {
            Context(())
        }

        /// Nothing sleeps here.
        pub fn trace(&self, _out: &mut dyn core::fmt::Write) -> bool {
            false
        }
    }

    /// Panics.
    pub fn switch(_from: &Context, _to: &Context) {
        panic!("a context switch needs the machine")
    }
}
