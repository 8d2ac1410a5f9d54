//! The kernel's system calls as the fuzzer makes them: what each argument should be to get far. A test compares this table with the kernel's; a
//! call that is missing here fails it. The numbers are the library's (`user::calls`).
//!
//! Key types: [`Row`], [`AREAS`]: calls that act on the same things stand together, since a process that makes those alone gets further into
//! them. What the kinds of arguments mean is in `arguments.rs`.

use super::arguments::Kind::{
    self, Any, Bits, Buffer, DirFd, Fd, Id, IoVec, Length, Mode, Name, Offset, Page, Path, Pick, Pid, Program, SigSet,
    Signal, Small, Strings, Times, Words,
};
use super::values::{
    ADVICE, ARCH, AT, CAPABILITIES, CLOCKS, CLONE, CLONE_ARGS, EPOLL, FCNTL, FOLDERS, FSTYPES, FUTEX, HOW, IOCTLS,
    LIMITS, MAP, MOUNT, OPEN, OPTIONS, PRCTL, PROT, PTRACE, WAITID, XATTRS,
};
use user::calls::number;

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

const fn row(name: &'static str, args: &'static [Kind]) -> Row {
    Row { number: number(name) as i64, name, args, rarity: 1 }
}

/// A call that costs its process something: rights, descriptors, a wait.
const fn costly(name: &'static str, args: &'static [Kind]) -> Row {
    Row { number: number(name) as i64, name, args, rarity: 8 }
}

/// A call that mostly is its process's last.
const fn last(name: &'static str, args: &'static [Kind]) -> Row {
    Row { number: number(name) as i64, name, args, rarity: 40 }
}

/// All calls, by what they act on.
pub const AREAS: [&[Row]; 7] = [DATA, FILES, DESCRIPTORS, MEMORY, PROCESSES, SIGNALS, SYSTEM];

/// The row of call `number`.
pub fn by_number(number: i64) -> Option<&'static Row> {
    AREAS.iter().flat_map(|area| area.iter()).find(|row| row.number == number)
}

const DATA: &[Row] = &[
    row("read", &[Fd, Buffer, Length]),
    row("write", &[Fd, Buffer, Length]),
    row("lseek", &[Fd, Offset, Pick(&[0, 1, 2, 3, 4])]),
    row("pread64", &[Fd, Buffer, Length, Offset]),
    row("pwrite64", &[Fd, Buffer, Length, Offset]),
    row("readv", &[Fd, IoVec, Pick(&[1, 2, 3, 4])]),
    row("writev", &[Fd, IoVec, Pick(&[1, 2, 3, 4])]),
    row("sendfile", &[Fd, Fd, Pick(&[0]), Length]),
    costly("fsync", &[Fd]),
    costly("fdatasync", &[Fd]),
    row("truncate", &[Path, Offset]),
    row("ftruncate", &[Fd, Offset]),
    costly("sync", &[]),
    row("fadvise64", &[Fd, Offset, Length, Small]),
    costly("sync_file_range", &[Fd, Offset, Length, Bits(7)]),
    row("fallocate", &[Fd, Bits(0x7b), Offset, Length]),
    row("preadv", &[Fd, IoVec, Pick(&[1, 2, 3, 4]), Offset]),
    row("pwritev", &[Fd, IoVec, Pick(&[1, 2, 3, 4]), Offset]),
    costly("syncfs", &[Fd]),
    row("copy_file_range", &[Fd, Pick(&[0]), Fd, Pick(&[0]), Length, Pick(&[0, 0, 1])]),
    row("preadv2", &[Fd, IoVec, Pick(&[1, 2, 3, 4]), Offset, Pick(&[0]), Bits(0x1f)]),
    row("pwritev2", &[Fd, IoVec, Pick(&[1, 2, 3, 4]), Offset, Pick(&[0]), Bits(0x1f)]),
];

