//! Waiting for files: poll(2), ppoll(2), select(2), pselect6(2), epoll_ctl(2), epoll_wait(2) and its kin.
//!
//! All ask each file for its events with one poller registered, and sleep until some queue wakes it. A signal mask given with the call holds for
//! its length.

use super::{Call, Row};
use crate::error::{Errno, Result};
use crate::mm::user;
use crate::sync::Poller;
use crate::task::signal::{self, SigSet};
use crate::time::monotonic_ns;
use crate::vfs::epoll::{Epoll, Interest};
use crate::vfs::file::Events;
use alloc::vec;
use alloc::vec::Vec;
use zerocopy::{FromBytes, Immutable, IntoBytes};

/// The rows.
pub const ROWS: &[Row] = &[
    Row { number: 7, name: "poll", handler: poll },
    Row { number: 23, name: "select", handler: select },
    Row { number: 232, name: "epoll_wait", handler: epoll_wait },
    Row { number: 233, name: "epoll_ctl", handler: epoll_ctl },
    Row { number: 270, name: "pselect6", handler: pselect },
    Row { number: 271, name: "ppoll", handler: ppoll },
    Row { number: 281, name: "epoll_pwait", handler: epoll_pwait },
    Row { number: 441, name: "epoll_pwait2", handler: epoll_pwait2 },
];

/// `struct pollfd`.
#[derive(FromBytes, IntoBytes, Immutable, Clone, Copy)]
#[repr(C)]
struct PollFd {
    fd: i32,
    events: u16,
    revents: u16,
}

/// The deadline of a timeout in milliseconds; a negative one is none.
fn deadline_ms(ms: i32) -> Option<u64> {
    (ms >= 0).then(|| monotonic_ns().saturating_add(ms as u64 * 1_000_000))
}

/// The deadline of a `struct timespec` or `timeval` (`unit` is its fraction in ns) at `addr`; a null pointer is none.
fn deadline_at(addr: usize, unit: u64) -> Result<Option<u64>> {
    if addr == 0 {
        return Ok(None);
    }
    let [sec, fraction]: [i64; 2] = user::read(addr)?;
    if sec < 0 || fraction < 0 || fraction as u64 >= 1_000_000_000 / unit {
        return Err(Errno::EINVAL.into());
    }
    let ns = (sec as u64).saturating_mul(1_000_000_000).saturating_add(fraction as u64 * unit);
    Ok(Some(monotonic_ns().saturating_add(ns)))
}

/// Runs `wait` with the signal mask at `addr`, if there is one. An interrupted call leaves the mask to signal delivery.
fn with_mask(call: &Call<'_>, addr: usize, size: usize, wait: impl FnOnce() -> Result<usize>) -> Result<usize> {
    if addr == 0 {
        return wait();
    }
    if size != size_of::<u64>() {
        return Err(Errno::EINVAL.into());
    }
    signal::set_blocked_for_call(call.task, SigSet(user::read(addr)?));
    let result = wait();
    let interrupted = matches!(&result, Err(error) if matches!(error.errno, Errno::ERESTARTNOHAND | Errno::ERESTARTSYS | Errno::EINTR));
    if !interrupted {
        signal::restore_blocked(call.task);
    }
    result
}

/// Asks `look` until it counts something or the time is up. `look` registers the poller it is given.
fn wait_for(deadline: Option<u64>, mut look: impl FnMut(Option<&mut Poller>) -> usize) -> Result<usize> {
    // A first look without a poller: what is ready costs no registration.
    let ready = look(None);
    if ready > 0 || deadline.is_some_and(|deadline| monotonic_ns() >= deadline) {
        return Ok(ready);
    }
    loop {
        let mut poller = Poller::new();
        let ready = look(Some(&mut poller));
        if ready > 0 || !poller.wait(deadline)? {
            return Ok(ready);
        }
    }
}

