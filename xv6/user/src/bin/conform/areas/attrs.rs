//! Attributes: chmod(2), chown(2), umask(2), access(2), utimensat(2), stat(2), statx(2), and what changes of user do to them.

use libc::{AT_EACCESS, AT_EMPTY_PATH, AT_SYMLINK_NOFOLLOW, O_CREAT, O_PATH, O_RDONLY, O_RDWR, O_TRUNC, O_WRONLY};

use crate::child::part;
use crate::line::Octal;
use crate::runner::{Area, plain, root};
use crate::sys::{
    Answer, CWD, chdir, chmod, close, file, lstat, mkdir, mode, must, open, rename, rmdir, stat, symlink, sys, unlink,
    write,
};

pub const AREA: Area = Area {
    name: "attrs",
    checks: &[
        plain("chmod", |t| {
            file(c"f", "");
            for bits in [0o755, 0, 0o4755, 0o2755, 0o1644, 0o7777, 0o17_0644] {
                t.put(chmod(c"f", bits));
                t.put(mode(c"f"));
            }
        }),
        plain("chmod_refused", |t| {
            must(symlink(c"nowhere", c"l"));
            file(c"f", "");
            t.put([
                chmod(c"n", 0),
                chmod(c"l", 0),
                chmod(c"f/", 0),
                chmod(c"", 0),
                chmod(c"/", 0o755),
                chmod(c"/proc/version", 0o777),
            ]);
            t.put(sys!(SYS_fchmod, 77, 0));
        }),
        plain("fchmod", |t| {
            file(c"f", "");
            t.put(sys!(SYS_fchmod, must(open(c"f", O_RDONLY)), 0o600));
            t.put(mode(c"f"));
            t.is("at", sys!(SYS_fchmodat, CWD, c"f", 0o640));
            t.put(mode(c"f"));
        }),
        root("chown", |t| {
            file(c"f", "");
            t.put(sys!(SYS_chown, c"f", 1, 2));
            t.put(owner(c"f"));
            t.put(sys!(SYS_chown, c"f", -1, 3));
            t.put(owner(c"f"));
            t.put(sys!(SYS_chown, c"f", 4, -1));
            t.put(owner(c"f"));
            t.put([sys!(SYS_chown, c"n", 1, 1), sys!(SYS_fchown, 77, 1, 1)]);
        }),
        root("chown_of_links", |t| {
            file(c"f", "");
            must(symlink(c"f", c"l"));
            t.put(sys!(SYS_lchown, c"l", 7, 7));
            t.put([owner(c"f"), owner(c"l")]);
            t.put(sys!(SYS_chown, c"l", 8, 8));
            t.put([owner(c"f"), owner(c"l")]);
            t.put(sys!(SYS_fchownat, CWD, c"l", 9, 9, AT_SYMLINK_NOFOLLOW));
            t.put(sys!(SYS_fchownat, CWD, c"l", 9, 9, 0x8000_0000u32));
            t.put(sys!(SYS_fchownat, must(open(c"f", O_RDONLY)), c"", 10, 10, AT_EMPTY_PATH));
            t.put([owner(c"f"), owner(c"l")]);
        }),
        root("chown_clears_setid", |t| {
            file(c"f", "");
            must(chmod(c"f", 0o6755));
            must(sys!(SYS_chown, c"f", 1, 1));
            t.put(mode(c"f"));
            must(chmod(c"f", 0o2644));
            must(sys!(SYS_chown, c"f", 2, 2));
            t.is("mandatory_locking", mode(c"f"));
            must(mkdir(c"d"));
            must(chmod(c"d", 0o6755));
            must(sys!(SYS_chown, c"d", 1, 1));
            t.is("directory", mode(c"d"));
            must(chmod(c"f", 0o6755));
            must(sys!(SYS_chown, c"f", -1, -1));
            t.is("nothing", mode(c"f"));
        }),
        plain("chown_unprivileged", |t| {
            file(c"f", "");
            let (uid, gid) = (must(sys!(SYS_getuid)), must(sys!(SYS_getgid)));
            must(chmod(c"f", 0o6755));
            t.put([
                sys!(SYS_chown, c"f", uid, gid),
                sys!(SYS_chown, c"f", uid + 1, -1),
                sys!(SYS_chown, c"f", -1, 12345),
            ]);
            t.put(mode(c"f"));
            t.is(
                "not_owner",
                [sys!(SYS_chown, c"/", -1, -1), sys!(SYS_chown, c"/", uid, -1), sys!(SYS_chown, c"/", -1, gid)],
            );
        }),
        root("chown_to_a_group_of_mine", |t| {
            file(c"f", "");
            must(sys!(SYS_chown, c"f", 1000, 1000));
            part(t, |t| {
                must(sys!(SYS_setgroups, 1, &[50u32]));
                become_user(1000);
                t.put([sys!(SYS_chown, c"f", -1, 50), sys!(SYS_chown, c"f", -1, 51), sys!(SYS_chown, c"f", 1000, -1)]);
            });
            t.put(owner(c"f"));
        }),
        root("chmod_of_others", |t| {
            file(c"f", "");
            part(t, |t| {
                become_user(1000);
                t.put([chmod(c"f", 0o777), chmod(c"n", 0o777)]);
            });
            must(sys!(SYS_chown, c"f", 1000, 77));
            part(t, |t| {
                become_user(1000);
                t.put(chmod(c"f", 0o2755));
                t.is("setgid_of_other_group", mode(c"f"));
                t.put(chmod(c"f", 0o4755));
                t.is("setuid", mode(c"f"));
            });
        }),
        root("write_clears_setid", |t| {
            file(c"f", "text");
            must(sys!(SYS_chown, c"f", 1000, 1000));
            must(chmod(c"f", 0o6777));
            part(t, |_| {
                become_user(2000);
                must(write(must(open(c"f", O_WRONLY)), "x"));
            });
            t.put(mode(c"f"));
            must(chmod(c"f", 0o6777));
            part(t, |_| {
                become_user(2000);
                must(open(c"f", O_WRONLY | O_TRUNC));
            });
            t.is("trunc", mode(c"f"));
            must(chmod(c"f", 0o6777));
            must(write(must(open(c"f", O_WRONLY)), "x"));
            t.is("root", mode(c"f"));
            must(chmod(c"f", 0o6777));
            part(t, |_| {
                become_user(2000);
                must(sys!(SYS_truncate, c"f", 1));
            });
            t.is("truncate", mode(c"f"));
            must(chmod(c"f", 0o6777));
            part(t, |_| {
                become_user(2000);
                must(sys!(SYS_fallocate, must(open(c"f", O_WRONLY)), libc::FALLOC_FL_KEEP_SIZE, 0, 9000));
            });
            t.is("fallocate", mode(c"f"));
        }),
        root("setgid_directory", |t| {
            must(mkdir(c"d"));
            must(sys!(SYS_chown, c"d", 0, 50));
            must(chmod(c"d", 0o2777));
            file(c"d/f", "");
            must(mkdir(c"d/e"));
            t.put([owner(c"d/f"), owner(c"d/e")]);
            t.put([mode(c"d/f"), mode(c"d/e")]);
            part(t, |t| {
                become_user(1000);
                must(crate::sys::open_mode(c"d/g", O_CREAT | O_RDWR, 0o2775));
                t.put(owner(c"d/g"));
                t.is("setgid_of_a_stranger", mode(c"d/g"));
            });
        }),
        root("sticky_directory", |t| {
            must(mkdir(c"d"));
            must(chmod(c"d", 0o1777));
            file(c"d/root", "");
            file(c"d/mine", "");
            must(mkdir(c"d/dir"));
            must(sys!(SYS_chown, c"d/mine", 1000, 1000));
            part(t, |t| {
                become_user(1000);
                t.put([unlink(c"d/root"), rename(c"d/root", c"d/x"), rmdir(c"d/dir"), rename(c"d/mine", c"d/root")]);
                t.put([rename(c"d/mine", c"d/my"), unlink(c"d/my"), unlink(c"d/none")]);
            });
            must(sys!(SYS_chown, c"d", 1000, -1));
            part(t, |t| {
                become_user(1000);
                t.is("owner_of_the_directory", unlink(c"d/root"));
            });
        }),
        plain("umask", |t| {
            t.put(sys!(SYS_umask, 0o027).map(|bits| Octal(bits as u32)));
            t.put(sys!(SYS_umask, 0o7777).map(|bits| Octal(bits as u32)));
            t.put(sys!(SYS_umask, 0).map(|bits| Octal(bits as u32)));
        }),
        plain("access", |t| {
            file(c"f", "");
            for bits in [0o000, 0o400, 0o200, 0o100, 0o077] {
                must(chmod(c"f", bits));
                t.put([0, 4, 2, 1, 7].map(|wanted| sys!(SYS_access, c"f", wanted)));
            }
            t.put([
                sys!(SYS_access, c"n", 0),
                sys!(SYS_access, c"f", 8),
                sys!(SYS_access, c"f/", 0),
                sys!(SYS_access, c"n", 8),
            ]);
        }),
        root("access_of_root", |t| {
            file(c"f", "");
            must(chmod(c"f", 0));
            must(mkdir(c"d"));
            must(chmod(c"d", 0));
            t.put([4, 2, 1].map(|wanted| sys!(SYS_access, c"f", wanted)));
            t.put([4, 2, 1].map(|wanted| sys!(SYS_access, c"d", wanted)));
            must(chmod(c"f", 0o010));
            t.put(sys!(SYS_access, c"f", 1));
        }),
        root("access_uses_the_real_user", |t| {
            file(c"f", "");
            must(chmod(c"f", 0o600));
            part(t, |t| {
                must(sys!(SYS_setresuid, 1000, 0, 0));
                t.put(sys!(SYS_access, c"f", 4));
                t.is("effective", sys!(SYS_faccessat2, CWD, c"f", 4, AT_EACCESS));
                t.is("open", open(c"f", O_RDONLY));
            });
        }),
        plain("faccessat2", |t| {
            must(symlink(c"nowhere", c"l"));
            t.put(sys!(SYS_faccessat2, CWD, c"l", 0, AT_SYMLINK_NOFOLLOW));
            t.put(sys!(SYS_faccessat2, CWD, c"l", 0, 0));
            t.put(sys!(SYS_faccessat2, CWD, c"l", 0, 0x1));
            t.put(sys!(SYS_faccessat2, must(open(c".", O_PATH)), c"", 4, AT_EMPTY_PATH));
        }),
        plain("group_before_others", |t| {
            file(c"f", "");
            must(chmod(c"f", 0o007));
            t.put(sys!(SYS_access, c"f", 4));
        }),
        root("supplementary_groups", |t| {
            file(c"f", "");
            must(sys!(SYS_chown, c"f", 0, 50));
            must(chmod(c"f", 0o640));
            part(t, |t| {
                must(sys!(SYS_setgroups, 1, &[50u32]));
                become_user(1000);
                t.put([sys!(SYS_access, c"f", 4), sys!(SYS_access, c"f", 2)]);
            });
            part(t, |t| {
                must(sys!(SYS_setgroups, 0, 0));
                become_user(1000);
                t.put(sys!(SYS_access, c"f", 4));
            });
        }),
        plain("utimensat", |t| {
            file(c"f", "");
            t.put(sys!(SYS_utimensat, CWD, c"f", &[100i64, 5, 200, 6], 0));
            t.put(times(c"f"));
            t.put(sys!(SYS_utimensat, CWD, c"f", &[0, OMIT, 300, 7], 0));
            t.put(times(c"f"));
            t.put(sys!(SYS_utimensat, CWD, c"f", &[0, OMIT, 0, OMIT], 0));
            t.put(times(c"f"));
            t.put(sys!(SYS_utimensat, CWD, c"f", &[0, NOW, 0, OMIT], 0));
            t.put(stat(c"f").map(|s| s.st_atime > 1_000_000_000 && s.st_mtime == 300));
            t.put(sys!(SYS_utimensat, CWD, c"f", 0, 0));
            t.put(stat(c"f").map(|s| s.st_mtime > 1_000_000_000));
        }),
        plain("utimensat_refused", |t| {
            file(c"f", "");
            t.put(sys!(SYS_utimensat, CWD, c"f", &[0i64, 1_000_000_000, 0, 0], 0));
            t.put(sys!(SYS_utimensat, CWD, c"f", &[0i64, -1, 0, 0], 0));
            t.put(sys!(SYS_utimensat, CWD, c"n", 0, 0));
            t.put(sys!(SYS_utimensat, CWD, c"n", &[0i64, OMIT, 0, OMIT], 0));
            t.put(sys!(SYS_utimensat, CWD, c"f", 0, 0x1));
            t.put(sys!(SYS_utimensat, 77, 0, 0, 0));
            t.put(sys!(SYS_utimensat, CWD, 0, 0, 0));
            t.put(sys!(SYS_utimensat, CWD, c"f", 8, 0));
            t.is("not_owner", sys!(SYS_utimensat, CWD, c"/", &[1i64, 0, 1, 0], 0));
            t.is("not_owner_now", sys!(SYS_utimensat, CWD, c"/", 0, 0));
        }),
        plain("utimensat_of_links_and_descriptors", |t| {
            file(c"f", "");
            must(symlink(c"f", c"l"));
            t.put(sys!(SYS_utimensat, CWD, c"l", &[1i64, 0, 2, 0], AT_SYMLINK_NOFOLLOW));
            t.put(lstat(c"l").map(|s| (s.st_atime, s.st_mtime)));
            t.put(stat(c"f").map(|s| s.st_mtime > 2));
            t.put(sys!(SYS_utimensat, must(open(c"f", O_RDONLY)), 0, &[3i64, 0, 4, 0], 0));
            t.put(times(c"f"));
        }),
        root("utimensat_by_a_writer", |t| {
            file(c"f", "");
            must(chmod(c"f", 0o666));
            part(t, |t| {
                become_user(1000);
                t.put(sys!(SYS_utimensat, CWD, c"f", 0, 0));
                t.put(sys!(SYS_utimensat, CWD, c"f", &[1i64, 0, 1, 0], 0));
            });
        }),
        plain("times_move", |t| {
            file(c"f", "text");
            must(mkdir(c"d"));
            let old = &[1000i64, 0, 1000, 0];
            must(sys!(SYS_utimensat, CWD, c"f", old, 0));
            must(sys!(SYS_utimensat, CWD, c"d", old, 0));
            must(write(must(open(c"f", O_WRONLY)), "x"));
            t.is("write", stat(c"f").map(|s| (s.st_mtime != 1000, s.st_atime == 1000)));
            file(c"d/x", "");
            t.is("create_in", stat(c"d").map(|s| s.st_mtime != 1000));
            must(sys!(SYS_utimensat, CWD, c"d", old, 0));
            must(unlink(c"d/x"));
            t.is("unlink_in", stat(c"d").map(|s| s.st_mtime != 1000));
            must(sys!(SYS_utimensat, CWD, c"f", old, 0));
            must(chmod(c"f", 0o600));
            t.is("chmod", stat(c"f").map(|s| (s.st_mtime == 1000, s.st_ctime > 1000)));
            must(sys!(SYS_ftruncate, must(open(c"f", O_RDWR)), 1));
            t.is("truncate", stat(c"f").map(|s| s.st_mtime != 1000));
        }),
        plain("relatime", |t| {
            file(c"f", "text");
            must(sys!(SYS_utimensat, CWD, c"f", &[1000i64, 0, 2000, 0], 0));
            let fd = must(open(c"f", O_RDONLY));
            must(crate::sys::read(fd, 4));
            must(close(fd));
            t.is("older_than_change", stat(c"f").map(|s| s.st_atime > 2000));
        }),
        plain("stat_kinds", |t| {
            file(c"f", "text");
            must(mkdir(c"d"));
            must(symlink(c"f", c"l"));
            t.put([kind(c"f"), kind(c"d"), kind(c"l"), kind(c"/dev/null"), kind(c"/proc/self/exe")]);
            t.put(stat(c"/dev/null").map(|s| (libc::major(s.st_rdev), libc::minor(s.st_rdev))));
            t.put(stat(c"/dev/zero").map(|s| (libc::major(s.st_rdev), libc::minor(s.st_rdev))));
        }),
        plain("stat_refused", |t| {
            file(c"f", "");
            t.put([stat(c"n").map(drop), stat(c"").map(drop), stat(c"f/").map(drop), stat(c"f/x").map(drop)]);
            t.put(sys!(SYS_stat, c"f", 8));
            t.put(sys!(SYS_fstat, 77, 8));
            t.put(sys!(SYS_newfstatat, CWD, c"f", &mut [0u64; 18], 0x1));
            t.put(sys!(SYS_newfstatat, CWD, c"", &mut [0u64; 18], 0));
            t.put(sys!(SYS_newfstatat, CWD, c"", &mut [0u64; 18], AT_EMPTY_PATH));
        }),
        plain("statx", |t| {
            file(c"f", "text");
            let mut x = [0u32; 64];
            t.put(sys!(SYS_statx, CWD, c"f", 0, 0x7ff, &mut x));
            t.is("mask", x[0] & 0x7ff);
            t.is("links", x[4]);
            t.is("size", x[10]);
            t.is("flags", sys!(SYS_statx, CWD, c"f", 0x1, 0x7ff, &mut x));
            t.is("sync", sys!(SYS_statx, CWD, c"f", 0x6000, 0x7ff, &mut x));
            t.is("reserved", sys!(SYS_statx, CWD, c"f", 0, 0x8000_0000u32, &mut x));
            t.is("empty", sys!(SYS_statx, must(open(c"f", O_RDONLY)), c"", AT_EMPTY_PATH, 0x200, &mut x));
            t.is("missing", sys!(SYS_statx, CWD, c"n", 0, 0x200, &mut x));
            t.is("bad_address", sys!(SYS_statx, CWD, c"f", 0, 0x200, 8));
        }),
        root("working_directory_survives_setuid", |t| {
            must(mkdir(c"d"));
            must(chmod(c"d", 0o700));
            must(chdir(c"d"));
            part(t, |t| {
                become_user(1000);
                t.put([stat(c".").map(drop), stat(c"..").map(drop), chdir(c"."), chdir(c"..")]);
            });
        }),
    ],
};

const NOW: i64 = libc::UTIME_NOW;
const OMIT: i64 = libc::UTIME_OMIT;

/// All ids become `id`, groups stay.
pub(super) fn become_user(id: u32) {
    must(sys!(SYS_setresgid, id, id, id));
    must(sys!(SYS_setresuid, id, id, id));
}

fn owner(path: &std::ffi::CStr) -> Answer<(u32, u32)> {
    lstat(path).map(|s| (s.st_uid, s.st_gid))
}

fn times(path: &std::ffi::CStr) -> Answer<[(i64, u64); 2]> {
    stat(path).map(|s| [(s.st_atime, s.st_atime_nsec), (s.st_mtime, s.st_mtime_nsec)])
}

fn kind(path: &std::ffi::CStr) -> Answer<Octal> {
    lstat(path).map(|s| Octal(s.st_mode >> 12))
}
