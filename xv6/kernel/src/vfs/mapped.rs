//! An open file as the backing of a memory mapping: what `mm` asks of it.

use super::File;
use crate::error::Result;
use crate::mm::MapFile;
use alloc::vec::Vec;

impl MapFile for File {
    fn identity(&self) -> (u64, u64, Vec<u8>) {
        let (dev, ino) = self.inode.attr().map_or((0, 0), |attr| (attr.dev, attr.ino));
        let root =
            self.path.mount.namespace().map_or_else(|| self.path.mount.root_path(), |namespace| namespace.root_path());
        (dev, ino, self.path.text(&root))
    }

    fn sync(&self) -> Result<()> {
        self.ops.sync(self)
    }
}
