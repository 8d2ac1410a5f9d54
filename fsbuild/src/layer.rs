//! layer: OCI layer tars.
//!
//! [`pack`] writes a [`Tree`] as a tar whose bytes depend on the tree alone: sorted, time 0. [`apply`] lays a layer tar
//! over a tree, whiteouts included (OCI image specification, "Filesystem Layer"), to see what an image looks like inside.

use crate::error::{Context, Error, Result};
use crate::tree::{Entry, Node, Tree, join, normalize};
use std::io::Read;
use tar::{Builder, EntryType, Header};

/// The tar of `tree`.
///
/// # Errors
/// An entry that tar cannot hold.
pub fn pack(tree: &Tree) -> Result<Vec<u8>> {
    let mut tar = Builder::new(Vec::new());
    for (path, entry) in tree.entries() {
        append(&mut tar, path, entry).about(format_args!("/{path}"))?;
    }
    tar.into_inner().about("layer")
}

fn append(tar: &mut Builder<Vec<u8>>, path: &str, entry: &Entry) -> std::io::Result<()> {
    let mut header = Header::new_ustar();
    header.set_mode(entry.mode.into());
    header.set_uid(entry.uid.into());
    header.set_gid(entry.gid.into());
    header.set_mtime(0);
    header.set_size(0);
    let empty = std::io::empty();
    match &entry.node {
        Node::Dir => {
            header.set_entry_type(EntryType::Directory);
            tar.append_data(&mut header, format!("{path}/"), empty)
        }
        Node::File(bytes) => {
            header.set_entry_type(EntryType::Regular);
            header.set_size(bytes.len() as u64);
            tar.append_data(&mut header, path, &bytes[..])
        }
        Node::Symlink(target) => {
            header.set_entry_type(EntryType::Symlink);
            tar.append_link(&mut header, path, target)
        }
        Node::CharDevice(major, minor) | Node::BlockDevice(major, minor) => {
            let block = matches!(entry.node, Node::BlockDevice(..));
            header.set_entry_type(if block { EntryType::Block } else { EntryType::Char });
            header.set_device_major(*major)?;
            header.set_device_minor(*minor)?;
            tar.append_data(&mut header, path, empty)
        }
        Node::Fifo => {
            header.set_entry_type(EntryType::Fifo);
            tar.append_data(&mut header, path, empty)
        }
    }
}

/// Lays the layer `tar` over `tree`.
///
/// # Errors
/// A damaged tar, an unknown entry type, a name that is not UTF-8.
pub fn apply(tree: &mut Tree, tar: &[u8]) -> Result<()> {
    let mut archive = tar::Archive::new(tar);
    for entry in archive.entries().about("layer")? {
        let mut entry = entry.about("layer")?;
        let path = entry.path().about("layer")?.to_str().map(normalize);
        let path = path.ok_or_else(|| Error::new("layer", "a name is not UTF-8"))?;
        let (dir, name) = path.rsplit_once('/').unwrap_or(("", &path));
        if name == ".wh..wh..opq" {
            tree.clear(dir);
            continue;
        }
        if let Some(hidden) = name.strip_prefix(".wh.") {
            tree.remove(&join(dir, hidden));
            continue;
        }
        if let Some(new) = read_entry(tree, &path, &mut entry)? {
            tree.put(&path, new)?;
        }
    }
    Ok(())
}

fn read_entry(tree: &Tree, path: &str, entry: &mut tar::Entry<'_, &[u8]>) -> Result<Option<Entry>> {
    let here = format!("/{path}");
    let link = |entry: &tar::Entry<'_, &[u8]>| -> Result<String> {
        let target = entry.link_name().about(&here)?.ok_or_else(|| Error::new(&here, "a link without target"))?;
        target.to_str().map(String::from).ok_or_else(|| Error::new(&here, "link target is not UTF-8"))
    };
    let device = |entry: &tar::Entry<'_, &[u8]>| -> Result<(u32, u32)> {
        let (major, minor) = (entry.header().device_major(), entry.header().device_minor());
        Ok((major.about(&here)?.unwrap_or(0), minor.about(&here)?.unwrap_or(0)))
    };
    let node = match entry.header().entry_type() {
        EntryType::Directory => Node::Dir,
        EntryType::Regular | EntryType::Continuous | EntryType::GNUSparse => {
            let mut bytes = Vec::new();
            entry.read_to_end(&mut bytes).about(&here)?;
            Node::File(bytes.into())
        }
        EntryType::Symlink => Node::Symlink(link(entry)?),
        EntryType::Link => {
            let target = normalize(&link(entry)?);
            let linked =
                tree.get(&target).ok_or_else(|| Error::new(&here, format_args!("hard link to missing /{target}")))?;
            return Ok(Some(linked.clone()));
        }
        EntryType::Char => device(entry).map(|(major, minor)| Node::CharDevice(major, minor))?,
        EntryType::Block => device(entry).map(|(major, minor)| Node::BlockDevice(major, minor))?,
        EntryType::Fifo => Node::Fifo,
        EntryType::XGlobalHeader => return Ok(None),
        other => return Err(Error::new(&here, format_args!("unknown tar entry type {other:?}"))),
    };
    let header = entry.header();
    let mode = (header.mode().about(&here)? & 0o7777) as u16;
    let uid = u32::try_from(header.uid().about(&here)?).about(&here)?;
    let gid = u32::try_from(header.gid().about(&here)?).about(&here)?;
    Ok(Some(Entry { node, mode, uid, gid }))
}

#[cfg(test)]
mod tests {
    use super::{apply, pack};
    use crate::tree::{Entry, Node, Tree};

    fn sample() -> Tree {
        let mut tree = Tree::default();
        tree.put("bin/sh", Entry::file(*b"#!", 0o755)).expect("put");
        tree.put(&format!("deep/{}/file", "x".repeat(150)), Entry::file(vec![7; 1000], 0o600)).expect("put");
        tree.put("link", Entry { node: Node::Symlink("bin/sh".into()), mode: 0o777, uid: 0, gid: 0 }).expect("put");
        tree.put("null", Entry { node: Node::CharDevice(1, 3), mode: 0o666, uid: 0, gid: 5 }).expect("put");
        tree
    }

    #[test]
    fn a_tree_survives_its_tar() {
        let tar = pack(&sample()).expect("packed");
        assert_eq!(tar, pack(&sample()).expect("packed"), "the same bytes each time");
        let mut back = Tree::default();
        apply(&mut back, &tar).expect("applied");
        assert_eq!(back, sample());
    }

    #[test]
    fn whiteouts_hide_and_opaque_directories_replace() {
        let mut upper = Tree::default();
        upper.put(".wh.link", Entry::file(*b"", 0o600)).expect("put");
        upper.put("bin/.wh..wh..opq", Entry::file(*b"", 0o600)).expect("put");
        upper.put("bin/new", Entry::file(*b"n", 0o755)).expect("put");
        let mut tree = sample();
        apply(&mut tree, &pack(&upper).expect("packed")).expect("applied");
        assert!(tree.get("link").is_none() && tree.get("bin/sh").is_none() && tree.get("bin/new").is_some());
    }
}
