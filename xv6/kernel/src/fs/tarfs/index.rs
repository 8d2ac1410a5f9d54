//! [`Index`]: the tree of a tar file, built in one pass over its headers when it is mounted.
//!
//! OCI's whiteouts become the overlay's on the way: `.wh.NAME` is a character device 0:0 called `NAME`, `.wh..wh..opq`
//! makes its directory opaque (image-spec, "layer.md"). A tar file is untrusted: sizes are checked against the file,
//! names against the VFS's rules, and the number and depth of nodes are limited, so that no archive can make the kernel
//! panic, loop or fill memory.

use super::header::{BLOCK, DAMAGED, Header, decimal, pax_records};
use crate::error::{Errno, Result};
use crate::fs::bytes::Bytes;
use crate::sync::breathe;
use crate::vfs::inode::{Kind, Time};
use alloc::boxed::Box;
use alloc::collections::BTreeMap;
use alloc::vec;
use alloc::vec::Vec;

/// Files and directories one archive may have.
pub const MAX_NODES: usize = 262_144;
/// Directories on the way to a file.
const MAX_DEPTH: usize = 128;
/// Bytes of a pax header, a long name, or a path.
const MAX_EXTENSION: u64 = 64 * 1024;

/// The next header is so far away that reading what lies between would cost more than a request for each: 64 KiB.
const FAR: u64 = 64 * 1024;

/// Extended attributes: names and values.
pub type Xattrs = Vec<(Box<[u8]>, Box<[u8]>)>;

/// One file, directory, symlink or device.
#[derive(Debug)]
pub struct Node {
    /// File type.
    pub kind: Kind,
    /// Permission bits.
    pub mode: u16,
    /// Owner.
    pub uid: u32,
    /// Group.
    pub gid: u32,
    /// Device number (major, minor).
    pub device: (u32, u32),
    /// Modification time.
    pub mtime: Time,
    /// Where the data lies in the archive.
    pub data: u64,
    /// Size in bytes.
    pub size: u64,
    /// Names.
    pub nlink: u32,
    /// A symlink's target.
    pub target: Box<[u8]>,
    /// A directory's entries.
    pub children: BTreeMap<Box<[u8]>, u32>,
    /// A directory that hides what lower layers have in its place.
    pub opaque: bool,
    /// Extended attributes.
    pub xattrs: Xattrs,
}

/// The tree; node 0 is the root.
#[derive(Debug)]
pub struct Index {
    /// All nodes; those that a later member replaced have no name any more.
    pub nodes: Vec<Node>,
}

/// What pax records and GNU's long names say about the next member, or about all (`g`).
#[derive(Clone, Default)]
struct Extension {
    path: Option<Vec<u8>>,
    link: Option<Vec<u8>>,
    size: Option<u64>,
    uid: Option<u32>,
    gid: Option<u32>,
    mtime: Option<Time>,
    xattrs: Xattrs,
}

impl Extension {
    fn read(&mut self, data: &[u8]) -> Result<()> {
        for (key, value) in pax_records(data)? {
            match key {
                b"path" => self.path = Some(value.to_vec()),
                b"linkpath" => self.link = Some(value.to_vec()),
                b"size" => self.size = Some(decimal(value)?),
                b"uid" => self.uid = Some(decimal(value)?.try_into().map_err(|_| DAMAGED)?),
                b"gid" => self.gid = Some(decimal(value)?.try_into().map_err(|_| DAMAGED)?),
                b"mtime" => self.mtime = Some(pax_time(value)?),
                _ if key.starts_with(b"GNU.sparse.") => {
                    return Err(Errno::EINVAL.during("mounting a tar file with sparse members"));
                }
                _ => {
                    if let Some(name) = key.strip_prefix(b"SCHILY.xattr.") {
                        self.xattrs.push((name.into(), value.into()));
                    }
                }
            }
        }
        Ok(())
    }
}

/// `SECONDS[.FRACTION]`.
fn pax_time(value: &[u8]) -> Result<Time> {
    let mut parts = value.splitn(2, |byte| *byte == b'.');
    let whole = parts.next().unwrap_or_default();
    let (negative, digits) = whole.strip_prefix(b"-").map_or((false, whole), |digits| (true, digits));
    let sec = i64::try_from(decimal(digits)?).map_err(|_| DAMAGED)?;
    let fraction = parts.next().unwrap_or_default().iter().copied().chain(core::iter::repeat(b'0')).take(9);
    let nsec = fraction.fold(0, |value, digit| value * 10 + u32::from(digit.wrapping_sub(b'0').min(9)));
    Ok(Time { sec: if negative { -sec } else { sec }, nsec: if negative { 0 } else { nsec } })
}

