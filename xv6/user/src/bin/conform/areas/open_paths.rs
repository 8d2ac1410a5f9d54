//! Opening as a place: `O_PATH`, and openat2(2) with its restrictions.

use libc::{O_CREAT, O_DIRECTORY, O_NOFOLLOW, O_NONBLOCK, O_PATH, O_RDONLY, O_RDWR, O_TRUNC};

use crate::runner::{Area, plain};
use crate::sys::{CWD, chmod, content, fcntl, file, lseek, mkdir, must, open, openat, read, symlink, sys, text, write};

pub const AREA: Area = Area {
    name: "open",
    checks: &[
        plain("path_descriptor", |t| {
            file(c"f", "text");
            let fd = must(open(c"f", O_PATH));
            t.put(read(fd, 1));
            t.put(write(fd, "x"));
            t.is("lseek", lseek(fd, 0, libc::SEEK_SET));
            t.is("fchmod", sys!(SYS_fchmod, fd, 0o600));
            t.is("ftruncate", sys!(SYS_ftruncate, fd, 0));
            t.is("fsync", sys!(SYS_fsync, fd));
            t.is("ioctl", sys!(SYS_ioctl, fd, libc::FIONREAD, &mut [0i32; 1]));
            t.is("mmap", sys!(SYS_mmap, 0, 4096, libc::PROT_READ, libc::MAP_PRIVATE, fd, 0));
            t.is("fchown", sys!(SYS_fchown, fd, -1, -1));
            t.is("getdents", sys!(SYS_getdents64, fd, &mut [0u64; 64], 512));
            t.is("fgetxattr", sys!(SYS_fgetxattr, fd, c"user.a", 0, 0));
            t.is("dup", sys!(SYS_dup, fd).map(|_| "fd"));
            t.is("getfl", fcntl(fd, libc::F_GETFL, 0).map(|flags| flags as i32 & O_PATH != 0));
            t.is("setfl", fcntl(fd, libc::F_SETFL, O_NONBLOCK));
            t.is("flock", sys!(SYS_flock, fd, libc::LOCK_SH));
            t.is("reopen", open(&text(&format!("/proc/self/fd/{}", fd.0)), O_RDONLY).map(|fd| read(fd, 4)));
        }),
        plain("path_ignores_flags", |t| {
            t.is("creat", open(c"f", O_PATH | O_CREAT | O_RDWR));
            file(c"f", "text");
            must(chmod(c"f", 0));
            t.is("unreadable", open(c"f", O_PATH | O_RDWR));
            t.is("trunc", open(c"f", O_PATH | O_TRUNC));
            must(chmod(c"f", 0o644));
            t.put(content(c"f"));
            t.is("directory", open(c"f", O_PATH | O_DIRECTORY));
        }),
        plain("path_of_a_link", |t| {
            must(symlink(c"target", c"l"));
            let fd = must(open(c"l", O_PATH | O_NOFOLLOW));
            let mut name = [0u8; 16];
            t.put(sys!(SYS_readlinkat, fd, c"", &mut name, 16));
            t.is("follow", open(c"l", O_PATH));
        }),
        plain("path_of_a_directory", |t| {
            must(mkdir(c"d"));
            file(c"d/f", "in");
            let dir = must(open(c"d", O_PATH));
            t.put(openat(dir, c"f", O_RDONLY));
            t.is("fchdir", sys!(SYS_fchdir, dir));
            t.put(content(c"f"));
        }),
        plain("openat2", |t| {
            file(c"f", "text");
            must(symlink(c"f", c"l"));
            must(symlink(c"/", c"root"));
            let how = |flags: i32, mode: u64, resolve: u64| [flags as u64, mode, resolve];
            let open2 = |path: &std::ffi::CStr, how: [u64; 3]| sys!(SYS_openat2, CWD, path, &how, 24).map(|_| "fd");
            t.put(open2(c"f", how(O_RDONLY, 0, 0)));
            t.is("mode_without_creat", open2(c"f", how(O_RDONLY, 0o600, 0)));
            t.is("bad_mode", open2(c"n", how(O_CREAT | O_RDWR, 0o10_0600, 0)));
            t.is("bad_flag", open2(c"f", [1 << 40, 0, 0]));
            t.is("bad_resolve", open2(c"f", how(O_RDONLY, 0, 0x100)));
            t.is("short", sys!(SYS_openat2, CWD, c"f", &[0u64; 3], 16));
            t.is("long_zero", sys!(SYS_openat2, CWD, c"f", &[0u64; 4], 32).map(|_| "fd"));
            t.is("long_set", sys!(SYS_openat2, CWD, c"f", &[0u64, 0, 0, 1], 32));
            t.is("no_symlinks", open2(c"l", how(O_RDONLY, 0, 4)));
            t.is("beneath", open2(c"../x", how(O_RDONLY, 0, 8)));
            t.is("beneath_absolute", open2(c"/", how(O_RDONLY, 0, 8)));
            t.is("beneath_link", open2(c"root", how(O_RDONLY, 0, 8)));
            t.is("in_root", open2(c"/f", how(O_RDONLY, 0, 16)));
            t.is("in_root_up", open2(c"../../f", how(O_RDONLY, 0, 16)));
            t.is("both", open2(c"f", how(O_RDONLY, 0, 24)));
            t.is("path_creat", open2(c"f", how(O_PATH | O_CREAT, 0, 0)));
        }),
    ],
};
