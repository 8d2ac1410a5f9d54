//! The kernel's system calls as the fuzzer makes them: number, name, and what each argument should be to get far. A test compares this
//! table with the kernel's; a call that is missing here fails it.
//!
//! Key types: [`Row`], [`AREAS`]: calls that act on the same things stand together, since a process that makes those alone gets further into
//! them. What the kinds of arguments mean is in `arguments.rs`. Linux x86_64's numbers.

use super::arguments::Kind::{
    self, Any, Bits, Buffer, DirFd, Fd, Id, IoVec, Length, Mode, Name, Offset, Page, Path, Pick, Pid, Program, SigSet,
    Signal, Small, Strings, Times, Words,
};
use super::values::{
    ADVICE, ARCH, AT, CAPABILITIES, CLOCKS, CLONE, CLONE_ARGS, EPOLL, FCNTL, FOLDERS, FSTYPES, FUTEX, HOW, IOCTLS,
    LIMITS, MAP, MOUNT, OPEN, OPTIONS, PRCTL, PROT, PTRACE, WAITID, XATTRS,
};

/// One system call.
#[derive(Clone, Copy)]
pub struct Row {
    /// Its number.
    pub number: i64,
    /// Its name.
    pub name: &'static str,
    /// Its arguments.
    pub args: &'static [Kind],
    /// It is made once of so many times that it comes up: what ends or cripples its process must not do so at once.
    pub rarity: usize,
}

const fn row(number: i64, name: &'static str, args: &'static [Kind]) -> Row {
    Row { number, name, args, rarity: 1 }
}

/// A call that costs its process something: rights, descriptors, a wait.
const fn costly(number: i64, name: &'static str, args: &'static [Kind]) -> Row {
    Row { number, name, args, rarity: 8 }
}

/// A call that mostly is its process's last.
const fn last(number: i64, name: &'static str, args: &'static [Kind]) -> Row {
    Row { number, name, args, rarity: 40 }
}

/// All calls, by what they act on.
pub const AREAS: [&[Row]; 7] = [DATA, FILES, DESCRIPTORS, MEMORY, PROCESSES, SIGNALS, SYSTEM];

/// The row of call `number`.
pub fn by_number(number: i64) -> Option<&'static Row> {
    AREAS.iter().flat_map(|area| area.iter()).find(|row| row.number == number)
}

const DATA: &[Row] = &[
    row(0, "read", &[Fd, Buffer, Length]),
    row(1, "write", &[Fd, Buffer, Length]),
    row(8, "lseek", &[Fd, Offset, Pick(&[0, 1, 2, 3, 4])]),
    row(17, "pread64", &[Fd, Buffer, Length, Offset]),
    row(18, "pwrite64", &[Fd, Buffer, Length, Offset]),
    row(19, "readv", &[Fd, IoVec, Pick(&[1, 2, 3, 4])]),
    row(20, "writev", &[Fd, IoVec, Pick(&[1, 2, 3, 4])]),
    row(40, "sendfile", &[Fd, Fd, Pick(&[0]), Length]),
    costly(74, "fsync", &[Fd]),
    costly(75, "fdatasync", &[Fd]),
    row(76, "truncate", &[Path, Offset]),
    row(77, "ftruncate", &[Fd, Offset]),
    costly(162, "sync", &[]),
    row(221, "fadvise64", &[Fd, Offset, Length, Small]),
    costly(277, "sync_file_range", &[Fd, Offset, Length, Bits(7)]),
    row(285, "fallocate", &[Fd, Bits(0x7b), Offset, Length]),
    row(295, "preadv", &[Fd, IoVec, Pick(&[1, 2, 3, 4]), Offset]),
    row(296, "pwritev", &[Fd, IoVec, Pick(&[1, 2, 3, 4]), Offset]),
    costly(306, "syncfs", &[Fd]),
    row(326, "copy_file_range", &[Fd, Pick(&[0]), Fd, Pick(&[0]), Length, Pick(&[0, 0, 1])]),
    row(327, "preadv2", &[Fd, IoVec, Pick(&[1, 2, 3, 4]), Offset, Pick(&[0]), Bits(0x1f)]),
    row(328, "pwritev2", &[Fd, IoVec, Pick(&[1, 2, 3, 4]), Offset, Pick(&[0]), Bits(0x1f)]),
];

