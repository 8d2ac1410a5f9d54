//! Scheduling: yielding, priorities, affinity; futexes and thread-local state.

use super::{Call, Row};
use crate::error::{Errno, Result};
use crate::mm::user as memory;
use crate::task::sched::IDLE;
use crate::task::{Cap, Cred, Task, futex, sched};
use alloc::sync::Arc;
use alloc::vec::Vec;

/// The calls of this file.
pub const ROWS: &[Row] = &[
    Row { number: 24, name: "sched_yield", handler: sched_yield },
    Row { number: 140, name: "getpriority", handler: getpriority },
    Row { number: 141, name: "setpriority", handler: setpriority },
    Row { number: 142, name: "sched_setparam", handler: sched_setparam },
    Row { number: 143, name: "sched_getparam", handler: sched_getparam },
    Row { number: 144, name: "sched_setscheduler", handler: sched_setscheduler },
    Row { number: 145, name: "sched_getscheduler", handler: sched_getscheduler },
    Row { number: 146, name: "sched_get_priority_max", handler: |call| priority_range(call, 99) },
    Row { number: 147, name: "sched_get_priority_min", handler: |call| priority_range(call, 1) },
    Row { number: 148, name: "sched_rr_get_interval", handler: sched_rr_get_interval },
    Row { number: 158, name: "arch_prctl", handler: arch_prctl },
    Row { number: 202, name: "futex", handler: futex_call },
    Row { number: 203, name: "sched_setaffinity", handler: sched_setaffinity },
    Row { number: 204, name: "sched_getaffinity", handler: sched_getaffinity },
    Row { number: 273, name: "set_robust_list", handler: set_robust_list },
    Row { number: 309, name: "getcpu", handler: getcpu },
];

fn sched_yield(_call: &mut Call<'_>) -> Result<usize> {
    sched::yield_now();
    Ok(0)
}

/// The thread with number `tid`, 0 for the caller.
fn find_task(call: &Call<'_>, tid: usize) -> Result<Arc<Task>> {
    match tid as i32 {
        0 => Ok(call.task.clone()),
        tid => call.task.pid_ns().find(tid as u32).and_then(|pid| pid.task()).ok_or(Errno::ESRCH.into()),
    }
}

const PRIO_PROCESS: usize = 0;
const PRIO_PGRP: usize = 1;
const PRIO_USER: usize = 2;

/// The threads that getpriority(2)'s `which` and `who` name.
fn priority_targets(call: &Call<'_>) -> Result<Vec<Arc<Task>>> {
    let [which, who, ..] = call.args;
    let namespace = call.task.pid_ns();
    let targets: Vec<Arc<Task>> = match which {
        PRIO_PROCESS => return find_task(call, who).map(|task| alloc::vec![task]),
        PRIO_PGRP => {
            let group = match who as u32 {
                0 => Some(call.task.process.group()),
                number => namespace.find(number).and_then(|pid| pid.group()),
            };
            group.map_or_else(Vec::new, |group| group.members()).iter().flat_map(|process| process.threads()).collect()
        }
        PRIO_USER => {
            let cred = call.task.cred();
            let uid = if who == 0 { Some(cred.uid) } else { cred.user.uid_to_kernel(who as u32) };
            let all = crate::task::all_in(&namespace);
            all.iter().flat_map(|process| process.threads()).filter(|task| Some(task.cred().uid) == uid).collect()
        }
        _ => return Err(Errno::EINVAL.into()),
    };
    if targets.is_empty() { Err(Errno::ESRCH.into()) } else { Ok(targets) }
}

fn getpriority(call: &mut Call<'_>) -> Result<usize> {
    let best = priority_targets(call)?.iter().map(|task| task.nice()).min().ok_or(Errno::ESRCH)?;
    // The raw call returns 1 to 40, so that no result looks like an error.
    Ok((20 - i32::from(best)) as usize)
}

