//! The calls that no crate offers as safe functions: a signal's disposition, fork(2), reboot(2) with an argument, the kernel's log,
//! ptrace(2); in `expendable.rs` the wild calls of `probe fuzz` and `conform`, in `arena.rs` the programs' allocator.
//!
//! This file and its parts `raw/arena.rs` and `raw/expendable.rs` are the ones of the user programs with `unsafe`. Key types: [`Disposition`], [`Forked`].
//! Neighbours: `sh`, `conductor`, `probe` and `conform` (single-threaded when they call), `init`.
#![expect(
    unsafe_code,
    reason = "sigaction, fork, RESTART2, klogctl, ptrace, wild calls and an allocator have no safe wrapper; each is checked here"
)]

pub mod arena;
pub mod expendable;

use std::ffi::CStr;
use std::io;
use std::sync::atomic::{AtomicU64, Ordering};

use rustix::process::Pid;

/// What a signal does when it arrives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Disposition {
    /// The kernel's default: mostly to end the process.
    Default,
    /// Nothing, in this process and in what it executes.
    Ignore,
    /// It is remembered for [`take_caught`], and interrupts a blocking call (`EINTR`).
    Catch,
}

/// Signals caught and not yet taken: bit `n - 1` is signal `n`.
static CAUGHT: AtomicU64 = AtomicU64::new(0);

extern "C" fn remember(signal: libc::c_int) {
    CAUGHT.fetch_or(1 << (signal - 1), Ordering::Relaxed);
}

/// Sets what `signal` does; returns whether it was ignored before. See sigaction(2) for the errors.
pub fn set_signal(signal: i32, disposition: Disposition) -> io::Result<bool> {
    let handler = match disposition {
        Disposition::Default => libc::SIG_DFL,
        Disposition::Ignore => libc::SIG_IGN,
        Disposition::Catch => remember as *const () as libc::sighandler_t,
    };
    // SAFETY: both structures are plain integers, for which zero is a valid value; the handler touches one atomic only, which is
    // async-signal-safe, and lives as long as the program. No code relies on a signal keeping another disposition.
    unsafe {
        let mut old: libc::sigaction = std::mem::zeroed();
        let mut new: libc::sigaction = std::mem::zeroed();
        new.sa_sigaction = handler;
        match libc::sigaction(signal, &new, &mut old) {
            0 => Ok(old.sa_sigaction == libc::SIG_IGN),
            _ => Err(io::Error::last_os_error()),
        }
    }
}

/// Whether `signal` was caught since the last call.
pub fn take_caught(signal: i32) -> bool {
    let bit = 1 << (signal - 1);
    // The load spares the common case a locked instruction.
    CAUGHT.load(Ordering::Relaxed) & bit != 0 && CAUGHT.fetch_and(!bit, Ordering::Relaxed) & bit != 0
}

/// Whether `signal` was caught and not yet taken.
pub fn is_caught(signal: i32) -> bool {
    CAUGHT.load(Ordering::Relaxed) & (1 << (signal - 1)) != 0
}

/// Which side of a fork this is.
#[derive(Clone, Copy, Debug)]
pub enum Forked {
    /// The parent, with the child's pid.
    Parent(Pid),
    /// The child.
    Child,
}

/// Duplicates the process, fork(2). The caller has one thread: in a child of several, locks of the others stay held for ever.
pub fn fork() -> io::Result<Forked> {
    // SAFETY: the callers (`sh`, `conductor`, and `probe` before it starts threads) are single-threaded, so the child's copy of every
    // lock and of the allocator is in a consistent state.
    match unsafe { libc::fork() } {
        0 => Ok(Forked::Child),
        pid => Pid::from_raw(pid).filter(|_| pid > 0).map(Forked::Parent).ok_or_else(io::Error::last_os_error),
    }
}

/// Restarts the machine with an argument for it (`LINUX_REBOOT_CMD_RESTART2`, reboot(2)); returns only on failure.
pub fn reboot_with(argument: &CStr) -> io::Error {
    // SAFETY: the call reads a NUL-terminated string, which `argument` is and stays during the call.
    unsafe {
        libc::syscall(
            libc::SYS_reboot,
            libc::LINUX_REBOOT_MAGIC1,
            libc::LINUX_REBOOT_MAGIC2,
            libc::LINUX_REBOOT_CMD_RESTART2,
            argument.as_ptr(),
        );
    }
    io::Error::last_os_error()
}

