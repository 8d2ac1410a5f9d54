//! The control files: one row each (Linux's cgroup-v2.rst).

use super::members;
use crate::cgroup::{Cgroup, Controllers, Notifier, UNLIMITED};
use crate::error::{Errno, Result};
use crate::fs::text::{number, trimmed};
use alloc::format;
use alloc::string::String;
use alloc::sync::Arc;

/// Makes a file's text.
type Show = fn(&Arc<Cgroup>) -> Result<String>;
/// Takes a message.
type Store = fn(&Arc<Cgroup>, &[u8]) -> Result<()>;

/// One control file.
pub struct Row {
    /// Its name.
    pub name: &'static str,
    /// Present in the root too.
    pub in_root: bool,
    /// The controller it belongs to; the core's files have none.
    pub controller: Option<Controllers>,
    /// The file stays writable from inside a cgroup namespace whose root the group is (`nsdelegate`).
    pub delegated: bool,
    /// Reads.
    pub show: Option<Show>,
    /// Writes.
    pub store: Option<Store>,
    /// What tells of changes.
    pub notifier: Option<fn(&Cgroup) -> &Notifier>,
}

const CORE: Row =
    Row { name: "", in_root: true, controller: None, delegated: false, show: None, store: None, notifier: None };
const PIDS: Row = Row { in_root: false, controller: Some(Controllers::PIDS), ..CORE };

/// Every control file there is.
pub static ROWS: &[Row] = &[
    Row { name: "cgroup.controllers", show: Some(|group| line(group.controllers().names())), ..CORE },
    Row {
        name: "cgroup.subtree_control",
        delegated: true,
        show: Some(|group| line(group.enabled().names())),
        store: Some(|group, message| group.write_subtree_control(trimmed(message)?)),
        ..CORE
    },
    Row { name: "cgroup.procs", delegated: true, show: Some(members::processes), store: Some(members::enter), ..CORE },
    Row { name: "cgroup.threads", delegated: true, show: Some(members::threads), ..CORE },
    Row { name: "cgroup.type", in_root: false, show: Some(|_| Ok("domain\n".into())), ..CORE },
    Row {
        name: "cgroup.events",
        in_root: false,
        show: Some(|group| Ok(format!("populated {}\nfrozen 0\n", u8::from(group.is_populated())))),
        notifier: Some(|group| &group.events),
        ..CORE
    },
    Row { name: "cgroup.kill", in_root: false, store: Some(members::kill), ..CORE },
    Row {
        name: "cgroup.stat",
        show: Some(|group| Ok(format!("nr_descendants {}\nnr_dying_descendants 0\n", group.descendants()))),
        ..CORE
    },
    Row {
        name: "cgroup.max.depth",
        show: Some(|group| limit(group.limits().0)),
        store: Some(|group, message| parse_count(message).map(|limit| group.set_max_depth(limit))),
        ..CORE
    },
    Row {
        name: "cgroup.max.descendants",
        show: Some(|group| limit(group.limits().1)),
        store: Some(|group, message| parse_count(message).map(|limit| group.set_max_descendants(limit))),
        ..CORE
    },
    Row {
        name: "pids.max",
        show: Some(|group| limit(group.pids.max())),
        store: Some(|group, message| parse_limit(message).map(|limit| group.pids.set_max(limit))),
        ..PIDS
    },
    Row { name: "pids.current", show: Some(|group| Ok(format!("{}\n", group.pids.current()))), ..PIDS },
    Row { name: "pids.peak", show: Some(|group| Ok(format!("{}\n", group.pids.peak()))), ..PIDS },
    Row {
        name: "pids.events",
        show: Some(|group| Ok(format!("max {}\n", group.pids.refused().0))),
        notifier: Some(|group| &group.pids.events),
        ..PIDS
    },
    Row {
        name: "pids.events.local",
        show: Some(|group| Ok(format!("max {}\n", group.pids.refused().1))),
        notifier: Some(|group| &group.pids.events),
        ..PIDS
    },
];

impl Row {
    /// Whether `group` has this file now.
    pub fn is_in(&self, group: &Cgroup) -> bool {
        (self.in_root || !group.is_root())
            && self.controller.is_none_or(|controller| group.controllers().contains(controller))
    }

    /// The mode it has unless chmod(2) changed it.
    pub fn mode(&self) -> u16 {
        (if self.show.is_some() { 0o444 } else { 0 }) | (if self.store.is_some() { 0o200 } else { 0 })
    }
}

fn line(text: String) -> Result<String> {
    Ok(text + "\n")
}

fn limit(value: u64) -> Result<String> {
    if value == UNLIMITED { Ok("max\n".into()) } else { Ok(format!("{value}\n")) }
}

/// `max`, or how deep or how many groups there can be: an `int` that is not negative, else `ERANGE`.
fn parse_count(message: &[u8]) -> Result<u64> {
    if trimmed(message)? == "max" {
        return Ok(UNLIMITED);
    }
    let count = u64::try_from(number::<i64>(message)?).ok().filter(|count| *count <= i32::MAX as u64);
    count.ok_or(Errno::ERANGE.into())
}

/// `max`, or a number of things there can be (below 2^31, as Linux).
fn parse_limit(message: &[u8]) -> Result<u64> {
    if trimmed(message)? == "max" {
        return Ok(UNLIMITED);
    }
    match number(message)? {
        value if value <= i32::MAX as u64 => Ok(value),
        _ => Err(Errno::EINVAL.into()),
    }
}
