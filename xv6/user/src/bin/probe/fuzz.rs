//! Wild system calls: seeded random numbers and arguments, made in children that may break. The kernel must stand.
//!
//! Key types: [`Plan`], [`Dice`]. The calls of a batch depend on the seed and the batch's number only, so that `--seed S --from B`
//! makes them again. The children run in namespaces of their own if the caller may make them, without a terminal, in a folder of
//! their own; what would end the machine, forge its clock or (without those namespaces) reach others is never called. A host's own
//! kernel is not what this is for: another one than xv6's is refused without `--any-kernel`.

use std::fs;
use std::io::{self, Write};
use std::time::Duration;

use nix::sched::CloneFlags;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::mount::MountPropagationFlags;
use rustix::process::{Pid, PidfdFlags, Signal, WaitOptions, WaitStatus};
use user::raw::{Forked, WildCall, fork, wild_calls};
use user::{About, Failure, Out};

/// Calls per child: a batch.
const BATCH: u64 = 200;
/// A child that takes longer hangs in a call and is killed.
const LIMIT: Duration = Duration::from_millis(100);
/// A line tells how far it came after so many batches.
const PROGRESS: u64 = 5_000;

/// What the command line asks for.
pub struct Plan {
    calls: u64,
    seed: u64,
    from: u64,
    any_kernel: bool,
}

impl Plan {
    /// Reads the options; `None` if one is wrong. Without a seed the time is one.
    pub fn read(options: &[&str]) -> Option<Self> {
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).ok()?;
        let mut plan = Self { calls: 100_000, seed: u64::from(now.subsec_nanos()), from: 0, any_kernel: false };
        let mut words = options.iter();
        while let Some(word) = words.next() {
            match *word {
                "--any-kernel" => plan.any_kernel = true,
                "--calls" => plan.calls = words.next()?.parse().ok()?,
                "--seed" => plan.seed = words.next()?.parse().ok()?,
                "--from" => plan.from = words.next()?.parse().ok()?,
                _ => return None,
            }
        }
        Some(plan)
    }
}

/// A small random number generator (splitmix64).
pub(super) struct Dice(u64);

impl Dice {
    /// Dice for one of the runs that a seed means.
    pub(super) fn new(seed: u64, run: u64) -> Dice {
        Dice(seed ^ run.wrapping_mul(0xd134_2543_de82_ef95))
    }