fn do_poll(call: &Call<'_>, deadline: Option<u64>) -> Result<usize> {
    let (addr, count) = (call.args[0], call.args[1] as u32 as usize);
    let table = call.task.files();
    if count > table.limit() {
        return Err(Errno::EINVAL.into());
    }
    // A million, where RLIMIT_NOFILE is raised.
    let (mut fds, mut files) = (Vec::new(), Vec::new());
    fds.try_reserve_exact(count).map_err(|_| Errno::ENOMEM)?;
    files.try_reserve_exact(count).map_err(|_| Errno::ENOMEM)?;
    for index in 0..count {
        let slot: PollFd = user::read(addr + index * size_of::<PollFd>())?;
        files.push((slot.fd >= 0).then(|| table.get(slot.fd as u32)));
        fds.push(slot);
    }
    let result = wait_for(deadline, |mut poller| {
        let mut ready = 0;
        for (slot, file) in fds.iter_mut().zip(&files) {
            let events = match file {
                None => Events::empty(),
                Some(Err(_)) => Events::NVAL,
                Some(Ok(file)) => {
                    let wanted =
                        Events::from_bits_truncate(slot.events.into()) | Events::ERR | Events::HUP | Events::NVAL;
                    file.poll(poller.as_deref_mut()).intersection(wanted)
                }
            };
            slot.revents = events.bits() as u16;
            ready += usize::from(!events.is_empty());
        }
        ready
    })?;
    for (index, slot) in fds.iter().enumerate() {
        let at = addr + index * size_of::<PollFd>() + core::mem::offset_of!(PollFd, revents);
        user::write(at, &slot.revents)?;
    }
    Ok(result)
}

fn poll(call: &mut Call<'_>) -> Result<usize> {
    do_poll(call, deadline_ms(call.int(2)))
}

fn ppoll(call: &mut Call<'_>) -> Result<usize> {
    let deadline = deadline_at(call.args[2], 1)?;
    let result = with_mask(call, call.args[3], call.args[4], || do_poll(call, deadline));
    give_rest(call.args[2], deadline, 1);
    result
}

/// Writes the time left back, as Linux does; the result stands even where the place cannot be written (select(2), NOTES).
fn give_rest(addr: usize, deadline: Option<u64>, unit: u64) {
    if let Some(deadline) = deadline {
        let left = deadline.saturating_sub(monotonic_ns());
        let _ = user::write(addr, &[left / 1_000_000_000, left % 1_000_000_000 / unit]);
    }
}

/// What each of select(2)'s three sets waits for.
const SELECT: [Events; 3] = [
    Events::IN.union(Events::RDNORM).union(Events::HUP).union(Events::ERR),
    Events::OUT.union(Events::WRNORM).union(Events::ERR),
    Events::PRI,
];

fn do_select(call: &Call<'_>, deadline: Option<u64>) -> Result<usize> {
    let count = call.int(0);
    let table = call.task.files();
    if count < 0 {
        return Err(Errno::EINVAL.into());
    }
    let count = (count as usize).min(table.limit());
    let words = count.div_ceil(64);
    let mut sets: Vec<Vec<u64>> = Vec::new();
    for set in 0..3 {
        let mut bits = vec![0u64; words];
        if call.args[1 + set] != 0 {
            for (word, bits) in bits.iter_mut().enumerate() {
                *bits = user::read(call.args[1 + set] + word * 8)?;
            }
        }
        sets.push(bits);
    }
    let mut watched = Vec::new();
    for fd in 0..count {
        let wants = |set: &Vec<u64>| set[fd / 64] & 1 << (fd % 64) != 0;
        let wanted: [bool; 3] = [wants(&sets[0]), wants(&sets[1]), wants(&sets[2])];
        if wanted.contains(&true) {
            watched.push((fd, wanted, table.get(fd as u32)?));
        }
    }
    let mut out = vec![vec![0u64; words]; 3];
    let result = wait_for(deadline, |mut poller| {
        let mut ready = 0;
        out.iter_mut().for_each(|set| set.fill(0));
        for (fd, wanted, file) in &watched {
            let events = file.poll(poller.as_deref_mut());
            for set in 0..3 {
                if wanted[set] && events.intersects(SELECT[set]) {
                    out[set][fd / 64] |= 1 << (fd % 64);
                    ready += 1;
                }
            }
        }
        ready
    })?;
    for (set, bits) in out.iter().enumerate() {
        if call.args[1 + set] != 0 {
            user::write_bytes(call.args[1 + set], bits.as_slice().as_bytes())?;
        }
    }
    Ok(result)
}