const FILES: &[Row] = &[
    row("open", &[Path, Bits(OPEN), Mode]),
    row("stat", &[Path, Buffer]),
    row("lstat", &[Path, Buffer]),
    row("access", &[Path, Bits(7)]),
    row("getdents", &[Fd, Buffer, Length]),
    row("getcwd", &[Buffer, Length]),
    row("chdir", &[Path]),
    row("fchdir", &[Fd]),
    row("rename", &[Path, Path]),
    row("mkdir", &[Path, Mode]),
    row("rmdir", &[Path]),
    row("creat", &[Path, Mode]),
    row("link", &[Path, Path]),
    row("unlink", &[Path]),
    row("symlink", &[Path, Path]),
    row("readlink", &[Path, Buffer, Length]),
    row("chmod", &[Path, Mode]),
    row("fchmod", &[Fd, Mode]),
    row("chown", &[Path, Id, Id]),
    row("fchown", &[Fd, Id, Id]),
    row("lchown", &[Path, Id, Id]),
    row("umask", &[Mode]),
    row("utime", &[Path, Times]),
    row("mknod", &[Path, Mode, Small]),
    row("statfs", &[Path, Buffer]),
    costly("pivot_root", &[Name(FOLDERS), Name(FOLDERS)]),
    costly("chroot", &[Path]),
    row("mount", &[Name(FOLDERS), Name(FOLDERS), Name(FSTYPES), Pick(MOUNT), Name(OPTIONS)]),
    row("umount2", &[Name(FOLDERS), Bits(15)]),
    row("setxattr", &[Path, Name(XATTRS), Buffer, Small, Pick(&[0, 0, 0, 1, 2])]),
    row("lsetxattr", &[Path, Name(XATTRS), Buffer, Small, Pick(&[0, 0, 0, 1, 2])]),
    row("fsetxattr", &[Fd, Name(XATTRS), Buffer, Small, Pick(&[0, 0, 0, 1, 2])]),
    row("getxattr", &[Path, Name(XATTRS), Buffer, Length]),
    row("lgetxattr", &[Path, Name(XATTRS), Buffer, Length]),
    row("fgetxattr", &[Fd, Name(XATTRS), Buffer, Length]),
    row("listxattr", &[Path, Buffer, Length]),
    row("llistxattr", &[Path, Buffer, Length]),
    row("flistxattr", &[Fd, Buffer, Length]),
    row("removexattr", &[Path, Name(XATTRS)]),
    row("lremovexattr", &[Path, Name(XATTRS)]),
    row("fremovexattr", &[Fd, Name(XATTRS)]),
    row("getdents64", &[Fd, Buffer, Length]),
    row("utimes", &[Path, Times]),
    row("openat", &[DirFd, Path, Bits(OPEN), Mode]),
    row("mkdirat", &[DirFd, Path, Mode]),
    row("mknodat", &[DirFd, Path, Mode, Small]),
    row("fchownat", &[DirFd, Path, Id, Id, Bits(AT)]),
    row("futimesat", &[DirFd, Path, Times]),
    row("newfstatat", &[DirFd, Path, Buffer, Bits(AT)]),
    row("unlinkat", &[DirFd, Path, Bits(AT)]),
    row("renameat", &[DirFd, Path, DirFd, Path]),
    row("linkat", &[DirFd, Path, DirFd, Path, Bits(AT)]),
    row("symlinkat", &[Path, DirFd, Path]),
    row("readlinkat", &[DirFd, Path, Buffer, Length]),
    row("fchmodat", &[DirFd, Path, Mode]),
    row("faccessat", &[DirFd, Path, Bits(7)]),
    row("utimensat", &[DirFd, Path, Times, Bits(AT)]),
    row("renameat2", &[DirFd, Path, DirFd, Path, Bits(7)]),
    row("statx", &[DirFd, Path, Bits(AT), Bits(0xffff), Buffer]),
    row("openat2", &[DirFd, Path, Name(HOW), Pick(&[24, 24, 32, 4096])]),
    row("faccessat2", &[DirFd, Path, Bits(7), Bits(AT)]),
    row("fchmodat2", &[DirFd, Path, Mode, Bits(AT)]),
];

