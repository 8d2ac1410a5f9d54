//! mount(2), umount2(2), pivot_root(2), chroot(2): kinds, flags, moves, propagation, and refusals.

use libc::{
    CLONE_NEWNS, MNT_DETACH, MNT_EXPIRE, MS_BIND, MS_MOVE, MS_NODEV, MS_NOEXEC, MS_NOSUID, MS_PRIVATE, MS_RDONLY,
    MS_REC, MS_REMOUNT, MS_SHARED, MS_SLAVE, MS_UNBINDABLE, O_CREAT, O_RDONLY, O_RDWR, UMOUNT_NOFOLLOW,
};

use crate::child::part;
use crate::runner::{Area, admin, plain};
use crate::sys::{
    Answer, chdir, content, file, link, mkdir, must, open, rename, rmdir, stat, symlink, sys, text, unlink, write,
};

pub const AREA: Area = Area {
    name: "mounts",
    checks: &[
        plain("unprivileged", |t| {
            t.put([
                mount(c"t", c".", c"tmpfs", 0, c""),
                mount(c".", c".", c"", MS_BIND, c""),
                mount(c"t", c"n", c"tmpfs", 0, c""),
            ]);
            t.put([umount(c".", 0), umount(c"n", 0), umount(c".", 0x100), sys!(SYS_pivot_root, c".", c".")]);
            t.put(sys!(SYS_unshare, CLONE_NEWNS));
        }),
        admin("tmpfs", |t| {
            must(mkdir(c"d"));
            file(c"d/under", "");
            t.put(mount(c"t", c"d", c"tmpfs", 0, c"size=64k,mode=750"));
            t.put(crate::sys::mode(c"d"));
            t.put(open(c"d/under", O_RDONLY));
            file(c"d/f", "over");
            t.put(umount(c"d", 0));
            t.put(open(c"d/under", O_RDONLY));
            t.put(umount(c"d", 0));
        }),
        admin("tmpfs_options", |t| {
            must(mkdir(c"d"));
            t.put([
                mount(c"t", c"d", c"tmpfs", 0, c"size=zz"),
                mount(c"t", c"d", c"tmpfs", 0, c"nonsense"),
                mount(c"t", c"d", c"tmpfs", 0, c"mode=9"),
            ]);
            t.put(mount(c"t", c"d", c"tmpfs", 0, c"nr_inodes=3"));
            t.put([open(c"d/a", O_CREAT | O_RDWR), open(c"d/b", O_CREAT | O_RDWR), open(c"d/c", O_CREAT | O_RDWR)]);
        }),
        admin("tmpfs_full", |t| {
            must(mkdir(c"d"));
            must(mount(c"t", c"d", c"tmpfs", 0, c"size=16k"));
            let fd = must(open(c"d/f", O_CREAT | O_RDWR));
            let block = "x".repeat(4096);
            t.put((0..6).map(|_| write(fd, &block)).collect::<Vec<_>>());
            t.put(unlink(c"d/f"));
        }),
        admin("refused", |t| {
            must(mkdir(c"d"));
            file(c"f", "");
            t.put([
                mount(c"t", c"n", c"tmpfs", 0, c""),
                mount(c"t", c"f", c"tmpfs", 0, c""),
                mount(c"t", c"d", c"nosuchfs", 0, c""),
                mount(c"n", c"d", c"", MS_BIND, c""),
            ]);
            t.put([
                mount(c"f", c"d", c"", MS_BIND, c""),
                mount(c"d", c"f", c"", MS_BIND, c""),
                mount(c"t", c"", c"tmpfs", 0, c""),
                mount(c"d", c"d", c"", MS_MOVE, c""),
            ]);
            t.put([
                sys!(SYS_mount, 0, c"d", 0, 0, 0),
                sys!(SYS_mount, c"t", 8, c"tmpfs", 0, 0),
                sys!(SYS_mount, 8, c"d", c"tmpfs", 0, 0),
                sys!(SYS_mount, c"t", c"d", 0, 0, 0),
            ]);
            t.is("remount_of_no_mount", mount(c"", c"d", c"", MS_REMOUNT | MS_RDONLY, c""));
            t.is("propagation_of_no_mount", mount(c"", c"d", c"", MS_SHARED, c""));
            t.is("two_propagations", mount(c"", c"/", c"", MS_SHARED | MS_PRIVATE, c""));
            t.is("propagation_with_flags", mount(c"", c"/", c"", MS_PRIVATE | MS_RDONLY, c""));
        }),
        admin("umount_refused", |t| {
            must(mkdir(c"d"));
            t.put([umount(c"d", 0), umount(c"n", 0), umount(c"d", 0x100), umount(c"d", MNT_EXPIRE | MNT_DETACH)]);
            must(mount(c"t", c"d", c"tmpfs", 0, c""));
            let fd = must(open(c"d/f", O_CREAT | O_RDWR));
            t.is("busy", umount(c"d", 0));
            must(crate::sys::close(fd));
            t.is("expire", [umount(c"d", MNT_EXPIRE), umount(c"d", MNT_EXPIRE)]);
            t.is("gone", umount(c"d", 0));
            must(symlink(c"d", c"l"));
            must(mount(c"t", c"d", c"tmpfs", 0, c""));
            t.is("nofollow", [umount(c"l", UMOUNT_NOFOLLOW), umount(c"l", 0)]);
        }),
        admin("busy_by_child_mount_and_directory", |t| {
            must(mkdir(c"d"));
            must(mount(c"t", c"d", c"tmpfs", 0, c""));
            must(mkdir(c"d/e"));
            must(mount(c"u", c"d/e", c"tmpfs", 0, c""));
            t.put(umount(c"d", 0));
            must(umount(c"d/e", 0));
            must(chdir(c"d"));
            t.put(umount(c"../d", 0));
            t.put(umount(c"../d", MNT_DETACH));
            t.put([stat(c".").map(drop), mkdir(c"x"), open(c"..", O_RDONLY).map(drop)]);
        }),
        admin("detach_takes_children", |t| {
            must(mkdir(c"d"));
            must(mount(c"t", c"d", c"tmpfs", 0, c""));
            must(mkdir(c"d/e"));
            must(mount(c"u", c"d/e", c"tmpfs", 0, c""));
            t.put(umount(c"d", MNT_DETACH));
            t.put(count("/d"));
        }),
        admin("bind", |t| {
            must(mkdir(c"a"));
            must(mkdir(c"b"));
            file(c"a/f", "in a");
            t.put(mount(c"a", c"b", c"", MS_BIND, c""));
            t.put(content(c"b/f"));
            file(c"b/g", "by b");
            t.put(content(c"a/g"));
            t.put([rename(c"a/f", c"b/h"), link(c"a/f", c"b/h")]);
            t.put([rmdir(c"b"), rename(c"b", c"c"), unlink(c"b")]);
            t.put(umount(c"b", 0));
            t.put(open(c"b/f", O_RDONLY));
        }),
        admin("bind_file", |t| {
            file(c"a", "A");
            file(c"b", "B");
            t.put(mount(c"a", c"b", c"", MS_BIND, c""));
            t.put(content(c"b"));
            t.put([unlink(c"b"), rename(c"b", c"x"), rename(c"a", c"y")]);
            t.put(content(c"b"));
            t.put(umount(c"b", 0));
            t.put(content(c"b"));
        }),
        admin("bind_takes_no_children", |t| {
            for name in [c"a", c"b", c"r", c"a/m"] {
                must(mkdir(name));
            }
            must(mount(c"t", c"a/m", c"tmpfs", 0, c""));
            file(c"a/m/f", "");
            t.put([mount(c"a", c"b", c"", MS_BIND, c""), mount(c"a", c"r", c"", MS_BIND | MS_REC, c"")]);
            t.put([open(c"b/m/f", O_RDONLY), open(c"r/m/f", O_RDONLY)]);
        }),
        admin("read_only_bind", |t| {
            must(mkdir(c"a"));
            must(mkdir(c"b"));
            file(c"a/f", "");
            must(mount(c"a", c"b", c"", MS_BIND | MS_RDONLY, c""));
            t.is("not_at_once", open(c"b/x", O_CREAT | O_RDWR).and_then(crate::sys::close));
            t.put(mount(c"", c"b", c"", MS_BIND | MS_REMOUNT | MS_RDONLY, c""));
            t.put([
                open(c"b/y", O_CREAT | O_RDWR),
                open(c"b/f", O_RDWR),
                open(c"b/f", O_RDONLY),
                open(c"b/f", O_CREAT | O_RDWR),
            ]);
            t.put([
                mkdir(c"b/f"),
                mkdir(c"b/z"),
                unlink(c"b/n"),
                unlink(c"b/f"),
                rename(c"b/f", c"b/g"),
                crate::sys::chmod(c"b/f", 0),
                symlink(c"x", c"b/l"),
            ]);
            t.put([
                sys!(SYS_truncate, c"b/f", 0),
                sys!(SYS_access, c"b/f", 2),
                sys!(SYS_chown, c"b/f", 0, 0),
                sys!(SYS_utimensat, crate::sys::CWD, c"b/f", 0, 0),
            ]);
            t.is("other_side", open(c"a/y", O_CREAT | O_RDWR));
            t.is("back", mount(c"", c"b", c"", MS_BIND | MS_REMOUNT, c""));
            t.put(open(c"b/y", O_CREAT | O_RDWR));
        }),
        admin("read_only_file_system", |t| {
            must(mkdir(c"d"));
            must(mount(c"t", c"d", c"tmpfs", 0, c""));
            let fd = must(open(c"d/f", O_CREAT | O_RDWR));
            t.is("writer", mount(c"", c"d", c"", MS_REMOUNT | MS_RDONLY, c""));
            must(crate::sys::close(fd));
            t.put(mount(c"", c"d", c"", MS_REMOUNT | MS_RDONLY, c""));
            t.put([open(c"d/f", O_RDWR), open(c"d/g", O_CREAT | O_RDWR)]);
            t.put(mount(c"", c"d", c"", MS_REMOUNT, c""));
            t.put(open(c"d/f", O_RDWR));
        }),
        admin("noexec_nodev_nosuid", |t| {
            must(mkdir(c"d"));
            must(mount(c"t", c"d", c"tmpfs", MS_NOEXEC | MS_NODEV | MS_NOSUID, c""));
            file(c"d/f", "#!/bin/x\n");
            must(crate::sys::chmod(c"d/f", 0o755));
            t.put(sys!(SYS_execve, c"d/f", 0, 0));
            t.put(sys!(SYS_access, c"d/f", 1));
            must(sys!(SYS_mknod, c"d/null", libc::S_IFCHR | 0o666, libc::makedev(1, 3)));
            t.put(open(c"d/null", O_RDWR));
            let page = sys!(
                SYS_mmap,
                0,
                4096,
                libc::PROT_READ | libc::PROT_EXEC,
                libc::MAP_PRIVATE,
                must(open(c"d/f", O_RDONLY)),
                0
            );
            t.put(page.map(|_| "mapped"));
        }),
        admin("move", |t| {
            for name in [c"a", c"b", c"c"] {
                must(mkdir(name));
            }
            must(mount(c"t", c"a", c"tmpfs", 0, c""));
            file(c"a/f", "moved");
            must(mkdir(c"a/in"));
            t.put([
                mount(c"a", c"b", c"", MS_MOVE, c""),
                mount(c"c", c"a", c"", MS_MOVE, c""),
                mount(c"b", c"b/in", c"", MS_MOVE, c""),
            ]);
            t.put([content(c"b/f"), content(c"a/f")]);
        }),
        admin("stacked", |t| {
            must(mkdir(c"d"));
            for name in [c"one", c"two"] {
                must(mount(c"t", c"d", c"tmpfs", 0, c""));
                file(c"d/f", &name.to_string_lossy());
            }
            t.put(content(c"d/f"));
            must(umount(c"d", 0));
            t.put(content(c"d/f"));
        }),
        admin("dotdot_leaves_a_mount", |t| {
            must(mkdir(c"d"));
            file(c"f", "outside");
            must(mount(c"t", c"d", c"tmpfs", 0, c""));
            t.put(content(c"d/../f"));
            t.put(crate::sys::same(c"d/..", c"."));
            t.put(stat(c"d").map(|s| s.st_dev != must(stat(c".")).st_dev));
        }),
        admin("cross_device", |t| {
            must(mkdir(c"d"));
            must(mount(c"t", c"d", c"tmpfs", 0, c""));
            file(c"f", "");
            t.put([rename(c"f", c"d/f"), link(c"f", c"d/f"), rename(c"n", c"d/f")]);
        }),
        admin("shared", |t| {
            for name in [c"a", c"b"] {
                must(mkdir(name));
            }
            must(mount(c"t", c"a", c"tmpfs", 0, c""));
            t.put(mount(c"", c"a", c"", MS_SHARED, c""));
            must(mkdir(c"a/m"));
            must(mount(c"a", c"b", c"", MS_BIND, c""));
            must(mount(c"u", c"a/m", c"tmpfs", 0, c""));
            file(c"a/m/f", "");
            t.is("propagated", stat(c"b/m/f").map(drop));
            must(umount(c"b/m", 0));
            t.is("umount_propagated", stat(c"a/m/f").map(drop));
        }),
        admin("slave", |t| {
            for name in [c"a", c"b"] {
                must(mkdir(name));
            }
            must(mount(c"t", c"a", c"tmpfs", 0, c""));
            must(mount(c"", c"a", c"", MS_SHARED, c""));
            must(mkdir(c"a/m"));
            must(mount(c"a", c"b", c"", MS_BIND, c""));
            t.put(mount(c"", c"b", c"", MS_SLAVE, c""));
            must(mount(c"u", c"b/m", c"tmpfs", 0, c""));
            file(c"b/m/f", "");
            t.is("not_to_the_master", open(c"a/m/f", O_RDONLY));
        }),
        admin("private", |t| {
            for name in [c"a", c"b"] {
                must(mkdir(name));
            }
            must(mount(c"t", c"a", c"tmpfs", 0, c""));
            must(mkdir(c"a/m"));
            t.put(mount(c"", c"a", c"", MS_PRIVATE, c""));
            must(mount(c"a", c"b", c"", MS_BIND, c""));
            must(mount(c"u", c"a/m", c"tmpfs", 0, c""));
            file(c"a/m/f", "");
            t.put(open(c"b/m/f", O_RDONLY));
        }),
        admin("unbindable", |t| {
            for name in [c"a", c"b"] {
                must(mkdir(name));
            }
            must(mount(c"t", c"a", c"tmpfs", 0, c""));
            t.put(mount(c"", c"a", c"", MS_UNBINDABLE, c""));
            t.put(mount(c"a", c"b", c"", MS_BIND, c""));
        }),
        admin("namespaces_part", |t| {
            must(mkdir(c"d"));
            must(mkdir(c"e"));
            must(mount(c"t", c"d", c"tmpfs", 0, c""));
            part(t, |t| {
                must(sys!(SYS_unshare, CLONE_NEWNS));
                t.put([umount(c"d", 0), mount(c"t", c"e", c"tmpfs", 0, c"")]);
                file(c"e/f", "");
            });
            file(c"d/f", "still");
            t.put([content(c"d/f"), content(c"e/f")]);
            t.put(umount(c"d", 0));
        }),
        admin("mountinfo", |t| {
            must(mkdir(c"with space"));
            must(mount(c"the source", c"with space", c"tmpfs", MS_RDONLY | MS_NOSUID, c""));
            let line = crate::sys::lines("/proc/self/mountinfo")
                .into_iter()
                .find(|line| line.contains("with\\040space"))
                .unwrap_or_default();
            let words: Vec<&str> = line.split(' ').collect();
            let at = |index: usize| words.get(index).copied().unwrap_or("none").to_owned();
            t.put([at(3), at(5), at(6), at(7), at(8)]);
            let line = crate::sys::lines("/proc/self/mounts")
                .into_iter()
                .find(|line| line.contains("with\\040space"))
                .unwrap_or_default();
            t.put(line.split(' ').next().unwrap_or("none").to_owned());
        }),
        admin("proc_mount", |t| {
            must(mkdir(c"d"));
            t.put(mount(c"p", c"d", c"proc", 0, c""));
            t.put(open(c"d/self/status", O_RDONLY));
            t.put([mkdir(c"d/x"), unlink(c"d/version"), open(c"d/version", O_RDWR).map(drop)]);
        }),
        admin("devpts_mount", |t| {
            must(mkdir(c"d"));
            t.put(mount(c"p", c"d", c"devpts", 0, c"ptmxmode=666"));
            t.put(open(c"d/ptmx", O_RDWR | libc::O_NOCTTY));
            t.put(open(c"d/0", O_RDONLY | libc::O_NOCTTY | libc::O_PATH));
            t.put([mkdir(c"d/x"), unlink(c"d/ptmx")]);
        }),
        admin("new_mount_calls", |t| {
            must(mkdir(c"d"));
            let made = sys!(SYS_fsopen, c"tmpfs", 0);
            t.put(made.map(|_| "fd"));
            let tree = sys!(SYS_open_tree, crate::sys::CWD, c"d", 1);
            t.put(tree.map(|_| "fd"));
        }),
        admin("mount_on_a_descriptor_path", |t| {
            must(mkdir(c"d"));
            let fd = must(open(c"d", libc::O_PATH));
            t.put(mount(c"t", &text(&format!("/proc/self/fd/{}", fd.0)), c"tmpfs", 0, c""));
            t.put(count("/d"));
        }),
    ],
};

pub(super) fn mount(
    source: &std::ffi::CStr,
    target: &std::ffi::CStr,
    kind: &std::ffi::CStr,
    flags: u64,
    data: &std::ffi::CStr,
) -> Answer {
    sys!(SYS_mount, source, target, kind, flags, data)
}

pub(super) fn umount(target: &std::ffi::CStr, flags: i32) -> Answer {
    sys!(SYS_umount2, target, flags)
}

/// How many mounts there are whose place ends so or is below that.
pub(super) fn count(place: &str) -> usize {
    let lines = crate::sys::lines("/proc/self/mountinfo");
    let mine = lines.iter().filter_map(|line| line.split(' ').nth(4)).filter(|point| point.contains("/work/"));
    mine.filter(|point| point.ends_with(place) || point.contains(&format!("{place}/"))).count()
}
