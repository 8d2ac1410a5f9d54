//! Small extended attributes: all of an inode's lie packed in one block.
//!
//! ```text
//! block: 0 magic  4 inode  8 bytes used (u16)  16 attributes: name's length (u8), value's length (u16), name, value
//! ```

use alloc::vec::Vec;

use crate::BLOCK_SIZE;
use crate::bytes::{get_u16, get_u32, put, put_u16, put_u32};
use crate::disk::Disk;
use crate::error::{Error, Result};
use crate::fs::Fs;
use crate::inode::Inode;
use crate::types::Ino;

const MAGIC: u32 = 0x7274_7478;
const HEADER: usize = 16;
const MAX_NAME: usize = 255;

/// Takes the first attribute off: its name, its value, what follows.
fn first(bytes: &[u8]) -> Option<(&[u8], &[u8], &[u8])> {
    let header = bytes.first_chunk::<3>()?;
    let (name, value) = (usize::from(header[0]), usize::from(get_u16(header, 1)));
    let (name, rest) = bytes[3..].split_at_checked(name)?;
    let (value, rest) = rest.split_at_checked(value)?;
    Some((name, value, rest))
}

/// Walks the attributes; one that does not fit ends it.
fn all(mut bytes: &[u8]) -> impl Iterator<Item = (&[u8], &[u8])> {
    core::iter::from_fn(move || {
        let (name, value, rest) = first(bytes)?;
        bytes = rest;
        Some((name, value))
    })
}

impl<D: Disk> Fs<D> {
    /// An inode's packed attributes.
    fn attributes(&mut self, inode: &Inode) -> Result<&[u8]> {
        if inode.xattr == 0 {
            return Ok(&[]);
        }
        if !self.sb.in_data(inode.xattr, 1) {
            return Err(Error::Corrupt);
        }
        let b = self.cache.get(&mut self.disk, inode.xattr)?;
        let used = usize::from(get_u16(b, 8));
        if get_u32(b, 0) != MAGIC || get_u32(b, 4) != inode.ino || !(HEADER..=BLOCK_SIZE).contains(&used) {
            return Err(Error::Corrupt);
        }
        Ok(&b[HEADER..used])
    }

    /// Whether the block of attributes is sound, for the check.
    pub(crate) fn attributes_sound(&mut self, inode: &Inode) -> Result<bool> {
        let bytes = self.attributes(inode)?;
        Ok(all(bytes).map(|(n, v)| 3 + n.len() + v.len()).sum::<usize>() == bytes.len())
    }

    /// An extended attribute's value; [`Error::NoAttr`] if there is none.
    pub fn get_xattr(&mut self, ino: Ino, name: &[u8]) -> Result<Vec<u8>> {
        let inode = self.inode(ino)?;
        let bytes = self.attributes(&inode)?;
        all(bytes).find(|&(n, _)| n == name).map(|(_, value)| value.to_vec()).ok_or(Error::NoAttr)
    }

    /// Shows the names of the extended attributes.
    pub fn list_xattr(&mut self, ino: Ino, each: &mut dyn FnMut(&[u8])) -> Result<()> {
        let inode = self.inode(ino)?;
        all(self.attributes(&inode)?).for_each(|(name, _)| each(name));
        Ok(())
    }

    /// Sets (`Some`) or removes (`None`) an extended attribute. [`Error::NoAttr`] if the one to be removed is not
    /// there, [`Error::NoSpace`] if the inode's block or the disk is full. Touches no times.
    pub fn set_xattr(&mut self, ino: Ino, name: &[u8], value: Option<&[u8]>) -> Result<()> {
        if name.is_empty() || name.len() > MAX_NAME {
            return Err(Error::Invalid);
        }
        self.op(|fs| {
            let inode = fs.inode(ino)?;
            let old = fs.attributes(&inode)?;
            let mut packed = Vec::with_capacity(old.len());
            let mut add = |name: &[u8], value: &[u8]| {
                packed.push(name.len() as u8);
                packed.extend_from_slice(&(value.len() as u16).to_le_bytes());
                packed.extend_from_slice(name);
                packed.extend_from_slice(value);
            };
            let mut had = false;
            for (n, v) in all(old) {
                if n == name {
                    had = true;
                } else {
                    add(n, v);
                }
            }
            match value {
                Some(value) if value.len() > BLOCK_SIZE => return Err(Error::NoSpace),
                Some(value) => add(name, value),
                None if had => {}
                None => return Err(Error::NoAttr),
            }
            fs.store_attributes(ino, &packed)
        })
    }

    fn store_attributes(&mut self, ino: Ino, packed: &[u8]) -> Result<()> {
        if packed.len() > BLOCK_SIZE - HEADER {
            return Err(Error::NoSpace);
        }
        let mut inode = self.inode(ino)?;
        if packed.is_empty() {
            if inode.xattr == 0 {
                return Ok(());
            }
            self.free_run(inode.xattr, 1, true)?;
            inode.xattr = 0;
            inode.blocks = inode.blocks.checked_sub(1).ok_or(Error::Corrupt)?;
            return self.put_inode(&inode);
        }
        if inode.xattr == 0 {
            self.need(1)?;
            inode = self.inode(ino)?;
            inode.xattr = self.alloc_block()?;
            inode.blocks = inode.blocks.checked_add(1).ok_or(Error::Corrupt)?;
            self.put_inode(&inode)?;
        }
        let b = self.cache.get_new(inode.xattr)?;
        put_u32(b, 0, MAGIC);
        put_u32(b, 4, ino);
        put_u16(b, 8, (HEADER + packed.len()) as u16);
        put(b, HEADER, packed);
        Ok(())
    }
}
