//! Directories and file systems as a whole: getdents64(2), seeking in them, extended attributes, statfs(2).

use libc::{O_DIRECTORY, O_PATH, O_RDONLY, O_RDWR, SEEK_CUR, SEEK_SET};

use crate::child::part;
use crate::runner::{Area, plain, root};
use crate::sys::{Answer, Errno, Fd, chmod, file, lseek, mkdir, must, open, pipe, shown, symlink, sys, text, unlink};

pub const AREA: Area = Area {
    name: "folders",
    checks: &[
        plain("getdents", |t| {
            file(c"f", "");
            must(mkdir(c"d"));
            must(symlink(c"x", c"l"));
            must(sys!(SYS_mknod, c"p", libc::S_IFIFO | 0o666, 0));
            let fd = must(open(c".", O_RDONLY));
            t.put(list(fd));
            t.is("end", sys!(SYS_getdents64, fd, &mut [0u64; 64], 512));
        }),
        plain("getdents_refused", |t| {
            let fd = must(open(c".", O_RDONLY));
            t.put([
                sys!(SYS_getdents64, fd, &mut [0u64; 1], 8),
                sys!(SYS_getdents64, fd, 8, 512),
                sys!(SYS_getdents64, 77, &mut [0u64; 64], 512),
            ]);
            file(c"f", "");
            t.put([
                sys!(SYS_getdents64, must(open(c"f", O_RDONLY)), &mut [0u64; 64], 512),
                sys!(SYS_getdents64, must(pipe(0)).0, &mut [0u64; 64], 512),
            ]);
            t.put(sys!(SYS_getdents64, fd, &mut [0u64; 64], 0));
        }),
        plain("getdents_of_a_removed_directory", |t| {
            must(mkdir(c"d"));
            let fd = must(open(c"d", O_RDONLY));
            must(crate::sys::rmdir(c"d"));
            t.put(sys!(SYS_getdents64, fd, &mut [0u64; 64], 512));
        }),
        plain("getdents_in_small_steps", |t| {
            for i in 0..50 {
                file(&text(&format!("file{i}")), "");
            }
            let fd = must(open(c".", O_RDONLY));
            let mut names = Vec::new();
            loop {
                let more = must(some(fd, 64));
                if more.is_empty() {
                    break;
                }
                names.extend(more);
            }
            names.sort();
            names.dedup();
            t.put(names.len());
        }),
        plain("rewind", |t| {
            file(c"f", "");
            let fd = must(open(c".", O_RDONLY));
            let before = list(fd).map(|names| names.len());
            file(c"g", "");
            t.put(lseek(fd, 0, SEEK_SET));
            t.put(list(fd).map(|names| names.len()).ok() == before.ok().map(|count| count + 1));
            t.put([lseek(fd, -1, SEEK_SET), lseek(fd, 0, 9)].map(|answer| answer.map(drop)));
        }),
        plain("seek_back_to_a_place", |t| {
            for i in 0..20 {
                file(&text(&format!("file{i}")), "");
            }
            let fd = must(open(c".", O_RDONLY));
            let _ = must(some(fd, 200));
            let place = must(lseek(fd, 0, SEEK_CUR));
            let rest = must(list(fd));
            must(lseek(fd, place as i64, SEEK_SET));
            t.put(rest == must(list(fd)));
        }),
        plain("remove_while_reading", |t| {
            for i in 0..100 {
                file(&text(&format!("file{i}")), "");
            }
            let fd = must(open(c".", O_RDONLY));
            loop {
                let names = must(some(fd, 256));
                if names.is_empty() {
                    break;
                }
                for name in names.iter().filter(|name| name.starts_with('f')) {
                    must(unlink(&text(name.split('/').next().unwrap_or_default())));
                }
            }
            must(lseek(fd, 0, SEEK_SET));
            t.put(list(fd));
        }),
        plain("entries_of_hard_links", |t| {
            file(c"a", "");
            must(crate::sys::link(c"a", c"b"));
            t.put(list(must(open(c".", O_RDONLY))));
        }),
        plain("xattr_user", |t| {
            file(c"f", "");
            supported(t);
            t.put([set(c"f", c"user.a", "one", 0), set(c"f", c"user.b", "", 0)]);
            t.put([get(c"f", c"user.a"), get(c"f", c"user.b"), get(c"f", c"user.c")]);
            t.put([
                set(c"f", c"user.a", "x", libc::XATTR_CREATE),
                set(c"f", c"user.n", "x", libc::XATTR_REPLACE),
                set(c"f", c"user.a", "two", libc::XATTR_REPLACE),
                set(c"f", c"user.a", "x", 7),
            ]);
            t.put(get(c"f", c"user.a"));
            t.put(names(c"f"));
            t.put([sys!(SYS_removexattr, c"f", c"user.a"), sys!(SYS_removexattr, c"f", c"user.a")]);
            t.put(names(c"f"));
        }),
        plain("xattr_sizes", |t| {
            file(c"f", "");
            supported(t);
            must(set(c"f", c"user.a", "12345", 0));
            t.put([
                sys!(SYS_getxattr, c"f", c"user.a", 0, 0),
                sys!(SYS_getxattr, c"f", c"user.a", &mut [0u8; 4], 4),
                sys!(SYS_getxattr, c"f", c"user.a", 8, 5),
            ]);
            t.put([sys!(SYS_listxattr, c"f", 0, 0), sys!(SYS_listxattr, c"f", &mut [0u8; 2], 2)]);
            t.put([
                set(c"f", &text(&format!("user.{}", "n".repeat(250))), "x", 0),
                set(c"f", &text(&format!("user.{}", "n".repeat(251))), "x", 0),
            ]);
            t.put(sys!(SYS_setxattr, c"f", c"user.a", 8, 65537, 0));
        }),
        plain("xattr_refused", |t| {
            file(c"f", "");
            supported(t);
            t.put([
                set(c"f", c"user.", "x", 0),
                set(c"f", c"", "x", 0),
                set(c"f", c"nothing", "x", 0),
                set(c"f", c"other.a", "x", 0),
                set(c"n", c"user.a", "x", 0),
            ]);
            t.put([set(c"f", c"trusted.a", "x", 0), get(c"f", c"trusted.a").map(|_| 0), set(c"/", c"user.a", "x", 0)]);
            must(sys!(SYS_mknod, c"p", libc::S_IFIFO | 0o666, 0));
            must(symlink(c"f", c"l"));
            t.put([
                set(c"p", c"user.a", "x", 0),
                sys!(SYS_lsetxattr, c"l", c"user.a", c"x", 1, 0),
                set(c"l", c"user.a", "x", 0),
            ]);
            must(chmod(c"f", 0o400));
            t.put([set(c"f", c"user.a", "x", 0), get(c"f", c"user.a").map(|text| text.len())]);
            must(chmod(c"f", 0o200));
            t.put(get(c"f", c"user.a"));
        }),
        plain("xattr_by_descriptor", |t| {
            file(c"f", "");
            supported(t);
            let fd = must(open(c"f", O_RDONLY));
            t.put(sys!(SYS_fsetxattr, fd, c"user.a", c"x", 1, 0));
            t.put(get(c"f", c"user.a"));
            t.put([
                sys!(SYS_fgetxattr, fd, c"user.a", 0, 0),
                sys!(SYS_flistxattr, fd, 0, 0),
                sys!(SYS_fremovexattr, fd, c"user.a"),
                sys!(SYS_fgetxattr, 77, c"user.a", 0, 0),
            ]);
        }),
        root("xattr_in_sticky_directory", |t| {
            must(mkdir(c"d"));
            must(chmod(c"d", 0o1777));
            supported_in(t, c"d");
            part(t, |t| {
                must(sys!(SYS_setresuid, 1000, 1000, 1000));
                t.put(set(c"d", c"user.a", "x", 0));
            });
        }),
        plain("statfs", |t| {
            let mut facts = [0u64; 15];
            t.put(sys!(SYS_statfs, c".", &mut facts));
            t.put([facts[1] > 0, facts[3] <= facts[2], facts[8] == 255]);
            t.put([
                sys!(SYS_statfs, c"n", &mut facts),
                sys!(SYS_statfs, c".", 8),
                sys!(SYS_fstatfs, 77, &mut facts),
                sys!(SYS_fstatfs, must(open(c".", O_PATH)), &mut facts),
            ]);
            must(sys!(SYS_statfs, c"/proc", &mut facts));
            t.put(crate::line::Hex(facts[0]));
            must(sys!(SYS_fstatfs, must(pipe(0)).0, &mut facts));
            t.put(crate::line::Hex(facts[0]));
        }),
        plain("long_names_and_many", |t| {
            for i in 0..30 {
                file(&text(&format!("{i:02}{}", "n".repeat(250))), "");
            }
            t.put(list(must(open(c".", O_RDONLY | O_DIRECTORY))).map(|names| names.len()));
        }),
        plain("deep_path", |t| {
            let mut depth = 0;
            while depth < 300 && mkdir(c"d").is_ok() {
                must(crate::sys::chdir(c"d"));
                depth += 1;
            }
            t.put(depth);
            t.put(sys!(SYS_getcwd, &mut [0u8; 4096], 4096).map(|length| length > 600));
            let up = text(&"../".repeat(300));
            t.put(open(&text(&format!("{}d", up.to_string_lossy())), O_RDONLY));
        }),
        plain("bytes_in_names", |t| {
            let name = std::ffi::CString::new(vec![0xff, b' ', 1, b'\\']).unwrap_or_default();
            let fd: Answer<Fd> = open(&name, libc::O_CREAT | O_RDWR);
            t.put(fd);
            t.put(sys!(SYS_unlink, &name));
        }),
    ],
};

