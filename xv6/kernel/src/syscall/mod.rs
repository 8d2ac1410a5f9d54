//! System calls: Linux x86_64's numbers, registers, errno and struct layouts, for the subset in the table.
//!
//! A call is one [`Row`] in its group's `ROWS` and one thin function: decode the arguments, call the room that does the
//! work, encode the result. The groups' rows are folded into one array indexed by number at compile time; a number
//! without a row is `ENOSYS`. Registers (syscall(2), "Architecture calling conventions"):
//!
//! ```text
//!   rax: number in, result out (-errno on failure)     rcx, r11: destroyed by the instruction
//!   rdi, rsi, rdx, r10, r8, r9: arguments 0 to 5
//! ```
//!
//! Neighbours: `task` runs the loop that calls [`dispatch`]; every room below is called from here. No locks of its own.

pub mod at;
mod attrs;
mod copy;
mod dir;
mod exec;
mod fd;
mod ids;
mod io;
mod memory;
mod misc;
mod mount;
mod names;
mod ns;
mod open;
mod pipe;
mod poll;
mod prctl;
mod process;
mod process_vm;
mod ptrace;
mod sched;
mod signal;
mod socket;
mod stat;
mod syslog;
mod time;
mod xattr;

use crate::error::{Errno, Result};
use crate::task::Task;
use alloc::sync::Arc;

/// One system call as its handler sees it.
pub struct Call<'a> {
    /// Arguments 0 to 5 as the registers held them.
    pub args: [usize; 6],
    /// The calling thread.
    pub task: &'a Arc<Task>,
    /// The user registers: for the few calls that change them (`rt_sigreturn`, `execve`, `clone`, `arch_prctl`).
    pub user: &'a mut hal::user::UserContext,
}

/// One supported system call.
#[derive(Clone, Copy)]
pub struct Row {
    /// Linux's number.
    pub number: usize,
    /// Linux's name, for tracing.
    pub name: &'static str,
    /// Decodes, calls, encodes. The value goes to `rax`.
    pub handler: fn(&mut Call<'_>) -> Result<usize>,
}

/// The groups, one per file of this folder (each has `pub const ROWS: &[Row]`).
const GROUPS: &[&[Row]] = &[
    attrs::ROWS,
    copy::ROWS,
    dir::ROWS,
    exec::ROWS,
    fd::ROWS,
    ids::ROWS,
    io::ROWS,
    memory::ROWS,
    misc::ROWS,
    mount::ROWS,
    names::ROWS,
    ns::ROWS,
    open::ROWS,
    pipe::ROWS,
    poll::ROWS,
    prctl::ROWS,
    process::ROWS,
    process_vm::ROWS,
    ptrace::ROWS,
    sched::ROWS,
    signal::ROWS,
    socket::ROWS,
    stat::ROWS,
    syslog::ROWS,
    time::ROWS,
    xattr::ROWS,
];

/// One more than the largest number the table can hold.
const LIMIT: usize = 512;

static TABLE: [Option<Row>; LIMIT] = fold(GROUPS);

const fn fold(groups: &[&[Row]]) -> [Option<Row>; LIMIT] {
    let mut table = [None; LIMIT];
    let mut group = 0;
    while group < groups.len() {
        let mut row = 0;
        while row < groups[group].len() {
            let entry = groups[group][row];
            assert!(table[entry.number].is_none(), "two rows claim one system call number");
            table[entry.number] = Some(entry);
            row += 1;
        }
        group += 1;
    }
    table
}

/// The row of system call `number`, if it is supported.
pub fn row(number: usize) -> Option<&'static Row> {
    TABLE.get(number)?.as_ref()
}

/// Runs the system call that `user` asks for and leaves the result in `rax`: the one place where errors become numbers.
pub fn dispatch(task: &Arc<Task>, user: &mut hal::user::UserContext) {
    let number = user.regs.rax as usize;
    let regs = &user.regs;
    let args = [regs.rdi, regs.rsi, regs.rdx, regs.r10, regs.r8, regs.r9].map(|value| value as usize);
    let result = match row(number) {
        Some(row) => (row.handler)(&mut Call { args, task, user }),
        None => Err(Errno::ENOSYS.into()),
    };
    user.regs.rax = match result {
        Ok(value) => value as u64,
        Err(error) => -(error.errno as i64) as u64,
    };
}