/// What [`kernel_log`] does: the actions of syslog(2).
pub enum LogAction<'a> {
    /// Copies the newest records, as text.
    ReadAll(&'a mut [u8]),
    /// Forgets the records so far.
    Clear,
    /// Nothing but emergencies goes to the console.
    ConsoleOff,
    /// The console is as it was before [`LogAction::ConsoleOff`].
    ConsoleOn,
    /// Records below this level go to the console.
    ConsoleLevel(i32),
    /// The size of the buffer.
    Size,
}

/// Reads or controls the kernel's log, syslog(2) (which libc calls klogctl); its result.
pub fn kernel_log(action: LogAction<'_>) -> io::Result<usize> {
    let none = std::ptr::null_mut();
    let (number, buffer, length) = match action {
        LogAction::ReadAll(buffer) => (3, buffer.as_mut_ptr(), i32::try_from(buffer.len()).unwrap_or(i32::MAX)),
        LogAction::Clear => (5, none, 0),
        LogAction::ConsoleOff => (6, none, 0),
        LogAction::ConsoleOn => (7, none, 0),
        LogAction::ConsoleLevel(level) => (8, none, level),
        LogAction::Size => (10, none, 0),
    };
    // SAFETY: the one action that writes gets a buffer and at most its length.
    let result = unsafe { libc::klogctl(number, buffer.cast(), length) };
    usize::try_from(result).map_err(|_| io::Error::last_os_error())
}

/// What a tracer asks of the kernel about thread `tid`, in [`trace`]: requests of ptrace(2) that touch none of the tracer's memory.
#[derive(Clone, Copy, Debug)]
pub enum Trace {
    /// Begin, with these `PTRACE_O_*` options; the thread runs on.
    Seize(i32),
    /// Stop it.
    Interrupt,
    /// Let it go on to the next system call, with this signal or 0.
    Syscall(i32),
    /// Let it stay stopped until `SIGCONT`.
    Listen,
    /// End, with this signal or 0.
    Detach(i32),
}

/// Does `request` to thread `tid`.
pub fn trace(tid: i32, request: Trace) -> io::Result<()> {
    let (number, data) = match request {
        Trace::Seize(options) => (libc::PTRACE_SEIZE, options),
        Trace::Interrupt => (libc::PTRACE_INTERRUPT, 0),
        Trace::Syscall(signal) => (libc::PTRACE_SYSCALL, signal),
        Trace::Listen => (libc::PTRACE_LISTEN, 0),
        Trace::Detach(signal) => (libc::PTRACE_DETACH, signal),
    };
    // SAFETY: these requests read and write nothing of ours; what they do to the tracee is its tracer's right.
    let result = unsafe { libc::syscall(libc::SYS_ptrace, i64::from(number), i64::from(tid), 0_i64, i64::from(data)) };
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// The request that libc has no name for with musl.
const PTRACE_GET_SYSCALL_INFO: i32 = 0x420e;

/// What [`trace_read`] reads.
#[derive(Clone, Copy, Debug)]
pub enum TraceRead {
    /// `struct ptrace_syscall_info`.
    SyscallInfo,
    /// `siginfo_t`.
    SignalInfo,
    /// What an event tells: a word.
    EventMessage,
}

/// Room for whatever [`trace_read`] reads.
pub type TraceBytes = [u8; 128];

/// Reads about the stop of thread `tid`.
pub fn trace_read(tid: i32, what: TraceRead) -> io::Result<TraceBytes> {
    let mut bytes: TraceBytes = [0; 128];
    let (number, size) = match what {
        TraceRead::SyscallInfo => (i64::from(PTRACE_GET_SYSCALL_INFO), bytes.len() as i64),
        TraceRead::SignalInfo => (i64::from(libc::PTRACE_GETSIGINFO), 0),
        TraceRead::EventMessage => (i64::from(libc::PTRACE_GETEVENTMSG), 0),
    };
    // SAFETY: the kernel writes 128 bytes at most: `size`, a `siginfo_t`, or a word.
    let result = unsafe { libc::syscall(libc::SYS_ptrace, number, i64::from(tid), size, bytes.as_mut_ptr()) };
    if result >= 0 { Ok(bytes) } else { Err(io::Error::last_os_error()) }
}