impl Node {
    fn directory() -> Node {
        Node {
            kind: Kind::Directory,
            mode: 0o755,
            uid: 0,
            gid: 0,
            device: (0, 0),
            mtime: Time::default(),
            data: 0,
            size: 0,
            nlink: 1,
            target: Box::default(),
            children: BTreeMap::new(),
            opaque: false,
            xattrs: Vec::new(),
        }
    }

    /// The overlay's whiteout: a character device 0:0.
    fn whiteout() -> Node {
        Node { kind: Kind::CharDevice, mode: 0, ..Node::directory() }
    }

    /// True for the overlay's whiteout.
    pub fn is_whiteout(&self) -> bool {
        self.kind == Kind::CharDevice && self.device == (0, 0)
    }
}

impl Index {
    /// Reads all headers of `tar`. `EINVAL` if it is no tar file or has sparse members, `EUCLEAN` if it is damaged or
    /// passes a limit.
    pub fn build(tar: &dyn Bytes) -> Result<Index> {
        let mut index = Index { nodes: vec![Node::directory()] };
        let (mut global, mut next) = (Extension::default(), Extension::default());
        let (mut offset, mut skipped) = (0, 0);
        while offset + BLOCK <= tar.size() {
            let mut block = [0; BLOCK as usize];
            // Past a large member nothing but the header is wanted.
            if skipped < FAR { tar.read_at(offset, &mut block) } else { tar.peek_at(offset, &mut block) }?;
            let parsed = Header::parse(&block);
            if offset == 0 && parsed.is_err() {
                return Err(Errno::EINVAL.during("mounting: not a tar file"));
            }
            let Some(header) = parsed? else { break };
            let data = offset + BLOCK;
            let is_extension = matches!(header.kind, b'x' | b'g' | b'L' | b'K');
            let size = match next.size.or(global.size) {
                _ if header.is_bare() => 0,
                Some(size) if !is_extension => size,
                _ => header.size,
            };
            let end = size.checked_next_multiple_of(BLOCK).and_then(|size| data.checked_add(size)).ok_or(DAMAGED)?;
            if data + size > tar.size() {
                return Err(DAMAGED);
            }
            if is_extension {
                if size > MAX_EXTENSION {
                    return Err(DAMAGED);
                }
                let mut bytes = vec![0; size as usize];
                tar.read_at(data, &mut bytes)?;
                match header.kind {
                    b'x' => next.read(&bytes)?,
                    b'g' => global.read(&bytes)?,
                    b'L' => next.path = Some(until_nul(&bytes)),
                    _ => next.link = Some(until_nul(&bytes)),
                }
            } else {
                index.add(header, &global, core::mem::take(&mut next), data, size)?;
                if index.nodes.len().is_multiple_of(256) {
                    breathe();
                }
            }
            (offset, skipped) = (end, size);
        }
        Ok(index)
    }

    /// Adds one member.
    fn add(&mut self, header: Header, global: &Extension, own: Extension, data: u64, size: u64) -> Result<()> {
        let path = own.path.or_else(|| global.path.clone()).unwrap_or(header.name);
        let link = own.link.unwrap_or(header.link);
        let kind = match header.kind {
            b'2' => Kind::Symlink,
            b'3' => Kind::CharDevice,
            b'4' => Kind::BlockDevice,
            b'5' => Kind::Directory,
            b'6' => Kind::Fifo,
            b'S' => return Err(Errno::EINVAL.during("mounting a tar file with sparse members")),
            b'V' => return Ok(()),
            _ if path.ends_with(b"/") => Kind::Directory,
            _ => Kind::File,
        };
        let parts = components(&path)?;
        if kind == Kind::Symlink && (link.is_empty() || link.len() > 4095 || link.contains(&0)) {
            return Err(DAMAGED);
        }
        let node = Node {
            kind,
            mode: header.mode,
            uid: own.uid.or(global.uid).unwrap_or(header.uid),
            gid: own.gid.or(global.gid).unwrap_or(header.gid),
            device: header.device,
            mtime: own.mtime.or(global.mtime).unwrap_or(Time { sec: header.mtime, nsec: 0 }),
            data,
            size: if kind == Kind::Symlink { link.len() as u64 } else { size },
            target: if kind == Kind::Symlink { link.as_slice().into() } else { Box::default() },
            xattrs: own.xattrs,
            ..Node::directory()
        };
        let Some((name, parents)) = parts.split_last() else {
            // The root itself, `./`: only its attributes matter.
            let root = &mut self.nodes[0];
            let children = core::mem::take(&mut root.children);
            *root = Node { kind: Kind::Directory, size: 0, children, opaque: root.opaque, ..node };
            return Ok(());
        };
        let parent = self.directory(parents)?;
        if *name == b".wh..wh..opq" {
            self.nodes[parent].opaque = true;
            return Ok(());
        }
        if name.starts_with(b".wh..wh.") {
            return Ok(()); // aufs's own bookkeeping
        }
        if let Some(hidden) = name.strip_prefix(b".wh.") {
            if hidden.is_empty() {
                return Err(DAMAGED);
            }
            return self.hide(parent, hidden);
        }
        if header.kind == b'1' {
            let target = self.find(&components(&link)?).ok_or(DAMAGED)?;
            return self.link(parent, name, target);
        }
        self.insert(parent, name, node)
    }

