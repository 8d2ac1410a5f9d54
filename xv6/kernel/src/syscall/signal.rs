//! Signals: sending, dispositions, masks, waiting for them.

use super::process::find_process;
use super::{Call, Row};
use crate::error::{Errno, Result};
use crate::fs::procfs;
use crate::mm::user as memory;
use crate::task::signal::{
    self, AltStack, SI_TKILL, SI_USER, SIGINFO_BYTES, SigAction, SigData, SigInfo, SigSet, Signal,
};
use crate::task::{Process, Task, pidfd, sched};
use alloc::sync::Arc;
use alloc::vec::Vec;

/// The calls of this file.
pub const ROWS: &[Row] = &[
    Row { number: 13, name: "rt_sigaction", handler: rt_sigaction },
    Row { number: 14, name: "rt_sigprocmask", handler: rt_sigprocmask },
    Row { number: 15, name: "rt_sigreturn", handler: rt_sigreturn },
    Row { number: 34, name: "pause", handler: pause },
    Row { number: 62, name: "kill", handler: kill },
    Row { number: 127, name: "rt_sigpending", handler: rt_sigpending },
    Row { number: 128, name: "rt_sigtimedwait", handler: rt_sigtimedwait },
    Row { number: 129, name: "rt_sigqueueinfo", handler: rt_sigqueueinfo },
    Row { number: 130, name: "rt_sigsuspend", handler: rt_sigsuspend },
    Row { number: 131, name: "sigaltstack", handler: sigaltstack },
    Row { number: 200, name: "tkill", handler: tkill },
    Row { number: 234, name: "tgkill", handler: tgkill },
    Row { number: 297, name: "rt_tgsigqueueinfo", handler: rt_tgsigqueueinfo },
    Row { number: 424, name: "pidfd_send_signal", handler: pidfd_send_signal },
];

/// Bytes of the kernel's `sigset_t`.
const SIGSET_BYTES: usize = 8;

fn check_set_size(size: usize) -> Result<()> {
    if size == SIGSET_BYTES { Ok(()) } else { Err(Errno::EINVAL.into()) }
}

fn rt_sigaction(call: &mut Call<'_>) -> Result<usize> {
    let [number, new, old, size, ..] = call.args;
    check_set_size(size)?;
    let signal = Signal::new(number as u32).ok_or(Errno::EINVAL)?;
    if new != 0 && SigSet::UNBLOCKABLE.has(signal) {
        return Err(Errno::EINVAL.into());
    }
    let previous = if new != 0 {
        let mut action: SigAction = memory::read(new)?;
        action.mask &= !SigSet::UNBLOCKABLE.0;
        signal::set_action(call.task, signal, action)
    } else {
        signal::action(call.task, signal)
    };
    if old != 0 {
        memory::write(old, &previous)?;
    }
    Ok(0)
}

fn rt_sigprocmask(call: &mut Call<'_>) -> Result<usize> {
    let [how, new, old, size, ..] = call.args;
    check_set_size(size)?;
    let blocked = if new != 0 {
        let set = SigSet(memory::read(new)?);
        match how {
            0 => signal::change_blocked(call.task, |blocked| blocked.or(set)),
            1 => signal::change_blocked(call.task, |blocked| blocked.without(set)),
            2 => signal::set_blocked(call.task, set),
            _ => return Err(Errno::EINVAL.into()),
        }
    } else {
        signal::blocked(call.task)
    };
    if old != 0 {
        memory::write(old, &blocked.0)?;
    }
    Ok(0)
}

fn rt_sigreturn(call: &mut Call<'_>) -> Result<usize> {
    if signal::sigreturn(call.task, call.user).is_err() {
        signal::force(call.task, SigInfo::kernel(Signal::SEGV));
    }
    Ok(call.user.regs.rax as usize)
}

fn rt_sigpending(call: &mut Call<'_>) -> Result<usize> {
    let [set, size, ..] = call.args;
    if size > SIGSET_BYTES {
        return Err(Errno::EINVAL.into());
    }
    let (own, shared, blocked) = signal::masks(call.task);
    let pending = own.or(shared).and(blocked);
    memory::write_bytes(set, &pending.0.to_le_bytes()[..size])?;
    Ok(0)
}

