//! Which files have dirty pages, and keeping them alive until they are clean.
//!
//! A dirty cache is listed together with its storage (the inode), so that closing a file loses nothing. Unlinked files are
//! the exception: once only this list holds them, [`sweep_orphans`] drops their pages unwritten.
//!
//! Lock: the list's spin lock lies outside the caches' index locks. What leaves the list is dropped after it is unlocked, by callers that
//! hold no lock of the file.

use super::{PageCache, PageSource, flusher};
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::sync::atomic::{AtomicUsize, Ordering};
use hal::sync::{Rank, SpinLock};

/// A file that must not end yet.
#[derive(Clone)]
pub(super) struct Held {
    pub cache: Arc<PageCache>,
    pub source: Arc<dyn PageSource>,
}

/// The dirty files.
struct List {
    /// By the address of their cache.
    held: BTreeMap<usize, Held>,
    /// The unlinked ones among them.
    orphans: BTreeSet<usize>,
}

static LIST: SpinLock<List> =
    SpinLock::new(Rank::Mm, "dirty files", List { held: BTreeMap::new(), orphans: BTreeSet::new() });

/// How many unlinked files are listed: nobody takes the lock to find none.
static ORPHANS: AtomicUsize = AtomicUsize::new(0);

impl List {
    fn add_orphan(&mut self, key: usize) {
        self.orphans.insert(key);
        ORPHANS.store(self.orphans.len(), Ordering::Relaxed);
    }

    fn remove(&mut self, key: usize) -> Option<Held> {
        if self.orphans.remove(&key) {
            ORPHANS.store(self.orphans.len(), Ordering::Relaxed);
        }
        self.held.remove(&key)
    }
}

fn key(cache: &PageCache) -> usize {
    core::ptr::from_ref(cache).addr()
}

fn is_dirty(cache: &PageCache) -> bool {
    !cache.index.lock().dirty.is_empty()
}

/// Lists `cache`, which has just got its first dirty page.
pub(super) fn list(cache: &PageCache) {
    if let (Some(this), Some(source)) = (cache.this.upgrade(), cache.source()) {
        let mut list = LIST.lock();
        if is_dirty(cache) && list.held.insert(key(cache), Held { cache: this, source }).is_none() {
            if cache.unlinked.load(Ordering::Acquire) {
                list.add_orphan(key(cache));
            }
            drop(list);
            flusher::wake();
        }
    }
}

/// Takes `cache` off the list if it is clean. Drop the result with no lock of the file held.
pub(super) fn unlist(cache: &PageCache) -> Option<Held> {
    let mut list = LIST.lock();
    if is_dirty(cache) {
        return None;
    }
    list.remove(key(cache))
}

/// The file has lost its last name.
pub(super) fn note_orphan(cache: &PageCache) {
    let mut list = LIST.lock();
    if list.held.contains_key(&key(cache)) {
        list.add_orphan(key(cache));
    }
}

/// The dirty files now.
pub(super) fn all() -> Vec<Held> {
    LIST.lock().held.values().cloned().collect()
}

/// Whether there are any.
pub(super) fn is_empty() -> bool {
    LIST.lock().held.is_empty()
}

/// Lets go of unlinked files that only write-back still holds. unlink(2), rename(2) and close(2) call it at their end, with no
/// lock held; it costs a load when there are none, and looks at them alone otherwise.
pub fn sweep_orphans() {
    if ORPHANS.load(Ordering::Relaxed) == 0 {
        return;
    }
    loop {
        let orphan = {
            let list = LIST.lock();
            let alone = |held: &&Held| Arc::strong_count(&held.source) == 1;
            list.orphans.iter().filter_map(|key| list.held.get(key)).find(alone).cloned()
        };
        let Some(Held { cache, source }) = orphan else { return };
        {
            let _cleaning = cache.cleaning.lock();
            cache.drop_pages(0..u64::MAX);
        }
        drop(unlist(&cache));
        drop(source);
    }
}
