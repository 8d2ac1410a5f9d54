//! How many objects of each kind exist: what leak tests compare (`/proc/xv6`).
//!
//! An object counts itself by a [`Counted`] field. No locks.

use hal::Tally;

/// The counter of one kind.
pub struct Census(Tally);

/// A field of a counted object: it counts from its making to its drop.
pub struct Counted(&'static Census);

impl Census {
    const fn new() -> Census {
        Census(Tally::new())
    }

    /// One more; the field to keep.
    pub fn count(&'static self) -> Counted {
        self.0.add(1);
        Counted(self)
    }

    /// How many there are.
    pub fn total(&self) -> usize {
        self.0.get()
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.0.sub(1);
    }
}

/// Open files.
pub static FILES: Census = Census::new();
/// Inodes in memory, of every file system.
pub static INODES: Census = Census::new();
/// Dentries, cached and in use.
pub static DENTRIES: Census = Census::new();
/// Mounts, detached ones too.
pub static MOUNTS: Census = Census::new();
/// File system instances.
pub static SUPERBLOCKS: Census = Census::new();
