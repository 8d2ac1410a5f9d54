//! Which mounts hang on a dentry, in whatever namespace: what a removal of its name must know.
//!
//! A dentry counts them (`Dentry::is_mountpoint`); which they are is kept here, for few dentries are mount points.
//! Neighbours: `mount` enters and leaves; `dentry` asks before a name goes; `umount` takes off what hung on it.
//! Locks: one spin lock around the table, nothing inside it.

use super::dentry::Dentry;
use super::mount::Mount;
use super::namespace::MountNamespace;
use alloc::collections::BTreeMap;
use alloc::sync::{Arc, Weak};
use alloc::vec::Vec;
use core::ptr;
use hal::sync::{Rank, SpinLock};

/// A mount and its namespace, neither kept alive: whoever counts a mount's users does not count this.
struct Entry {
    mount: Weak<Mount>,
    namespace: Weak<MountNamespace>,
}

/// The mounts by the address of the dentry they hang on, which they keep alive, and by their ids.
static TABLE: SpinLock<BTreeMap<(usize, u64), Entry>> = SpinLock::new(Rank::Mount, "mount points", BTreeMap::new());

fn key(point: &Dentry, id: u64) -> (usize, u64) {
    (ptr::from_ref(point) as usize, id)
}

/// Notes that `mount` hangs on `point`, and whose it is; again, when it becomes another's.
pub(super) fn enter(point: &Dentry, id: u64, mount: Weak<Mount>, namespace: Weak<MountNamespace>) {
    let old = TABLE.lock().insert(key(point, id), Entry { mount, namespace });
    drop(old);
}

/// Notes that mount `id` hangs on `point` no more.
pub(super) fn leave(point: &Dentry, id: u64) {
    let gone = TABLE.lock().remove(&key(point, id));
    drop(gone);
}

/// Every mount that hangs on `point` itself.
pub(super) fn on(point: &Dentry) -> Vec<Arc<Mount>> {
    let table = TABLE.lock();
    table.range(key(point, 0)..=key(point, u64::MAX)).filter_map(|(_, entry)| entry.mount.upgrade()).collect()
}

/// True when a mount of `namespace` hangs on `point`.
pub(super) fn is_in(point: &Dentry, namespace: &Arc<MountNamespace>) -> bool {
    let table = TABLE.lock();
    let mut here = table.range(key(point, 0)..=key(point, u64::MAX));
    here.any(|(_, entry)| ptr::eq(entry.namespace.as_ptr(), Arc::as_ptr(namespace)))
}
