//! overlayfs: copy-up, whiteouts, opaque directories, merged listings, renames and links across layers, options.

use libc::{MS_RDONLY, MS_REMOUNT, O_CREAT, O_EXCL, O_RDONLY, O_RDWR, O_TRUNC, O_WRONLY};

use crate::areas::attrs::become_user;
use crate::child::part;
use crate::line::Octal;
use crate::runner::{Area, admin};
use crate::sys::{
    Answer, chmod, content, file, fstat, link, lstat, mkdir, mode, must, open, read, rename, rmdir, shown, stat,
    symlink, sys, text, unlink, write,
};

pub const AREA: Area = Area {
    name: "overlay",
    checks: &[
        admin("reads_through", |t| {
            layers();
            t.put([content(c"m/low"), content(c"m/up"), content(c"m/both"), content(c"m/none")]);
        }),
        admin("merged_listing", |t| {
            layers();
            t.put(list("m"));
            t.put(list("m/dir"));
        }),
        admin("copy_up_on_write", |t| {
            layers();
            let fd = must(open(c"m/low", O_WRONLY));
            t.put(content(c"upper/low"));
            must(write(fd, "LOW"));
            t.put([content(c"m/low"), content(c"upper/low"), content(c"lower/low")]);
        }),
        admin("no_copy_up_on_read", |t| {
            layers();
            t.put(content(c"m/low"));
            t.put(stat(c"upper/low").map(drop));
        }),
        admin("copy_up_keeps_attributes", |t| {
            layers();
            must(chmod(c"lower/low", 0o640));
            must(sys!(SYS_chown, c"lower/low", 7, 8));
            must(sys!(SYS_utimensat, crate::sys::CWD, c"lower/low", &[100i64, 1, 200, 2], 0));
            must(open(c"m/low", O_RDWR));
            t.put(stat(c"upper/low").map(|s| (Octal(s.st_mode & 0o7777), s.st_uid, s.st_gid)));
            t.put(stat(c"m/low").map(|s| (s.st_mtime, s.st_mtime_nsec)));
        }),
        admin("copy_up_by_attributes", |t| {
            layers();
            t.put(chmod(c"m/low", 0o600));
            t.put([mode(c"m/low"), mode(c"lower/low"), mode(c"upper/low")]);
            t.put(content(c"upper/low"));
            t.put(sys!(SYS_chown, c"m/dir/inner", 5, 5));
            t.put([stat(c"upper/dir/inner").map(|s| s.st_uid), stat(c"lower/dir/inner").map(|s| s.st_uid)]);
        }),
        admin("set_id_is_cleared_through", |t| {
            layers();
            let others: [(_, fn() -> _); 5] = [
                ("write", || write(open(c"m/write", O_WRONLY)?, "x")),
                ("trunc", || open(c"m/trunc", O_WRONLY | O_TRUNC).map(|_| 0)),
                ("truncate", || sys!(SYS_truncate, c"m/truncate", 1)),
                ("fallocate", || sys!(SYS_fallocate, open(c"m/fallocate", O_WRONLY)?, 0, 0, 9000)),
                ("read", || open(c"m/read", O_RDONLY).map(|_| 0)),
            ];
            for (name, step) in others {
                let [lower, merged] = ["lower", "m"].map(|layer| text(&format!("{layer}/{name}")));
                file(&lower, "text");
                must(chmod(&lower, 0o6777));
                part(t, |t| {
                    become_user(2000);
                    t.is(name, step());
                });
                t.put([mode(&merged), mode(&lower)]);
            }
            file(c"lower/own", "text");
            must(chmod(c"lower/own", 0o6755));
            t.is("chown", sys!(SYS_chown, c"m/own", 5, 5));
            t.put([mode(c"m/own"), mode(c"lower/own")]);
        }),
        admin("truncate_copies_no_data", |t| {
            layers();
            must(open(c"m/low", O_WRONLY | O_TRUNC));
            t.put([content(c"m/low"), content(c"lower/low")]);
            t.put(sys!(SYS_truncate, c"m/dir/inner", 2));
            t.put([content(c"m/dir/inner"), content(c"lower/dir/inner")]);
        }),
        admin("open_before_copy_up", |t| {
            layers();
            let fd = must(open(c"m/low", O_RDONLY));
            must(write(must(open(c"m/low", O_WRONLY)), "NEW"));
            t.put(read(fd, 10));
            t.is("fresh", content(c"m/low"));
        }),
        admin("append", |t| {
            layers();
            must(write(must(open(c"m/low", O_WRONLY | libc::O_APPEND)), "+"));
            t.put([content(c"m/low"), content(c"lower/low")]);
        }),
        admin("inode_stays_over_copy_up", |t| {
            layers();
            let before = must(stat(c"m/low")).st_ino;
            must(open(c"m/low", O_RDWR));
            t.put(must(stat(c"m/low")).st_ino == before);
        }),
        admin("unlink_of_lower", |t| {
            layers();
            t.put(unlink(c"m/low"));
            t.put([content(c"m/low"), content(c"lower/low")]);
            t.is("whiteout", lstat(c"upper/low").map(|s| (Octal(s.st_mode >> 12), s.st_rdev)));
            t.put(list("m"));
            t.put(unlink(c"m/low"));
        }),
        admin("unlink_of_upper", |t| {
            layers();
            t.put(unlink(c"m/up"));
            t.put(lstat(c"upper/up").map(drop));
        }),
        admin("unlink_of_both", |t| {
            layers();
            t.put(unlink(c"m/both"));
            t.put([content(c"m/both"), content(c"lower/both")]);
            t.put(lstat(c"upper/both").map(|s| Octal(s.st_mode >> 12)));
        }),
        admin("create_over_whiteout", |t| {
            layers();
            must(unlink(c"m/low"));
            t.put(open(c"m/low", O_CREAT | O_EXCL | O_RDWR));
            t.put([content(c"m/low"), content(c"lower/low")]);
            must(unlink(c"m/low"));
            t.is("again", lstat(c"upper/low").map(|s| Octal(s.st_mode >> 12)));
            t.put(mkdir(c"m/low"));
            t.put(stat(c"m/low").map(|s| Octal(s.st_mode >> 12)));
        }),
        admin("rmdir_of_merged", |t| {
            layers();
            t.put(rmdir(c"m/dir"));
            must(unlink(c"m/dir/inner"));
            t.put(rmdir(c"m/dir"));
            must(unlink(c"m/dir/upper"));
            t.put(rmdir(c"m/dir"));
            t.put([stat(c"m/dir").map(drop), stat(c"lower/dir/inner").map(drop)]);
            t.put(lstat(c"upper/dir").map(|s| Octal(s.st_mode >> 12)));
        }),
        admin("new_directory_is_opaque", |t| {
            layers();
            must(unlink(c"m/dir/inner"));
            must(unlink(c"m/dir/upper"));
            must(rmdir(c"m/dir"));
            t.put(mkdir(c"m/dir"));
            t.put(list("m/dir"));
            let mut value = [0u8; 4];
            t.put(
                sys!(SYS_getxattr, c"upper/dir", c"trusted.overlay.opaque", &mut value, 4).map(|n| shown(&value[..n])),
            );
            t.is("hidden_above", sys!(SYS_getxattr, c"m/dir", c"trusted.overlay.opaque", &mut value, 4));
        }),
        admin("opaque_attribute_is_honoured", |t| {
            dirs();
            must(mkdir(c"lower/dir"));
            file(c"lower/dir/f", "");
            must(mkdir(c"upper/dir"));
            must(sys!(SYS_setxattr, c"upper/dir", c"trusted.overlay.opaque", c"y", 1, 0));
            must(sys!(SYS_mknod, c"upper/gone", libc::S_IFCHR, 0));
            file(c"lower/gone", "");
            must(overlay(OPTIONS));
            t.put([list("m"), list("m/dir")]);
        }),
        admin("rename_of_lower_file", |t| {
            layers();
            t.put(rename(c"m/low", c"m/moved"));
            t.put([content(c"m/low"), content(c"m/moved"), content(c"lower/low"), content(c"upper/moved")]);
            t.put(lstat(c"upper/low").map(|s| Octal(s.st_mode >> 12)));
        }),
        admin("rename_over_lower", |t| {
            layers();
            t.put(rename(c"m/up", c"m/low"));
            t.put([content(c"m/low"), content(c"lower/low")]);
            t.put(list("m"));
        }),
        admin("rename_of_lower_directory", |t| {
            layers();
            t.put(rename(c"m/dir", c"m/moved"));
            must(mkdir(c"m/fresh"));
            t.is("upper_only", rename(c"m/fresh", c"m/other"));
            t.is("upper_over_merged", rename(c"m/other", c"m/dir"));
        }),
        admin("exchange", |t| {
            layers();
            t.put(sys!(SYS_renameat2, crate::sys::CWD, c"m/low", crate::sys::CWD, c"m/up", 2));
            t.put([content(c"m/low"), content(c"m/up"), content(c"lower/low")]);
        }),
        admin("link_of_lower", |t| {
            layers();
            t.put(link(c"m/low", c"m/linked"));
            t.put(crate::sys::same(c"m/low", c"m/linked"));
            must(write(must(open(c"m/linked", O_WRONLY)), "LINK"));
            t.put([content(c"m/low"), content(c"lower/low")]);
            t.put(stat(c"m/low").map(|s| s.st_nlink as u32));
        }),
        admin("symlinks", |t| {
            layers();
            must(symlink(c"low", c"lower/sym"));
            t.put(content(c"m/sym"));
            t.put(rename(c"m/sym", c"m/sym2"));
            t.put(content(c"m/sym2"));
        }),
        admin("special_files", |t| {
            layers();
            t.put([
                sys!(SYS_mknod, c"m/p", libc::S_IFIFO | 0o600, 0),
                sys!(SYS_mknod, c"m/n", libc::S_IFCHR | 0o600, libc::makedev(1, 3)),
            ]);
            t.put(open(c"m/n", O_RDWR));
            t.is("whiteout_device", sys!(SYS_mknod, c"m/w", libc::S_IFCHR, 0));
        }),
        admin("attributes_through", |t| {
            layers();
            if sys!(SYS_setxattr, c"lower/low", c"user.a", c"x", 1, 0) == Err(crate::sys::Errno(libc::EOPNOTSUPP)) {
                t.skip("no user attributes on this file system");
            }
            let mut value = [0u8; 4];
            t.put(sys!(SYS_getxattr, c"m/low", c"user.a", &mut value, 4));
            t.put(sys!(SYS_setxattr, c"m/low", c"user.b", c"y", 1, 0));
            t.put([
                sys!(SYS_getxattr, c"upper/low", c"user.a", &mut value, 4),
                sys!(SYS_getxattr, c"lower/low", c"user.b", &mut value, 4),
            ]);
            t.put(sys!(SYS_setxattr, c"m/low", c"trusted.overlay.x", c"y", 1, 0));
        }),
        admin("lower_only_is_read_only", |t| {
            dirs();
            must(mkdir(c"lower2"));
            file(c"lower/f", "upper one");
            file(c"lower2/f", "lower one");
            file(c"lower2/g", "g");
            t.put(overlay("lowerdir=lower:lower2"));
            t.put([content(c"m/f"), content(c"m/g")]);
            t.put([open(c"m/f", O_RDWR).map(drop), mkdir(c"m/x"), unlink(c"m/f")]);
        }),
        admin("three_layers", |t| {
            dirs();
            must(mkdir(c"lower2"));
            file(c"lower2/a", "deep");
            file(c"lower2/b", "deep");
            must(sys!(SYS_mknod, c"lower/b", libc::S_IFCHR, 0));
            must(overlay("lowerdir=lower:lower2,upperdir=upper,workdir=work"));
            t.put([content(c"m/a"), content(c"m/b")]);
            t.put(list("m"));
            t.put(open(c"m/b", O_CREAT | O_EXCL | O_RDWR));
        }),
        admin("options_refused", |t| {
            dirs();
            t.put([
                overlay(""),
                overlay("lowerdir=n"),
                overlay("upperdir=upper,workdir=work"),
                overlay("lowerdir=lower,upperdir=upper"),
            ]);
            t.put([
                overlay("lowerdir=lower,upperdir=upper,workdir=upper/in"),
                overlay("lowerdir=lower,upperdir=upper,workdir=n"),
                overlay("lowerdir=lower,nonsense"),
            ]);
            file(c"f", "");
            t.put([overlay("lowerdir=f"), overlay("lowerdir=lower,upperdir=f,workdir=work")]);
            must(mkdir(c"upper/in"));
            t.is("work_below_upper", overlay("lowerdir=lower,upperdir=upper,workdir=upper/in"));
        }),
        admin("work_directory_in_use", |t| {
            layers();
            t.put(list("work"));
            t.put(umount());
            t.is("again", overlay(OPTIONS));
            t.put(content(c"m/low"));
        }),
        admin("changes_survive_a_remount", |t| {
            layers();
            must(unlink(c"m/low"));
            file(c"m/fresh", "new");
            must(umount());
            must(overlay(OPTIONS));
            t.put(list("m"));
        }),
        admin("read_only_remount", |t| {
            layers();
            t.put(sys!(SYS_mount, c"", c"m", 0, MS_REMOUNT | MS_RDONLY, 0));
            t.put([open(c"m/low", O_RDWR), open(c"m/low", O_RDONLY)]);
        }),
        admin("device_numbers", |t| {
            layers();
            t.put(stat(c"m").map(|s| s.st_dev != must(stat(c"upper")).st_dev));
            t.put(stat(c"m/dir").map(|s| s.st_dev == must(stat(c"m")).st_dev));
        }),
        admin("unlinked_while_open", |t| {
            layers();
            let fd = must(open(c"m/low", O_RDONLY));
            must(unlink(c"m/low"));
            t.put(read(fd, 10));
            let fd = must(open(c"m/up", O_RDWR));
            must(unlink(c"m/up"));
            t.put(write(fd, "x"));
            t.put(fstat(fd).map(|s| s.st_nlink as u32));
        }),
        admin("locks_meet_over_copy_up", |t| {
            layers();
            let one = must(open(c"m/up", O_RDWR));
            let two = must(open(c"m/up", O_RDWR));
            t.put([sys!(SYS_flock, one, libc::LOCK_EX), sys!(SYS_flock, two, libc::LOCK_EX | libc::LOCK_NB)]);
        }),
        admin("mapping", |t| {
            layers();
            let page = must(crate::sys::mmap(1, libc::PROT_READ, libc::MAP_PRIVATE, must(open(c"m/low", O_RDONLY)), 0));
            t.put(user::raw::expendable::load(page));
            let fd = must(open(c"m/up", O_RDWR));
            let page = must(crate::sys::mmap(1, libc::PROT_READ | libc::PROT_WRITE, libc::MAP_SHARED, fd, 0));
            user::raw::expendable::store(page, b'X');
            t.put([content(c"m/up"), content(c"upper/up")]);
        }),
        admin("execution", |t| {
            layers();
            must(std::fs::copy("../prog", "lower/prog").map_err(|_| crate::sys::Errno(libc::EIO)));
            must(chmod(c"lower/prog", 0o755));
            t.put(crate::child::end_of(|| sys!(SYS_execve, c"m/prog", 0, 0).map_or_else(|errno| errno.0, |_| 0)));
        }),
        admin("statfs", |t| {
            layers();
            let mut facts = [0u64; 15];
            must(sys!(SYS_statfs, c"m", &mut facts));
            t.put(crate::line::Hex(facts[0]));
        }),
        admin("names_with_escapes", |t| {
            dirs();
            must(mkdir(c"a:b"));
            file(c"a:b/f", "escaped");
            t.put(overlay("lowerdir=a\\:b:lower"));
            t.put(content(c"m/f"));
        }),
        admin("directory_metadata_is_the_upper_ones", |t| {
            dirs();
            must(mkdir(c"lower/d"));
            must(mkdir(c"upper/d"));
            must(chmod(c"lower/d", 0o711));
            must(chmod(c"upper/d", 0o750));
            must(overlay(OPTIONS));
            t.put(mode(c"m/d"));
        }),
        admin("file_over_directory", |t| {
            dirs();
            must(mkdir(c"lower/x"));
            file(c"lower/x/in", "");
            file(c"upper/x", "file");
            must(mkdir(c"upper/y"));
            file(c"lower/y", "file");
            must(overlay(OPTIONS));
            t.put([content(c"m/x"), content(c"m/x/in")]);
            t.put(list("m/y"));
        }),
    ],
};