fn pause(call: &mut Call<'_>) -> Result<usize> {
    while !signal::has_deliverable(call.task) {
        sched::park(true, None);
    }
    Err(Errno::ERESTARTNOHAND.into())
}

fn rt_sigsuspend(call: &mut Call<'_>) -> Result<usize> {
    let [set, size, ..] = call.args;
    check_set_size(size)?;
    signal::set_blocked_for_call(call.task, SigSet(memory::read(set)?));
    pause(call)
}

fn rt_sigtimedwait(call: &mut Call<'_>) -> Result<usize> {
    let [set, info, timeout, size, ..] = call.args;
    check_set_size(size)?;
    let set = SigSet(memory::read(set)?).without(SigSet::UNBLOCKABLE);
    let deadline = match timeout {
        0 => None,
        address => Some(hal::time::now_ns().saturating_add(super::time::read_timespec(address)?)),
    };
    let taken = signal::wait_for(call.task, set, deadline)?;
    if info != 0 {
        memory::write(info, &taken.encode())?;
    }
    Ok(taken.signal.number() as usize)
}

fn sigaltstack(call: &mut Call<'_>) -> Result<usize> {
    let [new, old, ..] = call.args;
    let rsp = call.user.regs.rsp;
    let requested = if new == 0 { None } else { Some(memory::read::<AltStack>(new)?) };
    let previous = signal::change_alt_stack(call.task, rsp, requested)?;
    if old != 0 {
        memory::write(old, &previous)?;
    }
    Ok(0)
}

/// The signal argument of a sending call; `None` for 0, which only checks.
fn signal_arg(number: usize) -> Result<Option<Signal>> {
    match number as i32 {
        0 => Ok(None),
        number => Signal::new(number as u32).map(Some).ok_or(Errno::EINVAL.into()),
    }
}

/// The sender as the receiver sees it.
fn sender_info(sender: &Task, target: &Process, signal: Signal, code: i32) -> SigInfo {
    let pid = target.pid.namespace().map_or(0, |namespace| sender.process.pid.nr_or_zero(namespace));
    let uid = sender.cred().uid;
    let uid = target.cred().map_or(uid, |cred| cred.user.uid_from_kernel(uid));
    SigInfo { signal, code, data: SigData::Sender { pid, uid } }
}

fn send(sender: &Task, target: &Arc<Process>, signal: Option<Signal>) -> Result<()> {
    signal::may_signal(sender, target, signal)?;
    match signal {
        Some(signal) => signal::send_as_user(sender, target, None, sender_info(sender, target, signal, SI_USER)),
        None => Ok(()),
    }
}

/// Sends to every one of `targets`: success if one could be signalled, else the last error, `ESRCH` if there were none.
fn send_to_all(sender: &Task, targets: Vec<Arc<Process>>, number: usize) -> Result<usize> {
    let mut verdict = Err(Errno::ESRCH.into());
    let signal = if targets.is_empty() { None } else { signal_arg(number)? };
    for target in targets {
        let sent = send(sender, &target, signal);
        if verdict.is_err() {
            verdict = sent;
        }
    }
    verdict.map(|()| 0)
}

fn kill(call: &mut Call<'_>) -> Result<usize> {
    let [pid, number, ..] = call.args;
    // Who is meant comes first: nobody is `ESRCH`, whatever the signal.
    let sender = call.task;
    let namespace = sender.pid_ns();
    match pid as i32 {
        0 => send_to_all(sender, sender.process.group().members(), number),
        -1 => {
            let mut targets = crate::task::all_in(&namespace);
            targets.retain(|target| target.pid.nr_in(&namespace) != Some(1) && !Arc::ptr_eq(target, &sender.process));
            send_to_all(sender, targets, number)
        }
        i32::MIN => Err(Errno::ESRCH.into()),
        pid if pid < 0 => {
            let group = namespace.find(pid.unsigned_abs()).and_then(|pid| pid.group()).ok_or(Errno::ESRCH)?;
            send_to_all(sender, group.members(), number)
        }
        _ => send(sender, &find_process(call, pid)?, signal_arg(number)?).map(|()| 0),
    }
}

