//! Loom's atomics, cells and fences behind `core`'s interface.
//!
//! Loom's own objects belong to one execution and have no `const` constructor; the kernel's are in statics. So each of these keeps its first
//! value, and makes its loom object at its first use in an execution. That use is ordered before all later ones (as with loom's `lazy_static`):
//! a model uses what it shares once before it starts the second CPU, or loom would miss what it may not assume.

use core::sync::atomic::{AtomicUsize as Plain, Ordering};
use loom::lazy_static::Lazy;
use std::boxed::Box;
use std::cell::{Cell, RefCell};
use std::marker::PhantomData;
use std::thread_local;
use std::vec::Vec;

pub use loom::sync::atomic::fence;

/// Executions so far, of all models: what was made in an earlier one is made anew.
static EXECUTION: Plain = Plain::new(0);

/// A new execution begins.
pub(super) fn begin() {
    EXECUTION.fetch_add(1, Ordering::Relaxed);
}

/// Where an object's loom object is: the number of its place, valid in one execution.
struct Place {
    execution: Plain,
    index: Plain,
}

/// The places for one kind of object: made once, used again in each execution.
struct Pool<T: 'static> {
    places: RefCell<Vec<&'static Lazy<T>>>,
    used: Cell<(usize, usize)>,
}

impl<T: 'static> Pool<T> {
    const fn new() -> Pool<T> {
        Pool { places: RefCell::new(Vec::new()), used: Cell::new((0, 0)) }
    }

    /// The loom object at `place`, made by `make` if this execution has none yet.
    fn object(&self, place: &Place, make: fn() -> T) -> &'static T {
        let now = EXECUTION.load(Ordering::Relaxed);
        if place.execution.load(Ordering::Relaxed) != now {
            let (execution, used) = self.used.get();
            let index = if execution == now { used } else { 0 };
            self.used.set((now, index + 1));
            let mut places = self.places.borrow_mut();
            if places.len() == index {
                places.push(Box::leak(Box::new(Lazy { init: make, _p: PhantomData })));
            }
            place.index.store(index, Ordering::Relaxed);
            place.execution.store(now, Ordering::Relaxed);
        }
        let lazy = self.places.borrow()[place.index.load(Ordering::Relaxed)];
        lazy.get()
    }
}

impl Place {
    const fn new() -> Place {
        Place { execution: Plain::new(0), index: Plain::new(0) }
    }
}

macro_rules! atomic {
    ($name:ident, $value:ty, $doc:literal, { $($more:tt)* }) => {
        #[doc = $doc]
        pub struct $name {
            first: $value,
            place: Place,
        }

        impl $name {
            /// Holds `first` at the start of each execution.
            pub const fn new(first: $value) -> Self {
                Self { first, place: Place::new() }
            }

            fn object(&self) -> &'static loom::sync::atomic::$name {
                thread_local! {
                    static POOL: Pool<loom::sync::atomic::$name> = const { Pool::new() };
                    static FIRST: Cell<$value> = Cell::default();
                }
                FIRST.set(self.first);
                POOL.with(|pool| pool.object(&self.place, || loom::sync::atomic::$name::new(FIRST.get())))
            }

            /// As `core`'s.
            pub fn load(&self, order: Ordering) -> $value {
                self.object().load(order)
            }

            /// As `core`'s.
            pub fn store(&self, value: $value, order: Ordering) {
                self.object().store(value, order);
            }

            /// As `core`'s.
            pub fn compare_exchange(&self, old: $value, new: $value, success: Ordering, failure: Ordering) -> Result<$value, $value> {
                self.object().compare_exchange(old, new, success, failure)
            }

            /// As `core`'s.
            pub fn compare_exchange_weak(&self, old: $value, new: $value, success: Ordering, failure: Ordering) -> Result<$value, $value> {
                self.object().compare_exchange_weak(old, new, success, failure)
            }

            /// As `core`'s.
            pub fn fetch_or(&self, value: $value, order: Ordering) -> $value {
                self.object().fetch_or(value, order)
            }

            /// As `core`'s.
            pub fn fetch_and(&self, value: $value, order: Ordering) -> $value {
                self.object().fetch_and(value, order)
            }

            /// As `core`'s.
            pub fn fetch_update(
                &self,
                success: Ordering,
                failure: Ordering,
                new: impl FnMut($value) -> Option<$value>,
            ) -> Result<$value, $value> {
                self.object().fetch_update(success, failure, new)
            }

            $($more)*
        }
    };
    ($name:ident, $value:ty, $doc:literal) => {
        atomic!($name, $value, $doc, {
            /// As `core`'s.
            pub fn swap(&self, value: $value, order: Ordering) -> $value {
                self.object().swap(value, order)
            }

            /// As `core`'s.
            pub fn fetch_add(&self, value: $value, order: Ordering) -> $value {
                self.object().fetch_add(value, order)
            }

            /// As `core`'s.
            pub fn fetch_sub(&self, value: $value, order: Ordering) -> $value {
                self.object().fetch_sub(value, order)
            }
        });
    };
}

atomic!(AtomicBool, bool, "A flag.", {
    /// As `core`'s. A swap that changes and releases nothing is a load of the newest value: loom does not know that nothing comes between the
    /// two halves of a swap, and would let a spinning lock see its own failed attempts for ever.
    pub fn swap(&self, value: bool, order: Ordering) -> bool {
        match order {
            Ordering::Relaxed | Ordering::Acquire => {
                self.compare_exchange(!value, value, order, order).unwrap_or_else(|same| same)
            }
            _ => self.object().swap(value, order),
        }
    }
});
atomic!(AtomicU8, u8, "A byte.");
atomic!(AtomicU32, u32, "A word.");
atomic!(AtomicU64, u64, "A double word.");
atomic!(AtomicUsize, usize, "An address-sized number.");

/// Says to loom when the value beside it is used, so that two uses at once, or a use that is not ordered after a change, are found.
pub struct Watch(Place);

/// A use of the value beside a [`Watch`].
pub enum Access {
    /// Over.
    Ended,
    /// Reading.
    Read(loom::cell::ConstPtr<()>),
    /// Changing.
    Write(loom::cell::MutPtr<()>),
}

impl Watch {
    /// A watch over a value nobody uses.
    pub const fn new() -> Watch {
        Watch(Place::new())
    }

    fn object(&self) -> &'static loom::cell::UnsafeCell<()> {
        thread_local! {
            static POOL: Pool<loom::cell::UnsafeCell<()>> = const { Pool::new() };
        }
        POOL.with(|pool| pool.object(&self.0, || loom::cell::UnsafeCell::new(())))
    }

    /// The value may be changed until [`Access::end`].
    pub fn write(&self) -> Access {
        Access::Write(self.object().get_mut())
    }

    /// The value is read until [`Access::end`].
    pub fn read(&self) -> Access {
        Access::Read(self.object().get())
    }
}

impl Access {
    /// The use is over.
    pub fn end(&mut self) {
        *self = Access::Ended;
    }
}
