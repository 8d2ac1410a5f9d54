//! Where batches have their folders, on the disk, and their cgroups, with limits. Key type: [`Place`].

use std::fs;
use std::path::{Path, PathBuf};

use user::{About, Failure};

use super::batch::{Batch, Rights};

/// Where batches have their folders and cgroups.
pub struct Place {
    folders: PathBuf,
    cgroups: Option<PathBuf>,
}

impl Place {
    /// A folder on the disk rather than in memory; cgroups too if the lives could reach those of others.
    pub fn new(rights: &[Rights]) -> Result<Self, Failure> {
        let name = format!("fuzz.{}", std::process::id());
        let folders = Path::new("/var/tmp").join(&name);
        fs::create_dir_all(&folders).about(&folders)?;
        if !rights.contains(&Rights::Root) {
            return Ok(Self { folders, cgroups: None });
        }
        let root = Path::new("/sys/fs/cgroup");
        let group = root.join(&name);
        let controllers = fs::read_to_string(root.join("cgroup.controllers")).about(root)?;
        let enabled: Vec<String> = controllers.split_whitespace().map(|name| format!("+{name}")).collect();
        fs::create_dir(&group).about(&group)?;
        for above in [root, &group] {
            fs::write(above.join("cgroup.subtree_control"), enabled.join(" ")).about(above)?;
        }
        Ok(Self { folders, cgroups: Some(group) })
    }

    /// A batch's folder and its cgroup.
    pub fn names(&self, number: u64) -> (PathBuf, Option<PathBuf>) {
        let name = number.to_string();
        (self.folders.join(&name), self.cgroups.as_ref().map(|groups| groups.join(&name)))
    }

    /// Makes them afresh.
    pub fn make(&self, batch: &Batch<'_>) -> Result<(), Failure> {
        fs::create_dir(&batch.folder).about(&batch.folder)?;
        let Some(group) = &batch.cgroup else { return Ok(()) };
        fs::create_dir(group).about(group)?;
        for (file, limit) in [("memory.max", "48M"), ("pids.max", "100")] {
            // A controller that the kernel has not got limits nothing.
            if group.join(file).exists() {
                fs::write(group.join(file), limit).about(group.join(file))?;
            }
        }
        Ok(())
    }

    /// Removes what a batch has left.
    pub fn clear(&self, batch: &Batch<'_>) {
        if let Some(group) = &batch.cgroup {
            // What cannot be removed now is told at the end.
            let _ = remove_groups(group);
        }
        let _ = fs::remove_dir_all(&batch.folder);
    }

    /// Removes everything: nothing is in use any more.
    pub fn remove(&self) -> Result<(), Failure> {
        if let Some(groups) = &self.cgroups {
            remove_groups(groups).about(groups)?;
        }
        fs::remove_dir_all(&self.folders).about(&self.folders)
    }
}

/// Removes a cgroup and those below it, which have no processes any more.
fn remove_groups(group: &Path) -> std::io::Result<()> {
    for entry in fs::read_dir(group)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            remove_groups(&entry.path())?;
        }
    }
    fs::remove_dir(group)
}