const FILES: &[Row] = &[
    row(2, "open", &[Path, Bits(OPEN), Mode]),
    row(4, "stat", &[Path, Buffer]),
    row(6, "lstat", &[Path, Buffer]),
    row(21, "access", &[Path, Bits(7)]),
    row(78, "getdents", &[Fd, Buffer, Length]),
    row(79, "getcwd", &[Buffer, Length]),
    row(80, "chdir", &[Path]),
    row(81, "fchdir", &[Fd]),
    row(82, "rename", &[Path, Path]),
    row(83, "mkdir", &[Path, Mode]),
    row(84, "rmdir", &[Path]),
    row(85, "creat", &[Path, Mode]),
    row(86, "link", &[Path, Path]),
    row(87, "unlink", &[Path]),
    row(88, "symlink", &[Path, Path]),
    row(89, "readlink", &[Path, Buffer, Length]),
    row(90, "chmod", &[Path, Mode]),
    row(91, "fchmod", &[Fd, Mode]),
    row(92, "chown", &[Path, Id, Id]),
    row(93, "fchown", &[Fd, Id, Id]),
    row(94, "lchown", &[Path, Id, Id]),
    row(95, "umask", &[Mode]),
    row(132, "utime", &[Path, Times]),
    row(133, "mknod", &[Path, Mode, Small]),
    row(137, "statfs", &[Path, Buffer]),
    costly(155, "pivot_root", &[Name(FOLDERS), Name(FOLDERS)]),
    costly(161, "chroot", &[Path]),
    row(165, "mount", &[Name(FOLDERS), Name(FOLDERS), Name(FSTYPES), Pick(MOUNT), Name(OPTIONS)]),
    row(166, "umount2", &[Name(FOLDERS), Bits(15)]),
    row(188, "setxattr", &[Path, Name(XATTRS), Buffer, Small, Pick(&[0, 0, 0, 1, 2])]),
    row(189, "lsetxattr", &[Path, Name(XATTRS), Buffer, Small, Pick(&[0, 0, 0, 1, 2])]),
    row(190, "fsetxattr", &[Fd, Name(XATTRS), Buffer, Small, Pick(&[0, 0, 0, 1, 2])]),
    row(191, "getxattr", &[Path, Name(XATTRS), Buffer, Length]),
    row(192, "lgetxattr", &[Path, Name(XATTRS), Buffer, Length]),
    row(193, "fgetxattr", &[Fd, Name(XATTRS), Buffer, Length]),
    row(194, "listxattr", &[Path, Buffer, Length]),
    row(195, "llistxattr", &[Path, Buffer, Length]),
    row(196, "flistxattr", &[Fd, Buffer, Length]),
    row(197, "removexattr", &[Path, Name(XATTRS)]),
    row(198, "lremovexattr", &[Path, Name(XATTRS)]),
    row(199, "fremovexattr", &[Fd, Name(XATTRS)]),
    row(217, "getdents64", &[Fd, Buffer, Length]),
    row(235, "utimes", &[Path, Times]),
    row(257, "openat", &[DirFd, Path, Bits(OPEN), Mode]),
    row(258, "mkdirat", &[DirFd, Path, Mode]),
    row(259, "mknodat", &[DirFd, Path, Mode, Small]),
    row(260, "fchownat", &[DirFd, Path, Id, Id, Bits(AT)]),
    row(261, "futimesat", &[DirFd, Path, Times]),
    row(262, "newfstatat", &[DirFd, Path, Buffer, Bits(AT)]),
    row(263, "unlinkat", &[DirFd, Path, Bits(AT)]),
    row(264, "renameat", &[DirFd, Path, DirFd, Path]),
    row(265, "linkat", &[DirFd, Path, DirFd, Path, Bits(AT)]),
    row(266, "symlinkat", &[Path, DirFd, Path]),
    row(267, "readlinkat", &[DirFd, Path, Buffer, Length]),
    row(268, "fchmodat", &[DirFd, Path, Mode]),
    row(269, "faccessat", &[DirFd, Path, Bits(7)]),
    row(280, "utimensat", &[DirFd, Path, Times, Bits(AT)]),
    row(316, "renameat2", &[DirFd, Path, DirFd, Path, Bits(7)]),
    row(332, "statx", &[DirFd, Path, Bits(AT), Bits(0xffff), Buffer]),
    row(437, "openat2", &[DirFd, Path, Name(HOW), Pick(&[24, 24, 32, 4096])]),
    row(439, "faccessat2", &[DirFd, Path, Bits(7), Bits(AT)]),
    row(452, "fchmodat2", &[DirFd, Path, Mode, Bits(AT)]),
];

