//! The values that arguments are made of: requests and flags that the kernel knows, and numbers, addresses and paths near the edges
//! where mistakes are made. Numbers are Linux's for x86_64, as the man page beside each names them.

/// open(2): flags.
pub const OPEN: usize = 0x7f_ffc3;
/// `AT_*` flags.
pub const AT: usize = 0xff00;
/// mmap(2): `PROT_*`.
pub const PROT: usize = 0x300_000f;
/// mmap(2): `MAP_*`; `MAP_FIXED` among them, since addresses are the fuzzer's own.
pub const MAP: &[usize] =
    &[0x01, 0x02, 0x03, 0x11, 0x12, 0x21, 0x22, 0x31, 0x32, 0x32, 0x122, 0x4022, 0x8031, 0x8032, 0x2022, 0x10_0022, 0];
/// clone(2), unshare(2), setns(2): flags, and the exit signal's low bits.
pub const CLONE: usize = 0x7ffd_ff91;
/// mount(2): flags: new mounts of several kinds, then bind, move, remount, propagation.
pub const MOUNT: &[usize] = &[
    0,
    0,
    0,
    1,
    15,
    0x1000,
    0x1000,
    0x5000,
    0x2000,
    0x20,
    0x21,
    0x1020,
    0x1021,
    0x102e,
    1 << 17,
    1 << 18,
    1 << 19,
    1 << 20,
    0x4_4000,
    0x10_4000,
    0x3ff_ffff,
];

/// Descriptors of the epoll(7) kind, and others.
pub const EPOLL: &[usize] = &[11, 11, 11, 11, 10, 3];
/// `struct open_how`: flags, mode, how paths resolve.
pub const HOW: &[&[u8]] = &[
    &[0; 24],
    b"\x42\0\0\0\0\0\0\0\x80\x01\0\0\0\0\0\0\x08\0\0\0\0\0\0\0",
    b"\x42\0\0\0\0\0\0\0\x80\x01\0\0\0\0\0\0\x10\0\0\0\0\0\0\0",
    b"\0\0\x20\0\0\0\0\0\0\0\0\0\0\0\0\0\x04\0\0\0\0\0\0\0",
    b"\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\xff\0\0\0\0\0\0\0",
];
/// `struct __user_cap_header_struct`, version 3: of the caller, of process 1.
pub const CAPABILITIES: &[&[u8]] = &[b"\x22\x05\x08\x20\0\0\0\0", b"\x22\x05\x08\x20\x01\0\0\0"];
/// `struct clone_args`: a fork, one in new namespaces (pid, net), one that shares descriptors and parent, one with a pidfd.
pub const CLONE_ARGS: &[&[u8]] =
    &[&clone_args(0), &clone_args(0x6000_0000), &clone_args(0x8400), &clone_args(0x1000), &clone_args(0x2_0000)];

const fn clone_args(flags: u32) -> [u8; 88] {
    let mut bytes = [0; 88];
    [bytes[0], bytes[1], bytes[2], bytes[3]] = flags.to_le_bytes();
    // The exit signal: SIGCHLD.
    bytes[32] = 17;
    bytes
}

/// fcntl(2): commands.
pub const FCNTL: &[usize] = &[0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 36, 37, 38, 1024, 1025, 1030, 1031, 1032, 1033, 1034];
/// ioctl_tty(2), ioctl_ns(2), ioctl_pipe(2) and the requests that every descriptor has.
pub const IOCTLS: &[usize] = &[
    0x5401,
    0x5402,
    0x5403,
    0x5404,
    0x5409,
    0x540a,
    0x540b,
    0x540c,
    0x540d,
    0x540e,
    0x540f,
    0x5410,
    0x5411,
    0x5412,
    0x5413,
    0x5414,
    0x541b,
    0x5420,
    0x5421,
    0x5422,
    0x5423,
    0x5424,
    0x5425,
    0x5429,
    0x5441,
    0x5450,
    0x5451,
    0x5452,
    0x8004_5430,
    0x4004_5431,
    0xb701,
    0xb702,
    0xb703,
    0xb704,
    0x1260,
    0x1268,
    0x8008_1272,
    0x8008_6601,
    0x4008_6602,
    0xb701,
    0xb702,
    0xb703,
    0xb704,
];
/// madvise(2).
pub const ADVICE: &[usize] = &[0, 1, 2, 3, 4, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 100];
/// arch_prctl(2). Setting the thread's own `%fs` is left to chance: without it nothing of the program works.
pub const ARCH: &[usize] = &[0x1001, 0x1003, 0x1004, 0x1011, 0x1012];
/// futex(2): operations, some private, some on the wall clock.
pub const FUTEX: &[usize] = &[0, 1, 3, 4, 5, 6, 7, 9, 10, 11, 12, 13, 128, 129, 131, 132, 137, 138, 256, 265, 393];
/// clock_gettime(2): clocks.
pub const CLOCKS: &[usize] = &[0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 11];
/// prctl(2): operations.
pub const PRCTL: &[usize] =
    &[1, 2, 3, 4, 7, 8, 15, 16, 19, 21, 22, 23, 24, 27, 28, 29, 30, 33, 35, 36, 37, 38, 39, 40, 41, 42, 47, 53, 59];
