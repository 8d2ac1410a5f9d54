//! `/proc/PID/stat`: the line of 52 fields that ps(1) and top(1) read (proc(5)).

use super::{Subject, View};
use crate::error::Result;
use crate::mm::Usage;
use crate::task::CpuTimes;
use crate::task::rlimit::Resource;
use crate::task::signal;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

/// Nanoseconds in a clock tick: 100 ticks a second (`AT_CLKTCK`).
pub const TICK: u64 = 10_000_000;

/// Bytes in a page.
const PAGE: usize = hal::frame::SIZE;

/// The state letter of the process or thread.
pub fn state(view: &View) -> Result<char> {
    let process = view.process()?;
    if process.is_zombie() {
        return Ok('Z');
    }
    if process.is_stopped() && process.leader().is_none_or(|leader| leader.state_letter() != b't') {
        return Ok('T');
    }
    Ok(match &view.subject {
        Subject::Thread(..) => char::from(view.thread()?.state_letter()),
        // A process runs if any of its threads does.
        _ => {
            let letters: Vec<u8> = process.threads().iter().map(|thread| thread.state_letter()).collect();
            char::from(*letters.iter().find(|letter| **letter == b'R').or(letters.first()).unwrap_or(&b'Z'))
        }
    })
}

/// The line.
pub fn process_stat(view: &View) -> Result<Vec<u8>> {
    let process = view.process()?;
    let thread = view.thread().ok();
    let ns = view.ns();
    let state = state(view)?;
    let comm = match &thread {
        Some(thread) => thread.comm(),
        None => process.comm(),
    };
    let (pid, times, start) = match (&thread, view.is_thread()) {
        (Some(thread), true) => (thread.tid().nr_or_zero(ns), thread.times(), thread.start_ns),
        _ => (process.pid.nr_or_zero(ns), process.times(), process.start_ns),
    };
    let children = if view.is_thread() { CpuTimes::default() } else { process.child_times() };
    let session = process.session();
    let (tty, foreground) = match session.tty() {
        Some(tty) => {
            let foreground = tty.foreground().map_or(-1, |group| i64::from(group.pid.nr_or_zero(ns)));
            (tty.device(), foreground)
        }
        None => (0, -1),
    };
    let usage = thread.as_ref().and_then(|thread| thread.mm()).map_or_else(Usage::default, |mm| mm.usage());
    let nice = thread.as_ref().map_or(0, |thread| thread.nice());
    let cpu = thread.as_ref().map_or(0, |thread| thread.last_cpu());
    let (pending, blocked, ignored, caught) = match &thread {
        Some(thread) => {
            let (own, _, blocked) = signal::masks(thread);
            let (ignored, caught) = signal::summary(thread);
            (own.0, blocked.0, ignored.0, caught.0)
        }
        None => (0, 0, 0, 0),
    };
    let ticks = |ns: u64| ns / TICK;
    let mut line = format!("{pid} (").into_bytes();
    line.extend_from_slice(&comm);
    let rest = [
        format!(
            ") {state} {} {} {}",
            process.parent_nr(ns),
            process.group().pid.nr_or_zero(ns),
            session.pid.nr_or_zero(ns)
        ),
        format!(" {tty} {foreground} 0 {} 0 0 0", process.faults()),
        format!(" {} {} {} {}", ticks(times.user), ticks(times.system), ticks(children.user), ticks(children.system)),
        format!(" {} {nice} {} 0 {}", 20 + i32::from(nice), process.thread_count().max(1), ticks(start)),
        format!(" {} {} {}", usage.size, usage.rss / PAGE, process.limit(Resource::Rss).0),
        // Code, stack and instruction addresses are not shown (as Linux to those who may not inspect).
        String::from(" 1 1 0 0 0"),
        format!(" {pending} {blocked} {ignored} {caught}"),
        format!(" 0 0 0 {} {cpu} 0 0 0 0 0", if view.is_thread() { -1 } else { 17 }),
        String::from(" 0 0 0 0 0 0 0"),
        format!(" {}\n", if state == 'Z' { process.status() } else { 0 }),
    ];
    rest.iter().for_each(|part| line.extend_from_slice(part.as_bytes()));
    Ok(line)
}