/// The next entries that fit: name and kind.
fn some(fd: Fd, size: usize) -> Answer<Vec<String>> {
    let mut bytes = vec![0u8; size];
    let length = sys!(SYS_getdents64, fd, bytes.as_mut_slice(), size)?;
    let mut names = Vec::new();
    let mut at = 0;
    while at < length {
        let record = u16::from_ne_bytes([bytes[at + 16], bytes[at + 17]]) as usize;
        let name = bytes[at + 19..at + record].split(|byte| *byte == 0).next().unwrap_or_default();
        names.push(format!("{}/{}", String::from_utf8_lossy(name), bytes[at + 18]));
        at += record;
    }
    Ok(names)
}

/// All entries from here on, sorted.
fn list(fd: Fd) -> Answer<Vec<String>> {
    let mut names = Vec::new();
    loop {
        let more = some(fd, 32768)?;
        if more.is_empty() {
            names.sort();
            return Ok(names);
        }
        names.extend(more);
    }
}

/// Skips the check where the file system has no attributes of users: tmpfs before Linux 6.6.
fn supported(line: &mut crate::line::Line) {
    supported_in(line, c"f");
}

fn supported_in(line: &mut crate::line::Line, path: &std::ffi::CStr) {
    if set(path, c"user.try", "x", 0) == Err(Errno(libc::EOPNOTSUPP)) {
        line.skip("no user attributes on this file system");
    }
    must(sys!(SYS_removexattr, path, c"user.try"));
}

fn set(path: &std::ffi::CStr, name: &std::ffi::CStr, value: &str, flags: i32) -> Answer {
    sys!(SYS_setxattr, path, name, value, value.len(), flags)
}

fn get(path: &std::ffi::CStr, name: &std::ffi::CStr) -> Answer<String> {
    let mut bytes = [0u8; 64];
    sys!(SYS_getxattr, path, name, &mut bytes, 64).map(|length| shown(&bytes[..length]))
}

/// The attributes of users that there are.
fn names(path: &std::ffi::CStr) -> Answer<Vec<String>> {
    let mut bytes = [0u8; 1024];
    let length = sys!(SYS_listxattr, path, &mut bytes, 1024)?;
    let all = bytes[..length].split(|byte| *byte == 0).map(|name| String::from_utf8_lossy(name).into_owned());
    let mut names: Vec<String> = all.filter(|name| name.starts_with("user.")).collect();
    names.sort();
    Ok(names)
}