const DESCRIPTORS: &[Row] = &[
    costly("close", &[Fd]),
    row("fstat", &[Fd, Buffer]),
    row("poll", &[Words, Small, Small]),
    row("ioctl", &[Pick(&[6, 6, 6, 7, 7, 7, 0, 1, 3, 5, 8, 14]), Pick(IOCTLS), Words]),
    row("pipe", &[Buffer]),
    row("select", &[Small, Words, Words, Words, Times]),
    row("dup", &[Fd]),
    row("dup2", &[Fd, Fd]),
    row("socket", &[Pick(&[0, 1, 2, 10, 16, 17, 99]), Pick(&[1, 2, 3, 5, 0x8_0801]), Small]),
    row("sendto", &[Pick(&[8, 9]), Buffer, Length, Pick(&[0, 0x4000]), Pick(&[0, 0, 1]), Small]),
    row("recvfrom", &[Pick(&[8, 9]), Buffer, Length, Pick(&[0]), Pick(&[0, 0, 1]), Words]),
    row("socketpair", &[Pick(&[1]), Pick(&[1, 0x801, 0x8_0001]), Pick(&[0]), Buffer]),
    row("fcntl", &[Fd, Pick(FCNTL), Words]),
    row("flock", &[Fd, Pick(&[1, 2, 5, 6, 8])]),
    row("fstatfs", &[Fd, Buffer]),
    row("epoll_create", &[Small]),
    row("epoll_wait", &[Pick(EPOLL), Buffer, Small, Small]),
    row("epoll_ctl", &[Pick(EPOLL), Pick(&[1, 2, 3]), Fd, Words]),
    row("pselect6", &[Small, Words, Words, Words, Times, Pick(&[0])]),
    row("ppoll", &[Words, Small, Times, SigSet, Pick(&[8])]),
    row("epoll_pwait", &[Pick(EPOLL), Buffer, Small, Small, SigSet, Pick(&[8])]),
    row("eventfd", &[Small]),
    row("eventfd2", &[Small, Bits(0x8_0801)]),
    row("epoll_create1", &[Bits(0x8_0000)]),
    row("dup3", &[Fd, Fd, Bits(0x8_0000)]),
    row("pipe2", &[Buffer, Bits(0x8_4800)]),
    row("memfd_create", &[Path, Bits(7)]),
    costly("close_range", &[Fd, Fd, Bits(6)]),
    row("epoll_pwait2", &[Pick(EPOLL), Buffer, Small, Times, SigSet, Pick(&[8])]),
];

const MEMORY: &[Row] = &[
    row("mmap", &[Page, Length, Bits(PROT), Pick(MAP), Fd, Pick(&[0, 0, 4096, 8192, 4097])]),
    row("mprotect", &[Page, Length, Bits(PROT)]),
    row("munmap", &[Page, Length]),
    costly("brk", &[Page]),
    row("mremap", &[Page, Length, Length, Bits(7), Page]),
    row("msync", &[Page, Length, Bits(7)]),
    row("mincore", &[Page, Length, Buffer]),
    row("madvise", &[Page, Length, Pick(ADVICE)]),
    row("mlock", &[Page, Length]),
    row("munlock", &[Page, Length]),
    row("mlockall", &[Bits(7)]),
    row("munlockall", &[]),
    row("arch_prctl", &[Pick(ARCH), Buffer]),
    row("futex", &[Buffer, Pick(FUTEX), Small, Times, Buffer, Small]),
    row("process_vm_readv", &[Pid, IoVec, Pick(&[1, 2, 4]), IoVec, Pick(&[1, 2, 4]), Pick(&[0])]),
    row("process_vm_writev", &[Pid, IoVec, Pick(&[1, 2, 4]), IoVec, Pick(&[1, 2, 4]), Pick(&[0])]),
    row("mlock2", &[Page, Length, Bits(1)]),
];

const PROCESSES: &[Row] = &[
    row("sched_yield", &[]),
    row("getpid", &[]),
    costly("clone", &[Bits(CLONE), Pick(&[0]), Buffer, Buffer, Buffer]),
    costly("fork", &[]),
    costly("vfork", &[]),
    last("execve", &[Program, Strings, Strings]),
    last("exit", &[Small]),
    costly("wait4", &[Pid, Buffer, Bits(0xe000_000b), Buffer]),
    row("ptrace", &[Pick(PTRACE), Pid, Buffer, Words]),
    row("setpgid", &[Pid, Pid]),
    row("getppid", &[]),
    row("getpgrp", &[]),
    row("setsid", &[]),
    row("getpgid", &[Pid]),
    row("getsid", &[Pid]),
    row("getpriority", &[Pick(&[0, 1, 2, 3]), Pid]),
    row("setpriority", &[Pick(&[0, 1, 2, 3]), Pid, Small]),
    row("sched_setparam", &[Pid, Words]),
    row("sched_getparam", &[Pid, Buffer]),
    row("sched_setscheduler", &[Pid, Small, Words]),
    row("sched_getscheduler", &[Pid]),
    row("sched_get_priority_max", &[Small]),
    row("sched_get_priority_min", &[Small]),
    row("sched_rr_get_interval", &[Pid, Buffer]),
    row("gettid", &[]),
    row("sched_setaffinity", &[Pid, Small, Words]),
    row("sched_getaffinity", &[Pid, Length, Buffer]),
    row("set_tid_address", &[Buffer]),
    last("exit_group", &[Small]),
    costly("waitid", &[Pick(&[0, 1, 2, 3, 4]), Pid, Buffer, Pick(WAITID), Buffer]),
    costly("unshare", &[Bits(CLONE)]),
    row("set_robust_list", &[Buffer, Pick(&[24])]),
    costly("setns", &[Pick(&[13, 14, 15, 15, 2]), Pick(&[0, 0, 0x400_0000, 0x2_0000, 0x2000_0000, 0x2402_0000])]),
    row("getcpu", &[Buffer, Buffer]),
    last("execveat", &[DirFd, Program, Strings, Strings, Bits(AT)]),
    row("pidfd_open", &[Pid, Bits(0x800)]),
    costly("pidfd_getfd", &[Pick(&[13, 13, 13, 2, 12]), Fd, Pick(&[0, 0, 0, 1])]),
    costly("clone3", &[Name(CLONE_ARGS), Pick(&[64, 88])]),
];