    /// A whiteout: hides `name` in lower layers. Beside an entry of this layer only a directory can still be affected.
    fn hide(&mut self, parent: usize, name: &[u8]) -> Result<()> {
        match self.nodes[parent].children.get(name).copied() {
            None => self.insert(parent, name, Node::whiteout()),
            Some(present) => {
                self.nodes[present as usize].opaque = true;
                Ok(())
            }
        }
    }

    fn link(&mut self, parent: usize, name: &[u8], target: usize) -> Result<()> {
        if self.nodes[target].kind == Kind::Directory {
            return Err(DAMAGED);
        }
        self.nodes[target].nlink = self.nodes[target].nlink.checked_add(1).ok_or(DAMAGED)?;
        if let Some(old) = self.nodes[parent].children.insert(name.into(), target as u32) {
            let old = &mut self.nodes[old as usize];
            old.nlink = old.nlink.saturating_sub(1);
        }
        Ok(())
    }

    /// A new entry; of two members with one name the later counts, but a directory keeps its entries.
    fn insert(&mut self, parent: usize, name: &[u8], mut node: Node) -> Result<()> {
        let old = self.nodes[parent].children.get(name).map(|old| *old as usize);
        if let Some(old) = old {
            let old = &mut self.nodes[old];
            if old.kind == Kind::Directory && node.kind == Kind::Directory {
                node.children = core::mem::take(&mut old.children);
                node.opaque = old.opaque;
                *old = node;
                return Ok(());
            }
            node.opaque = node.kind == Kind::Directory && (old.is_whiteout() || old.opaque);
            old.nlink = old.nlink.saturating_sub(1);
        }
        let index = self.push(node)?;
        self.nodes[parent].children.insert(name.into(), index as u32);
        Ok(())
    }

    fn push(&mut self, node: Node) -> Result<usize> {
        if self.nodes.len() >= MAX_NODES {
            return Err(Errno::EUCLEAN.during("mounting a tar file with too many members"));
        }
        self.nodes.try_reserve(1).map_err(|_| Errno::ENOMEM)?;
        self.nodes.push(node);
        Ok(self.nodes.len() - 1)
    }

    fn find(&self, path: &[&[u8]]) -> Option<usize> {
        path.iter().try_fold(0, |node, name| self.nodes[node].children.get(*name).map(|child| *child as usize))
    }

    /// The directory at `path`; what is missing on the way is made.
    fn directory(&mut self, path: &[&[u8]]) -> Result<usize> {
        let mut node = 0;
        for name in path {
            let child = self.nodes[node].children.get(*name).map(|child| *child as usize);
            node = match child {
                Some(child) if self.nodes[child].kind == Kind::Directory => child,
                Some(child) if !self.nodes[child].is_whiteout() => return Err(DAMAGED),
                _ => {
                    self.insert(node, name, Node::directory())?;
                    self.nodes.len() - 1
                }
            };
        }
        Ok(node)
    }
}

fn until_nul(bytes: &[u8]) -> Vec<u8> {
    bytes.split(|byte| *byte == 0).next().unwrap_or_default().to_vec()
}

/// A path's names, without `.` and empty ones. `EUCLEAN` for `..`, names the VFS cannot hold, and paths too deep.
fn components(path: &[u8]) -> Result<Vec<&[u8]>> {
    let parts: Vec<&[u8]> = path.split(|byte| *byte == b'/').filter(|part| !part.is_empty() && *part != b".").collect();
    let bad = |part: &&[u8]| *part == b".." || part.len() > 255 || part.contains(&0);
    if path.len() as u64 > MAX_EXTENSION || parts.len() > MAX_DEPTH || parts.iter().any(bad) {
        return Err(DAMAGED);
    }
    Ok(parts)
}
