//! The kinds of namespaces, their names under `/proc/PID/ns` and their flags, for `unshare` and `nsenter`.

use nix::sched::CloneFlags;

/// A kind: its letter as an option, its long option, its file's name and its flag.
pub struct Kind {
    /// `-p`
    pub letter: &'static str,
    /// `--pid`
    pub long: &'static str,
    /// The name under `/proc/PID/ns`.
    pub file: &'static str,
    /// The flag of clone(2).
    pub flag: CloneFlags,
}

/// All kinds, in the order in which `nsenter` enters them: user first, for the rights; mount last, as it changes what paths mean.
pub const ALL: [Kind; 7] = [
    Kind { letter: "U", long: "--user", file: "user", flag: CloneFlags::CLONE_NEWUSER },
    Kind { letter: "C", long: "--cgroup", file: "cgroup", flag: CloneFlags::CLONE_NEWCGROUP },
    Kind { letter: "i", long: "--ipc", file: "ipc", flag: CloneFlags::CLONE_NEWIPC },
    Kind { letter: "u", long: "--uts", file: "uts", flag: CloneFlags::CLONE_NEWUTS },
    Kind { letter: "n", long: "--net", file: "net", flag: CloneFlags::CLONE_NEWNET },
    Kind { letter: "p", long: "--pid", file: "pid", flag: CloneFlags::CLONE_NEWPID },
    Kind { letter: "m", long: "--mount", file: "mnt", flag: CloneFlags::CLONE_NEWNS },
];

/// The kind that an option means.
pub fn by_option(option: &str) -> Option<&'static Kind> {
    ALL.iter().find(|kind| kind.letter == option || kind.long == option)
}
