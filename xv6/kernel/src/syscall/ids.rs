//! Users, groups, capabilities, process groups and sessions.

use super::process::find_process;
use super::{Call, Row};
use crate::error::{Errno, Result};
use crate::mm::user as memory;
use crate::ns::UserNamespace;
use crate::task::{Cap, CapSet, Cred, group};
use alloc::sync::Arc;
use alloc::vec::Vec;

/// The calls of this file.
pub const ROWS: &[Row] = &[
    Row { number: 102, name: "getuid", handler: getuid },
    Row { number: 104, name: "getgid", handler: getgid },
    Row { number: 105, name: "setuid", handler: setuid },
    Row { number: 106, name: "setgid", handler: setgid },
    Row { number: 107, name: "geteuid", handler: geteuid },
    Row { number: 108, name: "getegid", handler: getegid },
    Row { number: 109, name: "setpgid", handler: setpgid },
    Row { number: 111, name: "getpgrp", handler: getpgrp },
    Row { number: 112, name: "setsid", handler: setsid },
    Row { number: 113, name: "setreuid", handler: setreuid },
    Row { number: 114, name: "setregid", handler: setregid },
    Row { number: 115, name: "getgroups", handler: getgroups },
    Row { number: 116, name: "setgroups", handler: setgroups },
    Row { number: 117, name: "setresuid", handler: setresuid },
    Row { number: 118, name: "getresuid", handler: getresuid },
    Row { number: 119, name: "setresgid", handler: setresgid },
    Row { number: 120, name: "getresgid", handler: getresgid },
    Row { number: 121, name: "getpgid", handler: getpgid },
    Row { number: 122, name: "setfsuid", handler: setfsuid },
    Row { number: 123, name: "setfsgid", handler: setfsgid },
    Row { number: 124, name: "getsid", handler: getsid },
    Row { number: 125, name: "capget", handler: capget },
    Row { number: 126, name: "capset", handler: capset },
];

fn getuid(call: &mut Call<'_>) -> Result<usize> {
    let cred = call.task.cred();
    Ok(cred.user.uid_from_kernel(cred.uid) as usize)
}

fn geteuid(call: &mut Call<'_>) -> Result<usize> {
    let cred = call.task.cred();
    Ok(cred.user.uid_from_kernel(cred.euid) as usize)
}

fn getgid(call: &mut Call<'_>) -> Result<usize> {
    let cred = call.task.cred();
    Ok(cred.user.gid_from_kernel(cred.gid) as usize)
}

fn getegid(call: &mut Call<'_>) -> Result<usize> {
    let cred = call.task.cred();
    Ok(cred.user.gid_from_kernel(cred.egid) as usize)
}

/// "Leave this id alone" in the three-id calls.
const KEEP: u32 = u32::MAX;

/// Three ids in the kernel's terms: real, effective, saved.
type Ids = [u32; 3];

/// Translates the ids that a call asks for; those to keep are taken from `old`. `EINVAL` without a mapping.
fn requested(args: [usize; 3], old: Ids, map: impl Fn(u32) -> Option<u32>) -> Result<Ids> {
    let mut ids = old;
    for (slot, arg) in ids.iter_mut().zip(args) {
        if arg as u32 != KEEP {
            *slot = map(arg as u32).ok_or(Errno::EINVAL)?;
        }
    }
    Ok(ids)
}

fn uids(cred: &Cred) -> Ids {
    [cred.uid, cred.euid, cred.suid]
}

fn gids(cred: &Cred) -> Ids {
    [cred.gid, cred.egid, cred.sgid]
}

fn apply_uids(call: &Call<'_>, ids: Ids) -> Result<usize> {
    let old = call.task.cred();
    let mut new = (*old).clone();
    [new.uid, new.euid, new.suid] = ids;
    new.fsuid = new.euid;
    new.fix_after_uid_change(&old);
    call.task.set_cred(new);
    Ok(0)
}

fn apply_gids(call: &Call<'_>, ids: Ids) -> Result<usize> {
    let mut new = (*call.task.cred()).clone();
    [new.gid, new.egid, new.sgid] = ids;
    new.fsgid = new.egid;
    call.task.set_cred(new);
    Ok(0)
}

fn permit(allowed: bool) -> Result<()> {
    if allowed { Ok(()) } else { Err(Errno::EPERM.into()) }
}

fn may(cred: &Cred, cap: Cap) -> bool {
    cred.capable_in(&cred.user, cap)
}

fn setuid(call: &mut Call<'_>) -> Result<usize> {
    let cred = call.task.cred();
    let id = cred.user.uid_to_kernel(call.args[0] as u32).ok_or(Errno::EINVAL)?;
    if may(&cred, Cap::Setuid) {
        return apply_uids(call, [id; 3]);
    }
    permit(id == cred.uid || id == cred.suid)?;
    apply_uids(call, [cred.uid, id, cred.suid])
}

