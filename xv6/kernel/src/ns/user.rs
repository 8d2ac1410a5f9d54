//! User namespaces (user_namespaces(7)): who owns what is inside, and how ids inside map to the kernel's own.
//!
//! Ids inside the kernel are those of the initial user namespace. A new user namespace has empty maps until `uid_map` and
//! `gid_map` are written, once each; an id without a mapping shows as [`OVERFLOW_ID`].
//!
//! Locks: `maps`, a spin lock for each namespace.

use crate::error::{Errno, Result};
use alloc::sync::Arc;
use alloc::vec::Vec;
use hal::sync::{Lazy, Rank, SpinLock};

/// What an id without a mapping looks like.
pub const OVERFLOW_ID: u32 = 65534;

/// `(uid_t)-1`.
const NO_ID: u32 = u32::MAX;

/// How deep user namespaces nest (user_namespaces(7)).
const MAX_LEVEL: u32 = 32;

/// Most lines of one map.
const MAX_RANGES: usize = 340;

/// `count` ids from `inside` on are `outside` on in the parent's terms (already translated to the kernel's).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct IdRange {
    /// First id inside.
    pub inside: u32,
    /// First id of the kernel's.
    pub outside: u32,
    /// How many.
    pub count: u32,
}

/// One map: user or group ids.
#[derive(Clone, Debug, Default)]
pub struct IdMap(Vec<IdRange>);

impl IdMap {
    /// A map of the given ranges; `EINVAL` if they are none, too many, empty, overflow or overlap.
    pub fn new(ranges: Vec<IdRange>) -> Result<IdMap> {
        if ranges.is_empty() || ranges.len() > MAX_RANGES {
            return Err(Errno::EINVAL.into());
        }
        for (index, range) in ranges.iter().enumerate() {
            let fits = |first: u32| range.count != 0 && first.checked_add(range.count).is_some();
            let apart = |a: u32, b: u32, other: &IdRange| a >= b + other.count || b >= a + range.count;
            if !fits(range.inside) || !fits(range.outside) {
                return Err(Errno::EINVAL.into());
            }
            if ranges[..index]
                .iter()
                .any(|other| !apart(range.inside, other.inside, other) || !apart(range.outside, other.outside, other))
            {
                return Err(Errno::EINVAL.into());
            }
        }
        Ok(IdMap(ranges))
    }

    /// The ranges, for `/proc/PID/uid_map`.
    pub fn ranges(&self) -> &[IdRange] {
        &self.0
    }

    fn inside_to_kernel(&self, id: u32) -> Option<u32> {
        self.0
            .iter()
            .find(|range| id.wrapping_sub(range.inside) < range.count)
            .map(|range| range.outside + (id - range.inside))
    }

    fn kernel_to_inside(&self, id: u32) -> Option<u32> {
        self.0
            .iter()
            .find(|range| id.wrapping_sub(range.outside) < range.count)
            .map(|range| range.inside + (id - range.outside))
    }
}

#[derive(Default)]
struct Maps {
    uid: Option<IdMap>,
    gid: Option<IdMap>,
    setgroups_denied: bool,
}

/// A user namespace.
pub struct UserNamespace {
    /// The inode number of `/proc/PID/ns/user`.
    pub ino: u64,
    /// The namespace it was made in; `None` for the initial one.
    pub parent: Option<Arc<UserNamespace>>,
    /// Effective user id (kernel's) of its creator.
    pub owner: u32,
    /// Effective group id (kernel's) of its creator.
    pub group: u32,
    level: u32,
    maps: SpinLock<Maps>,
}