const DESCRIPTORS: &[Row] = &[
    costly(3, "close", &[Fd]),
    row(5, "fstat", &[Fd, Buffer]),
    row(7, "poll", &[Words, Small, Small]),
    row(16, "ioctl", &[Pick(&[6, 6, 6, 7, 7, 7, 0, 1, 3, 5, 8, 14]), Pick(IOCTLS), Words]),
    row(22, "pipe", &[Buffer]),
    row(23, "select", &[Small, Words, Words, Words, Times]),
    row(32, "dup", &[Fd]),
    row(33, "dup2", &[Fd, Fd]),
    row(41, "socket", &[Pick(&[0, 1, 2, 10, 16, 17, 99]), Pick(&[1, 2, 3, 5, 0x8_0801]), Small]),
    row(44, "sendto", &[Pick(&[8, 9]), Buffer, Length, Pick(&[0, 0x4000]), Pick(&[0, 0, 1]), Small]),
    row(45, "recvfrom", &[Pick(&[8, 9]), Buffer, Length, Pick(&[0]), Pick(&[0, 0, 1]), Words]),
    row(53, "socketpair", &[Pick(&[1]), Pick(&[1, 0x801, 0x8_0001]), Pick(&[0]), Buffer]),
    row(72, "fcntl", &[Fd, Pick(FCNTL), Words]),
    row(73, "flock", &[Fd, Pick(&[1, 2, 5, 6, 8])]),
    row(138, "fstatfs", &[Fd, Buffer]),
    row(213, "epoll_create", &[Small]),
    row(232, "epoll_wait", &[Pick(EPOLL), Buffer, Small, Small]),
    row(233, "epoll_ctl", &[Pick(EPOLL), Pick(&[1, 2, 3]), Fd, Words]),
    row(270, "pselect6", &[Small, Words, Words, Words, Times, Pick(&[0])]),
    row(271, "ppoll", &[Words, Small, Times, SigSet, Pick(&[8])]),
    row(281, "epoll_pwait", &[Pick(EPOLL), Buffer, Small, Small, SigSet, Pick(&[8])]),
    row(284, "eventfd", &[Small]),
    row(290, "eventfd2", &[Small, Bits(0x8_0801)]),
    row(291, "epoll_create1", &[Bits(0x8_0000)]),
    row(292, "dup3", &[Fd, Fd, Bits(0x8_0000)]),
    row(293, "pipe2", &[Buffer, Bits(0x8_4800)]),
    row(319, "memfd_create", &[Path, Bits(7)]),
    costly(436, "close_range", &[Fd, Fd, Bits(6)]),
    row(441, "epoll_pwait2", &[Pick(EPOLL), Buffer, Small, Times, SigSet, Pick(&[8])]),
];

