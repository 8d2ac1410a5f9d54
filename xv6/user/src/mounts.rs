//! The mount table of `/proc/self/mounts`, for `mount`, `df` and `umount -a`. Format: fstab(5), spaces as octal escapes.

use std::fs;
use std::io;

/// One mounted file system.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mount {
    /// The device, or a word such as `proc`.
    pub source: String,
    /// Where it is mounted.
    pub target: String,
    /// The file system's type.
    pub kind: String,
    /// Comma-separated options.
    pub options: String,
}

/// The caller's mount table, oldest first.
pub fn all() -> io::Result<Vec<Mount>> {
    Ok(fs::read_to_string("/proc/self/mounts")?.lines().filter_map(parse).collect())
}

fn parse(line: &str) -> Option<Mount> {
    let mut fields = line.split(' ').map(unescape);
    Some(Mount { source: fields.next()?, target: fields.next()?, kind: fields.next()?, options: fields.next()? })
}

/// Undoes the kernel's `\040` for space, tab, newline and backslash.
fn unescape(field: &str) -> String {
    let bytes = field.as_bytes();
    let mut plain = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        let octal =
            bytes.get(at + 1..at + 4).and_then(|digits| u8::from_str_radix(str::from_utf8(digits).ok()?, 8).ok());
        match (bytes[at], octal) {
            (b'\\', Some(byte)) => {
                plain.push(byte);
                at += 4;
            }
            (byte, _) => {
                plain.push(byte);
                at += 1;
            }
        }
    }
    String::from_utf8_lossy(&plain).into_owned()
}

#[cfg(test)]
mod tests {
    #[test]
    fn escapes_are_undone() {
        let mount = super::parse(r"none /a\040b tmpfs rw,relatime 0 0").expect("a whole line");
        assert_eq!((mount.target.as_str(), mount.options.as_str()), ("/a b", "rw,relatime"));
    }
}
