//! `uid_map`, `gid_map` and `setgroups`: how a user namespace's ids are those of its parent (user_namespaces(7)).

use super::View;
use crate::error::{Errno, Result};
use crate::fs::text::trimmed;
use crate::ns::{IdMap, IdRange, UserNamespace};
use crate::task::{self, Cap, Cred};
use alloc::format;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;

/// Which of the two maps.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Ids {
    Users,
    Groups,
}

fn namespace(view: &View) -> Result<Arc<UserNamespace>> {
    Ok(view.thread()?.cred().user.clone())
}

/// `uid_map`.
pub fn uid_map(view: &View) -> Result<Vec<u8>> {
    show(view, Ids::Users)
}

/// `gid_map`.
pub fn gid_map(view: &View) -> Result<Vec<u8>> {
    show(view, Ids::Groups)
}

/// A write to `uid_map`.
pub fn set_uid_map(view: &View, message: &[u8]) -> Result<()> {
    store(view, message, Ids::Users)
}

/// A write to `gid_map`.
pub fn set_gid_map(view: &View, message: &[u8]) -> Result<()> {
    store(view, message, Ids::Groups)
}

/// The ranges; the outer ids as the reader's namespace knows them (of its own map: as its parent does).
fn show(view: &View, ids: Ids) -> Result<Vec<u8>> {
    let shown = namespace(view)?;
    let reader = task::current().cred().user.clone();
    let outer = if Arc::ptr_eq(&reader, &shown) { shown.parent.clone().unwrap_or(reader) } else { reader };
    let map = if ids == Ids::Users { shown.uid_map() } else { shown.gid_map() };
    let mut text = String::new();
    for range in map.iter().flat_map(|map| map.ranges()) {
        let outside =
            if ids == Ids::Users { outer.uid_from_kernel(range.outside) } else { outer.gid_from_kernel(range.outside) };
        text += &format!("{:10} {outside:10} {:10}\n", range.inside, range.count);
    }
    Ok(text.into_bytes())
}

/// Sets a map, once. The writer is in the namespace or its parent and holds `CAP_SYS_ADMIN` in it; it maps ids for
/// which it holds `CAP_SETUID` (`CAP_SETGID`) in the parent, or else just its own effective id (for groups: after
/// `setgroups` was denied).
fn store(view: &View, message: &[u8], ids: Ids) -> Result<()> {
    let target = namespace(view)?;
    let parent = target.parent.clone().ok_or(Errno::EPERM)?;
    let cred = task::current().cred();
    let near = Arc::ptr_eq(&cred.user, &target) || Arc::ptr_eq(&cred.user, &parent);
    if !near || !cred.capable_in(&target, Cap::SysAdmin) {
        return Err(Errno::EPERM.during("writing another's id map"));
    }
    let mut ranges = Vec::new();
    for line in trimmed(message)?.lines() {
        let mut words = line.split_ascii_whitespace().map(|word| word.parse::<u32>());
        let (Some(Ok(inside)), Some(Ok(outside)), Some(Ok(count)), None) =
            (words.next(), words.next(), words.next(), words.next())
        else {
            return Err(Errno::EINVAL.into());
        };
        ranges.push((inside, outside, count));
    }
    // A map that is none is refused before it is asked who may set it.
    IdMap::new(ranges.iter().map(|&(inside, outside, count)| IdRange { inside, outside, count }).collect())?;
    let cap = if ids == Ids::Users { Cap::Setuid } else { Cap::Setgid };
    if !cred.capable_in(&parent, cap) && !maps_only_self(&cred, &parent, &target, &ranges, ids) {
        return Err(Errno::EPERM.during("mapping ids that are not one's own"));
    }
    let mut kernel = Vec::new();
    for (inside, outside, count) in ranges {
        let first = to_kernel(&parent, outside, ids).ok_or(Errno::EPERM)?;
        let last = count.checked_sub(1).and_then(|more| outside.checked_add(more)).ok_or(Errno::EINVAL)?;
        // The whole range must be known to the parent, in one piece.
        if to_kernel(&parent, last, ids) != first.checked_add(count - 1) {
            return Err(Errno::EPERM.into());
        }
        kernel.push(IdRange { inside, outside: first, count });
    }
    let map = IdMap::new(kernel)?;
    if ids == Ids::Users { target.set_uid_map(map) } else { target.set_gid_map(map) }
}

fn to_kernel(ns: &UserNamespace, id: u32, ids: Ids) -> Option<u32> {
    if ids == Ids::Users { ns.uid_to_kernel(id) } else { ns.gid_to_kernel(id) }
}

fn maps_only_self(
    cred: &Cred,
    parent: &UserNamespace,
    target: &UserNamespace,
    ranges: &[(u32, u32, u32)],
    ids: Ids,
) -> bool {
    let [(_, outside, 1)] = ranges else { return false };
    let own = if ids == Ids::Users { cred.euid } else { cred.egid };
    let denied = ids == Ids::Users || target.setgroups_denied();
    denied && cred.euid == target.owner && to_kernel(parent, *outside, ids) == Some(own)
}

/// `setgroups`.
pub fn setgroups(view: &View) -> Result<Vec<u8>> {
    Ok(if namespace(view)?.setgroups_denied() { b"deny\n".to_vec() } else { b"allow\n".to_vec() })
}

/// A write to `setgroups`: `deny`, or `allow` where nothing was denied.
pub fn set_setgroups(view: &View, message: &[u8]) -> Result<()> {
    let target = namespace(view)?;
    if !task::current().cred().capable_in(&target, Cap::SysAdmin) {
        return Err(Errno::EPERM.into());
    }
    match trimmed(message)? {
        "deny" => target.deny_setgroups(),
        "allow" if !target.setgroups_denied() => Ok(()),
        "allow" => Err(Errno::EPERM.into()),
        _ => Err(Errno::EINVAL.into()),
    }
}
