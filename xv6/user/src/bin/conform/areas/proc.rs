//! `/proc`: the files that programs read, their fields, and who may read whose.

use libc::{O_RDONLY, O_RDWR, O_WRONLY};

use crate::child::{end, needs_foreign_init, part, sleeper};
use crate::runner::{Area, plain, root};
use crate::sys::{content, getpid, lines, lseek, must, open, read, sys, text, write};

pub const AREA: Area = Area {
    name: "proc",
    checks: &[
        plain("stat_fields", |t| {
            let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
            let rest = stat.rsplit_once(") ").map_or("", |(_, rest)| rest);
            let words: Vec<&str> = rest.split_whitespace().collect();
            t.put(words.len() + 2);
            t.put([
                words[0] == "R",
                words[1].parse() == Ok(must(sys!(SYS_getppid))),
                words[2].parse() == Ok(must(sys!(SYS_getpgrp))),
                words[3].parse() == Ok(must(sys!(SYS_getsid, 0))),
            ]);
            t.put(words[17]);
        }),
        plain("status_fields", |t| {
            let lines = lines("/proc/self/status");
            let there = |name: &str| lines.iter().any(|line| line.starts_with(&format!("{name}:\t")));
            let names = [
                "Name",
                "Umask",
                "State",
                "Tgid",
                "Ngid",
                "Pid",
                "PPid",
                "TracerPid",
                "Uid",
                "Gid",
                "FDSize",
                "Groups",
                "NStgid",
                "NSpid",
                "NSpgid",
                "NSsid",
                "VmPeak",
                "VmSize",
                "VmHWM",
                "VmRSS",
                "VmData",
                "VmStk",
                "VmExe",
                "Threads",
                "SigQ",
                "SigPnd",
                "ShdPnd",
                "SigBlk",
                "SigIgn",
                "SigCgt",
                "CapInh",
                "CapPrm",
                "CapEff",
                "CapBnd",
                "CapAmb",
                "NoNewPrivs",
                "Seccomp",
                "Cpus_allowed",
                "voluntary_ctxt_switches",
            ];
            t.put(names.into_iter().filter(|name| !there(name)).collect::<Vec<_>>());
            t.put(
                lines
                    .iter()
                    .filter(|line| {
                        line.starts_with("Umask") || line.starts_with("State") || line.starts_with("Threads")
                    })
                    .map(|line| line.replace(['\t', ' '], "_"))
                    .collect::<Vec<_>>(),
            );
        }),
        plain("process_files", |t| {
            let names = [
                "attr",
                "auxv",
                "cgroup",
                "cmdline",
                "comm",
                "cwd",
                "environ",
                "exe",
                "fd",
                "fdinfo",
                "gid_map",
                "io",
                "limits",
                "loginuid",
                "maps",
                "mem",
                "mountinfo",
                "mounts",
                "mountstats",
                "ns",
                "oom_score",
                "oom_score_adj",
                "root",
                "setgroups",
                "smaps",
                "stat",
                "statm",
                "status",
                "task",
                "uid_map",
                "wchan",
            ];
            t.put(
                names
                    .into_iter()
                    .filter(|name| std::fs::symlink_metadata(format!("/proc/self/{name}")).is_err())
                    .collect::<Vec<_>>(),
            );
        }),
        plain("system_files", |t| {
            let names = [
                "cmdline",
                "cpuinfo",
                "devices",
                "filesystems",
                "interrupts",
                "loadavg",
                "meminfo",
                "mounts",
                "net",
                "partitions",
                "self",
                "stat",
                "swaps",
                "sys",
                "thread-self",
                "uptime",
                "version",
                "vmstat",
            ];
            t.put(
                names
                    .into_iter()
                    .filter(|name| std::fs::symlink_metadata(format!("/proc/{name}")).is_err())
                    .collect::<Vec<_>>(),
            );
        }),
        plain("system_controls", |t| {
            let names = [
                "kernel/hostname",
                "kernel/domainname",
                "kernel/osrelease",
                "kernel/ostype",
                "kernel/version",
                "kernel/pid_max",
                "kernel/random/boot_id",
                "kernel/random/uuid",
                "kernel/overflowuid",
                "kernel/cap_last_cap",
                "kernel/ngroups_max",
                "fs/file-max",
                "fs/nr_open",
                "fs/pipe-max-size",
                "vm/overcommit_memory",
                "vm/drop_caches",
                "user/max_user_namespaces",
            ];
            t.put(
                names
                    .into_iter()
                    .filter(|name| std::fs::metadata(format!("/proc/sys/{name}")).is_err())
                    .collect::<Vec<_>>(),
            );
            t.put([
                content(c"/proc/sys/kernel/ostype"),
                content(c"/proc/sys/kernel/overflowuid"),
                content(c"/proc/sys/kernel/ngroups_max"),
                content(c"/proc/sys/fs/pipe-max-size"),
            ]);
        }),
        plain("meminfo", |t| {
            let lines = lines("/proc/meminfo");
            let names = [
                "MemTotal",
                "MemFree",
                "MemAvailable",
                "Buffers",
                "Cached",
                "SwapTotal",
                "SwapFree",
                "Dirty",
                "AnonPages",
                "Mapped",
                "Shmem",
                "Slab",
            ];
            t.put(
                names
                    .into_iter()
                    .filter(|name| {
                        !lines.iter().any(|line| line.starts_with(&format!("{name}:")) && line.ends_with(" kB"))
                    })
                    .collect::<Vec<_>>(),
            );
        }),
        plain("stat_lines", |t| {
            let lines = lines("/proc/stat");
            t.put(
                ["cpu ", "cpu0 ", "intr ", "ctxt ", "btime ", "processes ", "procs_running ", "procs_blocked "]
                    .into_iter()
                    .filter(|name| !lines.iter().any(|line| line.starts_with(name)))
                    .collect::<Vec<_>>(),
            );
            t.put(lines[0].split_whitespace().count());
        }),
        plain("loadavg_uptime", |t| {
            t.put(
                [std::fs::read_to_string("/proc/loadavg"), std::fs::read_to_string("/proc/uptime")]
                    .map(|text| text.unwrap_or_default().split_whitespace().count()),
            );
        }),
        plain("cmdline_environ", |t| {
            let bytes = std::fs::read("/proc/self/cmdline").unwrap_or_default();
            t.put(
                bytes.ends_with(b"\0")
                    && bytes.split(|byte| *byte == 0).next().is_some_and(|name| name.ends_with(b"conform")),
            );
            t.put(std::fs::read("/proc/self/environ").is_ok());
        }),
        plain("links", |t| {
            t.put(std::fs::read_link("/proc/self").is_ok_and(|path| path.to_string_lossy() == getpid().to_string()));
            t.put(
                std::fs::read_link("/proc/thread-self")
                    .is_ok_and(|path| path.to_string_lossy() == format!("{0}/task/{0}", getpid())),
            );
            t.put(std::fs::read_link("/proc/mounts").is_ok_and(|path| path.to_string_lossy() == "self/mounts"));
            t.put([
                std::fs::read_link("/proc/self/cwd").is_ok(),
                std::fs::read_link("/proc/self/root").is_ok_and(|path| path.to_string_lossy() == "/"),
            ]);
        }),
        plain("cwd_of_a_removed_directory", |t| {
            must(crate::sys::mkdir(c"d"));
            must(crate::sys::chdir(c"d"));
            must(crate::sys::rmdir(c"../d"));
            t.put(
                std::fs::read_link("/proc/self/cwd").is_ok_and(|path| path.to_string_lossy().ends_with("/d (deleted)")),
            );
        }),
        plain("missing", |t| {
            t.put([
                open(c"/proc/4194303", O_RDONLY),
                open(c"/proc/0", O_RDONLY),
                open(c"/proc/01", O_RDONLY),
                open(c"/proc/self/fd/77", O_RDONLY),
                open(c"/proc/self/nothing", O_RDONLY),
            ]);
            t.put([
                crate::sys::mkdir(c"/proc/x"),
                crate::sys::unlink(c"/proc/self/stat"),
                crate::sys::rmdir(c"/proc/self/fd"),
            ]);
        }),
        plain("not_writable", |t| {
            t.put([
                open(c"/proc/version", O_RDWR),
                open(c"/proc/self/status", O_WRONLY),
                open(c"/proc/sys/kernel/hostname", O_WRONLY),
            ]);
        }),
        plain("comm_is_writable", |t| {
            t.put(open(c"/proc/self/comm", O_WRONLY).and_then(|fd| write(fd, "renamed by writing")));
            t.put(content(c"/proc/self/comm"));
        }),
        plain("oom_score_adj", |t| {
            let set = |value: &str| open(c"/proc/self/oom_score_adj", O_WRONLY).and_then(|fd| write(fd, value));
            t.put([set("500"), set("1001"), set("x"), set("-1")]);
            t.put(content(c"/proc/self/oom_score_adj"));
        }),
        plain("reading_in_pieces", |t| {
            let fd = must(open(c"/proc/self/status", O_RDONLY));
            t.put([read(fd, 5), read(fd, 3)]);
            must(lseek(fd, 0, libc::SEEK_SET));
            t.put(read(fd, 5));
            t.put(crate::sys::pread(fd, 4, 1 << 30));
            t.put(crate::sys::fstat(fd).map(|s| s.st_size));
        }),
        plain("task", |t| {
            let gate = crate::child::Gate::new();
            let thread = std::thread::spawn(move || gate.wait());
            t.put(std::fs::read_dir("/proc/self/task").map_or(0, Iterator::count));
            t.put(std::fs::metadata(format!("/proc/self/task/{}/stat", getpid())).is_ok());
            gate.open();
            t.put(thread.join().is_ok());
            t.put(open(c"/proc/self/task/1/stat", O_RDONLY));
        }),
        plain("of_another_user", |t| {
            needs_foreign_init(t);
            t.put([
                open(c"/proc/1/status", O_RDONLY),
                open(c"/proc/1/stat", O_RDONLY),
                open(c"/proc/1/cmdline", O_RDONLY),
            ]);
            t.put([
                open(c"/proc/1/environ", O_RDONLY).and_then(|fd| read(fd, 1)),
                open(c"/proc/1/maps", O_RDONLY).and_then(|fd| read(fd, 1)),
                open(c"/proc/1/mem", O_RDONLY).map(|_| String::new()),
            ]);
            t.put([
                std::fs::read_link("/proc/1/exe").is_err(),
                std::fs::read_link("/proc/1/cwd").is_err(),
                std::fs::read_dir("/proc/1/fd").is_err(),
            ]);
        }),
        root("of_a_lesser_user", |t| {
            let child = sleeper();
            part(t, |t| {
                must(sys!(SYS_setresuid, 1000, 1000, 1000));
                t.put(std::fs::read_link(format!("/proc/{child}/exe")).is_err());
                t.put(open(&text(&format!("/proc/{child}/mem")), O_RDONLY));
            });
            end(child);
        }),
        plain("limits", |t| {
            must(sys!(SYS_prlimit64, 0, libc::RLIMIT_NOFILE, &[200u64, 300], 0));
            let lines = lines("/proc/self/limits");
            t.put(lines.len());
            t.put(
                lines
                    .iter()
                    .find(|line| line.starts_with("Max open files"))
                    .map(|line| line.split_whitespace().collect::<Vec<_>>().join("_")),
            );
        }),
        plain("auxiliary_vector", |t| {
            let bytes = std::fs::read("/proc/self/auxv").unwrap_or_default();
            let words: Vec<u64> =
                bytes.chunks_exact(8).map(|word| u64::from_ne_bytes(word.try_into().unwrap_or_default())).collect();
            let kinds: Vec<u64> = words.chunks_exact(2).map(|pair| pair[0]).collect();
            t.put(
                [3, 4, 5, 6, 7, 8, 9, 11, 12, 13, 14, 16, 17, 23, 25, 31]
                    .into_iter()
                    .filter(|kind| !kinds.contains(kind))
                    .collect::<Vec<u64>>(),
            );
            let value = |kind: u64| words.chunks_exact(2).find(|pair| pair[0] == kind).map(|pair| pair[1]);
            t.put([value(6), value(4), value(17), value(23), value(0)]);
        }),
        plain("maps_have_the_usual_areas", |t| {
            let lines = lines("/proc/self/maps");
            t.put(["[stack]", "[heap]"].map(|name| lines.iter().any(|line| line.ends_with(name))));
            t.put(lines.iter().filter(|line| line.contains("rwxp")).count());
        }),
        plain("statm", |t| {
            t.put(std::fs::read_to_string("/proc/self/statm").unwrap_or_default().split_whitespace().count())
        }),
        plain("cpuinfo", |t| {
            let lines = lines("/proc/cpuinfo");
            t.put(
                ["processor", "vendor_id", "cpu family", "model name", "flags", "bogomips", "cpu MHz"]
                    .map(|name| lines.iter().any(|line| line.starts_with(name))),
            );
        }),
        plain("filesystems", |t| {
            let lines = lines("/proc/filesystems");
            t.put(
                ["nodev\tproc", "nodev\ttmpfs", "nodev\toverlay", "nodev\tdevpts", "nodev\tcgroup2"]
                    .map(|name| lines.iter().any(|line| line == name)),
            );
        }),
    ],
};