fn setpriority(call: &mut Call<'_>) -> Result<usize> {
    let nice = (call.args[2] as i32).clamp(-20, 19) as i8;
    let cred = call.task.cred();
    for target in priority_targets(call)? {
        if !may_schedule(&cred, &target) {
            return Err(Errno::EPERM.into());
        }
        if nice < target.nice() && !cred.capable(Cap::SysNice) {
            return Err(Errno::EACCES.into());
        }
        target.set_nice(nice);
    }
    Ok(0)
}

/// The thread that a call about policies is about: a negative number is `EINVAL` there, not `ESRCH`.
fn policy_target(call: &Call<'_>) -> Result<Arc<Task>> {
    if (call.args[0] as i32) < 0 { Err(Errno::EINVAL.into()) } else { find_task(call, call.args[0]) }
}

fn sched_getscheduler(call: &mut Call<'_>) -> Result<usize> {
    policy_target(call).map(|task| task.policy().into())
}

/// sched_getparam(2): the priority, which only real-time policies have.
fn sched_getparam(call: &mut Call<'_>) -> Result<usize> {
    policy_target(call)?;
    memory::write(call.args[1], &0u32)?;
    Ok(0)
}

/// sched_setscheduler(2): `SCHED_OTHER`, `SCHED_BATCH` (here the same) and `SCHED_IDLE`; nobody gets a real-time policy.
fn sched_setscheduler(call: &mut Call<'_>) -> Result<usize> {
    let target = policy_target(call)?;
    set_policy(call, &target, call.args[1], call.args[2])
}

/// sched_setparam(2): the policy stays.
fn sched_setparam(call: &mut Call<'_>) -> Result<usize> {
    let target = policy_target(call)?;
    set_policy(call, &target, target.policy().into(), call.args[1])
}

fn set_policy(call: &Call<'_>, target: &Task, policy: usize, param: usize) -> Result<usize> {
    let priority: u32 = memory::read(param)?;
    let cred = call.task.cred();
    // Back from where niceness would be 20.
    let rises = target.policy() == IDLE && policy != IDLE.into() && !cred.capable(Cap::SysNice);
    match (policy, priority) {
        (0 | 3 | 5, 0) if may_schedule(&cred, target) && !rises => target.set_policy(policy as u8),
        (0 | 3 | 5, 0) => return Err(Errno::EPERM.into()),
        (1 | 2, 1..=99) => return Err(Errno::EPERM.during("real-time scheduling is not supported")),
        _ => return Err(Errno::EINVAL.into()),
    }
    Ok(0)
}

/// Whether who has `cred` may decide how `target` runs.
fn may_schedule(cred: &Cred, target: &Task) -> bool {
    let theirs = target.cred();
    cred.euid == theirs.euid || cred.euid == theirs.uid || cred.capable_in(&theirs.user, Cap::SysNice)
}

/// sched_rr_get_interval(2): how long a thread runs while others wait.
fn sched_rr_get_interval(call: &mut Call<'_>) -> Result<usize> {
    policy_target(call)?;
    memory::write(call.args[1], &super::time::timespec(sched::SLICE))?;
    Ok(0)
}

/// sched_get_priority_max(2) and min: 0 for the ordinary policies; the real-time ones have a range, though nobody gets into it.
fn priority_range(call: &mut Call<'_>, edge: usize) -> Result<usize> {
    match call.args[0] {
        0 | 3 | 5 => Ok(0),
        1 | 2 => Ok(edge),
        _ => Err(Errno::EINVAL.into()),
    }
}

/// Bytes of the CPU mask that the kernel itself has.
const MASK_BYTES: usize = 8;

fn sched_setaffinity(call: &mut Call<'_>) -> Result<usize> {
    let [tid, size, address, ..] = call.args;
    let target = find_task(call, tid)?;
    let mut bytes = [0; MASK_BYTES];
    memory::read_bytes(address, &mut bytes[..size.min(MASK_BYTES)])?;
    if !may_schedule(&call.task.cred(), &target) {
        return Err(Errno::EPERM.into());
    }
    let mask = u64::from_le_bytes(bytes) & sched::online();
    if mask == 0 {
        return Err(Errno::EINVAL.into());
    }
    target.set_affinity(mask);
    Ok(0)
}

