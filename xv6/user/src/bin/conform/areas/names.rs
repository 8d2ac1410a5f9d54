//! Names: mkdir(2), rmdir(2), link(2), symlink(2), unlink(2), rename(2), renameat2(2), mknod(2), readlink(2), getcwd(2), chdir(2).

use libc::{AT_EMPTY_PATH, AT_REMOVEDIR, AT_SYMLINK_FOLLOW, O_CREAT, O_DIRECTORY, O_PATH, O_RDONLY, O_RDWR};

use crate::runner::{Area, plain, root};
use crate::sys::{
    Answer, CWD, Fd, chdir, chmod, content, file, fstat, link, lstat, mkdir, mode, must, open, openat, rmdir, same,
    shown, stat, symlink, sys, text, unlink,
};

pub const AREA: Area = Area {
    name: "names",
    checks: &[
        plain("mkdir", |t| {
            t.put(mkdir(c"d"));
            t.put(mode(c"d"));
            t.put(sys!(SYS_mkdir, c"e", 0o7777));
            t.put(mode(c"e"));
            t.put(mkdir(c"s/"));
            t.put(mkdir(c"d/"));
        }),
        plain("mkdir_refused", |t| {
            file(c"f", "");
            must(symlink(c"nowhere", c"l"));
            t.put([mkdir(c"f"), mkdir(c"f/"), mkdir(c"f/d"), mkdir(c"n/d"), mkdir(c"l"), mkdir(c"l/"), mkdir(c"")]);
            t.put([mkdir(c"."), mkdir(c".."), mkdir(c"/"), mkdir(c"n/."), mkdir(&text(&"n".repeat(256)))]);
        }),
        plain("rmdir", |t| {
            must(mkdir(c"d"));
            t.put(rmdir(c"d"));
            t.put(rmdir(c"d"));
            must(mkdir(c"e"));
            t.put(rmdir(c"e/"));
        }),
        plain("rmdir_refused", |t| {
            must(mkdir(c"d"));
            file(c"d/f", "");
            must(symlink(c"d", c"l"));
            t.put([rmdir(c"d"), rmdir(c"d/f"), rmdir(c"l"), rmdir(c"l/"), rmdir(c""), rmdir(c"n")]);
            t.put([rmdir(c"."), rmdir(c".."), rmdir(c"d/."), rmdir(c"d/.."), rmdir(c"/")]);
        }),
        plain("rmdir_of_the_working_directory", |t| {
            must(mkdir(c"d"));
            must(chdir(c"d"));
            t.put(rmdir(c"../d"));
            t.put(stat(c".").map(|s| s.st_nlink as u32));
            t.put(stat(c"..").map(drop));
            t.put(chdir(c".."));
        }),
        plain("directory_links", |t| {
            must(mkdir(c"d"));
            t.put(stat(c"d").map(|s| s.st_nlink as u32));
            must(mkdir(c"d/e"));
            t.put(stat(c"d").map(|s| s.st_nlink as u32));
            must(rmdir(c"d/e"));
            t.put(stat(c"d").map(|s| s.st_nlink as u32));
        }),
        plain("unlink_refused", |t| {
            must(mkdir(c"d"));
            file(c"f", "");
            t.put([unlink(c"d"), unlink(c"d/"), unlink(c"n"), unlink(c"n/"), unlink(c"f/"), unlink(c""), unlink(c".")]);
            t.put([unlink(c".."), unlink(c"f/x"), unlink(c"/")]);
            must(chmod(c".", 0o500));
            t.is("unwritable", [unlink(c"f"), unlink(c"n")]);
            must(chmod(c".", 0o700));
        }),
        plain("unlinkat", |t| {
            must(mkdir(c"d"));
            file(c"f", "");
            t.put(sys!(SYS_unlinkat, CWD, c"d", 0));
            t.put(sys!(SYS_unlinkat, CWD, c"f", AT_REMOVEDIR));
            t.put(sys!(SYS_unlinkat, CWD, c"d", AT_REMOVEDIR));
            t.put(sys!(SYS_unlinkat, CWD, c"f", 0x1000));
            t.put(sys!(SYS_unlinkat, 77, c"f", 0));
            t.put(sys!(SYS_unlinkat, CWD, c"f", 0));
        }),
        plain("unlink_removes_the_link", |t| {
            file(c"f", "text");
            must(symlink(c"f", c"l"));
            t.put(unlink(c"l"));
            t.put(content(c"f"));
        }),
        plain("symlink", |t| {
            t.put(symlink(c"target", c"l"));
            t.put(readlink("l"));
            t.put(lstat(c"l").map(|s| s.st_size));
            t.put(lstat(c"l").map(|s| s.st_mode == libc::S_IFLNK | 0o777));
            t.put([
                symlink(c"x", c"l"),
                symlink(c"", c"e"),
                symlink(c"x", c""),
                symlink(c"x", c"n/l"),
                symlink(c"x", c"s/"),
            ]);
            t.is("long", symlink(&text(&"x".repeat(4095)), c"long"));
            t.is("longer", symlink(&text(&"x".repeat(4096)), c"longer"));
        }),
        plain("readlink", |t| {
            must(symlink(c"target", c"l"));
            file(c"f", "");
            let mut bytes = [b'-'; 8];
            t.put(sys!(SYS_readlink, c"l", &mut bytes, 3));
            t.put(shown(&bytes));
            t.put([sys!(SYS_readlink, c"l", &mut bytes, 0), sys!(SYS_readlink, c"l", &mut bytes, -1)]);
            t.put([sys!(SYS_readlink, c"f", &mut bytes, 8), sys!(SYS_readlink, c"n", &mut bytes, 8)]);
            t.put([sys!(SYS_readlink, c"", &mut bytes, 8), sys!(SYS_readlink, c"l", 8, 8)]);
            t.put([sys!(SYS_readlink, c".", &mut bytes, 8), sys!(SYS_readlink, c"l/", &mut bytes, 8)]);
        }),
        plain("symlink_resolution", |t| {
            must(mkdir(c"a"));
            must(mkdir(c"a/b"));
            file(c"a/f", "af");
            must(symlink(c"../f", c"a/b/up"));
            must(symlink(c"a/b", c"ab"));
            t.put(content(c"ab/up"));
            t.is("dotdot", content(c"ab/../f"));
            must(symlink(c"ab/", c"slash"));
            t.is("slash", lstat(c"slash/").map(|s| s.st_mode & libc::S_IFMT == libc::S_IFDIR));
        }),
        plain("link", |t| {
            file(c"f", "text");
            t.put(link(c"f", c"g"));
            t.put(same(c"f", c"g"));
            t.put(stat(c"f").map(|s| s.st_nlink as u32));
            must(unlink(c"f"));
            t.put(stat(c"g").map(|s| s.st_nlink as u32));
            t.put(content(c"g"));
        }),
        plain("link_refused", |t| {
            file(c"f", "");
            file(c"g", "");
            must(mkdir(c"d"));
            must(symlink(c"nowhere", c"l"));
            t.put([
                link(c"d", c"x"),
                link(c"f", c"g"),
                link(c"n", c"x"),
                link(c"f", c"n/x"),
                link(c"f", c"l"),
                link(c"f", c"x/"),
            ]);
            t.put([
                link(c"", c"x"),
                link(c"f", c""),
                link(c"f/", c"x"),
                link(c"f", c"."),
                link(c"d", c"f"),
                link(c"f", c"d/"),
            ]);
            t.is("other_file_system", link(c"f", c"/proc/x"));
        }),
        plain("link_of_a_link", |t| {
            file(c"f", "text");
            must(symlink(c"f", c"l"));
            t.put(link(c"l", c"m"));
            t.put(readlink("m"));
            t.is("follow", sys!(SYS_linkat, CWD, c"l", CWD, c"h", AT_SYMLINK_FOLLOW));
            t.put(same(c"f", c"h"));
            t.is("flag", sys!(SYS_linkat, CWD, c"l", CWD, c"i", 0x1));
        }),
        plain("link_empty_path", |t| {
            file(c"f", "text");
            let fd = must(open(c"f", O_PATH));
            t.put(sys!(SYS_linkat, fd, c"", CWD, c"g", 0));
            t.is(
                "proc",
                sys!(SYS_linkat, CWD, &text(&format!("/proc/self/fd/{}", fd.0)), CWD, c"h", AT_SYMLINK_FOLLOW),
            );
            t.put(content(c"h"));
        }),
        root("link_empty_path_root", |t| {
            file(c"f", "text");
            let fd = must(open(c"f", O_RDONLY));
            must(unlink(c"f"));
            t.is("unlinked", sys!(SYS_linkat, fd, c"", CWD, c"g", AT_EMPTY_PATH));
        }),
        plain("mknod", |t| {
            t.put(sys!(SYS_mknod, c"f", libc::S_IFREG | 0o666, 0));
            t.put(sys!(SYS_mknod, c"g", 0o600, 0));
            t.put(sys!(SYS_mknod, c"p", libc::S_IFIFO | 0o666, 0));
            t.put(sys!(SYS_mknod, c"s", libc::S_IFSOCK | 0o666, 0));
            t.put([kind(c"f"), kind(c"g"), kind(c"p"), kind(c"s")]);
            t.put(mode(c"p"));
        }),
        plain("mknod_refused", |t| {
            file(c"f", "");
            t.put(sys!(SYS_mknod, c"f", libc::S_IFREG | 0o666, 0));
            t.put(sys!(SYS_mknod, c"d", libc::S_IFDIR | 0o777, 0));
            t.put(sys!(SYS_mknod, c"l", libc::S_IFLNK | 0o777, 0));
            t.put(sys!(SYS_mknod, c"x", 0o30_0666, 0));
            t.is("device", sys!(SYS_mknod, c"c", libc::S_IFCHR | 0o666, libc::makedev(1, 3)));
            t.is("block", sys!(SYS_mknod, c"b", libc::S_IFBLK | 0o666, libc::makedev(1, 3)));
            t.is("existing_device", sys!(SYS_mknod, c"f", libc::S_IFCHR | 0o666, libc::makedev(1, 3)));
            t.is("whiteout", sys!(SYS_mknod, c"w", libc::S_IFCHR, 0));
            t.is("slash", sys!(SYS_mknod, c"y/", libc::S_IFREG | 0o666, 0));
        }),
        root("mknod_device", |t| {
            t.put(sys!(SYS_mknod, c"c", libc::S_IFCHR | 0o666, libc::makedev(1, 5)));
            t.put(stat(c"c").map(|s| (libc::major(s.st_rdev), libc::minor(s.st_rdev))));
            t.put(kind(c"c"));
        }),
        plain("getcwd", |t| {
            must(mkdir(c"d"));
            let mut bytes = [0u8; 4096];
            let here = must(sys!(SYS_getcwd, &mut bytes, 4096));
            must(chdir(c"d"));
            t.put(sys!(SYS_getcwd, &mut bytes, 4096).map(|n| n - here));
            t.put(shown(&bytes[here - 1..here + 1]));
            t.put([sys!(SYS_getcwd, &mut bytes, 3), sys!(SYS_getcwd, &mut bytes, 0), sys!(SYS_getcwd, 8, 4096)]);
            must(chdir(c"/"));
            t.is("root", sys!(SYS_getcwd, &mut bytes, 2));
        }),
        plain("chdir", |t| {
            file(c"f", "");
            must(mkdir(c"d"));
            must(mkdir(c"e"));
            must(chmod(c"e", 0o600));
            t.put([chdir(c"f"), chdir(c"n"), chdir(c""), chdir(c"e"), chdir(c"d/"), chdir(c"..")]);
            t.put(sys!(SYS_fchdir, must(open(c"f", O_RDONLY))));
            t.put(sys!(SYS_fchdir, must(open(c"d", O_RDONLY | O_DIRECTORY))));
            t.put(sys!(SYS_fchdir, 77));
        }),
        plain("fchdir_into_unsearchable", |t| {
            must(mkdir(c"d"));
            let fd = must(open(c"d", O_RDONLY));
            must(chmod(c"d", 0o600));
            t.put(sys!(SYS_fchdir, fd));
            t.is("at", openat(fd, c"x", O_CREAT | O_RDWR));
        }),
        plain("chroot_unprivileged", |t| {
            t.put(sys!(SYS_chroot, c"."));
            t.put(sys!(SYS_chroot, c"n"));
            file(c"f", "");
            t.put(sys!(SYS_chroot, c"f"));
        }),
        root("chroot", |t| {
            must(mkdir(c"d"));
            file(c"d/f", "in");
            file(c"f", "out");
            t.put(sys!(SYS_chroot, c"d"));
            t.put([content(c"/f"), content(c"f"), content(c"/../f")]);
            must(chdir(c"/"));
            t.put([content(c"../f"), content(c"f")]);
            let mut bytes = [0u8; 64];
            t.put(sys!(SYS_getcwd, &mut bytes, 64).map(|n| shown(&bytes[..n - 1])));
        }),
        root("getcwd_outside_the_root", |t| {
            must(mkdir(c"d"));
            t.put(sys!(SYS_chroot, c"d"));
            let mut bytes = [0u8; 4096];
            t.put(sys!(SYS_getcwd, &mut bytes, 4096).map(|_| shown(&bytes[..13])));
        }),
        plain("dot_and_dotdot_of_root", |t| t.put(same(c"/", c"/.."))),
        plain("o_tmpfile", |t| match sys!(SYS_open, c".", libc::O_TMPFILE | O_RDWR, 0o600) {
            Err(errno) => t.put(Err::<(), _>(errno)),
            Ok(fd) => {
                let fd = Fd(fd as i32);
                t.put(crate::sys::write(fd, "text"));
                t.put(fstat(fd).map(|s| s.st_nlink as u32));
                let name = text(&format!("/proc/self/fd/{}", fd.0));
                t.put(sys!(SYS_linkat, CWD, &name, CWD, c"f", AT_SYMLINK_FOLLOW));
                t.put(content(c"f"));
            }
        }),
    ],
};

pub(super) fn readlink(path: &str) -> Answer<String> {
    let mut bytes = [0u8; 256];
    sys!(SYS_readlink, &text(path), &mut bytes, 256).map(|n| shown(&bytes[..n]))
}

pub(super) fn kind(path: &std::ffi::CStr) -> Answer<crate::line::Octal> {
    lstat(path).map(|stat| crate::line::Octal(stat.st_mode >> 12))
}