    pub(super) fn roll(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    pub(super) fn below(&mut self, limit: usize) -> usize {
        usize::try_from(self.roll() % limit as u64).unwrap_or(0)
    }

    pub(super) fn pick<T: Copy>(&mut self, choices: &[T]) -> T {
        choices[self.below(choices.len())]
    }
}

/// Never called: ends the machine or its children's counting, forges its clock, replaces its kernel, or forks on its own.
const NEVER: [i64; 31] = [
    libc::SYS_reboot,
    libc::SYS_exit,
    libc::SYS_exit_group,
    libc::SYS_fork,
    libc::SYS_vfork,
    libc::SYS_clone,
    libc::SYS_clone3,
    libc::SYS_settimeofday,
    libc::SYS_clock_settime,
    libc::SYS_clock_adjtime,
    libc::SYS_adjtimex,
    libc::SYS_kexec_load,
    libc::SYS_kexec_file_load,
    libc::SYS_init_module,
    libc::SYS_finit_module,
    libc::SYS_delete_module,
    libc::SYS_swapon,
    libc::SYS_swapoff,
    libc::SYS_acct,
    libc::SYS_quotactl,
    libc::SYS_iopl,
    libc::SYS_ioperm,
    libc::SYS_ptrace,
    libc::SYS_bpf,
    libc::SYS_perf_event_open,
    libc::SYS_syslog,
    libc::SYS_vhangup,
    // These two would stop the nudges that end blocking calls.
    libc::SYS_setitimer,
    libc::SYS_alarm,
    // And these reach into the counting parent, which may be process 1.
    libc::SYS_prlimit64,
    libc::SYS_process_vm_writev,
];

/// Called only in namespaces of their own: they reach other processes, mounts, names.
const ISOLATED_ONLY: [i64; 13] = [
    libc::SYS_kill,
    libc::SYS_tkill,
    libc::SYS_tgkill,
    libc::SYS_rt_sigqueueinfo,
    libc::SYS_rt_tgsigqueueinfo,
    libc::SYS_pidfd_send_signal,
    libc::SYS_mount,
    libc::SYS_umount2,
    libc::SYS_pivot_root,
    libc::SYS_move_mount,
    libc::SYS_sethostname,
    libc::SYS_setdomainname,
    libc::SYS_setpriority,
];

/// Paths that a call may get: in the children's folder, or nothing that can be lost.
const PATHS: [&[u8]; 17] = [
    b"\0",
    b".\0",
    b"a\0",
    b"b\0",
    b"d\0",
    b"d/a\0",
    b"d/../d/b\0",
    b"a/b\0",
    b"l\0",
    b"loop\0",
    b"/proc/self/fd/3\0",
    b"/proc/self/maps\0",
    b"/proc/self/ns/uts\0",
    b"/proc/self\0",
    b"/proc/self/fd/0\0",
    b"/nonexistent/x\0",
    b"./././././d/./a//\0",
];

/// Numbers near the edges where mistakes are made.
const NUMBERS: [u64; 26] = [
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
    i64::MAX as u64,
    1 << 63,
    u64::MAX - 1,
    u64::MAX,
];

/// Addresses that are no memory of the program's.
const ADDRESSES: [usize; 9] =
    [0, 1, 0xfff, 0x1000, 0x7fff_ffff_f000, 0x8000_0000_0000, 0xffff_8000_0000_0000, 0xffff_ffff_8000_0000, usize::MAX];

/// Makes the calls; what the children did is counted. The seed is told first: a kernel that falls cannot tell it any more.
pub fn run(plan: &Plan, out: &mut Out) -> Result<u8, Failure> {
    let release = rustix::system::uname().release().to_string_lossy().into_owned();
    if !plan.any_kernel && !release.contains("xv6") {
        return Err(Failure::new(format!("fuzz: this is no xv6 kernel but {release}; --any-kernel insists")));
    }
    let kinds =
        CloneFlags::CLONE_NEWNS | CloneFlags::CLONE_NEWPID | CloneFlags::CLONE_NEWUTS | CloneFlags::CLONE_NEWIPC;
    let isolated = nix::sched::unshare(kinds).is_ok();
    writeln!(
        out,
        "fuzz\tseed {} from {}{}",
        plan.seed,
        plan.from,
        if isolated { "" } else { " (without namespaces)" }
    )?;
    out.flush()?;
    if !isolated {
        return batches(plan, false, out);
    }
    let private = MountPropagationFlags::PRIVATE | MountPropagationFlags::REC;
    rustix::mount::mount_change("/", private).about("/")?;
    // The child is process 1 of the new pid namespace, and the children's signals cannot end it.
    match fork().about("fork")? {
        Forked::Child => {
            let result =
                batches(plan, true, out).and_then(|status| out.flush().map(|()| status).map_err(Failure::from));
            std::process::exit(result.map_or_else(
                |failure| {
                    user::warn(&failure);
                    1
                },
                i32::from,
            ));
        }
        Forked::Parent(child) => {
            let ended = rustix::process::waitpid(Some(child), WaitOptions::empty()).about("wait")?;
            let status = ended.and_then(|(_, status)| status.exit_status());
            Ok(u8::try_from(status.unwrap_or(1)).unwrap_or(1))
        }
    }
}

fn batches(plan: &Plan, isolated: bool, out: &mut Out) -> Result<u8, Failure> {
    let base = std::env::temp_dir().join(format!("fuzz.{}", std::process::id()));
    let (mut done, mut broken, mut hung) = (0, 0, 0);
    let count = plan.calls.div_ceil(BATCH);
    for batch in plan.from..plan.from + count {
        // A folder of its own: what one batch has left may not be removable.
        let folder = base.join(batch.to_string());
        prepare(&folder).about(&folder)?;
        match end_of(child(plan.seed, batch, isolated, &folder)?)? {
            Some(status) if status.exit_status() == Some(0) => done += 1,
            Some(_) => broken += 1,
            None => hung += 1,
        }
        std::env::set_current_dir("/").about("/")?;
        clear(&folder, isolated);
        // Orphans of the batch are ours in a pid namespace of our own.
        while let Ok(Some(_)) = rustix::process::wait(WaitOptions::NOHANG) {}
        if (batch + 1 - plan.from).is_multiple_of(PROGRESS) {
            writeln!(out, "fuzz\tbatch {} done", batch + 1)?;
            out.flush()?;
        }
    }
    clear(&base, isolated);
    writeln!(out, "fuzz\t{count} batches of {BATCH} calls: {done} whole, {broken} broken, {hung} hung")?;
    Ok(0)
}

/// A fresh folder with something of each kind in it, as the current one.
fn prepare(folder: &std::path::Path) -> io::Result<()> {
    fs::create_dir_all(folder.join("d"))?;
    std::env::set_current_dir(folder)?;
    fs::write("a", [0x61; 5000])?;
    fs::write("d/a", "x")?;
    std::os::unix::fs::symlink("d/a", "l")?;
    std::os::unix::fs::symlink("loop", "loop")
}

/// Removes what a batch has left, as far as that can be done: its mounts first, where they can only be the batch's.
fn clear(folder: &std::path::Path, isolated: bool) {
    if isolated {
        for mount in user::mounts::all().unwrap_or_default().iter().rev() {
            if std::path::Path::new(&mount.target).starts_with(folder) {
                let _ = rustix::mount::unmount(mount.target.as_str(), rustix::mount::UnmountFlags::DETACH);
            }
        }
    }
    let _ = fs::remove_dir_all(folder);
}

/// Starts a batch: a session of its own, files on its first descriptors, and then the calls.
fn child(seed: u64, batch: u64, isolated: bool, folder: &std::path::Path) -> Result<Pid, Failure> {
    let mut dice = Dice::new(seed, batch);
    let mut left = BATCH;
    let mut memory = vec![0_u8; 1 << 16];
    let mut started = false;
    let folder = folder.to_owned();
    let mut next = move || {
        if !started {
            started = true;
            detach(&folder).ok()?;
        }
        left = left.checked_sub(1)?;
        Some(call(&mut dice, &mut memory, isolated))
    };
    wild_calls(&mut next).about("fork")
}

/// No terminal, nothing of the parent's: descriptors 0 to 7 are files that may be wrecked.
fn detach(folder: &std::path::Path) -> io::Result<()> {
    // In a pid namespace of its own a second leader of the group is no error.
    let _ = rustix::process::setsid();
    let null = fs::OpenOptions::new().read(true).write(true).open("/dev/null")?;
    rustix::stdio::dup2_stdin(&null)?;
    let file = fs::OpenOptions::new().read(true).write(true).create(true).truncate(false).open(folder.join("b"))?;
    rustix::stdio::dup2_stdout(&file)?;
    rustix::stdio::dup2_stderr(&fs::File::open(folder)?)?;
    let (reader, writer) = rustix::pipe::pipe()?;
    for kept in [reader, writer, file.into(), null.into()] {
        // They stay open until the process ends.
        std::mem::forget(kept);
    }
    Ok(())
}

fn call(dice: &mut Dice, memory: &mut [u8], isolated: bool) -> WildCall {
    let number = loop {
        // Linux's numbers up to those of 6.x, and now and then any number at all.
        let number = match dice.below(100) {
            0 => dice.roll().cast_signed(),
            1..=15 => i64::try_from(400 + dice.below(70)).unwrap_or(0),
            _ => i64::try_from(dice.below(336)).unwrap_or(0),
        };
        // Only the low half counts for the kernel, so the high half must not hide a forbidden number.
        let seen = number & 0xffff_ffff;
        // Returning from no signal ends most batches at once: seldom.
        let seldom = seen == libc::SYS_rt_sigreturn && dice.below(50) != 0;
        if !seldom && !NEVER.contains(&seen) && (isolated || !ISOLATED_ONLY.contains(&seen)) {
            break number;
        }
    };
    (number, std::array::from_fn(|_| argument(dice, memory, isolated)))
}

/// A descriptor, a pid, a number near an edge, a wild address, or one of memory with a path, numbers or noise in it.
fn argument(dice: &mut Dice, memory: &mut [u8], isolated: bool) -> usize {
    match dice.below(10) {
        0 | 1 => dice.below(12),
        2 => match dice.below(4) {
            0 => 0,
            1 => usize::try_from(std::process::id()).unwrap_or(0),
            // Everybody: only where everybody is ours.
            2 if isolated => usize::MAX,
            _ => 0x7fff_fffe,
        },
        3 | 4 => usize::try_from(dice.pick(&NUMBERS)).unwrap_or(usize::MAX),
        5 => dice.pick(&ADDRESSES),
        6 => usize::try_from(dice.roll() & (1 << dice.below(64))).unwrap_or(0),
        7 | 8 => {
            let path = dice.pick(&PATHS);
            let at = dice.below(memory.len() - 64);
            memory[at..at + path.len()].copy_from_slice(path);
            memory.as_ptr() as usize + at
        }
        _ => {
            let at = dice.below(memory.len() - 64) & !7;
            for word in memory[at..at + 64].chunks_exact_mut(8) {
                let value = match dice.below(3) {
                    0 => dice.roll(),
                    1 => dice.pick(&NUMBERS),
                    _ => dice.pick(&ADDRESSES) as u64,
                };
                word.copy_from_slice(&value.to_le_bytes());
            }
            memory.as_ptr() as usize + at
        }
    }
}

/// How a batch's child ended; `None` if it had to be killed.
pub(super) fn end_of(child: Pid) -> Result<Option<WaitStatus>, Failure> {
    let descriptor = rustix::process::pidfd_open(child, PidfdFlags::empty()).about("pidfd_open")?;
    let limit = Timespec { tv_sec: 0, tv_nsec: i64::try_from(LIMIT.as_nanos()).unwrap_or(0) };
    let ended = loop {
        match poll(&mut [PollFd::new(&descriptor, PollFlags::IN)], Some(&limit)) {
            Ok(count) => break count > 0,
            Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error).about("poll"),
        }
    };
    if !ended {
        rustix::process::kill_process(child, Signal::KILL).about("kill")?;
    }
    let status = rustix::process::waitpid(Some(child), WaitOptions::empty()).about("wait")?;
    Ok(status.map(|(_, status)| status).filter(|_| ended))
}
