//! A tmpfs directory's entries: found by name, listed by a cursor that stays valid while entries come and go.

use super::inode::TmpInode;
use crate::error::{Errno, Result};
use crate::vfs::inode::InodeRef;
use alloc::collections::BTreeMap;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::ops::Bound;

/// The entries of one directory. Each has a number, given in order of creation, that serves as its cursor.
#[derive(Default)]
pub struct Entries {
    by_name: BTreeMap<Arc<[u8]>, (u64, Arc<TmpInode>)>,
    by_number: BTreeMap<u64, Arc<[u8]>>,
    last: u64,
}

impl Entries {
    pub fn len(&self) -> usize {
        self.by_name.len()
    }

    pub fn is_empty(&self) -> bool {
        self.by_name.is_empty()
    }

    pub fn get(&self, name: &[u8]) -> Option<Arc<TmpInode>> {
        self.by_name.get(name).map(|(_, inode)| inode.clone())
    }

    /// Gives `name` to `inode`; what had it before is returned.
    pub fn insert(&mut self, name: &[u8], inode: Arc<TmpInode>) -> Option<Arc<TmpInode>> {
        if let Some((_, slot)) = self.by_name.get_mut(name) {
            return Some(core::mem::replace(slot, inode));
        }
        let name: Arc<[u8]> = Arc::from(name);
        self.last += 1;
        self.by_number.insert(self.last, name.clone());
        self.by_name.insert(name, (self.last, inode));
        None
    }

    /// Gives `name` to an inode known by the trait only.
    pub fn insert_link(&mut self, name: &[u8], target: &InodeRef) -> Result<Option<Arc<TmpInode>>> {
        let target: Arc<dyn core::any::Any + Send + Sync> = target.clone();
        let target = target.downcast::<TmpInode>().map_err(|_| Errno::EXDEV)?;
        Ok(self.insert(name, target))
    }

    pub fn remove(&mut self, name: &[u8]) -> Option<Arc<TmpInode>> {
        let (number, inode) = self.by_name.remove(name)?;
        self.by_number.remove(&number);
        Some(inode)
    }

    /// The first entry whose number is larger than `cursor`.
    pub fn after(&self, cursor: u64) -> Option<(u64, Arc<[u8]>, Arc<TmpInode>)> {
        let (&number, name) = self.by_number.range((Bound::Excluded(cursor), Bound::Unbounded)).next()?;
        let (_, inode) = self.by_name.get(name)?;
        Some((number, name.clone(), inode.clone()))
    }

    /// Takes everything out.
    pub fn take_all(&mut self) -> Vec<Arc<TmpInode>> {
        self.by_number.clear();
        core::mem::take(&mut self.by_name).into_values().map(|(_, inode)| inode).collect()
    }
}
