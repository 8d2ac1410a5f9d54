//! A group's path as a cgroup namespace shows it (cgroup_namespaces(7)).

use super::Cgroup;
use alloc::sync::Arc;
use alloc::vec::Vec;

/// True if `group` is `top` or below it.
pub fn is_within(group: &Cgroup, top: &Cgroup) -> bool {
    group.ancestry().any(|each| each.id == top.id)
}

/// The path of `group` seen from a namespace whose root is `top`: `/a/b`, `/` for `top` itself, and `/../x` where it
/// lies outside, as `/proc/PID/cgroup` shows it. A removed group's path ends in ` (deleted)`.
pub fn path_from(top: &Arc<Cgroup>, group: &Arc<Cgroup>) -> Vec<u8> {
    let mut path = Vec::new();
    let shared = top.ancestry().find(|each| is_within(group, each));
    for _ in top.ancestry().take_while(|each| Some(each.id) != shared.map(|shared| shared.id)) {
        path.extend_from_slice(b"/..");
    }
    let below: Vec<&Cgroup> =
        group.ancestry().take_while(|each| Some(each.id) != shared.map(|shared| shared.id)).collect();
    for each in below.iter().rev() {
        path.push(b'/');
        path.extend_from_slice(&each.name);
    }
    if path.is_empty() {
        path.push(b'/');
    }
    if group.is_dead() {
        path.extend_from_slice(b" (deleted)");
    }
    path
}
