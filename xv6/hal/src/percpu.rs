//! Values of which each CPU has its own.

use crate::cpu;

/// One `T` for each CPU. `T` is `Sync` because any CPU may look at another's value through [`PerCpu::of`].
pub struct PerCpu<T>([T; cpu::MAX]);

impl<T: Sync> PerCpu<T> {
    /// Wraps one value for each CPU.
    pub const fn new(values: [T; cpu::MAX]) -> Self {
        Self(values)
    }

    /// Calls `f` with the running CPU's value.
    #[inline]
    pub fn with<R>(&self, f: impl FnOnce(&T) -> R) -> R {
        f(&self.0[cpu::id()])
    }

    /// The value of `cpu`. Panics when `cpu` is not below [`cpu::MAX`].
    #[inline]
    pub fn of(&self, cpu: usize) -> &T {
        &self.0[cpu]
    }
}
