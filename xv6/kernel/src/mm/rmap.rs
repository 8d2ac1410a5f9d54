//! From a file's pages to the address spaces that map them: [`Mapper`], one address space's entry in a cache's list.
//!
//! Every area that shows a cache's pages shares its space's `Mapper`; the cache holds it weakly, so a mapping that ends leaves no work
//! behind. Truncation, write-back and reclaim walk the list ([`PageCache::each_mapper`]) with no spin lock held, because they lock each space.

use super::{AddressSpace, PageCache, reaper};
use alloc::sync::{Arc, Weak};
use alloc::vec::Vec;

/// One address space that maps (some of) a cache's pages.
pub struct Mapper {
    space: Weak<AddressSpace>,
}

/// The mappers of one cache.
#[derive(Default)]
pub(super) struct Mappers {
    list: Vec<Weak<Mapper>>,
    /// The list is swept when it has grown to this length.
    sweep_at: usize,
}

impl PageCache {
    /// Notes that `space` maps pages of this cache, for as long as the entry lives.
    pub(super) fn add_mapper(&self, space: &Weak<AddressSpace>) -> Arc<Mapper> {
        let mapper = Arc::new(Mapper { space: space.clone() });
        let mut mappers = self.mappers.lock();
        if mappers.list.len() >= mappers.sweep_at {
            mappers.list.retain(|entry| entry.strong_count() > 0);
            mappers.sweep_at = 2 * mappers.list.len() + 8;
        }
        mappers.list.push(Arc::downgrade(&mapper));
        mapper
    }

    /// Gives back what the list keeps of mappings that are gone.
    pub(super) fn forget_ended_mappers(&self) {
        let mut mappers = self.mappers.lock();
        mappers.list.retain(|entry| entry.strong_count() > 0);
        mappers.list.shrink_to_fit();
        mappers.sweep_at = 2 * mappers.list.len() + 8;
    }

    /// Whether somebody may map pages of this cache.
    pub(super) fn is_mapped(&self) -> bool {
        self.mappers.lock().list.iter().any(|entry| entry.strong_count() > 0)
    }

    /// Calls `f` with every address space that maps pages of this cache (some more than once).
    pub(super) fn each_mapper(&self, mut f: impl FnMut(&AddressSpace)) {
        let live: Vec<Arc<Mapper>> = self.mappers.lock().list.iter().filter_map(Weak::upgrade).collect();
        for mapper in live {
            if let Some(space) = mapper.space.upgrade() {
                f(&space);
                // The process may have ended meanwhile: the last reference closes files, which our locks may forbid here.
                reaper::release(space);
            }
        }
    }
}
