//! Device numbers: major and minor packed as Linux's 64-bit `dev_t` (makedev(3)), which is also what stat(2) reports.

/// Packs a device number.
pub const fn make(major: u32, minor: u32) -> u64 {
    let (major, minor) = (major as u64, minor as u64);
    (major & 0xfff) << 8 | (major & 0xffff_f000) << 32 | minor & 0xff | (minor & 0xffff_ff00) << 12
}

/// The major number.
pub const fn major(dev: u64) -> u32 {
    ((dev >> 8) & 0xfff | (dev >> 32) & 0xffff_f000) as u32
}

/// The minor number.
pub const fn minor(dev: u64) -> u32 {
    (dev & 0xff | (dev >> 12) & 0xffff_ff00) as u32
}

#[cfg(test)]
mod tests {
    use super::{major, make, minor};

    #[test]
    fn packs_and_unpacks() {
        for (a, b) in [(0, 1), (1, 3), (254, 0), (4095, 255), (0x12345, 0x6789a)] {
            let dev = make(a, b);
            assert_eq!((major(dev), minor(dev)), (a, b));
        }
        assert_eq!(make(5, 1), 0x501);
    }
}
