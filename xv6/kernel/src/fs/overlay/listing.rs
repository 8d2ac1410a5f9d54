//! Reading a directory: one layer's entries as they are, or the names of several layers merged.
//!
//! A merged directory is read whole when a reader starts, and its names get cursors that they keep while the inode is
//! in use: a reader in the middle is not confused by another who starts anew, nor by names that come and go.

use super::node::{OverlayNode, lower_ino, upper_ino};
use super::{Key, is_whiteout};
use crate::error::Result;
use crate::vfs::inode::{DirEntry, Inode, Kind};
use alloc::collections::BTreeMap;
use alloc::sync::{Arc, Weak};
use alloc::vec::Vec;

/// Entries handed on at once, between looks at the listing.
const BATCH: usize = 64;

/// What a merged directory shows under each name.
type Names = BTreeMap<Arc<[u8]>, (u64, Kind)>;

/// The names of a merged directory with their cursors.
#[derive(Default)]
pub struct Listing {
    entries: BTreeMap<u64, Entry>,
    cursors: BTreeMap<Arc<[u8]>, u64>,
    last: u64,
}

#[derive(Clone)]
struct Entry {
    name: Arc<[u8]>,
    ino: u64,
    kind: Kind,
}

impl Listing {
    /// Takes over what was read: known names keep their cursors.
    fn replace(&mut self, found: Names) {
        let old = core::mem::take(&mut self.cursors);
        self.entries.clear();
        for (name, (ino, kind)) in found {
            let cursor = old.get(&name).copied().unwrap_or_else(|| {
                self.last += 1;
                self.last
            });
            self.cursors.insert(name.clone(), cursor);
            self.entries.insert(cursor, Entry { name, ino, kind });
        }
    }

    fn after(&self, cursor: u64) -> Vec<(u64, Entry)> {
        let Some(first) = cursor.checked_add(1) else { return Vec::new() };
        self.entries.range(first..).take(BATCH).map(|(cursor, entry)| (*cursor, entry.clone())).collect()
    }
}

impl OverlayNode {
    /// Feeds the entries after `cursor` to `sink`.
    pub(super) fn list(&self, mut cursor: u64, sink: &mut dyn FnMut(DirEntry<'_>) -> bool) -> Result<()> {
        let upper = self.upper();
        match (&upper, &*self.lowers) {
            (Some(upper), []) => {
                let dir = upper.inode();
                return self.pass_on(&**dir, cursor, &|ino| self.ino_of_upper(ino), sink);
            }
            (None, [lower]) => return self.pass_on(&*lower.inode, cursor, &|ino| lower_ino(lower.layer, ino), sink),
            _ => {}
        }
        if cursor == 0 {
            let found = self.merge()?;
            self.listing.lock().replace(found);
        }
        loop {
            let batch = self.listing.lock().after(cursor);
            if batch.is_empty() {
                return Ok(());
            }
            for (next, entry) in batch {
                cursor = next;
                if !sink(DirEntry { ino: entry.ino, kind: entry.kind, name: &entry.name, next }) {
                    return Ok(());
                }
            }
        }
    }

    /// One layer's entries, without whiteouts. They are taken over in batches: the layer may hold a lock while it feeds
    /// us.
    fn pass_on(
        &self,
        dir: &dyn Inode,
        mut cursor: u64,
        shown: &dyn Fn(u64) -> u64,
        sink: &mut dyn FnMut(DirEntry<'_>) -> bool,
    ) -> Result<()> {
        loop {
            let mut batch: Vec<(u64, Entry)> = Vec::new();
            dir.read_dir(cursor, &mut |entry| {
                batch.push((entry.next, Entry { name: entry.name.into(), ino: entry.ino, kind: entry.kind }));
                batch.len() < BATCH
            })?;
            let last = batch.len() < BATCH;
            for (next, entry) in batch {
                cursor = next;
                if entry.kind == Kind::CharDevice
                    && dir.lookup(&entry.name).map_or(Ok(true), |inode| is_whiteout(&*inode))?
                {
                    continue;
                }
                if !sink(DirEntry { ino: shown(entry.ino), kind: entry.kind, name: &entry.name, next }) {
                    return Ok(());
                }
            }
            if last {
                return Ok(());
            }
        }
    }

    /// All names of all layers, whatever the upper layers hide taken away.
    pub(super) fn merge(&self) -> Result<Names> {
        let mut seen: BTreeMap<Arc<[u8]>, Option<(u64, Kind)>> = BTreeMap::new();
        // Names in the upper layer that a lower one has too may be copies with the lower one's number.
        let mut both: Vec<Arc<[u8]>> = Vec::new();
        let upper = self.upper();
        let layers = upper
            .iter()
            .map(|upper| (None, upper.inode()))
            .chain(self.lowers.iter().map(|lower| (Some(lower.layer), &lower.inode)));
        let mut upper_names = 0;
        for (layer, dir) in layers {
            let mut suspects: Vec<Arc<[u8]>> = Vec::new();
            dir.read_dir(0, &mut |entry| {
                if let Some((name, _)) = seen.get_key_value(entry.name) {
                    if upper_names > 0 {
                        both.push(name.clone());
                    }
                    return true;
                }
                let name: Arc<[u8]> = entry.name.into();
                let ino = layer.map_or(entry.ino, |layer| lower_ino(layer, entry.ino));
                if entry.kind == Kind::CharDevice {
                    suspects.push(name.clone());
                }
                seen.insert(name, Some((ino, entry.kind)));
                true
            })?;
            for name in suspects {
                if dir.lookup(&name).map_or(Ok(true), |inode| is_whiteout(&*inode))? {
                    seen.insert(name, None);
                }
            }
            if layer.is_none() {
                upper_names = seen.len();
            }
        }
        if let Some(upper) = &upper {
            for name in both {
                if let (Some(Some(entry)), Ok(child)) = (seen.get_mut(&name), upper.lookup(&name)) {
                    entry.0 = upper_ino(&**child.inode(), child.inode().attr()?.ino);
                }
            }
        }
        Ok(seen.into_iter().filter_map(|(name, entry)| Some((name, entry?))).collect())
    }

    /// The number shown for an upper inode: that of the overlay's inode if it is in use.
    fn ino_of_upper(&self, ino: u64) -> u64 {
        let found = self.fs.inodes.lock().get(&Key::Upper(ino)).and_then(Weak::upgrade);
        found.map_or(ino, |node| node.ino)
    }
}
