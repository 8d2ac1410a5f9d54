//! The machine and the odd ones: limits, prctl, randomness, system information, reboot.

use super::process::find_process;
use super::{Call, Row};
use crate::error::{Errno, Result};
use crate::mm::Limit;
use crate::mm::user as memory;
use crate::task::rlimit::Resource;
use crate::task::signal::{self, Signal};
use crate::task::{Cap, Process, Task, sched};
use crate::{power, time};
use alloc::sync::Arc;
use core::sync::atomic::Ordering;

/// The calls of this file.
pub const ROWS: &[Row] = &[
    Row { number: 97, name: "getrlimit", handler: getrlimit },
    Row { number: 99, name: "sysinfo", handler: sysinfo },
    Row { number: 135, name: "personality", handler: personality },
    Row { number: 160, name: "setrlimit", handler: setrlimit },
    Row { number: 169, name: "reboot", handler: reboot },
    Row { number: 302, name: "prlimit64", handler: prlimit64 },
    Row { number: 318, name: "getrandom", handler: getrandom },
    Row { number: 324, name: "membarrier", handler: membarrier },
];

/// Most descriptors a process may be allowed (`fs.nr_open`).
const FILES_MAX: u64 = 1 << 20;

fn set_limit(caller: &Task, target: &Arc<Process>, resource: Resource, soft: u64, hard: u64) -> Result<()> {
    if soft > hard {
        return Err(Errno::EINVAL.into());
    }
    if resource == Resource::Files && hard > FILES_MAX {
        return Err(Errno::EPERM.into());
    }
    let cred = caller.cred();
    if hard > target.limit(resource).1 && !cred.capable(Cap::SysResource) {
        return Err(Errno::EPERM.into());
    }
    target.set_limit(resource, soft, hard);
    let memory_limit = match resource {
        Resource::AddressSpace => Some(Limit::AddressSpace),
        Resource::Data => Some(Limit::Data),
        Resource::Stack => Some(Limit::Stack),
        _ => None,
    };
    for thread in target.threads() {
        if resource == Resource::Files
            && let Some(files) = thread.try_files()
        {
            files.set_limit(soft);
        }
        if let (Some(limit), Some(mm)) = (memory_limit, thread.mm()) {
            mm.set_limit(limit, soft);
        }
    }
    Ok(())
}

fn getrlimit(call: &mut Call<'_>) -> Result<usize> {
    let resource = Resource::new(call.args[0]).ok_or(Errno::EINVAL)?;
    let (soft, hard) = call.task.process.limit(resource);
    memory::write(call.args[1], &[soft, hard])?;
    Ok(0)
}

fn setrlimit(call: &mut Call<'_>) -> Result<usize> {
    let resource = Resource::new(call.args[0]).ok_or(Errno::EINVAL)?;
    let [soft, hard]: [u64; 2] = memory::read(call.args[1])?;
    set_limit(call.task, &call.task.process, resource, soft, hard)?;
    Ok(0)
}

fn prlimit64(call: &mut Call<'_>) -> Result<usize> {
    let [pid, resource, new, old, ..] = call.args;
    let resource = Resource::new(resource).ok_or(Errno::EINVAL)?;
    let target = if pid as i32 == 0 { call.task.process.clone() } else { find_process(call, pid)? };
    if !Arc::ptr_eq(&target, &call.task.process) {
        let (mine, theirs) = (call.task.cred(), target.cred().ok_or(Errno::ESRCH)?);
        let same = [theirs.uid, theirs.euid, theirs.suid].iter().all(|&id| id == mine.uid)
            && [theirs.gid, theirs.egid, theirs.sgid].iter().all(|&id| id == mine.gid);
        if !same && !mine.capable_in(&theirs.user, Cap::SysResource) {
            return Err(Errno::EPERM.into());
        }
    }
    let wanted = if new == 0 { None } else { Some(memory::read::<[u64; 2]>(new)?) };
    let (soft, hard) = target.limit(resource);
    if let Some([soft, hard]) = wanted {
        set_limit(call.task, &target, resource, soft, hard)?;
    }
    if old != 0 {
        memory::write(old, &[soft, hard])?;
    }
    Ok(0)
}

fn sysinfo(call: &mut Call<'_>) -> Result<usize> {
    let page = hal::frame::SIZE as u64;
    let mut info = [0u64; 14];
    info[0] = time::monotonic_ns() / time::SECOND;
    // In the unit of `SI_LOAD_SHIFT`, 1/65536.
    info[1..4].copy_from_slice(&sched::load::averages().map(|average| average * (65536 / sched::load::ONE)));
    info[4] = hal::frame::total() as u64 * page;
    info[5] = hal::frame::free() as u64 * page;
    // `procs` is 16 bits wide; `mem_unit` is the 32-bit word after the two unused high-memory sizes.
    let processes = crate::task::all_in(&call.task.pid_ns()).len() as u64;
    info[10] = processes.min(u64::from(u16::MAX));
    info[13] = 1;
    memory::write(call.args[0], &info)?;
    Ok(0)
}