fn setgid(call: &mut Call<'_>) -> Result<usize> {
    let cred = call.task.cred();
    let id = cred.user.gid_to_kernel(call.args[0] as u32).ok_or(Errno::EINVAL)?;
    if may(&cred, Cap::Setgid) {
        return apply_gids(call, [id; 3]);
    }
    permit(id == cred.gid || id == cred.sgid)?;
    apply_gids(call, [cred.gid, id, cred.sgid])
}

/// setreuid(2)'s rule, for users and groups: what the ids become, or `EPERM`.
fn change_two(args: [usize; 2], old: Ids, privileged: bool, map: impl Fn(u32) -> Option<u32>) -> Result<Ids> {
    let [real, effective] = args;
    let mut new = requested([real, effective, KEEP as usize], old, map)?;
    let [old_real, old_effective, old_saved] = old;
    permit(privileged || [old_real, old_effective].contains(&new[0]))?;
    permit(privileged || [old_real, old_effective, old_saved].contains(&new[1]))?;
    if real as u32 != KEEP || effective as u32 != KEEP && new[1] != old_real {
        new[2] = new[1];
    }
    Ok(new)
}

fn setreuid(call: &mut Call<'_>) -> Result<usize> {
    let cred = call.task.cred();
    let [real, effective, ..] = call.args;
    let map = |id| cred.user.uid_to_kernel(id);
    let new = change_two([real, effective], uids(&cred), may(&cred, Cap::Setuid), map)?;
    apply_uids(call, new)
}

fn setregid(call: &mut Call<'_>) -> Result<usize> {
    let cred = call.task.cred();
    let [real, effective, ..] = call.args;
    let map = |id| cred.user.gid_to_kernel(id);
    let new = change_two([real, effective], gids(&cred), may(&cred, Cap::Setgid), map)?;
    apply_gids(call, new)
}

fn setresuid(call: &mut Call<'_>) -> Result<usize> {
    let cred = call.task.cred();
    let [real, effective, saved, ..] = call.args;
    let old = uids(&cred);
    let new = requested([real, effective, saved], old, |id| cred.user.uid_to_kernel(id))?;
    permit(may(&cred, Cap::Setuid) || new.iter().all(|id| old.contains(id)))?;
    apply_uids(call, new)
}

fn setresgid(call: &mut Call<'_>) -> Result<usize> {
    let cred = call.task.cred();
    let [real, effective, saved, ..] = call.args;
    let old = gids(&cred);
    let new = requested([real, effective, saved], old, |id| cred.user.gid_to_kernel(id))?;
    permit(may(&cred, Cap::Setgid) || new.iter().all(|id| old.contains(id)))?;
    apply_gids(call, new)
}

fn write_ids(call: &Call<'_>, ids: Ids, map: impl Fn(&UserNamespace, u32) -> u32) -> Result<usize> {
    let user = call.task.cred().user.clone();
    for (id, address) in ids.into_iter().zip(call.args) {
        memory::write(address, &map(&user, id))?;
    }
    Ok(0)
}

fn getresuid(call: &mut Call<'_>) -> Result<usize> {
    write_ids(call, uids(&call.task.cred()), UserNamespace::uid_from_kernel)
}

fn getresgid(call: &mut Call<'_>) -> Result<usize> {
    write_ids(call, gids(&call.task.cred()), UserNamespace::gid_from_kernel)
}

/// setfsuid(2): returns the old id, whether or not it could be changed.
fn setfsuid(call: &mut Call<'_>) -> Result<usize> {
    let old = call.task.cred();
    if let Some(id) = old.user.uid_to_kernel(call.args[0] as u32)
        && (may(&old, Cap::Setuid) || [old.uid, old.euid, old.suid, old.fsuid].contains(&id))
    {
        let mut new = (*old).clone();
        new.fsuid = id;
        new.fix_after_fsuid_change(&old);
        call.task.set_cred(new);
    }
    Ok(old.user.uid_from_kernel(old.fsuid) as usize)
}

/// setfsgid(2): returns the old id, whether or not it could be changed.
fn setfsgid(call: &mut Call<'_>) -> Result<usize> {
    let old = call.task.cred();
    if let Some(id) = old.user.gid_to_kernel(call.args[0] as u32)
        && (may(&old, Cap::Setgid) || [old.gid, old.egid, old.sgid, old.fsgid].contains(&id))
    {
        let mut new = (*old).clone();
        new.fsgid = id;
        call.task.set_cred(new);
    }
    Ok(old.user.gid_from_kernel(old.fsgid) as usize)
}

/// Most supplementary groups (`NGROUPS_MAX`).
const GROUPS_MAX: usize = 65536;

fn getgroups(call: &mut Call<'_>) -> Result<usize> {
    let [size, list, ..] = call.args;
    let cred = call.task.cred();
    let count = cred.groups.len();
    if (size as i32) < 0 || size != 0 && size < count {
        return Err(Errno::EINVAL.into());
    }
    if size != 0 {
        for (index, &gid) in cred.groups.iter().enumerate() {
            memory::write(list + index * 4, &cred.user.gid_from_kernel(gid))?;
        }
    }
    Ok(count)
}

