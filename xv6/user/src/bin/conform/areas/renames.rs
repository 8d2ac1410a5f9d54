//! Renaming: rename(2), renameat2(2).

use libc::O_RDONLY;

use crate::areas::names::readlink;
use crate::runner::{Area, plain};
use crate::sys::{Answer, CWD, chmod, content, file, fstat, link, mkdir, must, open, rename, stat, symlink, sys, text};

pub const AREA: Area = Area {
    name: "names",
    checks: &[
        plain("rename_file", |t| {
            file(c"a", "A");
            file(c"b", "B");
            t.put(rename(c"a", c"b"));
            t.put([content(c"a"), content(c"b")]);
            t.put(rename(c"b", c"c"));
            t.put([content(c"b"), content(c"c")]);
        }),
        plain("rename_same_file", |t| {
            file(c"a", "A");
            must(link(c"a", c"b"));
            t.put([rename(c"a", c"b"), rename(c"a", c"a")]);
            t.put([content(c"a"), content(c"b")]);
            t.put(stat(c"a").map(|s| s.st_nlink as u32));
        }),
        plain("rename_kinds", |t| {
            file(c"f", "");
            must(mkdir(c"d"));
            must(mkdir(c"e"));
            file(c"e/x", "");
            must(mkdir(c"g"));
            t.put([rename(c"f", c"d"), rename(c"d", c"f"), rename(c"d", c"e"), rename(c"e", c"d"), rename(c"g", c"g")]);
            t.put([content(c"d/x"), content(c"e/x")]);
        }),
        plain("rename_into_itself", |t| {
            must(mkdir(c"d"));
            must(mkdir(c"d/e"));
            t.put([
                rename(c"d", c"d/x"),
                rename(c"d", c"d/e/x"),
                rename(c"d", c"d/e"),
                rename(c"d/e", c"d"),
                rename(c"d/e/", c"d"),
            ]);
        }),
        plain("rename_dots", |t| {
            must(mkdir(c"d"));
            file(c"f", "");
            t.put([
                rename(c".", c"x"),
                rename(c"d/.", c"x"),
                rename(c"d/..", c"x"),
                rename(c"d", c"."),
                rename(c"d", c".."),
            ]);
            t.put([rename(c"f", c"d/."), rename(c"d", c"d/..")]);
        }),
        plain("rename_refused", |t| {
            file(c"f", "");
            must(mkdir(c"d"));
            t.put([
                rename(c"n", c"x"),
                rename(c"f", c"n/x"),
                rename(c"n/x", c"y"),
                rename(c"", c"x"),
                rename(c"f", c""),
            ]);
            t.put([rename(c"f/x", c"y"), rename(c"f", c"f/x"), rename(c"f", &text(&"n".repeat(256)))]);
            t.is("other_file_system", rename(c"f", c"/proc/x"));
        }),
        plain("rename_trailing_slash", |t| {
            file(c"f", "");
            must(mkdir(c"d"));
            t.put([
                rename(c"f/", c"x"),
                rename(c"f", c"x/"),
                rename(c"n/", c"x"),
                rename(c"d/", c"e/"),
                rename(c"e", c"g/"),
            ]);
            t.put(stat(c"g").map(drop));
        }),
        plain("rename_of_links", |t| {
            file(c"f", "text");
            must(symlink(c"f", c"l"));
            must(symlink(c"nowhere", c"m"));
            t.put(rename(c"l", c"m"));
            t.put(readlink("m"));
            t.put(rename(c"f", c"m"));
            t.put(content(c"m"));
        }),
        plain("rename_unwritable", |t| {
            must(mkdir(c"d"));
            file(c"d/f", "");
            must(mkdir(c"e"));
            must(chmod(c"d", 0o500));
            t.put([rename(c"d/f", c"e/f"), rename(c"d/n", c"e/n"), rename(c"d/f", c"d/g")]);
            t.is("directory", rename(c"d", c"e/d"));
            must(chmod(c"e", 0o500));
            must(mkdir(c"h"));
            t.is("into", rename(c"h", c"e/h"));
        }),
        plain("rename_moves_dotdot", |t| {
            must(mkdir(c"a"));
            must(mkdir(c"b"));
            must(mkdir(c"a/d"));
            file(c"b/f", "in b");
            must(rename(c"a/d", c"b/d"));
            t.put(content(c"b/d/../f"));
            t.put([stat(c"a").map(|s| s.st_nlink as u32), stat(c"b").map(|s| s.st_nlink as u32)]);
        }),
        plain("rename_open_target", |t| {
            file(c"a", "A");
            file(c"b", "B");
            let fd = must(open(c"b", O_RDONLY));
            must(rename(c"a", c"b"));
            t.put(crate::sys::read(fd, 1));
            t.put(fstat(fd).map(|s| s.st_nlink as u32));
        }),
        plain("noreplace", |t| {
            file(c"a", "A");
            file(c"b", "B");
            t.put([rename2(c"a", c"b", 1), rename2(c"a", c"c", 1), rename2(c"b", c"b", 1), rename2(c"n", c"x", 1)]);
            must(mkdir(c"d"));
            t.put([rename2(c"c", c"d", 1), rename2(c"d", c"d/x", 1)]);
        }),
        plain("exchange", |t| {
            file(c"a", "A");
            file(c"b", "B");
            must(mkdir(c"d"));
            file(c"d/f", "F");
            t.put(rename2(c"a", c"b", 2));
            t.put([content(c"a"), content(c"b")]);
            t.put(rename2(c"a", c"d", 2));
            t.put([content(c"d"), content(c"a/f")]);
            t.put([rename2(c"b", c"n", 2), rename2(c"n", c"b", 2), rename2(c"a", c"a/f", 2), rename2(c"a/f", c"a", 2)]);
            t.is("slash", rename2(c"b/", c"a", 2));
        }),
        plain("rename_flags", |t| {
            file(c"a", "A");
            t.put([rename2(c"a", c"b", 3), rename2(c"a", c"b", 8), rename2(c"a", c"b", 6), rename2(c"n", c"b", 8)]);
        }),
    ],
};

fn rename2(old: &std::ffi::CStr, new: &std::ffi::CStr, flags: u32) -> Answer {
    sys!(SYS_renameat2, CWD, old, CWD, new, flags)
}