const MEMORY: &[Row] = &[
    row(9, "mmap", &[Page, Length, Bits(PROT), Pick(MAP), Fd, Pick(&[0, 0, 4096, 8192, 4097])]),
    row(10, "mprotect", &[Page, Length, Bits(PROT)]),
    row(11, "munmap", &[Page, Length]),
    costly(12, "brk", &[Page]),
    row(25, "mremap", &[Page, Length, Length, Bits(7), Page]),
    row(26, "msync", &[Page, Length, Bits(7)]),
    row(27, "mincore", &[Page, Length, Buffer]),
    row(28, "madvise", &[Page, Length, Pick(ADVICE)]),
    row(149, "mlock", &[Page, Length]),
    row(150, "munlock", &[Page, Length]),
    row(151, "mlockall", &[Bits(7)]),
    row(152, "munlockall", &[]),
    row(158, "arch_prctl", &[Pick(ARCH), Buffer]),
    row(202, "futex", &[Buffer, Pick(FUTEX), Small, Times, Buffer, Small]),
    row(310, "process_vm_readv", &[Pid, IoVec, Pick(&[1, 2, 4]), IoVec, Pick(&[1, 2, 4]), Pick(&[0])]),
    row(311, "process_vm_writev", &[Pid, IoVec, Pick(&[1, 2, 4]), IoVec, Pick(&[1, 2, 4]), Pick(&[0])]),
    row(325, "mlock2", &[Page, Length, Bits(1)]),
];

const PROCESSES: &[Row] = &[
    row(24, "sched_yield", &[]),
    row(39, "getpid", &[]),
    costly(56, "clone", &[Bits(CLONE), Pick(&[0]), Buffer, Buffer, Buffer]),
    costly(57, "fork", &[]),
    costly(58, "vfork", &[]),
    last(59, "execve", &[Program, Strings, Strings]),
    last(60, "exit", &[Small]),
    costly(61, "wait4", &[Pid, Buffer, Bits(0xe000_000b), Buffer]),
    row(101, "ptrace", &[Pick(PTRACE), Pid, Buffer, Words]),
    row(109, "setpgid", &[Pid, Pid]),
    row(110, "getppid", &[]),
    row(111, "getpgrp", &[]),
    row(112, "setsid", &[]),
    row(121, "getpgid", &[Pid]),
    row(124, "getsid", &[Pid]),
    row(140, "getpriority", &[Pick(&[0, 1, 2, 3]), Pid]),
    row(141, "setpriority", &[Pick(&[0, 1, 2, 3]), Pid, Small]),
    row(143, "sched_getparam", &[Pid, Buffer]),
    row(144, "sched_setscheduler", &[Pid, Small, Words]),
    row(145, "sched_getscheduler", &[Pid]),
    row(146, "sched_get_priority_max", &[Small]),
    row(147, "sched_get_priority_min", &[Small]),
    row(186, "gettid", &[]),
    row(203, "sched_setaffinity", &[Pid, Small, Words]),
    row(204, "sched_getaffinity", &[Pid, Length, Buffer]),
    row(218, "set_tid_address", &[Buffer]),
    last(231, "exit_group", &[Small]),
    costly(247, "waitid", &[Pick(&[0, 1, 2, 3, 4]), Pid, Buffer, Pick(WAITID), Buffer]),
    costly(272, "unshare", &[Bits(CLONE)]),
    row(273, "set_robust_list", &[Buffer, Pick(&[24])]),
    costly(308, "setns", &[Pick(&[13, 14, 15, 15, 2]), Pick(&[0, 0, 0x400_0000, 0x2_0000, 0x2000_0000, 0x2402_0000])]),
    row(309, "getcpu", &[Buffer, Buffer]),
    last(322, "execveat", &[DirFd, Program, Strings, Strings, Bits(AT)]),
    row(434, "pidfd_open", &[Pid, Bits(0x800)]),
    costly(435, "clone3", &[Name(CLONE_ARGS), Pick(&[64, 88])]),
];

