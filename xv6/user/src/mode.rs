//! File modes: `drwxr-xr-x` for listings, and what chmod(1) and `mkdir -m` accept (`755`, `u+x,go-w`, `a=rX`).

/// Bits of `st_mode`, inode(7).
pub const TYPE_MASK: u32 = 0o170_000;
/// A directory.
pub const DIRECTORY: u32 = 0o040_000;
/// A symbolic link.
pub const SYMLINK: u32 = 0o120_000;
/// A character device.
pub const CHARACTER: u32 = 0o020_000;
/// A block device.
pub const BLOCK: u32 = 0o060_000;
/// A FIFO.
pub const FIFO: u32 = 0o010_000;
/// A socket.
pub const SOCKET: u32 = 0o140_000;

/// The ten characters of `ls -l`.
pub fn listing(mode: u32) -> String {
    let kind = match mode & TYPE_MASK {
        DIRECTORY => 'd',
        SYMLINK => 'l',
        CHARACTER => 'c',
        BLOCK => 'b',
        FIFO => 'p',
        SOCKET => 's',
        _ => '-',
    };
    let mut text = String::from(kind);
    for (shift, special, letter) in [(6, 0o4000, 's'), (3, 0o2000, 's'), (0, 0o1000, 't')] {
        let bits = mode >> shift;
        text.push(if bits & 4 != 0 { 'r' } else { '-' });
        text.push(if bits & 2 != 0 { 'w' } else { '-' });
        text.push(match (bits & 1 != 0, mode & special != 0) {
            (true, true) => letter,
            (false, true) => letter.to_ascii_uppercase(),
            (true, false) => 'x',
            (false, false) => '-',
        });
    }
    text
}

/// What `text` makes of `mode`: an octal number replaces it, a symbolic mode changes it; `umask` limits a clause without `ugoa`.
pub fn parse(text: &str, mode: u32, umask: u32) -> Option<u32> {
    if text.starts_with(|c: char| c.is_ascii_digit()) {
        return u32::from_str_radix(text, 8).ok().filter(|bits| *bits <= 0o7777);
    }
    let mut result = mode & 0o7777;
    for clause in text.split(',') {
        result = symbolic(clause, result, mode & TYPE_MASK == DIRECTORY, umask)?;
    }
    Some(result)
}

/// One clause: `[ugoa...][+-=][rwxXst|ugo]...`, the operator part may repeat.
fn symbolic(clause: &str, mut mode: u32, directory: bool, umask: u32) -> Option<u32> {
    let at = clause.find(['+', '-', '='])?;
    let mut who = 0;
    for letter in clause[..at].chars() {
        who |= match letter {
            'u' => 0o4700,
            'g' => 0o2070,
            'o' => 0o1007,
            'a' => 0o7777,
            _ => return None,
        };
    }
    let limit = if who == 0 { !umask } else { !0 };
    let who = if who == 0 { 0o7777 } else { who };
    let mut rest = &clause[at..];
    while let Some(operator) = rest.chars().next() {
        let tail = &rest[1..];
        let end = tail.find(['+', '-', '=']).unwrap_or(tail.len());
        let mut bits = 0;
        for letter in tail[..end].chars() {
            bits |= match letter {
                'r' => 0o444,
                'w' => 0o222,
                'x' => 0o111,
                'X' if directory || mode & 0o111 != 0 => 0o111,
                'X' => 0,
                's' => 0o6000,
                't' => 0o1000,
                'u' => (mode >> 6 & 7) * 0o111,
                'g' => (mode >> 3 & 7) * 0o111,
                'o' => (mode & 7) * 0o111,
                _ => return None,
            };
        }
        let bits = bits & who & limit;
        mode = match operator {
            '+' => mode | bits,
            '-' => mode & !bits,
            _ => mode & !(who & 0o777) | bits,
        };
        rest = &tail[end..];
    }
    Some(mode)
}

#[cfg(test)]
mod tests {
    use super::{DIRECTORY, listing, parse};

    #[test]
    fn listings_show_the_special_bits() {
        assert_eq!(listing(DIRECTORY | 0o1777), "drwxrwxrwt");
        assert_eq!(listing(0o104_755), "-rwsr-xr-x");
        assert_eq!(listing(0o100_644), "-rw-r--r--");
    }

    #[test]
    fn symbolic_modes_change_what_they_name() {
        assert_eq!(parse("755", 0, 0), Some(0o755));
        assert_eq!(parse("u+x,go-r", 0o644, 0o022), Some(0o700));
        assert_eq!(parse("+w", 0o444, 0o022), Some(0o644));
        assert_eq!(parse("a=rX", DIRECTORY | 0o700, 0), Some(0o555));
        assert_eq!(parse("g=u", 0o740, 0), Some(0o770));
        assert_eq!(parse("z+x", 0o644, 0), None);
    }
}
