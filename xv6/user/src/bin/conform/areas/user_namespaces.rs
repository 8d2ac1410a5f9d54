//! User namespaces: their maps, and who owns what is made in them.

use libc::{CLONE_NEWNS, CLONE_NEWPID, CLONE_NEWUSER, CLONE_NEWUTS, O_RDONLY, O_WRONLY};

use crate::areas::namespaces::NS;
use crate::child::{Gate, part, reap, spawn};
use crate::line::Hex;
use crate::runner::{Area, admin};
use crate::sys::{content, mkdir, must, open, sys, text, write};

pub const AREA: Area = Area {
    name: "namespaces",
    checks: &[
        admin("user", |t| {
            part(t, |t| {
                t.put(sys!(SYS_unshare, CLONE_NEWUSER));
                t.put([sys!(SYS_getuid), sys!(SYS_getgid)]);
                t.put(content(c"/proc/self/uid_map"));
                let status = crate::sys::lines("/proc/self/status");
                t.put(
                    status
                        .iter()
                        .find(|line| line.starts_with("CapEff"))
                        .is_some_and(|line| !line.ends_with("0000000000000000")),
                );
            });
        }),
        admin("uid_map", |t| {
            part(t, |t| {
                must(sys!(SYS_unshare, CLONE_NEWUSER));
                let set = |file: &std::ffi::CStr, map: &str| open(file, O_WRONLY).and_then(|fd| write(fd, map));
                t.put([
                    set(c"/proc/self/uid_map", ""),
                    set(c"/proc/self/uid_map", "x"),
                    set(c"/proc/self/uid_map", "0 0"),
                    set(c"/proc/self/uid_map", "0 0 0"),
                ]);
                t.put([
                    set(c"/proc/self/uid_map", "0 0 1\n0 1 1\n"),
                    set(c"/proc/self/gid_map", "0 0 1"),
                    set(c"/proc/self/uid_map", "5 0 1\n"),
                ]);
                t.put([
                    set(c"/proc/self/uid_map", "5 0 1\n"),
                    set(c"/proc/self/setgroups", "deny"),
                    set(c"/proc/self/gid_map", "7 0 1"),
                ]);
                t.put([sys!(SYS_getuid), sys!(SYS_getgid)]);
                t.put(content(c"/proc/self/setgroups"));
                t.put(sys!(SYS_setgroups, 0, 0));
            });
        }),
        admin("uid_map_by_the_parent", |t| {
            let (made, mapped) = (Gate::new(), Gate::new());
            let child = spawn(|| {
                must(sys!(SYS_unshare, CLONE_NEWUSER));
                made.open();
                mapped.wait();
                must(sys!(SYS_setresuid, 3, 3, 3));
                must(sys!(SYS_getuid)) as i32
            });
            made.wait();
            let map = |name: &str| text(&format!("/proc/{child}/{name}"));
            t.put(open(&map("uid_map"), O_WRONLY).and_then(|fd| write(fd, "0 1000 10\n")));
            t.put(open(&map("uid_map"), O_WRONLY).and_then(|fd| write(fd, "0 1000 10\n")));
            t.put(content(&map("uid_map")).map(|text| text.replace('_', "")));
            mapped.open();
            t.put(reap(child));
        }),
        admin("user_owns_what_it_makes", |t| {
            part(t, |t| {
                must(sys!(SYS_unshare, CLONE_NEWUSER));
                t.put([sys!(SYS_unshare, CLONE_NEWUTS), sys!(SYS_sethostname, c"mine", 4)]);
                t.put(sys!(SYS_unshare, CLONE_NEWNS));
                must(mkdir(c"d"));
                t.put(sys!(SYS_mount, c"t", c"d", c"tmpfs", 0, 0));
            });
            part(t, |t| {
                must(sys!(SYS_unshare, CLONE_NEWUSER));
                t.is(
                    "not_its_own",
                    [
                        sys!(SYS_sethostname, c"mine", 4),
                        sys!(SYS_mount, c"t", c".", c"tmpfs", 0, 0),
                        sys!(SYS_chroot, c"."),
                    ],
                );
            });
        }),
        admin("ioctls_of_owners", |t| {
            must(sys!(SYS_unshare, CLONE_NEWPID));
            let fd = must(open(c"/proc/self/ns/pid", O_RDONLY));
            t.put(sys!(SYS_ioctl, fd, NS[2]).map(|kind| Hex(kind as u64)));
            t.put(sys!(SYS_ioctl, fd, NS[0]).map(|_| "fd"));
            let user = must(open(c"/proc/self/ns/user", O_RDONLY));
            let mut owner = [9u32];
            t.put(sys!(SYS_ioctl, user, NS[3], &mut owner));
            t.put(owner);
        }),
    ],
};