fn setgroups(call: &mut Call<'_>) -> Result<usize> {
    let [size, list, ..] = call.args;
    let old = call.task.cred();
    permit(may(&old, Cap::Setgid) && old.user.may_setgroups())?;
    if size > GROUPS_MAX {
        return Err(Errno::EINVAL.into());
    }
    let mut groups = Vec::new();
    groups.try_reserve_exact(size).map_err(|_| Errno::ENOMEM)?;
    for index in 0..size {
        let gid: u32 = memory::read(list.wrapping_add(index * 4))?;
        groups.push(old.user.gid_to_kernel(gid).ok_or(Errno::EINVAL)?);
    }
    groups.sort_unstable();
    let mut new = (*old).clone();
    new.groups = Arc::new(groups);
    call.task.set_cred(new);
    Ok(0)
}

fn setpgid(call: &mut Call<'_>) -> Result<usize> {
    let [pid, pgid, ..] = call.args;
    let (pid, pgid) = (pid as i32, pgid as i32);
    if pgid < 0 || pgid == 0 && pid < 0 {
        return Err(Errno::EINVAL.into());
    }
    let target = if pid == 0 { call.task.process.clone() } else { find_process(call, pid as usize)? };
    group::set_group(call.task, &target, pgid as u32)?;
    Ok(0)
}

fn getpgrp(call: &mut Call<'_>) -> Result<usize> {
    Ok(call.task.process.group().pid.nr_or_zero(&call.task.pid_ns()) as usize)
}

fn getpgid(call: &mut Call<'_>) -> Result<usize> {
    if call.args[0] as i32 == 0 {
        return getpgrp(call);
    }
    let target = find_process(call, call.args[0])?;
    Ok(target.group().pid.nr_or_zero(&call.task.pid_ns()) as usize)
}

fn getsid(call: &mut Call<'_>) -> Result<usize> {
    let target = if call.args[0] as i32 == 0 { call.task.process.clone() } else { find_process(call, call.args[0])? };
    Ok(target.session().pid.nr_or_zero(&call.task.pid_ns()) as usize)
}

fn setsid(call: &mut Call<'_>) -> Result<usize> {
    group::new_session(&call.task.process)?;
    Ok(call.task.process.pid.own() as usize)
}

const CAP_V1: u32 = 0x1998_0330;
const CAP_V2: u32 = 0x2007_1026;
const CAP_V3: u32 = 0x2008_0522;

/// How many 32-bit groups a capability header's version has; an unknown one is answered with ours, and `EINVAL`.
fn cap_groups(header: usize) -> Result<usize> {
    match memory::read::<u32>(header)? {
        CAP_V1 => Ok(1),
        CAP_V2 | CAP_V3 => Ok(2),
        _ => {
            memory::write(header, &CAP_V3)?;
            Err(Errno::EINVAL.into())
        }
    }
}

fn capget(call: &mut Call<'_>) -> Result<usize> {
    let [header, data, ..] = call.args;
    let groups = match cap_groups(header) {
        // A way to ask for the version.
        Err(error) if error.errno == Errno::EINVAL && data == 0 => return Ok(0),
        groups => groups?,
    };
    if data == 0 {
        return Ok(0);
    }
    let pid: i32 = memory::read(header + 4)?;
    let cred = match pid {
        0 => call.task.cred(),
        pid if pid < 0 => return Err(Errno::EINVAL.into()),
        pid => call.task.pid_ns().find(pid as u32).and_then(|pid| pid.task()).ok_or(Errno::ESRCH)?.cred(),
    };
    for group in 0..groups {
        let part = |set: CapSet| (set.0 >> (32 * group)) as u32;
        memory::write(data + group * 12, &[part(cred.effective), part(cred.permitted), part(cred.inheritable)])?;
    }
    Ok(0)
}

fn capset(call: &mut Call<'_>) -> Result<usize> {
    let [header, data, ..] = call.args;
    let groups = cap_groups(header)?;
    let pid: i32 = memory::read(header + 4)?;
    if pid != 0 && pid as u32 != call.task.tid().own() {
        return Err(Errno::EPERM.into());
    }
    let mut sets = [0u64; 3];
    for group in 0..groups {
        let words: [u32; 3] = memory::read(data + group * 12)?;
        for (set, word) in sets.iter_mut().zip(words) {
            *set |= u64::from(word) << (32 * group);
        }
    }
    let [effective, permitted, inheritable] = sets.map(|set| CapSet(set).and(CapSet::FULL));
    let old = call.task.cred();
    permit(permitted.within(old.permitted) && effective.within(permitted))?;
    permit(inheritable.within(old.inheritable.or(old.permitted)) || may(&old, Cap::Setpcap))?;
    permit(inheritable.within(old.inheritable.or(old.bounding)))?;
    let mut new = (*old).clone();
    new.effective = effective;
    new.permitted = permitted;
    new.inheritable = inheritable;
    new.ambient = old.ambient.and(permitted).and(inheritable);
    call.task.set_cred(new);
    Ok(0)
}