/// personality(2)'s flag that places nothing at random, which is so here anyway: debuggers set it, and look whether it is set.
const ADDR_NO_RANDOMIZE: u32 = 0x4_0000;

/// personality(2): the one there is, `PER_LINUX`, is 0, with [`ADDR_NO_RANDOMIZE`] or without; `0xffffffff` asks.
fn personality(call: &mut Call<'_>) -> Result<usize> {
    let personality = &call.task.process.personality;
    let before = match call.args[0] as u32 {
        u32::MAX => personality.load(Ordering::Relaxed),
        new if new & !ADDR_NO_RANDOMIZE == 0 => personality.swap(new, Ordering::Relaxed),
        _ => return Err(Errno::EINVAL.into()),
    };
    Ok(before as usize)
}

const RANDOM_NONBLOCK: usize = 1;
const RANDOM_RANDOM: usize = 2;
const RANDOM_INSECURE: usize = 4;

fn getrandom(call: &mut Call<'_>) -> Result<usize> {
    let [address, len, flags, ..] = call.args;
    let known = RANDOM_NONBLOCK | RANDOM_RANDOM | RANDOM_INSECURE;
    if flags & !known != 0 || flags & (RANDOM_RANDOM | RANDOM_INSECURE) == RANDOM_RANDOM | RANDOM_INSECURE {
        return Err(Errno::EINVAL.into());
    }
    let mut done = 0;
    let mut chunk = [0u8; 256];
    while done < len {
        let part = &mut chunk[..(len - done).min(256)];
        hal::dev::rng::fill(part);
        match memory::write_bytes(address.wrapping_add(done), part) {
            Ok(()) => done += part.len(),
            Err(error) if done == 0 => return Err(error),
            Err(_) => break,
        }
        if done % hal::frame::SIZE == 0 {
            crate::task::breathe();
            if signal::signal_pending(call.task) {
                break;
            }
        }
    }
    Ok(done)
}

/// membarrier(2): no command is supported, which is what the query says.
fn membarrier(call: &mut Call<'_>) -> Result<usize> {
    match call.args[0] {
        0 if call.args[1] == 0 => Ok(0),
        _ => Err(Errno::EINVAL.into()),
    }
}

const REBOOT_MAGIC1: u32 = 0xfee1_dead;
const REBOOT_MAGIC2: [u32; 4] = [672_274_793, 85_072_278, 369_367_448, 537_993_216];
const REBOOT_RESTART: u32 = 0x0123_4567;
const REBOOT_HALT: u32 = 0xcdef_0123;
const REBOOT_CAD_ON: u32 = 0x89ab_cdef;
const REBOOT_CAD_OFF: u32 = 0;
const REBOOT_POWER_OFF: u32 = 0x4321_fedc;
const REBOOT_RESTART2: u32 = 0xa1b2_c3d4;

/// Longest argument of `LINUX_REBOOT_CMD_RESTART2`.
const REBOOT_ARG_MAX: usize = 255;

fn reboot(call: &mut Call<'_>) -> Result<usize> {
    let [magic1, magic2, command, arg, ..] = call.args;
    let namespace = call.task.pid_ns();
    if !call.task.cred().capable_in(&namespace.common.owner, Cap::SysBoot) {
        return Err(Errno::EPERM.into());
    }
    if magic1 as u32 != REBOOT_MAGIC1 || !REBOOT_MAGIC2.contains(&(magic2 as u32)) {
        return Err(Errno::EINVAL.into());
    }
    let command = command as u32;
    if namespace.parent.is_some() {
        // Inside a pid namespace this ends its init, by a signal that tells the parent what was asked (reboot(2)).
        let by = match command {
            REBOOT_RESTART | REBOOT_RESTART2 => Signal::HUP,
            REBOOT_HALT | REBOOT_POWER_OFF => Signal::INT,
            _ => return Err(Errno::EINVAL.into()),
        };
        let init = namespace.init().ok_or(Errno::EINVAL)?;
        signal::kill_init(&init, by);
        return Ok(0);
    }
    match command {
        REBOOT_CAD_ON | REBOOT_CAD_OFF => Ok(0),
        REBOOT_RESTART => power::reboot(),
        REBOOT_HALT | REBOOT_POWER_OFF => power::off(),
        REBOOT_RESTART2 => {
            let text = memory::read_cstr(arg, REBOOT_ARG_MAX)?;
            match exit_status(&text) {
                Some(status) => power::exit(status),
                None => Err(Errno::EINVAL.during("rebooting with an argument other than exit:N")),
            }
        }
        _ => Err(Errno::EINVAL.into()),
    }
}

/// N of `exit:N`, 0 to 255.
fn exit_status(text: &[u8]) -> Option<u8> {
    core::str::from_utf8(text).ok()?.strip_prefix("exit:")?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::exit_status;

    #[test]
    fn only_exit_and_a_byte_ends_the_run() {
        assert_eq!(exit_status(b"exit:0"), Some(0));
        assert_eq!(exit_status(b"exit:255"), Some(255));
        assert_eq!(exit_status(b"exit:256"), None);
        assert_eq!(exit_status(b"bios"), None);
    }
}