fn sched_getaffinity(call: &mut Call<'_>) -> Result<usize> {
    let [tid, size, address, ..] = call.args;
    if size < MASK_BYTES || size % 8 != 0 {
        return Err(Errno::EINVAL.into());
    }
    let mask = find_task(call, tid)?.affinity() & sched::online();
    memory::write(address, &mask)?;
    Ok(MASK_BYTES)
}

fn getcpu(call: &mut Call<'_>) -> Result<usize> {
    let [cpu, node, ..] = call.args;
    if cpu != 0 {
        memory::write(cpu, &(hal::cpu::id() as u32))?;
    }
    if node != 0 {
        memory::write(node, &0u32)?;
    }
    Ok(0)
}

const ARCH_SET_GS: usize = 0x1001;
const ARCH_SET_FS: usize = 0x1002;
const ARCH_GET_FS: usize = 0x1003;
const ARCH_GET_GS: usize = 0x1004;

fn arch_prctl(call: &mut Call<'_>) -> Result<usize> {
    let [code, address, ..] = call.args;
    let regs = &mut call.user.regs;
    if matches!(code, ARCH_SET_FS | ARCH_SET_GS) && address >= hal::user::LIMIT {
        return Err(Errno::EPERM.into());
    }
    match code {
        ARCH_SET_FS => regs.fs_base = address as u64,
        ARCH_SET_GS => regs.gs_base = address as u64,
        ARCH_GET_FS => memory::write(address, &regs.fs_base)?,
        ARCH_GET_GS => memory::write(address, &regs.gs_base)?,
        _ => return Err(Errno::EINVAL.into()),
    }
    Ok(0)
}

/// Bytes of `struct robust_list_head`.
const ROBUST_HEAD: usize = 24;

fn set_robust_list(call: &mut Call<'_>) -> Result<usize> {
    let [head, size, ..] = call.args;
    if size != ROBUST_HEAD {
        return Err(Errno::EINVAL.into());
    }
    call.task.set_robust_list(head);
    Ok(0)
}

const FUTEX_PRIVATE: usize = 128;
const FUTEX_REALTIME: usize = 256;

fn futex_call(call: &mut Call<'_>) -> Result<usize> {
    let [address, op, value, timeout, second, third] = call.args;
    let private = op & FUTEX_PRIVATE != 0;
    let realtime = op & FUTEX_REALTIME != 0;
    let command = op & !(FUTEX_PRIVATE | FUTEX_REALTIME);
    // Counts are signed 32-bit numbers; a negative one wakes one, as on Linux.
    let count = |value: usize| (value as i32).max(1) as usize;
    match command {
        // FUTEX_WAIT: relative, on the monotonic clock.
        0 => {
            let deadline = match timeout {
                0 => None,
                at => Some(hal::time::now_ns().saturating_add(super::time::read_timespec(at)?)),
            };
            futex::wait(call.task, address, private, value as u32, futex::ANY, deadline).map(|()| 0)
        }
        // FUTEX_WAIT_BITSET: absolute.
        9 => {
            let deadline = match timeout {
                0 => None,
                at => {
                    let ns = super::time::read_timespec(at)?;
                    Some(if realtime { crate::time::realtime_to_monotonic(ns) } else { ns })
                }
            };
            futex::wait(call.task, address, private, value as u32, third as u32, deadline).map(|()| 0)
        }
        _ if realtime => Err(Errno::ENOSYS.into()),
        1 => futex::wake(call.task, address, private, count(value), futex::ANY),
        10 => futex::wake(call.task, address, private, count(value), third as u32),
        3 | 4 => {
            // For these the timeout argument is the number to move.
            let moves = timeout as i32;
            if (value as i32) < 0 || moves < 0 {
                return Err(Errno::EINVAL.into());
            }
            let expected = (command == 4).then_some(third as u32);
            let (woken, moved) =
                futex::requeue(call.task, private, address, second, value as i32 as usize, moves as usize, expected)?;
            Ok(woken + moved)
        }
        _ => Err(Errno::ENOSYS.into()),
    }
}
