//! What every thread sleeps in, on request, for whoever looks into a machine that is stuck (Linux: SysRq-T).
//!
//! A `t` that comes in on the serial line asks; the harness sends it when a deadline has passed. The receive interrupt itself answers, on the
//! serial line, since in a stuck machine no thread may get to run. It comes between user instructions or to an idle CPU: locks that are held
//! then are held by other CPUs, which let them go unless they are what is stuck.

use super::{Process, Task, all_in, kernel_process};
use crate::ns::PidNamespace;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::fmt::Write;
use hal::dev::serial;

/// The most threads shown.
const SHOWN: usize = 100;

/// Lets the serial line ask, where it is not the console.
pub fn init() {
    serial::on_input(|| {
        let mut asked = false;
        while let Some(byte) = serial::read() {
            asked |= byte == b't';
        }
        if asked {
            report(&mut serial::Out);
        }
    });
}

/// Writes the sleeping threads, programs' before the kernel's own: a line with its numbers, state and name, then its call chain as a panic's.
fn report(out: &mut dyn Write) {
    let mut threads: Vec<(Arc<Process>, Arc<Task>)> = Vec::new();
    for process in all_in(PidNamespace::initial()).iter().chain([kernel_process()]) {
        threads.extend(process.threads().into_iter().map(|thread| (process.clone(), thread)));
    }
    let _ = writeln!(out, "sleeping threads:");
    for (process, thread) in threads.iter().take(SHOWN) {
        let (pid, tid, state) = (process.pid.global(), thread.tid().global(), char::from(thread.state_letter()));
        let name = thread.comm();
        let name = core::str::from_utf8(&name).unwrap_or("?");
        let _ = writeln!(out, "thread {tid} of {pid} ({name}) {state}");
        thread.entity.context.trace(out);
    }
    if threads.len() > SHOWN {
        let _ = writeln!(out, "and {} more", threads.len() - SHOWN);
    }
    let _ = writeln!(out, "end of threads");
}
