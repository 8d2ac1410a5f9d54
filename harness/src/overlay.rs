//! overlay: where the writes go that a disk forgets: an empty qcow2 image over the disk's file, in a file that has no name.
//!
//! QEMU's `snapshot=on` makes such a file itself, but waits for the host's disk four times before the machine starts. [`create`] writes one
//! for `process`, which passes its descriptor to QEMU; it is gone when QEMU is. The format is QEMU's `docs/interop/qcow2.txt`, version 2.

use std::fs::File;
use std::io::{self, Write};
use std::os::fd::AsRawFd;
use std::path::Path;

const CLUSTER_BITS: u32 = 16;
const CLUSTER: u64 = 1 << CLUSTER_BITS;
/// What the entries of a first-level table stand for, each: a cluster of second-level entries of 8 bytes.
const SPAN: u64 = CLUSTER / 8 * CLUSTER;
/// The header, the reference counts' table and block, the first-level table.
const CLUSTERS: u64 = 4;

/// An overlay for a disk image of `size` bytes: open for reading and writing, and for reading alone, for QEMU asks for both.
///
/// # Errors
/// The file's creation; `InvalidInput` for a disk of more than 4 TiB.
pub fn create(size: u64) -> io::Result<[File; 2]> {
    let image = image(size).ok_or(io::ErrorKind::InvalidInput)?;
    // Where QEMU puts its own: guests may write more than a `/tmp` in memory can hold.
    let (named, usual) = (std::env::var_os("TMPDIR"), Path::new("/var/tmp"));
    let mut file = match named {
        None if usual.is_dir() => tempfile::tempfile_in(usual)?,
        _ => tempfile::tempfile()?,
    };
    file.write_all(&image)?;
    let read_only = File::open(format!("/proc/self/fd/{}", file.as_raw_fd()))?;
    Ok([file, read_only])
}

/// An image without any data of its own.
fn image(size: u64) -> Option<Vec<u8>> {
    let entries = u32::try_from(size.div_ceil(SPAN)).ok().filter(|&entries| u64::from(entries) <= CLUSTER / 8)?;
    let mut header = Vec::new();
    header.extend(b"QFI\xfb");
    header.extend(2_u32.to_be_bytes());
    // The backing file's name is not in here but among QEMU's options.
    header.extend([0; 12]);
    header.extend(CLUSTER_BITS.to_be_bytes());
    header.extend(size.to_be_bytes());
    // Not encrypted.
    header.extend([0; 4]);
    header.extend(entries.to_be_bytes());
    header.extend((3 * CLUSTER).to_be_bytes());
    header.extend(CLUSTER.to_be_bytes());
    header.extend(1_u32.to_be_bytes());
    let mut image = vec![0; (CLUSTERS * CLUSTER) as usize];
    let mut put = |at: u64, bytes: &[u8]| image[at as usize..][..bytes.len()].copy_from_slice(bytes);
    put(0, &header);
    put(CLUSTER, &(2 * CLUSTER).to_be_bytes());
    for cluster in 0..CLUSTERS {
        put(2 * CLUSTER + 2 * cluster, &1_u16.to_be_bytes());
    }
    Some(image)
}

#[cfg(test)]
mod tests {
    use super::{CLUSTER, image};

    #[test]
    fn a_first_level_table_covers_the_disk() {
        let entries = |size| image(size).map(|image| u32::from_be_bytes(image[36..40].try_into().expect("four bytes")));
        assert_eq!(entries(512), Some(1));
        assert_eq!(entries(1 << 30), Some(2));
        assert_eq!(entries(4 << 40), Some(8192));
        assert_eq!(entries((4 << 40) + 512), None);
        assert_eq!(image(512).map(|image| image.len() as u64), Some(4 * CLUSTER));
    }
}