const OPTIONS: &str = "lowerdir=lower,upperdir=upper,workdir=work";

/// Empty layers, and a place for the mount.
fn dirs() {
    for name in [c"lower", c"upper", c"work", c"m"] {
        must(mkdir(name));
    }
}

/// Two layers with something in each and in both, mounted.
fn layers() {
    dirs();
    for name in [c"lower/dir", c"upper/dir"] {
        must(mkdir(name));
    }
    for (name, content) in
        [(c"lower/low", "lower"), (c"upper/up", "upper"), (c"lower/both", "hidden"), (c"upper/both", "shown")]
    {
        file(name, content);
    }
    file(c"lower/dir/inner", "inner");
    file(c"upper/dir/upper", "upper");
    must(overlay(OPTIONS));
}

fn overlay(options: &str) -> Answer {
    sys!(SYS_mount, c"overlay", c"m", c"overlay", 0, &text(options))
}

fn umount() -> Answer {
    sys!(SYS_umount2, c"m", 0)
}

/// The names in a folder, sorted.
fn list(path: &str) -> Vec<String> {
    let entries =
        std::fs::read_dir(path).map(|entries| entries.filter_map(Result::ok).collect::<Vec<_>>()).unwrap_or_default();
    let mut names: Vec<String> = entries.iter().map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    names
}