fn select(call: &mut Call<'_>) -> Result<usize> {
    let deadline = deadline_at(call.args[4], 1000)?;
    let result = do_select(call, deadline);
    give_rest(call.args[4], deadline, 1000);
    result
}

fn pselect(call: &mut Call<'_>) -> Result<usize> {
    let deadline = deadline_at(call.args[4], 1)?;
    let [mask, size]: [u64; 2] = if call.args[5] == 0 { [0, 0] } else { user::read(call.args[5])? };
    let result = with_mask(call, mask as usize, size as usize, || do_select(call, deadline));
    give_rest(call.args[4], deadline, 1);
    result
}

/// `struct epoll_event` is packed on x86_64: 12 bytes.
const EPOLL_EVENT: usize = 12;

fn epoll_ctl(call: &mut Call<'_>) -> Result<usize> {
    const ADD: usize = 1;
    const DEL: usize = 2;
    const MOD: usize = 3;
    let this = call.file(0)?;
    let file = call.file(2)?;
    let set = this.operations::<Epoll>().ok_or(Errno::EINVAL)?;
    let fd = call.args[2] as u32;
    if call.args[1] == DEL {
        set.remove(fd, &file)?;
        return Ok(0);
    }
    // Regular files and directories are always ready: epoll refuses them.
    if file.inode.pages().is_some() || file.path.is_dir() {
        return Err(Errno::EPERM.into());
    }
    let interest = Interest { events: user::read(call.args[3])?, data: user::read(call.args[3] + 4)? };
    match call.args[1] {
        ADD => set.add(&this, fd, &file, interest)?,
        MOD => set.modify(fd, &file, interest)?,
        _ => return Err(Errno::EINVAL.into()),
    }
    Ok(0)
}

fn do_epoll_wait(call: &Call<'_>, deadline: Option<u64>) -> Result<usize> {
    let most = call.int(2);
    if most <= 0 || most as usize > i32::MAX as usize / EPOLL_EVENT {
        return Err(Errno::EINVAL.into());
    }
    let this = call.file(0)?;
    let set = this.operations::<Epoll>().ok_or(Errno::EINVAL)?;
    let ready = set.wait(most as usize, deadline)?;
    for (index, event) in ready.iter().enumerate() {
        let mut bytes = [0; EPOLL_EVENT];
        bytes[..4].copy_from_slice(&event.events.to_le_bytes());
        bytes[4..].copy_from_slice(&event.data.to_le_bytes());
        user::write_bytes(call.args[1] + index * EPOLL_EVENT, &bytes)?;
    }
    Ok(ready.len())
}

fn epoll_wait(call: &mut Call<'_>) -> Result<usize> {
    do_epoll_wait(call, deadline_ms(call.int(3)))
}

fn epoll_pwait(call: &mut Call<'_>) -> Result<usize> {
    let deadline = deadline_ms(call.int(3));
    with_mask(call, call.args[4], call.args[5], || do_epoll_wait(call, deadline))
}

fn epoll_pwait2(call: &mut Call<'_>) -> Result<usize> {
    let deadline = deadline_at(call.args[3], 1)?;
    with_mask(call, call.args[4], call.args[5], || do_epoll_wait(call, deadline))
}