const SIGNALS: &[Row] = &[
    row("rt_sigaction", &[Signal, Words, Buffer, Pick(&[8])]),
    row("rt_sigprocmask", &[Pick(&[0, 1, 2, 3]), SigSet, Buffer, Pick(&[8])]),
    last("rt_sigreturn", &[]),
    costly("pause", &[]),
    row("nanosleep", &[Times, Buffer]),
    row("getitimer", &[Pick(&[0, 0, 0, 1, 2, 3]), Buffer]),
    row("alarm", &[Small]),
    row("setitimer", &[Pick(&[0, 0, 0, 1, 2, 3]), Times, Buffer]),
    costly("kill", &[Pid, Signal]),
    row("rt_sigpending", &[Buffer, Pick(&[8])]),
    row("rt_sigtimedwait", &[SigSet, Buffer, Times, Pick(&[8])]),
    costly("rt_sigqueueinfo", &[Pid, Signal, Words]),
    costly("rt_sigsuspend", &[SigSet, Pick(&[8])]),
    row("sigaltstack", &[Words, Buffer]),
    costly("tkill", &[Pid, Signal]),
    row("restart_syscall", &[]),
    row("clock_nanosleep", &[Pick(CLOCKS), Bits(1), Times, Buffer]),
    costly("tgkill", &[Pid, Pid, Signal]),
    costly("rt_tgsigqueueinfo", &[Pid, Pid, Signal, Words]),
    costly("pidfd_send_signal", &[Pick(&[13, 13, 13, 2, 12]), Signal, Pick(&[0, 1, 64]), Pick(&[0, 0, 0, 1, 4])]),
];

const SYSTEM: &[Row] = &[
    row("uname", &[Buffer]),
    row("gettimeofday", &[Buffer, Buffer]),
    row("getrlimit", &[Small, Buffer]),
    row("getrusage", &[Pick(&[0, 1, usize::MAX]), Buffer]),
    row("sysinfo", &[Buffer]),
    row("times", &[Buffer]),
    row("getuid", &[]),
    row("syslog", &[Small, Buffer, Length]),
    row("getgid", &[]),
    costly("setuid", &[Id]),
    row("setgid", &[Id]),
    row("geteuid", &[]),
    row("getegid", &[]),
    costly("setreuid", &[Id, Id]),
    row("setregid", &[Id, Id]),
    row("getgroups", &[Small, Buffer]),
    row("setgroups", &[Small, Words]),
    costly("setresuid", &[Id, Id, Id]),
    row("getresuid", &[Buffer, Buffer, Buffer]),
    row("setresgid", &[Id, Id, Id]),
    row("getresgid", &[Buffer, Buffer, Buffer]),
    row("setfsuid", &[Id]),
    row("setfsgid", &[Id]),
    row("capget", &[Name(CAPABILITIES), Buffer]),
    costly("capset", &[Name(CAPABILITIES), Words]),
    row("personality", &[Pick(&[0, 0x4_0000, 0xffff_ffff, 8, 1 << 40])]),
    row("prctl", &[Pick(PRCTL), Any, Any, Any, Any]),
    row("setrlimit", &[Small, Words]),
    row("settimeofday", &[Times, Pick(&[0])]),
    last("reboot", &[Pick(&[0xfee1_dead]), Pick(&[672_274_793]), Pick(&[0x0123_4567, 0, 0x4321_fedc]), Buffer]),
    row("sethostname", &[Buffer, Small]),
    row("setdomainname", &[Buffer, Small]),
    row("time", &[Buffer]),
    row("clock_settime", &[Pick(CLOCKS), Times]),
    row("clock_gettime", &[Pick(CLOCKS), Buffer]),
    row("clock_getres", &[Pick(CLOCKS), Buffer]),
    row("prlimit64", &[Pid, Pick(LIMITS), Words, Buffer]),
    row("getrandom", &[Buffer, Length, Bits(7)]),
    row("membarrier", &[Small, Pick(&[0])]),
];
