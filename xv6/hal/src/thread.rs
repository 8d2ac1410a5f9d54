//! Kernel threads: contexts with guarded stacks, and the switch between them.

use alloc::boxed::Box;

/// A kernel thread's saved state and stack (below which lies a guard page). Dropping it waits until no CPU runs on it, and
/// frees the stack without unwinding: what the stack owns leaks. Dropping the running one panics.
pub struct Context {
    _inner: (),
}

impl Context {
    /// A thread that will run `entry` at its first [`switch`]. `entry` must never return: it ends by switching away for good. `None`
    /// when there is no memory for `stack_pages` pages of stack.
    pub fn new(stack_pages: usize, entry: Box<dyn FnOnce() + Send>) -> Option<Context> {
        let _ = (stack_pages, entry);
        todo!()
    }

    /// Adopts what is running now (a CPU's boot stack) as a context. Once for each CPU.
    pub fn idle() -> Context {
        todo!()
    }
}

/// Leaves the running context `from` and resumes `to`; returns when somebody switches back. `from` may be resumed by
/// another CPU as soon as this one is off its stack; a `to` that is still leaving another CPU is waited for. Hold no spin lock.
pub fn switch(from: &Context, to: &Context) {
    let _ = (from, to);
    todo!()
}
