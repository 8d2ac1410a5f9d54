//! Cgroup v2: its tree, membership, `cgroup.kill` and the limits of the tree.

use libc::{O_RDONLY, O_RDWR, O_WRONLY};

use crate::child::{end, reap, sleeper, until};
use crate::line::Line;
use crate::runner::{Area, admin};
use crate::sys::{content, mkdir, must, open, read, sys, text, write};

pub const AREA: Area = Area {
    name: "namespaces",
    checks: &[
        admin("cgroup_tree", |t| {
            cgroup2(t);
            t.put(mkdir(c"cg/conform"));
            let files = [
                "cgroup.procs",
                "cgroup.events",
                "cgroup.controllers",
                "cgroup.subtree_control",
                "cgroup.type",
                "cgroup.max.depth",
                "cgroup.max.descendants",
                "cgroup.stat",
            ];
            t.put(files.map(|name| std::fs::metadata(format!("cg/conform/{name}")).is_ok()));
            t.put([
                content(c"cg/conform/cgroup.type"),
                content(c"cg/conform/cgroup.procs"),
                content(c"cg/conform/cgroup.max.depth"),
                content(c"cg/conform/cgroup.events"),
            ]);
            t.put([
                crate::sys::unlink(c"cg/conform/cgroup.procs"),
                open(c"cg/conform/new", libc::O_CREAT | O_RDWR).map(drop),
                crate::sys::rename(c"cg/conform", c"cg/other"),
                crate::sys::rmdir(c"cg"),
            ]);
            t.put(crate::sys::rmdir(c"cg/conform"));
        }),
        admin("cgroup_membership", |t| {
            cgroup2(t);
            must(mkdir(c"cg/conform"));
            let procs = must(open(c"cg/conform/cgroup.procs", O_WRONLY));
            let child = sleeper();
            t.put(write(procs, &child.to_string()).is_ok());
            t.put([write(procs, "x"), write(procs, "-5"), write(procs, "4194303")]);
            t.put(content(c"cg/conform/cgroup.procs").map(|list| list == format!("'{child}|'")));
            t.put(
                std::fs::read_to_string(format!("/proc/{child}/cgroup"))
                    .is_ok_and(|text| text.lines().any(|line| line.starts_with("0::") && line.ends_with("/conform"))),
            );
            t.put(crate::sys::rmdir(c"cg/conform"));
            t.put(content(c"cg/conform/cgroup.events").map(|text| text.contains("populated_1")));
            end(child);
            until("empty", || content(c"cg/conform/cgroup.events").is_ok_and(|text| text.contains("populated_0")));
            t.put(crate::sys::rmdir(c"cg/conform"));
        }),
        admin("cgroup_kill", |t| {
            cgroup2(t);
            must(mkdir(c"cg/conform"));
            let child = sleeper();
            must(open(c"cg/conform/cgroup.procs", O_WRONLY).and_then(|fd| write(fd, &child.to_string())));
            let kill = must(open(c"cg/conform/cgroup.kill", O_WRONLY));
            t.put([write(kill, "0"), write(kill, "2"), write(kill, "1")]);
            t.put(reap(child));
            t.put(open(c"cg/conform/cgroup.kill", O_RDONLY).and_then(|fd| read(fd, 1)));
            until("empty", || crate::sys::rmdir(c"cg/conform").is_ok());
        }),
        admin("cgroup_limits_of_the_tree", |t| {
            cgroup2(t);
            must(mkdir(c"cg/conform"));
            let set = |name: &str, value: &str| {
                open(&text(&format!("cg/conform/{name}")), O_WRONLY).and_then(|fd| write(fd, value))
            };
            t.put([
                set("cgroup.max.depth", "1"),
                set("cgroup.max.depth", "-1"),
                set("cgroup.max.depth", "max"),
                set("cgroup.max.descendants", "1"),
            ]);
            t.put([mkdir(c"cg/conform/a"), mkdir(c"cg/conform/b")]);
            t.put([set("cgroup.subtree_control", "+nothing"), set("cgroup.subtree_control", "")]);
            t.put([
                crate::sys::rmdir(c"cg/conform"),
                crate::sys::rmdir(c"cg/conform/a"),
                crate::sys::rmdir(c"cg/conform"),
            ]);
        }),
    ],
};

/// Mounts cgroup2 on `cg`, or skips the check.
fn cgroup2(line: &mut Line) {
    must(mkdir(c"cg"));
    if sys!(SYS_mount, c"c", c"cg", c"cgroup2", 0, 0).is_err() {
        line.skip("no cgroup v2");
    }
}
