//! prctl(2): what a thread or process sets about itself.

use super::{Call, Row};
use crate::error::{Errno, Result};
use crate::mm::user as memory;
use crate::task::cred::CAP_LAST;
use crate::task::signal::Signal;
use crate::task::{Cap, CapSet};

/// The call of this file.
pub const ROWS: &[Row] = &[Row { number: 157, name: "prctl", handler: prctl }];

const SET_PDEATHSIG: usize = 1;
const GET_PDEATHSIG: usize = 2;
const GET_DUMPABLE: usize = 3;
const SET_DUMPABLE: usize = 4;
const GET_KEEPCAPS: usize = 7;
const SET_KEEPCAPS: usize = 8;
const SET_NAME: usize = 15;
const GET_NAME: usize = 16;
const GET_SECCOMP: usize = 21;
const CAPBSET_READ: usize = 23;
const CAPBSET_DROP: usize = 24;
const GET_SECUREBITS: usize = 27;
const SET_SECUREBITS: usize = 28;
const SET_TIMERSLACK: usize = 29;
const GET_TIMERSLACK: usize = 30;
const SET_CHILD_SUBREAPER: usize = 36;
const GET_CHILD_SUBREAPER: usize = 37;
const SET_NO_NEW_PRIVS: usize = 38;
const GET_NO_NEW_PRIVS: usize = 39;
const CAP_AMBIENT: usize = 47;

/// `SECBIT_KEEP_CAPS`.
const SECBIT_KEEP_CAPS: usize = 1 << 4;

fn bit(number: usize) -> Result<CapSet> {
    if number > CAP_LAST as usize { Err(Errno::EINVAL.into()) } else { Ok(CapSet(1 << number)) }
}

fn prctl(call: &mut Call<'_>) -> Result<usize> {
    let [option, arg, third, fourth, fifth, _] = call.args;
    let task = call.task;
    let process = &task.process;
    match option {
        SET_PDEATHSIG => {
            if arg > 64 {
                return Err(Errno::EINVAL.into());
            }
            process.set_parent_death_signal(Signal::new(arg as u32));
        }
        GET_PDEATHSIG => memory::write(arg, &process.parent_death_signal().map_or(0, Signal::number))?,
        GET_DUMPABLE => return Ok(process.is_dumpable().into()),
        SET_DUMPABLE => match arg {
            0 | 1 => process.set_dumpable(arg == 1),
            _ => return Err(Errno::EINVAL.into()),
        },
        GET_KEEPCAPS => return Ok(task.cred().keep_caps.into()),
        SET_KEEPCAPS => match arg {
            0 | 1 => task.change_cred(|cred| cred.keep_caps = arg == 1),
            _ => return Err(Errno::EINVAL.into()),
        },
        SET_NAME => {
            // At most 15 bytes count; the rest may not even be readable.
            let mut name = [0u8; 15];
            let mut len = 0;
            while len < name.len() {
                match memory::read::<u8>(arg.wrapping_add(len))? {
                    0 => break,
                    byte => name[len] = byte,
                }
                len += 1;
            }
            task.set_comm(&name[..len]);
        }
        GET_NAME => {
            let mut name = task.comm();
            name.resize(16, 0);
            memory::write_bytes(arg, &name)?;
        }
        GET_SECCOMP => return Ok(0),
        CAPBSET_READ => return Ok((!task.cred().bounding.and(bit(arg)?).within(CapSet::EMPTY)).into()),
        CAPBSET_DROP => {
            let dropped = bit(arg)?;
            let cred = task.cred();
            if !cred.capable_in(&cred.user, Cap::Setpcap) {
                return Err(Errno::EPERM.into());
            }
            task.change_cred(|cred| cred.bounding = cred.bounding.without(dropped));
        }
        GET_SECUREBITS => return Ok(if task.cred().keep_caps { SECBIT_KEEP_CAPS } else { 0 }),
        SET_SECUREBITS => {
            let cred = task.cred();
            if arg & !SECBIT_KEEP_CAPS != 0 {
                return Err(Errno::EINVAL.during("secure bits other than keep-caps"));
            }
            if !cred.capable_in(&cred.user, Cap::Setpcap) {
                return Err(Errno::EPERM.into());
            }
            task.change_cred(|cred| cred.keep_caps = arg != 0);
        }
        SET_TIMERSLACK => {}
        GET_TIMERSLACK => return Ok(50_000),
        SET_CHILD_SUBREAPER => process.set_subreaper(arg != 0),
        GET_CHILD_SUBREAPER => memory::write(arg, &u32::from(process.is_subreaper()))?,
        SET_NO_NEW_PRIVS => {
            if arg != 1 || [third, fourth, fifth] != [0; 3] {
                return Err(Errno::EINVAL.into());
            }
            task.change_cred(|cred| cred.no_new_privs = true);
        }
        GET_NO_NEW_PRIVS => return Ok(task.cred().no_new_privs.into()),
        CAP_AMBIENT => return ambient(call, arg, third),
        _ => return Err(Errno::EINVAL.into()),
    }
    Ok(0)
}

/// `PR_CAP_AMBIENT`'s operations: is set, raise, lower, clear all.
fn ambient(call: &Call<'_>, operation: usize, number: usize) -> Result<usize> {
    let task = call.task;
    match operation {
        1 => return Ok((!task.cred().ambient.and(bit(number)?).within(CapSet::EMPTY)).into()),
        2 => {
            let raised = bit(number)?;
            let cred = task.cred();
            if !raised.within(cred.permitted) || !raised.within(cred.inheritable) {
                return Err(Errno::EPERM.into());
            }
            task.change_cred(|cred| cred.ambient = cred.ambient.or(raised));
        }
        3 => {
            let lowered = bit(number)?;
            task.change_cred(|cred| cred.ambient = cred.ambient.without(lowered));
        }
        4 if number == 0 => task.change_cred(|cred| cred.ambient = CapSet::EMPTY),
        _ => return Err(Errno::EINVAL.into()),
    }
    Ok(0)
}
