//! pivot_root(2).

use libc::{CLONE_NEWNS, MNT_DETACH, O_RDONLY};

use crate::areas::mounts::{mount, umount};
use crate::runner::{Area, admin};
use crate::sys::{chdir, content, file, mkdir, must, open, rmdir, sys};

pub const AREA: Area = Area {
    name: "mounts",
    checks: &[
        admin("pivot_root", |t| {
            must(sys!(SYS_unshare, CLONE_NEWNS));
            for name in [c"new", c"other", c"plain"] {
                must(mkdir(name));
            }
            must(mount(c"t", c"new", c"tmpfs", 0, c""));
            must(mkdir(c"new/old"));
            file(c"new/f", "new");
            t.is("no_mount", sys!(SYS_pivot_root, c"plain", c"plain"));
            t.is("old_outside", sys!(SYS_pivot_root, c"new", c"other"));
            t.is(
                "missing",
                [
                    sys!(SYS_pivot_root, c"n", c"new"),
                    sys!(SYS_pivot_root, c"new", c"new/n"),
                    sys!(SYS_pivot_root, c"new/f", c"new/f"),
                ],
            );
            t.is("busy", sys!(SYS_pivot_root, c"/", c"/"));
            t.put(sys!(SYS_pivot_root, c"new", c"new/old"));
            t.put([content(c"/f"), open(c"/old/proc", O_RDONLY).map(|_| "there".to_owned())]);
            t.put(open(c"/old/new", O_RDONLY));
            must(chdir(c"/"));
            t.put(umount(c"/old", MNT_DETACH));
            t.put([open(c"/old/proc", O_RDONLY).map(drop), rmdir(c"/old")]);
        }),
        admin("pivot_root_onto_itself", |t| {
            must(sys!(SYS_unshare, CLONE_NEWNS));
            must(mkdir(c"new"));
            must(mount(c"t", c"new", c"tmpfs", 0, c""));
            file(c"new/f", "new");
            must(chdir(c"new"));
            t.put(sys!(SYS_pivot_root, c".", c"."));
            t.put(umount(c".", MNT_DETACH));
            t.put(content(c"/f"));
        }),
        admin("pivot_root_in_chroot", |t| {
            must(sys!(SYS_unshare, CLONE_NEWNS));
            must(mkdir(c"jail"));
            must(mkdir(c"jail/new"));
            must(mount(c"t", c"jail/new", c"tmpfs", 0, c""));
            must(sys!(SYS_chroot, c"jail"));
            must(chdir(c"/"));
            t.put(sys!(SYS_pivot_root, c"new", c"new"));
        }),
    ],
};