const SIGNALS: &[Row] = &[
    row(13, "rt_sigaction", &[Signal, Words, Buffer, Pick(&[8])]),
    row(14, "rt_sigprocmask", &[Pick(&[0, 1, 2, 3]), SigSet, Buffer, Pick(&[8])]),
    last(15, "rt_sigreturn", &[]),
    costly(34, "pause", &[]),
    row(35, "nanosleep", &[Times, Buffer]),
    row(36, "getitimer", &[Pick(&[0, 0, 0, 1, 2, 3]), Buffer]),
    row(37, "alarm", &[Small]),
    row(38, "setitimer", &[Pick(&[0, 0, 0, 1, 2, 3]), Times, Buffer]),
    costly(62, "kill", &[Pid, Signal]),
    row(127, "rt_sigpending", &[Buffer, Pick(&[8])]),
    row(128, "rt_sigtimedwait", &[SigSet, Buffer, Times, Pick(&[8])]),
    costly(129, "rt_sigqueueinfo", &[Pid, Signal, Words]),
    costly(130, "rt_sigsuspend", &[SigSet, Pick(&[8])]),
    row(131, "sigaltstack", &[Words, Buffer]),
    costly(200, "tkill", &[Pid, Signal]),
    row(219, "restart_syscall", &[]),
    row(230, "clock_nanosleep", &[Pick(CLOCKS), Bits(1), Times, Buffer]),
    costly(234, "tgkill", &[Pid, Pid, Signal]),
    costly(297, "rt_tgsigqueueinfo", &[Pid, Pid, Signal, Words]),
    costly(424, "pidfd_send_signal", &[Pick(&[13, 13, 13, 2, 12]), Signal, Pick(&[0, 1, 64]), Pick(&[0, 0, 0, 1, 4])]),
];

const SYSTEM: &[Row] = &[
    row(63, "uname", &[Buffer]),
    row(96, "gettimeofday", &[Buffer, Buffer]),
    row(97, "getrlimit", &[Small, Buffer]),
    row(98, "getrusage", &[Pick(&[0, 1, usize::MAX]), Buffer]),
    row(99, "sysinfo", &[Buffer]),
    row(100, "times", &[Buffer]),
    row(102, "getuid", &[]),
    row(103, "syslog", &[Small, Buffer, Length]),
    row(104, "getgid", &[]),
    costly(105, "setuid", &[Id]),
    row(106, "setgid", &[Id]),
    row(107, "geteuid", &[]),
    row(108, "getegid", &[]),
    costly(113, "setreuid", &[Id, Id]),
    row(114, "setregid", &[Id, Id]),
    row(115, "getgroups", &[Small, Buffer]),
    row(116, "setgroups", &[Small, Words]),
    costly(117, "setresuid", &[Id, Id, Id]),
    row(118, "getresuid", &[Buffer, Buffer, Buffer]),
    row(119, "setresgid", &[Id, Id, Id]),
    row(120, "getresgid", &[Buffer, Buffer, Buffer]),
    row(122, "setfsuid", &[Id]),
    row(123, "setfsgid", &[Id]),
    row(125, "capget", &[Name(CAPABILITIES), Buffer]),
    costly(126, "capset", &[Name(CAPABILITIES), Words]),
    row(135, "personality", &[Any]),
    row(157, "prctl", &[Pick(PRCTL), Any, Any, Any, Any]),
    row(160, "setrlimit", &[Small, Words]),
    row(164, "settimeofday", &[Times, Pick(&[0])]),
    last(169, "reboot", &[Pick(&[0xfee1_dead]), Pick(&[672_274_793]), Pick(&[0x0123_4567, 0, 0x4321_fedc]), Buffer]),
    row(170, "sethostname", &[Buffer, Small]),
    row(171, "setdomainname", &[Buffer, Small]),
    row(201, "time", &[Buffer]),
    row(227, "clock_settime", &[Pick(CLOCKS), Times]),
    row(228, "clock_gettime", &[Pick(CLOCKS), Buffer]),
    row(229, "clock_getres", &[Pick(CLOCKS), Buffer]),
    row(302, "prlimit64", &[Pid, Pick(LIMITS), Words, Buffer]),
    row(318, "getrandom", &[Buffer, Length, Bits(7)]),
    row(324, "membarrier", &[Small, Pick(&[0])]),
];
