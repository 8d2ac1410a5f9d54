//! ptrace(2): the requests of `task::ptrace` under their numbers.

use super::{Call, Row};
use crate::error::{Errno, Result};
use crate::mm::user as memory;
use crate::task::Task;
use crate::task::ptrace::{self, Options, ResumeMode, State, UserRegs};
use alloc::sync::Arc;
use zerocopy::IntoBytes;

/// The calls of this file.
pub const ROWS: &[Row] = &[Row { number: 101, name: "ptrace", handler: ptrace }];

const TRACEME: usize = 0;
const PEEKTEXT: usize = 1;
const PEEKDATA: usize = 2;
const PEEKUSER: usize = 3;
const POKETEXT: usize = 4;
const POKEDATA: usize = 5;
const POKEUSER: usize = 6;
const CONT: usize = 7;
const KILL: usize = 8;
const SINGLESTEP: usize = 9;
const GETREGS: usize = 12;
const SETREGS: usize = 13;
const GETFPREGS: usize = 14;
const SETFPREGS: usize = 15;
const ATTACH: usize = 16;
const DETACH: usize = 17;
const SYSCALL: usize = 24;
const SETOPTIONS: usize = 0x4200;
const GETEVENTMSG: usize = 0x4201;
const GETSIGINFO: usize = 0x4202;
const GETREGSET: usize = 0x4204;
const SETREGSET: usize = 0x4205;
const SEIZE: usize = 0x4206;
const INTERRUPT: usize = 0x4207;
const LISTEN: usize = 0x4208;
const GET_SYSCALL_INFO: usize = 0x420e;

/// `PTRACE_GETREGSET`: general registers.
const NT_PRSTATUS: usize = 1;
/// `PTRACE_GETREGSET`: the FPU in FXSAVE's format.
const NT_PRFPREG: usize = 2;

/// Bytes of `struct user`, whose beginning is `struct user_regs_struct` (`PTRACE_PEEKUSER`).
const USER_BYTES: usize = 928;

fn ptrace(call: &mut Call<'_>) -> Result<usize> {
    let [request, pid, address, data, ..] = call.args;
    let caller = call.task;
    let tid = u32::try_from(pid as i32).map_err(|_| Errno::ESRCH)?;
    match request {
        TRACEME => return ptrace::trace_me(caller).map(|()| 0),
        ATTACH => return ptrace::attach(caller, tid, None).map(|()| 0),
        SEIZE if address != 0 => return Err(Errno::EIO.into()),
        SEIZE => return ptrace::attach(caller, tid, Some(options(data)?)).map(|()| 0),
        _ => {}
    }
    let target = ptrace::tracee(caller, tid)?;
    match request {
        KILL => ptrace::kill(&target),
        INTERRUPT => ptrace::interrupt(&target)?,
        LISTEN => ptrace::listen(&target)?,
        DETACH => ptrace::detach(caller, &target, data as u32)?,
        CONT => ptrace::resume(&target, ResumeMode::Continue, data as u32)?,
        SYSCALL => ptrace::resume(&target, ResumeMode::Syscall, data as u32)?,
        SINGLESTEP => ptrace::resume(&target, ResumeMode::Step, data as u32)?,
        SETOPTIONS => ptrace::set_options(&target, options(data)?)?,
        GETEVENTMSG => memory::write(data, &ptrace::event_message(&target)?)?,
        GETSIGINFO => memory::write(data, &ptrace::signal_info(&target)?.encode())?,
        GET_SYSCALL_INFO => {
            let info = ptrace::syscall_info(&target)?;
            memory::write_bytes(data, &info[..info.len().min(address)])?;
            return Ok(info.len());
        }
        _ => return stopped(&target, request, address, data),
    }
    Ok(0)
}

fn options(word: usize) -> Result<Options> {
    u32::try_from(word).ok().and_then(Options::from_bits).ok_or(Errno::EINVAL.into())
}

/// The requests about memory and registers, which need a stopped tracee.
fn stopped(target: &Arc<Task>, request: usize, address: usize, data: usize) -> Result<usize> {
    let regs = ptrace::with_state(target, |state| UserRegs::of(&state.regs))?;
    match request {
        PEEKTEXT | PEEKDATA => {
            let mut word = [0; 8];
            let space = target.mm().ok_or(Errno::EIO)?;
            match space.peek(address, &mut word) {
                Ok(8) => memory::write(data, &u64::from_le_bytes(word))?,
                _ => return Err(Errno::EIO.into()),
            }
        }
        POKETEXT | POKEDATA => {
            let space = target.mm().ok_or(Errno::EIO)?;
            if space.poke(address, &data.to_le_bytes()).ok() != Some(8) {
                return Err(Errno::EIO.into());
            }
        }
        PEEKUSER => {
            let bytes = regs.as_bytes();
            let word = match bytes.get(user_word(address)?..) {
                Some([a, b, c, d, e, f, g, h, ..]) => u64::from_le_bytes([*a, *b, *c, *d, *e, *f, *g, *h]),
                _ => 0,
            };
            memory::write(data, &word)?;
        }
        POKEUSER => {
            let mut changed = regs;
            let at = user_word(address)?;
            let place = changed.as_mut_bytes().get_mut(at..at + 8).ok_or(Errno::EIO)?;
            place.copy_from_slice(&data.to_le_bytes());
            set_registers(target, &changed)?;
        }
        GETREGS => memory::write(data, &regs)?,
        SETREGS => set_registers(target, &memory::read(data)?)?,
        GETFPREGS => memory::write_bytes(data, &ptrace::with_state(target, |state| state.fpu)?)?,
        SETFPREGS => {
            let mut bytes = [0; hal::user::FPU_BYTES];
            memory::read_bytes(data, &mut bytes)?;
            ptrace::with_state(target, |state| state.fpu = bytes)?;
        }
        GETREGSET => {
            let [base, len]: [u64; 2] = memory::read(data)?;
            let fpu = ptrace::with_state(target, |state| state.fpu)?;
            let bytes = match address {
                NT_PRSTATUS => regs.as_bytes(),
                NT_PRFPREG => &fpu[..],
                _ => return Err(Errno::EINVAL.into()),
            };
            let moved = bytes.len().min(len as usize);
            memory::write_bytes(base as usize, &bytes[..moved])?;
            memory::write(data, &[base, moved as u64])?;
        }
        SETREGSET => {
            let [base, len]: [u64; 2] = memory::read(data)?;
            let (base, len) = (base as usize, len as usize);
            match address {
                NT_PRSTATUS => {
                    let mut changed = regs;
                    let moved = len.min(size_of::<UserRegs>());
                    memory::read_bytes(base, &mut changed.as_mut_bytes()[..moved])?;
                    set_registers(target, &changed)?;
                }
                NT_PRFPREG => {
                    let mut fpu = ptrace::with_state(target, |state| state.fpu)?;
                    let moved = len.min(fpu.len());
                    memory::read_bytes(base, &mut fpu[..moved])?;
                    ptrace::with_state(target, |state| state.fpu = fpu)?;
                }
                _ => return Err(Errno::EINVAL.into()),
            }
        }
        _ => return Err(Errno::EIO.into()),
    }
    Ok(0)
}

fn set_registers(target: &Task, regs: &UserRegs) -> Result<()> {
    ptrace::with_state(target, |State { regs: place, .. }| regs.store(place))?
}

/// An offset into `struct user`: `EIO` unless it is that of a word.
fn user_word(offset: usize) -> Result<usize> {
    if offset.is_multiple_of(8) && offset < USER_BYTES { Ok(offset) } else { Err(Errno::EIO.into()) }
}
