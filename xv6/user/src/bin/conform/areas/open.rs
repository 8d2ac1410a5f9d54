//! open(2), openat(2), creat(2): flags, their combinations, and the errors in their order.

use libc::{
    O_APPEND, O_CLOEXEC, O_CREAT, O_DIRECTORY, O_EXCL, O_NOFOLLOW, O_NONBLOCK, O_PATH, O_RDONLY, O_RDWR, O_TRUNC,
    O_WRONLY,
};

use crate::line::Octal;
use crate::runner::{Area, plain, root};
use crate::sys::{
    Fd, chdir, chmod, close, content, fcntl, file, fstat, link, lseek, mkdir, mode, must, open, open_mode, openat,
    read, rename, stat, symlink, sys, text, unlink, write,
};

pub const AREA: Area = Area {
    name: "open",
    checks: &[
        plain("missing", |t| t.put(open(c"f", O_RDONLY))),
        plain("empty_path", |t| t.put(open(c"", O_RDONLY))),
        plain("null_path", |t| t.put(sys!(SYS_open, 0, O_RDONLY, 0))),
        plain("bad_path_address", |t| t.put(sys!(SYS_open, -1, O_RDONLY, 0))),
        plain("creat_makes", |t| {
            t.put(open(c"f", O_CREAT | O_WRONLY));
            t.put(mode(c"f"));
            t.put(stat(c"f").map(|s| s.st_size));
        }),
        plain("creat_call", |t| {
            file(c"f", "text");
            t.put(sys!(SYS_creat, c"f", 0o600).map(drop));
            t.is("kept", mode(c"f"));
            t.put(content(c"f"));
            let fd = Fd(must(sys!(SYS_creat, c"g", 0o666)) as i32);
            t.is("read", read(fd, 1));
        }),
        plain("creat_umask", |t| {
            for (umask, wanted) in [(0o022, 0o666), (0o077, 0o777), (0, 0o1777), (0o777, 0o777), (0o002, 0o6755)] {
                must(sys!(SYS_umask, umask));
                must(open_mode(c"f", O_CREAT | O_WRONLY, wanted));
                t.put(mode(c"f"));
                must(unlink(c"f"));
            }
        }),
        plain("creat_mode_is_for_later", |t| {
            let fd = must(open_mode(c"f", O_CREAT | O_RDWR, 0));
            t.put(write(fd, "x"));
            t.is("again", open(c"f", O_RDONLY));
        }),
        plain("excl_existing", |t| {
            file(c"f", "");
            t.put(open(c"f", O_CREAT | O_EXCL | O_RDWR));
        }),
        plain("excl_directory", |t| {
            must(mkdir(c"d"));
            t.put(open(c"d", O_CREAT | O_EXCL | O_RDWR));
        }),
        plain("excl_dangling_link", |t| {
            must(symlink(c"nowhere", c"l"));
            t.put(open(c"l", O_CREAT | O_EXCL | O_RDWR));
            t.is("target", stat(c"nowhere").map(drop));
        }),
        plain("creat_through_dangling_link", |t| {
            must(symlink(c"there", c"l"));
            t.put(open(c"l", O_CREAT | O_RDWR));
            t.is("target", stat(c"there").map(|s| s.st_size));
        }),
        plain("excl_without_creat", |t| {
            file(c"f", "");
            t.put(open(c"f", O_EXCL | O_RDONLY));
        }),
        plain("creat_existing_directory", |t| {
            must(mkdir(c"d"));
            t.put(open(c"d", O_CREAT | O_RDONLY));
            t.put(open(c"d", O_CREAT | O_RDWR));
            t.put(open(c".", O_CREAT | O_RDONLY));
            t.put(open(c"..", O_CREAT | O_RDONLY));
        }),
        plain("creat_trailing_slash", |t| {
            t.put(open(c"f/", O_CREAT | O_RDWR));
            t.put(open(c"f/", O_CREAT | O_EXCL | O_RDWR));
            file(c"f", "");
            t.is("existing", open(c"f/", O_CREAT | O_RDWR));
            t.is("existing", open(c"f/", O_CREAT | O_EXCL | O_RDWR));
        }),
        plain("trailing_slash", |t| {
            file(c"f", "");
            must(mkdir(c"d"));
            t.put(open(c"f/", O_RDONLY));
            t.put(open(c"d/", O_RDONLY));
            t.put(open(c"d///", O_RDONLY));
            t.put(open(c"f/.", O_RDONLY));
            t.put(open(c"n/", O_RDONLY));
        }),
        plain("creat_and_directory", |t| {
            // EINVAL since Linux 6.4, ENOTDIR or a made file before.
            t.put(open(c"f", O_CREAT | O_DIRECTORY | O_RDONLY).is_err());
            must(mkdir(c"d"));
            t.put(open(c"d", O_DIRECTORY | O_RDWR));
        }),
        plain("directory_of_a_file", |t| {
            file(c"f", "");
            must(symlink(c"f", c"l"));
            t.put(open(c"f", O_DIRECTORY));
            t.put(open(c"l", O_DIRECTORY));
            t.put(open(c"l", O_DIRECTORY | O_NOFOLLOW));
        }),
        plain("directory_for_writing", |t| {
            must(mkdir(c"d"));
            t.put(open(c"d", O_WRONLY));
            t.put(open(c"d", O_RDWR));
            t.put(open(c"d", O_RDONLY | O_TRUNC));
            t.put(open(c"d", O_RDONLY | O_APPEND));
        }),
        plain("directory_read", |t| {
            must(mkdir(c"d"));
            let fd = must(open(c"d", O_RDONLY));
            t.put(read(fd, 10));
            t.put(write(fd, "x"));
            t.put(sys!(SYS_ftruncate, fd, 0));
        }),
        plain("access_mode_3", |t| {
            file(c"f", "text");
            let fd = must(open(c"f", 3));
            t.put(read(fd, 4));
            t.put(write(fd, "x"));
            t.put(fcntl(fd, libc::F_GETFL, 0).map(|flags| flags & 3));
        }),
        plain("wrong_way", |t| {
            file(c"f", "text");
            t.put(read(must(open(c"f", O_WRONLY)), 1));
            t.put(write(must(open(c"f", O_RDONLY)), "x"));
        }),
        plain("nofollow", |t| {
            file(c"f", "");
            must(symlink(c"f", c"l"));
            must(mkdir(c"d"));
            must(symlink(c"d", c"dl"));
            t.put(open(c"l", O_RDONLY | O_NOFOLLOW));
            t.put(open(c"f", O_RDONLY | O_NOFOLLOW));
            t.is("inner", open(c"dl/../f", O_RDONLY | O_NOFOLLOW));
            t.is("slash", open(c"dl/", O_RDONLY | O_NOFOLLOW));
            t.is("creat", open(c"l", O_CREAT | O_WRONLY | O_NOFOLLOW));
        }),
        plain("append", |t| {
            file(c"f", "one");
            let fd = must(open(c"f", O_RDWR | O_APPEND));
            t.put(lseek(fd, 0, libc::SEEK_CUR));
            t.put(write(fd, "two"));
            must(lseek(fd, 0, libc::SEEK_SET));
            t.put(write(fd, "three"));
            t.is("at", lseek(fd, 0, libc::SEEK_CUR));
            t.put(content(c"f"));
            t.is("pwrite", sys!(SYS_pwrite64, fd, "four", 4, 0));
            t.put(content(c"f"));
        }),
        plain("truncate", |t| {
            file(c"f", "text");
            t.put(open(c"f", O_WRONLY | O_TRUNC));
            t.put(stat(c"f").map(|s| s.st_size));
        }),
        plain("truncate_read_only", |t| {
            file(c"f", "text");
            t.put(open(c"f", O_RDONLY | O_TRUNC));
            t.put(stat(c"f").map(|s| s.st_size));
        }),
        plain("truncate_without_permission", |t| {
            file(c"f", "text");
            must(chmod(c"f", 0o444));
            t.put(open(c"f", O_RDONLY | O_TRUNC));
            t.put(stat(c"f").map(|s| s.st_size));
        }),
        plain("name_too_long", |t| {
            t.put(open(&text(&"n".repeat(255)), O_CREAT | O_RDWR));
            t.put(open(&text(&"n".repeat(256)), O_CREAT | O_RDWR));
            t.put(open(&text(&"n".repeat(256)), O_RDONLY));
            t.is("inner", open(&text(&format!("{}/f", "n".repeat(256))), O_RDONLY));
            t.is("file_first", open(&text(&format!("{}/{}", "n".repeat(255), "n".repeat(256))), O_RDONLY));
        }),
        plain("path_too_long", |t| {
            t.put(open(&text(&"./".repeat(2047)), O_RDONLY));
            t.put(open(&text(&format!("{}.", "./".repeat(2047))), O_RDONLY));
            t.put(open(&text(&"./".repeat(2048)), O_RDONLY));
            t.is("missing", open(&text(&format!("x/{}", "y/".repeat(2047))), O_RDONLY));
        }),
        plain("loop", |t| {
            must(symlink(c"a", c"b"));
            must(symlink(c"b", c"a"));
            must(symlink(c"self", c"self"));
            t.put(open(c"a", O_RDONLY));
            t.put(open(c"self", O_RDONLY));
            t.put(open(c"self/x", O_RDONLY));
            t.is("creat", open(c"a", O_CREAT | O_RDWR));
            t.is("path", open(c"a", O_PATH));
        }),
        plain("forty_links", |t| {
            file(c"l0", "end");
            for i in 1..=41 {
                must(symlink(&text(&format!("l{}", i - 1)), &text(&format!("l{i}"))));
            }
            t.put(open(c"l40", O_RDONLY));
            t.put(open(c"l41", O_RDONLY));
        }),
        plain("file_as_directory", |t| {
            file(c"f", "");
            t.put(open(c"f/g", O_RDONLY));
            t.put(open(c"f/g", O_CREAT | O_RDWR));
            t.put(open(c"f/..", O_RDONLY));
            t.put(open(c"f/../f", O_RDONLY));
        }),
        plain("missing_directory", |t| {
            t.put(open(c"d/f", O_CREAT | O_RDWR));
            t.put(open(c"d/../f", O_CREAT | O_RDWR));
        }),
        plain("unsearchable_directory", |t| {
            must(mkdir(c"d"));
            file(c"d/f", "");
            must(chmod(c"d", 0o600));
            t.put(open(c"d/f", O_RDONLY));
            t.is("missing", open(c"d/n", O_RDONLY));
            t.is("creat", open(c"d/n", O_CREAT | O_RDWR));
            t.is("dot", open(c"d/.", O_RDONLY));
            t.is("itself", open(c"d", O_RDONLY));
            must(chmod(c"d", 0o700));
        }),
        plain("unwritable_directory", |t| {
            must(mkdir(c"d"));
            file(c"d/f", "");
            must(chmod(c"d", 0o500));
            t.put(open(c"d/n", O_CREAT | O_RDWR));
            t.is("existing", open(c"d/f", O_CREAT | O_RDWR));
            t.is("excl", open(c"d/f", O_CREAT | O_EXCL | O_RDWR));
            must(chmod(c"d", 0o700));
        }),
        plain("unreadable_file", |t| {
            file(c"f", "");
            must(chmod(c"f", 0o200));
            t.put(open(c"f", O_RDONLY));
            t.put(open(c"f", O_WRONLY));
            t.put(open(c"f", O_RDWR));
            must(chmod(c"f", 0o400));
            t.put(open(c"f", O_RDONLY));
            t.put(open(c"f", O_WRONLY));
            must(chmod(c"f", 0o077));
            t.is("owner_only", open(c"f", O_RDONLY));
        }),
        plain("at_descriptor", |t| {
            must(mkdir(c"d"));
            file(c"d/f", "in");
            file(c"g", "");
            let dir = must(open(c"d", O_RDONLY | O_DIRECTORY));
            t.put(openat(dir, c"f", O_RDONLY));
            t.put(openat(dir, c"../g", O_RDONLY));
            t.is("file", openat(must(open(c"g", O_RDONLY)), c"x", O_RDONLY));
            t.is("bad", openat(Fd(77), c"x", O_RDONLY));
            t.is("minus", openat(Fd(-1), c"x", O_RDONLY));
            t.is("absolute", openat(Fd(77), c"/", O_RDONLY));
            t.is("empty", openat(dir, c"", O_RDONLY));
        }),
        plain("at_moved_directory", |t| {
            must(mkdir(c"d"));
            file(c"d/f", "in");
            let dir = must(open(c"d", O_RDONLY));
            must(rename(c"d", c"e"));
            t.put(openat(dir, c"f", O_RDONLY));
            t.put(openat(dir, c"../e/f", O_RDONLY));
        }),
        plain("in_removed_directory", |t| {
            must(mkdir(c"d"));
            must(chdir(c"d"));
            must(sys!(SYS_rmdir, c"../d"));
            t.put(open(c"f", O_CREAT | O_RDWR));
            t.put(open(c".", O_RDONLY));
            t.put(open(c"..", O_RDONLY));
            t.is("mkdir", mkdir(c"x"));
            t.is("getcwd", sys!(SYS_getcwd, &mut [0u8; 64], 64));
        }),
        plain("removed_file_lives", |t| {
            file(c"f", "text");
            let fd = must(open(c"f", O_RDWR));
            must(unlink(c"f"));
            t.put(read(fd, 4));
            t.is("links", fstat(fd).map(|s| s.st_nlink as u32));
            t.is("reopen", open(&text(&format!("/proc/self/fd/{}", fd.0)), O_RDONLY));
        }),
        plain("cloexec", |t| {
            file(c"f", "");
            t.put(fcntl(must(open(c"f", O_RDONLY)), libc::F_GETFD, 0));
            t.put(fcntl(must(open(c"f", O_RDONLY | O_CLOEXEC)), libc::F_GETFD, 0));
            let fd = must(open(c"f", O_RDONLY | O_CLOEXEC));
            t.is("getfl", fcntl(fd, libc::F_GETFL, 0).map(|flags| flags as i32 & O_CLOEXEC));
        }),
        plain("getfl_after_open", |t| {
            let shown = O_APPEND | O_NONBLOCK | O_CREAT | O_EXCL | O_TRUNC | 3;
            let fd = must(open(c"f", O_CREAT | O_EXCL | O_TRUNC | O_APPEND | O_NONBLOCK | O_RDWR));
            t.put(fcntl(fd, libc::F_GETFL, 0).map(|flags| Octal((flags as i32 & shown) as u32)));
        }),
        plain("unknown_flag_ignored", |t| {
            file(c"f", "");
            t.put(open(c"f", O_RDONLY | 0x2000_0000));
        }),
        plain("lowest_descriptor", |t| {
            file(c"f", "");
            let a = must(open(c"f", O_RDONLY)).0;
            let b = must(open(c"f", O_RDONLY)).0;
            let c = must(open(c"f", O_RDONLY)).0;
            t.put([b - a, c - b]);
            must(close(Fd(b)));
            t.put(must(open(c"f", O_RDONLY)).0 - a);
        }),
        plain("fifo_nonblock", |t| {
            must(sys!(SYS_mknod, c"p", libc::S_IFIFO | 0o666, 0));
            t.put(open(c"p", O_WRONLY | O_NONBLOCK));
            t.put(open(c"p", O_RDONLY | O_NONBLOCK));
            t.put(open(c"p", O_WRONLY | O_NONBLOCK));
            t.is("rdwr", open(c"p", O_RDWR));
        }),
        plain("socket_file", |t| {
            must(sys!(SYS_mknod, c"s", libc::S_IFSOCK | 0o666, 0));
            t.put(open(c"s", O_RDONLY));
            t.is("path", open(c"s", O_PATH));
        }),
        root("device_without_driver", |t| {
            must(sys!(SYS_mknod, c"c", libc::S_IFCHR | 0o666, libc::makedev(240, 77)));
            must(sys!(SYS_mknod, c"b", libc::S_IFBLK | 0o666, libc::makedev(240, 77)));
            t.put(
                open(c"c", O_RDONLY)
                    .err()
                    .map(|errno| errno == crate::sys::Errno(libc::ENXIO) || errno == crate::sys::Errno(libc::EACCES)),
            );
            t.put(
                open(c"b", O_RDONLY)
                    .err()
                    .map(|errno| errno == crate::sys::Errno(libc::ENXIO) || errno == crate::sys::Errno(libc::EACCES)),
            );
        }),
        root("root_ignores_modes", |t| {
            file(c"f", "text");
            must(chmod(c"f", 0));
            t.put(content(c"f"));
            must(mkdir(c"d"));
            must(chmod(c"d", 0));
            t.put(open(c"d/f", O_CREAT | O_RDWR));
        }),
        plain("link_to_open_directory_entry", |t| {
            file(c"f", "text");
            must(link(c"f", c"g"));
            must(unlink(c"f"));
            t.put(content(c"g"));
            t.put(content(c"f"));
        }),
    ],
};