/// ptrace(2): requests.
pub const PTRACE: &[usize] = &[
    0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 12, 13, 14, 15, 16, 17, 24, 31, 0x4200, 0x4201, 0x4202, 0x4203, 0x4204, 0x4205,
    0x4206, 0x4207, 0x4208, 0x4209, 0x420a, 0x420e,
];
/// waitid(2): options, most of which do not wait.
pub const WAITID: &[usize] = &[4, 5, 5, 5, 0x0100_0005, 0x4000_0005, 7, 15, 0];
/// getrlimit(2): resources.
pub const LIMITS: &[usize] = &[0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15];

/// Folders to mount on.
pub const FOLDERS: &[&[u8]] = &[b"d\0", b"d/e\0", b"u\0", b"w\0", b".\0", b"l2\0", b"a\0", b"g\0"];
/// File systems (`/proc/filesystems`), but devtmpfs: there is one for all, so that a name removed in it is gone for every batch.
pub const FSTYPES: &[&[u8]] = &[
    b"tmpfs\0",
    b"tmpfs\0",
    b"proc\0",
    b"sysfs\0",
    b"overlay\0",
    b"devpts\0",
    b"cgroup2\0",
    b"vfat\0",
    b"tarfs\0",
    b"xv6fs\0",
    b"ext4\0",
    b"\0",
];
/// Options of mounts.
pub const OPTIONS: &[&[u8]] = &[
    b"\0",
    b"\0",
    b"\0",
    b"\0",
    b"size=64k\0",
    b"size=0,nr_inodes=1,mode=7777\0",
    b"size=99999999999999999999g\0",
    b"lowerdir=d,upperdir=u,workdir=w\0",
    b"lowerdir=d:u\0",
    b"lowerdir=d:d:d,upperdir=d,workdir=d\0",
    b"newinstance,ptmxmode=0666,gid=5\0",
    b"hidepid=2\0",
    b",,,=,=x,\0",
];
/// Extended attributes.
pub const XATTRS: &[&[u8]] = &[
    b"user.a\0",
    b"user.b\0",
    b"user.\0",
    b"trusted.overlay.opaque\0",
    b"trusted.overlay.redirect\0",
    b"security.capability\0",
    b"system.posix_acl_access\0",
    b"nothing\0",
    b"\0",
];
/// Programs; what is executed ends the caller's calls.
pub const PROGRAMS: &[&[u8]] = &[b"/bin/true\0", b"a\0", b"d\0", b"l\0", b"script\0", b"\0", b"/nonexistent\0"];

/// Paths in the process's own root folder.
pub const PATHS: &[&[u8]] = &[
    b"a\0",
    b"b\0",
    b"c\0",
    b"d\0",
    b"d/a\0",
    b"d/e\0",
    b"d/../d/b\0",
    b"d/e/f\0",
    b"d/x\0",
    b"u\0",
    b"w\0",
    b"x\0",
    b"y\0",
    b"a/b\0",
    b"l\0",
    b"l2\0",
    b"l2/x\0",
    b"loop\0",
    b"fifo\0",
    b"null\0",
    b"script\0",
    b".\0",
    b"./././././d/./a//\0",
    b"\0",
];
/// Paths of the process itself. None leads to what outlives a batch: a mode changed there would stay.
pub const SPECIAL_PATHS: &[&[u8]] = &[
    b"g/cgroup.procs\0",
    b"g/cgroup.freeze\0",
    b"g/cgroup.kill\0",
    b"g/cgroup.subtree_control\0",
    b"g/memory.max\0",
    b"g/memory.high\0",
    b"g/pids.max\0",
    b"g/cpu.max\0",
    b"g/cpu.weight\0",
    b"g/x\0",
    b"g\0",
    b"pts\0",
    b"pts/ptmx\0",
    b"pts/0\0",
    b"/proc/self\0",
    b"/proc/self/fd\0",
    b"/proc/self/fd/3\0",
    b"/proc/self/fd/5\0",
    b"/proc/self/fdinfo/6\0",
    b"/proc/self/cwd/a\0",
    b"/proc/self/environ\0",
    b"/proc/self/gid_map\0",
    b"/proc/self/limits\0",
    b"/proc/self/maps\0",
    b"/proc/self/mountinfo\0",
    b"/proc/self/ns\0",
    b"/proc/self/ns/mnt\0",
    b"/proc/self/ns/pid\0",
    b"/proc/self/ns/user\0",
    b"/proc/self/ns/uts\0",
    b"/proc/self/oom_score_adj\0",
    b"/proc/self/setgroups\0",
    b"/proc/self/stat\0",
    b"/proc/self/status\0",
    b"/proc/self/task\0",
    b"/proc/self/uid_map\0",
    b"/proc/thread-self/stat\0",
    b"/nonexistent/x\0",
];

/// Numbers near the edges where mistakes are made.
pub const NUMBERS: [u64; 30] = [
    0,
    1,
    2,
    3,
    7,
    8,
    16,
    64,
    255,
    256,
    1023,
    4095,
    4096,
    4097,
    65_535,
    65_536,
    1 << 20,
    0x7fff_ffff,
    0x8000_0000,
    0xffff_ffff,
    1 << 32,
    1 << 40,
    1 << 47,
    1 << 52,
    1 << 62,
    i64::MAX as u64,
    1 << 63,
    u64::MAX - 4095,
    u64::MAX - 1,
    u64::MAX,
];

/// Addresses that are no memory of the program's.
pub const ADDRESSES: [usize; 11] = [
    0,
    1,
    0xfff,
    0x1000,
    0x7fff_ffff_efff,
    0x7fff_ffff_f000,
    0x8000_0000_0000,
    0xffff_8000_0000_0000,
    0xffff_ffff_8000_0000,
    usize::MAX - 7,
    usize::MAX,
];
