//! `mounts` and `mountinfo`: the mounts of the process's namespace that lie below its root (proc(5)).

use super::View;
use crate::error::{Errno, Result};
use crate::vfs::{Mount, MountFlags, Path, devnum};
use alloc::format;
use alloc::sync::Arc;
use alloc::vec::Vec;

/// Appends `text` with octal escapes for what would split a field.
fn escaped(text: &[u8], out: &mut Vec<u8>) {
    for byte in text {
        match byte {
            b' ' | b'\t' | b'\n' | b'\\' => out.extend_from_slice(format!("\\{byte:03o}").as_bytes()),
            _ => out.push(*byte),
        }
    }
}

fn flags(mount: &Mount, out: &mut Vec<u8>) {
    let flags = mount.flags();
    out.extend_from_slice(if mount.is_read_only() { b"ro" } else { b"rw" });
    for (flag, name) in [
        (MountFlags::NOSUID, ",nosuid"),
        (MountFlags::NODEV, ",nodev"),
        (MountFlags::NOEXEC, ",noexec"),
        (MountFlags::NOATIME, ",noatime"),
        (MountFlags::NODIRATIME, ",nodiratime"),
        (MountFlags::RELATIME, ",relatime"),
    ] {
        if flags.contains(flag) {
            out.extend_from_slice(name.as_bytes());
        }
    }
}

fn options(mount: &Mount, out: &mut Vec<u8>) {
    let options = mount.superblock.fs.options();
    if !options.is_empty() {
        out.push(b',');
        escaped(&options, out);
    }
}

/// The visible mounts, each with the place it shows at.
fn visible(view: &View) -> Result<Vec<(Arc<Mount>, Vec<u8>)>> {
    let thread = view.thread()?;
    let (ns, fs) = (thread.try_ns().ok_or(Errno::EINVAL)?, thread.try_fs().ok_or(Errno::EINVAL)?);
    let root = fs.root();
    let mut found = Vec::new();
    ns.mnt.for_each(|mount| {
        // Only what lies below the root; a root within a mount shows that mount as `/`.
        let place =
            if Arc::ptr_eq(mount, &root.mount) { Some(b"/".to_vec()) } else { mount.root_path().text_from(&root) };
        if let Some(place) = place {
            found.push((mount.clone(), place));
        }
    });
    Ok(found)
}

/// `mounts`: six fields a line, as fstab(5).
pub fn mounts(view: &View) -> Result<Vec<u8>> {
    let mut text = Vec::new();
    for (mount, place) in visible(view)? {
        escaped(if mount.source.is_empty() { b"none" } else { &mount.source }, &mut text);
        text.push(b' ');
        escaped(&place, &mut text);
        text.extend_from_slice(format!(" {} ", mount.superblock.fs.name()).as_bytes());
        flags(&mount, &mut text);
        options(&mount, &mut text);
        text.extend_from_slice(b" 0 0\n");
    }
    Ok(text)
}

/// `mountinfo`: with ids, device numbers, and the part of the file system that is shown.
pub fn mountinfo(view: &View) -> Result<Vec<u8>> {
    let mut text = Vec::new();
    for (mount, place) in visible(view)? {
        let fs = &mount.superblock.fs;
        let (major, minor) = (devnum::major(fs.dev()), devnum::minor(fs.dev()));
        text.extend_from_slice(format!("{} {} {major}:{minor} ", mount.id, mount.parent_id()).as_bytes());
        escaped(&shown_part(&mount), &mut text);
        text.push(b' ');
        escaped(&place, &mut text);
        text.push(b' ');
        flags(&mount, &mut text);
        text.extend_from_slice(format!(" - {} ", fs.name()).as_bytes());
        escaped(if mount.source.is_empty() { b"none" } else { &mount.source }, &mut text);
        text.extend_from_slice(if mount.superblock.is_read_only() { b" ro" } else { b" rw" });
        options(&mount, &mut text);
        text.push(b'\n');
    }
    Ok(text)
}

/// The path of a mount's root within its file system.
fn shown_part(mount: &Arc<Mount>) -> Vec<u8> {
    let mut names = Vec::new();
    let Path { mut dentry, .. } = mount.root_path();
    while let Some(parent) = dentry.parent() {
        names.push(dentry.name());
        dentry = parent;
    }
    if names.is_empty() {
        return b"/".to_vec();
    }
    names.iter().rev().flat_map(|name| [b"/", &**name].concat()).collect()
}
