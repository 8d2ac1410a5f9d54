//! [`Controllers`], the set of resource controllers, and `cgroup.subtree_control`: which of them a group hands down to
//! its children.

use super::{Cgroup, UNLIMITED, tree};
use crate::error::{Errno, Result};
use alloc::string::String;
use alloc::sync::Arc;

bitflags::bitflags! {
    /// A set of controllers. Each has a name in [`NAMES`] and a file in this folder.
    #[derive(Clone, Copy, PartialEq, Eq, Debug)]
    pub struct Controllers: u8 {
        /// The number of tasks.
        const PIDS = 1;
    }
}

/// Every controller with the name that control files use.
const NAMES: &[(&str, Controllers)] = &[("pids", Controllers::PIDS)];

impl Controllers {
    /// The names, separated by spaces, as `cgroup.controllers` shows them.
    pub fn names(self) -> String {
        let mut text = String::new();
        for (name, controller) in NAMES {
            if self.contains(*controller) {
                if !text.is_empty() {
                    text.push(' ');
                }
                text.push_str(name);
            }
        }
        text
    }
}

/// What a write to `cgroup.subtree_control` asks for, e.g. `+pids -memory`: the set to add and the set to take away; of
/// two words for one controller the last counts. `EINVAL` for any other text or name.
fn parse(text: &str) -> Result<(Controllers, Controllers)> {
    let (mut add, mut remove) = (Controllers::empty(), Controllers::empty());
    for word in text.split_ascii_whitespace() {
        let bad = Errno::EINVAL.during("parsing cgroup.subtree_control");
        let (sign, name) = word.split_at_checked(1).ok_or(bad)?;
        let (_, controller) = *NAMES.iter().find(|(known, _)| *known == name).ok_or(bad)?;
        match sign {
            "+" => {
                add.insert(controller);
                remove.remove(controller);
            }
            "-" => {
                remove.insert(controller);
                add.remove(controller);
            }
            _ => return Err(bad),
        }
    }
    Ok((add, remove))
}

impl Cgroup {
    /// A write to `cgroup.subtree_control` (cgroups(7)). `ENOENT`: a controller to enable is not available here;
    /// `EBUSY`: a child still hands down a controller to disable, or this group (not the root) has members itself (the
    /// "no internal processes" rule).
    pub fn write_subtree_control(self: &Arc<Cgroup>, text: &str) -> Result<()> {
        let (add, remove) = parse(text)?;
        let _tree = tree::lock();
        if self.is_dead() {
            return Err(Errno::ENODEV.into());
        }
        let enabled = self.enabled();
        let (add, remove) = (add - enabled, remove & enabled);
        if !self.controllers().contains(add) {
            return Err(Errno::ENOENT.during("enabling a cgroup controller that the parent does not hand down"));
        }
        let children = self.children();
        if children.iter().any(|child| child.enabled().intersects(remove)) {
            return Err(Errno::EBUSY.during("disabling a cgroup controller that a child hands down"));
        }
        if !add.is_empty() && !self.is_root() && self.members() > 0 {
            return Err(Errno::EBUSY.during("enabling controllers in a cgroup that has processes"));
        }
        self.state.lock().enabled = (enabled | add) - remove;
        if remove.contains(Controllers::PIDS) {
            children.iter().for_each(|child| child.pids.set_max(UNLIMITED));
        }
        Ok(())
    }
}
