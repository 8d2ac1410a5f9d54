//! Making an empty volume.

use crate::BLOCK_SIZE;
use crate::cache::new_block;
use crate::disk::Disk;
use crate::error::Result;
use crate::fs::{Access, Fs};
use crate::inode::Inode;
use crate::layout::{BITS, STATE_BLOCK, State, Super};
use crate::types::{FormatOptions, Kind, ROOT_INO};

impl<D: Disk> Fs<D> {
    /// Makes an empty file system on `disk`: a root directory with mode 0755, owned by 0:0. The super block is written
    /// last, so a volume that was cut short does not mount.
    ///
    /// Fails with [`crate::Error::NoSpace`] on a disk too small to be of use.
    pub fn format(disk: &mut D, options: &FormatOptions) -> Result<()> {
        let sb = Super::plan(disk.blocks(), options)?;
        let mut block = new_block()?;
        disk.write(0, &block[..])?;
        disk.write(u64::from(sb.log_start), &block[..])?;
        for map in 0..sb.bmap_len {
            // In use: what lies before the data area.
            fill_bits(&mut block[..], sb.data_start.saturating_sub(map * BITS));
            disk.write(u64::from(sb.bmap_start + map), &block[..])?;
        }
        for map in 0..sb.imap_len {
            // In use: number 0, which is none, and the root.
            fill_bits(&mut block[..], if map == 0 { ROOT_INO + 1 } else { 0 });
            disk.write(u64::from(sb.imap_start + map), &block[..])?;
        }
        block.fill(0);
        // The inode table needs no zeros: the bitmap tells which inodes count.
        let mut fs = Fs::with(&mut *disk, sb, new_block()?, 0);
        fs.access = Access::Write;
        fs.state = State {
            free_blocks: sb.blocks - sb.data_start,
            free_inodes: sb.inodes - 2,
            orphan_head: 0,
            generation: 1,
            sequence: 0,
        };
        let mut root = Inode::blank(ROOT_INO, Kind::Dir, 1, options.now);
        root.mode = 0o755;
        root.nlink = 2;
        root.parent = ROOT_INO;
        fs.state.encode(fs.cache.get_new(STATE_BLOCK)?);
        fs.put_inode(&root)?;
        fs.commit()?;
        fs.clear_log()?;
        sb.encode(block.as_mut());
        disk.write(0, &block[..])?;
        disk.flush()
    }
}

/// Sets the first `bits` bits and clears the others.
fn fill_bits(block: &mut [u8], bits: u32) {
    let bits = (bits as usize).min(BLOCK_SIZE * 8);
    block.fill(0);
    block[..bits / 8].fill(0xff);
    if !bits.is_multiple_of(8) {
        block[bits / 8] = (1 << (bits % 8)) - 1;
    }
}
