//! The calls that the fuzzer does not make, and why.

use user::raw::expendable::WildCall;

/// What reaches processes and names outside the caller's own: only made in namespaces of its own. That is in a container without them, where
/// the host's capabilities are missing as well; the same calls are made in a user namespace in the same run.
const ISOLATED_ONLY: [i64; 22] = [
    // Signals: the fuzzer's own processes would be hit.
    libc::SYS_kill,
    libc::SYS_tkill,
    libc::SYS_tgkill,
    libc::SYS_rt_sigqueueinfo,
    libc::SYS_rt_tgsigqueueinfo,
    libc::SYS_pidfd_send_signal,
    libc::SYS_ptrace,
    libc::SYS_process_vm_writev,
    libc::SYS_prlimit64,
    libc::SYS_setpriority,
    libc::SYS_sched_setaffinity,
    libc::SYS_setpgid,
    // Children: nobody would find and end them.
    libc::SYS_fork,
    libc::SYS_vfork,
    libc::SYS_clone,
    libc::SYS_clone3,
    // The folder that is the root is all that keeps a batch apart.
    libc::SYS_chroot,
    // Mounts and names are everybody's.
    libc::SYS_mount,
    libc::SYS_umount2,
    libc::SYS_pivot_root,
    libc::SYS_sethostname,
    libc::SYS_setdomainname,
];

/// Whether this call is not to be made.
pub fn is_exception(&(number, args): &WildCall, isolated: bool) -> bool {
    // Only the low half may count for a kernel, so the high half must not hide a number.
    match number & 0xffff_ffff {
        // The machine's log holds the seed: it is not taken or forgotten, and its console not turned off. Reading and sizes are asked.
        libc::SYS_syslog => matches!(args[0], 2 | 4..=8),
        // In a pid namespace of its own this ends that; elsewhere the machine.
        libc::SYS_reboot => !isolated,
        // A disk's node would lead round the file system that is on it.
        libc::SYS_mknod => is_disk(args[1]),
        libc::SYS_mknodat => is_disk(args[2]),
        number => !isolated && ISOLATED_ONLY.contains(&number),
    }
}

fn is_disk(mode: usize) -> bool {
    mode & libc::S_IFMT as usize == libc::S_IFBLK as usize
}
