//! Processes and threads: birth, end, waiting, pidfds.

use super::{Call, Row};
use crate::error::{Errno, Result};
use crate::mm::user as memory;
use crate::task::clone::{self, CloneArgs, CloneFlags};
use crate::task::ptrace::{self, Mode};
use crate::task::signal::{SIGINFO_BYTES, SigData, SigInfo, Signal};
use crate::task::wait::{self, Report, WaitOptions, Which};
use crate::task::{self, Process, pidfd};
use alloc::sync::Arc;

/// The calls of this file.
pub const ROWS: &[Row] = &[
    Row { number: 39, name: "getpid", handler: getpid },
    Row { number: 56, name: "clone", handler: clone },
    Row { number: 57, name: "fork", handler: fork },
    Row { number: 58, name: "vfork", handler: vfork },
    Row { number: 60, name: "exit", handler: exit },
    Row { number: 61, name: "wait4", handler: wait4 },
    Row { number: 110, name: "getppid", handler: getppid },
    Row { number: 186, name: "gettid", handler: gettid },
    Row { number: 218, name: "set_tid_address", handler: set_tid_address },
    Row { number: 231, name: "exit_group", handler: exit_group },
    Row { number: 247, name: "waitid", handler: waitid },
    Row { number: 434, name: "pidfd_open", handler: pidfd_open },
    Row { number: 435, name: "clone3", handler: clone3 },
    Row { number: 438, name: "pidfd_getfd", handler: pidfd_getfd },
];

fn getpid(call: &mut Call<'_>) -> Result<usize> {
    Ok(call.task.process.pid.own() as usize)
}

fn gettid(call: &mut Call<'_>) -> Result<usize> {
    Ok(call.task.own_number() as usize)
}

fn getppid(call: &mut Call<'_>) -> Result<usize> {
    Ok(call.task.process.own_parent_nr() as usize)
}

fn set_tid_address(call: &mut Call<'_>) -> Result<usize> {
    call.task.set_clear_child_tid(call.args[0]);
    gettid(call)
}

fn fork(call: &mut Call<'_>) -> Result<usize> {
    let args = CloneArgs { exit_signal: u64::from(Signal::CHLD.number()), ..CloneArgs::default() };
    clone::clone(call.task, call.user, &args)
}

fn vfork(call: &mut Call<'_>) -> Result<usize> {
    let flags = CloneFlags::VM | CloneFlags::VFORK;
    let args = CloneArgs { flags: flags.bits(), exit_signal: u64::from(Signal::CHLD.number()), ..CloneArgs::default() };
    clone::clone(call.task, call.user, &args)
}

fn clone(call: &mut Call<'_>) -> Result<usize> {
    let [flags, stack, parent_tid, child_tid, tls, _] = call.args;
    // The low byte is the exit signal; the upper half is not looked at.
    let flags = flags as u64 & 0xffff_ffff;
    let mut args = CloneArgs {
        flags: flags & !0xff,
        exit_signal: flags & 0xff,
        stack,
        parent_tid,
        child_tid,
        tls: tls as u64,
        pidfd: 0,
    };
    // CLONE_DETACHED is ignored here, but with a pidfd it is an error.
    if flags & CloneFlags::PIDFD.bits() != 0 {
        if flags & (CloneFlags::PARENT_SETTID | CloneFlags::DETACHED).bits() != 0 {
            return Err(Errno::EINVAL.into());
        }
        args.pidfd = parent_tid;
    }
    // CLONE_NEWTIME's bit lies in the exit signal's byte, so this call cannot ask for it.
    clone::clone(call.task, call.user, &args)
}

/// `struct clone_args` in its first version: eight words.
const CLONE_ARGS_MIN: usize = 64;
/// The version with `set_tid` and `cgroup`.
const CLONE_ARGS_MAX: usize = 88;

fn clone3(call: &mut Call<'_>) -> Result<usize> {
    let [address, size, ..] = call.args;
    if size < CLONE_ARGS_MIN {
        return Err(Errno::EINVAL.into());
    }
    if size > hal::frame::SIZE {
        return Err(Errno::E2BIG.into());
    }
    let mut words = [0u64; CLONE_ARGS_MAX / 8];
    for (index, word) in words.iter_mut().enumerate().take(size.min(CLONE_ARGS_MAX) / 8) {
        *word = memory::read(address + index * 8)?;
    }
    for index in CLONE_ARGS_MAX / 8..size / 8 {
        if memory::read::<u64>(address + index * 8)? != 0 {
            return Err(Errno::E2BIG.into());
        }
    }
    let [flags, pidfd, child_tid, parent_tid, exit_signal, stack, stack_size, tls, set_tid, set_tid_size, _cgroup] =
        words;
    if flags & (0xff | CloneFlags::DETACHED.bits()) != 0 || set_tid != 0 || set_tid_size != 0 {
        return Err(Errno::EINVAL.into());
    }
    // Here the stack is its lowest address and its size.
    if (stack == 0) != (stack_size == 0) || exit_signal > 64 {
        return Err(Errno::EINVAL.into());
    }
    let args = CloneArgs {
        flags,
        pidfd: pidfd as usize,
        child_tid: child_tid as usize,
        parent_tid: parent_tid as usize,
        exit_signal,
        stack: stack.wrapping_add(stack_size) as usize,
        tls,
    };
    clone::clone(call.task, call.user, &args)
}