/// Sends `info` (or nothing, for a check) to the thread `tid`, which must be in process `tgid` if given.
fn send_to_thread(
    call: &Call<'_>,
    tgid: Option<usize>,
    tid: usize,
    signal: Option<Signal>,
    raw: Option<SigInfo>,
) -> Result<usize> {
    let bad = |id: usize| id as i32 <= 0;
    if bad(tid) || tgid.is_some_and(bad) {
        return Err(Errno::EINVAL.into());
    }
    let namespace = call.task.pid_ns();
    let target = namespace.find(tid as u32).and_then(|pid| pid.task()).ok_or(Errno::ESRCH)?;
    if tgid.is_some_and(|tgid| target.process.pid.nr_in(&namespace) != Some(tgid as u32)) {
        return Err(Errno::ESRCH.into());
    }
    signal::may_signal(call.task, &target.process, signal)?;
    let Some(signal) = signal else { return Ok(0) };
    let info = raw.unwrap_or_else(|| sender_info(call.task, &target.process, signal, SI_TKILL));
    signal::send_as_user(call.task, &target.process, Some(&target), info)?;
    Ok(0)
}

fn tkill(call: &mut Call<'_>) -> Result<usize> {
    let [tid, number, ..] = call.args;
    send_to_thread(call, None, tid, signal_arg(number)?, None)
}

fn tgkill(call: &mut Call<'_>) -> Result<usize> {
    let [tgid, tid, number, ..] = call.args;
    send_to_thread(call, Some(tgid), tid, signal_arg(number)?, None)
}

/// A `siginfo_t` that a program made up. It may not pretend to be the kernel's, nor kill(2)'s, towards others.
fn read_info(address: usize, signal: Option<Signal>, to_self: bool) -> Result<Option<SigInfo>> {
    let bytes: [u8; SIGINFO_BYTES] = memory::read(address)?;
    let code = i32::from_le_bytes([bytes[8], bytes[9], bytes[10], bytes[11]]);
    if (code >= 0 || code == SI_TKILL) && !to_self {
        return Err(Errno::EPERM.into());
    }
    let mut rest = [0; SIGINFO_BYTES - 16];
    rest.copy_from_slice(&bytes[16..]);
    Ok(signal.map(|signal| SigInfo { signal, code, data: SigData::Raw(rest) }))
}

fn rt_sigqueueinfo(call: &mut Call<'_>) -> Result<usize> {
    let [pid, number, info, ..] = call.args;
    let signal = signal_arg(number)?;
    let target = find_process(call, pid)?;
    let info = read_info(info, signal, Arc::ptr_eq(&target, &call.task.process))?;
    signal::may_signal(call.task, &target, signal)?;
    match info {
        Some(info) => signal::send_as_user(call.task, &target, None, info).map(|()| 0),
        None => Ok(0),
    }
}

fn rt_tgsigqueueinfo(call: &mut Call<'_>) -> Result<usize> {
    let [tgid, tid, number, info, ..] = call.args;
    let signal = signal_arg(number)?;
    let to_self = call.task.process.pid.own() as usize == tgid;
    let info = read_info(info, signal, to_self)?;
    send_to_thread(call, Some(tgid), tid, signal, info)
}

fn pidfd_send_signal(call: &mut Call<'_>) -> Result<usize> {
    let [fd, number, info, flags, ..] = call.args;
    if flags != 0 {
        return Err(Errno::EINVAL.into());
    }
    let signal = signal_arg(number)?;
    let file = call.task.files().get(fd as u32)?;
    // A process's folder does as well, which was there before pidfds.
    let target = pidfd::process_in(&file).map_or_else(|| procfs::process_of(&file), Ok)?;
    if target.is_reaped() {
        return Err(Errno::ESRCH.into());
    }
    // Only from a namespace that can see the process (pidfd_send_signal(2)).
    if target.pid.nr_in(&call.task.pid_ns()).is_none() {
        return Err(Errno::EINVAL.into());
    }
    if info == 0 {
        return send(call.task, &target, signal).map(|()| 0);
    }
    let info = read_info(info, signal, Arc::ptr_eq(&target, &call.task.process))?;
    signal::may_signal(call.task, &target, signal)?;
    match info {
        Some(info) => signal::send_as_user(call.task, &target, None, info).map(|()| 0),
        None => Ok(0),
    }
}