impl UserNamespace {
    /// The initial user namespace: ids are themselves.
    pub fn initial() -> &'static Arc<UserNamespace> {
        static INITIAL: Lazy<Arc<UserNamespace>> = Lazy::new(|| {
            let identity = || Some(IdMap(alloc::vec![IdRange { inside: 0, outside: 0, count: u32::MAX }]));
            let maps = Maps { uid: identity(), gid: identity(), setgroups_denied: false };
            Arc::new(UserNamespace {
                ino: super::next_ino(),
                parent: None,
                owner: 0,
                group: 0,
                level: 0,
                maps: SpinLock::new(Rank::Leaf, "user namespace", maps),
            })
        });
        &INITIAL
    }

    /// A child namespace made by a thread with these effective ids; `EUSERS` when nested too deep (clone(2)).
    pub fn new_child(self: &Arc<Self>, owner: u32, group: u32) -> Result<Arc<UserNamespace>> {
        if self.level >= MAX_LEVEL {
            return Err(Errno::EUSERS.into());
        }
        Ok(Arc::new(UserNamespace {
            ino: super::next_ino(),
            parent: Some(self.clone()),
            owner,
            group,
            level: self.level + 1,
            maps: SpinLock::new(Rank::Leaf, "user namespace", Maps::default()),
        }))
    }

    /// True for `other` itself and everything below it.
    pub fn is_within(self: &Arc<Self>, other: &Arc<UserNamespace>) -> bool {
        let mut at = Some(self);
        while let Some(ns) = at {
            if Arc::ptr_eq(ns, other) {
                return true;
            }
            at = ns.parent.as_ref();
        }
        false
    }

    /// The kernel's user id for `id` inside, if mapped. -1 is no id anywhere.
    pub fn uid_to_kernel(&self, id: u32) -> Option<u32> {
        if self.parent.is_none() {
            (id != NO_ID).then_some(id)
        } else {
            self.maps.lock().uid.as_ref()?.inside_to_kernel(id)
        }
    }

    /// The kernel's group id for `id` inside, if mapped. -1 is no id anywhere.
    pub fn gid_to_kernel(&self, id: u32) -> Option<u32> {
        if self.parent.is_none() {
            (id != NO_ID).then_some(id)
        } else {
            self.maps.lock().gid.as_ref()?.inside_to_kernel(id)
        }
    }

    /// How the kernel's user id shows inside; [`OVERFLOW_ID`] if not mapped.
    pub fn uid_from_kernel(&self, id: u32) -> u32 {
        if self.parent.is_none() {
            return id;
        }
        self.maps.lock().uid.as_ref().and_then(|map| map.kernel_to_inside(id)).unwrap_or(OVERFLOW_ID)
    }

    /// How the kernel's group id shows inside; [`OVERFLOW_ID`] if not mapped.
    pub fn gid_from_kernel(&self, id: u32) -> u32 {
        if self.parent.is_none() {
            return id;
        }
        self.maps.lock().gid.as_ref().and_then(|map| map.kernel_to_inside(id)).unwrap_or(OVERFLOW_ID)
    }

    /// The user map, for `/proc/PID/uid_map`; `None` until it is written.
    pub fn uid_map(&self) -> Option<IdMap> {
        self.maps.lock().uid.clone()
    }

    /// The group map, for `/proc/PID/gid_map`; `None` until it is written.
    pub fn gid_map(&self) -> Option<IdMap> {
        self.maps.lock().gid.clone()
    }

    /// Sets the user map (ranges in the kernel's ids); `EPERM` if it is set already.
    pub fn set_uid_map(&self, map: IdMap) -> Result<()> {
        let mut maps = self.maps.lock();
        if maps.uid.is_some() {
            return Err(Errno::EPERM.into());
        }
        maps.uid = Some(map);
        Ok(())
    }

    /// Sets the group map (ranges in the kernel's ids); `EPERM` if it is set already.
    pub fn set_gid_map(&self, map: IdMap) -> Result<()> {
        let mut maps = self.maps.lock();
        if maps.gid.is_some() {
            return Err(Errno::EPERM.into());
        }
        maps.gid = Some(map);
        Ok(())
    }

    /// Whether setgroups(2) works inside (`/proc/PID/setgroups`, and the map is there).
    pub fn may_setgroups(&self) -> bool {
        let maps = self.maps.lock();
        !maps.setgroups_denied && maps.gid.is_some()
    }

    /// `/proc/PID/setgroups`: true when it says `deny`.
    pub fn setgroups_denied(&self) -> bool {
        self.maps.lock().setgroups_denied
    }

    /// Writes `deny` to `/proc/PID/setgroups`; `EPERM` once the group map is set.
    pub fn deny_setgroups(&self) -> Result<()> {
        let mut maps = self.maps.lock();
        if maps.gid.is_some() && !maps.setgroups_denied {
            return Err(Errno::EPERM.into());
        }
        maps.setgroups_denied = true;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::{IdMap, IdRange};

    #[test]
    fn maps_translate_both_ways_and_refuse_nonsense() {
        let map = IdMap::new(vec![IdRange { inside: 0, outside: 1000, count: 2 }]).expect("a plain map");
        assert_eq!(map.inside_to_kernel(1), Some(1001));
        assert_eq!(map.inside_to_kernel(2), None);
        assert_eq!(map.kernel_to_inside(1000), Some(0));
        assert!(IdMap::new(vec![]).is_err());
        let range = IdRange { inside: 0, outside: 5, count: 4 };
        assert!(IdMap::new(vec![range, range]).is_err());
    }
}