fn exit(call: &mut Call<'_>) -> Result<usize> {
    task::exit_thread(call.task, call.args[0] as i32);
    Ok(0)
}

fn exit_group(call: &mut Call<'_>) -> Result<usize> {
    task::exit_group(call.task, call.args[0] as i32);
    Ok(0)
}

fn wait4(call: &mut Call<'_>) -> Result<usize> {
    let [pid, status, options, usage, ..] = call.args;
    let options = WaitOptions::from_bits(options as u32).ok_or(Errno::EINVAL)?;
    if options.intersects(WaitOptions::EXITED | WaitOptions::NOWAIT) {
        return Err(Errno::EINVAL.into());
    }
    let which = match pid as i32 {
        -1 => Which::Any,
        0 => Which::Group(call.task.process.group().pid.nr_or_zero(&call.task.pid_ns())),
        i32::MIN => return Err(Errno::ESRCH.into()),
        pid if pid < 0 => Which::Group(pid.unsigned_abs()),
        pid => Which::Pid(pid as u32),
    };
    let Some(report) = wait::wait(call.task, &which, options | WaitOptions::EXITED)? else { return Ok(0) };
    if status != 0 {
        memory::write(status, &report.status)?;
    }
    if usage != 0 {
        memory::write(usage, &super::time::rusage(report.usage))?;
    }
    Ok(report.pid as usize)
}

const P_ALL: usize = 0;
const P_PID: usize = 1;
const P_PGID: usize = 2;
const P_PIDFD: usize = 3;

fn waitid(call: &mut Call<'_>) -> Result<usize> {
    let [kind, id, info, options, usage, _] = call.args;
    let options = WaitOptions::from_bits(options as u32).ok_or(Errno::EINVAL)?;
    if !options.intersects(WaitOptions::EXITED | WaitOptions::STOPPED | WaitOptions::CONTINUED) {
        return Err(Errno::EINVAL.into());
    }
    let mut nonblocking = false;
    let id = id as i32;
    let which = match kind {
        P_ALL => Which::Any,
        P_PID if id > 0 => Which::Pid(id as u32),
        P_PGID if id == 0 => Which::Group(call.task.process.group().pid.nr_or_zero(&call.task.pid_ns())),
        P_PGID if id > 0 => Which::Group(id as u32),
        P_PIDFD if id >= 0 => {
            nonblocking = call.task.files().get(id as u32)?.is_nonblocking();
            Which::Process(pidfd::process_of(call.task, id as u32)?)
        }
        _ => return Err(Errno::EINVAL.into()),
    };
    let asked = if nonblocking { options | WaitOptions::NOHANG } else { options };
    let report = wait::wait(call.task, &which, asked)?;
    if report.is_none() && nonblocking && !options.contains(WaitOptions::NOHANG) {
        return Err(Errno::EAGAIN.into());
    }
    if info != 0 {
        memory::write(info, &report.as_ref().map_or([0; SIGINFO_BYTES], encode))?;
    }
    if usage != 0
        && let Some(report) = &report
    {
        memory::write(usage, &super::time::rusage(report.usage))?;
    }
    Ok(0)
}

fn encode(report: &Report) -> [u8; SIGINFO_BYTES] {
    let (code, status) = report.code();
    let data = SigData::Child { pid: report.pid, uid: report.uid, status, utime: 0, stime: 0 };
    SigInfo { signal: Signal::CHLD, code, data }.encode()
}

/// The live process with number `pid` in the caller's namespace.
pub(super) fn find_process(call: &Call<'_>, pid: usize) -> Result<Arc<Process>> {
    let number = u32::try_from(pid as i32).map_err(|_| Errno::ESRCH)?;
    let pid = call.task.pid_ns().find(number).ok_or(Errno::ESRCH)?;
    pid.process().filter(|process| !process.is_reaped()).ok_or(Errno::ESRCH.into())
}

/// `O_NONBLOCK`, as `PIDFD_NONBLOCK`.
const PIDFD_NONBLOCK: usize = 0o4000;

fn pidfd_open(call: &mut Call<'_>) -> Result<usize> {
    let [pid, flags, ..] = call.args;
    if flags & !PIDFD_NONBLOCK != 0 || pid as i32 <= 0 {
        return Err(Errno::EINVAL.into());
    }
    let process = find_process(call, pid)?;
    pidfd::open(call.task, &process, flags & PIDFD_NONBLOCK != 0).map(|fd| fd as usize)
}

/// pidfd_getfd(2): another process's open file as one of the caller's, who must be allowed to trace that process.
fn pidfd_getfd(call: &mut Call<'_>) -> Result<usize> {
    let [fd, theirs, flags, ..] = call.args;
    if flags != 0 {
        return Err(Errno::EINVAL.into());
    }
    let process = pidfd::process_of(call.task, fd as u32)?;
    ptrace::may_access(call.task, &process, Mode::Real)?;
    let files = process.leader().and_then(|leader| leader.try_files()).ok_or(Errno::ESRCH)?;
    Ok(call.task.files().insert(files.get(theirs as u32)?, true)? as usize)
}
