//! The tracer's loop: wait for a thread to stop, tell what it does, let it go on.
//!
//! Threads are seized, so that a stop of the whole process can be told from a signal and honoured (`PTRACE_LISTEN`). A call is printed
//! at its entry as far as its arguments are known, and finished at its exit.

use std::collections::BTreeMap;
use std::io;
use std::os::fd::OwnedFd;
use std::time::Instant;

use rustix::process::WaitOptions;
use user::fail::why;
use user::raw::{self, Trace, TraceRead, trace_read};
use user::{About, Failure};

use crate::calls::{ADDRESSES, Row, by_number};
use crate::decode::{Call, pointer};
use crate::memory::Memory;
use crate::output::Output;
use crate::summary::Summary;
use crate::{flags, signal};

/// waitpid(2) for threads of any kind.
const WALL: u32 = 0x4000_0000;
/// The event of a stop that no call or signal caused.
const EVENT_STOP: u32 = 128;
const EVENT_EXEC: u32 = 4;
/// The flag of stops at system calls.
const SYSGOOD: u32 = 0x80;
const EXECVE: u64 = 59;
/// Results from -4095 to -1 are errors; those from -516 to -512 say how an interrupted call goes on.
const RESTARTS: [(i64, &str); 4] = [
    (512, "ERESTARTSYS (To be restarted if SA_RESTART is set)"),
    (513, "ERESTARTNOINTR (To be restarted)"),
    (514, "ERESTARTNOHAND (To be restarted if no handler)"),
    (516, "ERESTART_RESTARTBLOCK (Interrupted by signal)"),
];

/// A call in progress.
struct Entered {
    row: Option<&'static Row>,
    name: String,
    args: [u64; 6],
    /// How many arguments have been printed.
    shown: usize,
    start: Instant,
    hidden: bool,
}

/// The state of the whole trace.
pub struct Tracer {
    /// The threads that live, with the call each is in.
    threads: BTreeMap<i32, Option<Entered>>,
    /// What is printed; `None` if all is.
    pub names: Option<Vec<String>>,
    /// Where to.
    pub output: Output,
    /// `-c`: only count.
    pub summary: Option<Summary>,
    /// The command, and how it ended.
    pub main: i32,
    /// As wait(2) told.
    pub status: Option<u32>,
    /// The child waits for this to be closed, and what it does before execve(2) is not the command's.
    pub gate: Option<OwnedFd>,
    hidden: bool,
    /// The person wants to leave the threads alone again.
    leaving: bool,
}

impl Tracer {
    /// A tracer of nobody yet.
    pub fn new(output: Output) -> Tracer {
        Tracer {
            threads: BTreeMap::new(),
            names: None,
            output,
            summary: None,
            main: 0,
            status: None,
            gate: None,
            hidden: false,
            leaving: false,
        }
    }

    /// Begins with thread `tid`.
    pub fn seize(&mut self, tid: i32, options: i32) -> io::Result<()> {
        raw::trace(tid, Trace::Seize(options))?;
        self.threads.insert(tid, None);
        raw::trace(tid, Trace::Interrupt)
    }

    /// Shows nothing before the command itself runs.
    pub fn hide_start(&mut self) {
        self.hidden = true;
    }

    /// Goes on until no traced thread is left. `interrupted` says whether the person wants to leave.
    pub fn run(&mut self, interrupted: impl Fn() -> bool) -> Result<(), Failure> {
        while !self.threads.is_empty() {
            if !self.leaving && interrupted() {
                self.leave();
            }
            match rustix::process::wait(WaitOptions::from_bits_retain(WALL)) {
                Ok(Some((pid, status))) => {
                    self.handle(pid.as_raw_nonzero().get(), status.as_raw() as u32).about("writing")?;
                }
                Ok(None) | Err(rustix::io::Errno::INTR) => {}
                Err(rustix::io::Errno::CHILD) => break,
                Err(error) => return Err(error).about("wait"),
            }
        }
        self.output.flush().about("writing")
    }

    /// Has every thread stop, to be let alone where it does.
    fn leave(&mut self) {
        self.leaving = true;
        for tid in self.threads.keys() {
            // One that is gone meanwhile will tell so.
            let _ = raw::trace(*tid, Trace::Interrupt);
        }
    }

    fn handle(&mut self, tid: i32, status: u32) -> io::Result<()> {
        if status & 0x7f != 0x7f {
            return self.ended(tid, status);
        }
        self.threads.entry(tid).or_default();
        let (number, event) = (status >> 8 & 0xff, status >> 16);
        if self.leaving {
            let signal = if event == 0 && number != libc::SIGTRAP as u32 | SYSGOOD { number } else { 0 };
            self.threads.remove(&tid);
            let _ = raw::trace(tid, Trace::Detach(signal as i32));
            return Ok(());
        }
        let mut pass_on = 0;
        match (event, number) {
            (EVENT_STOP, _) => {
                drop(self.gate.take());
                if number != libc::SIGTRAP as u32 {
                    self.tell(tid, &format!("--- stopped by {} ---", flags::signal(number.into())))?;
                    let _ = raw::trace(tid, Trace::Listen);
                    return Ok(());
                }
            }
            (EVENT_EXEC, _) => {
                let former = trace_read(tid, TraceRead::EventMessage)
                    .map_or(tid, |bytes| i32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]));
                if former != tid {
                    let call = self.threads.remove(&former).flatten();
                    self.threads.insert(tid, call);
                }
            }
            (0, number) if number == libc::SIGTRAP as u32 | SYSGOOD => self.syscall(tid)?,
            (0, number) => {
                if let Ok(info) = trace_read(tid, TraceRead::SignalInfo) {
                    self.tell(tid, &format!("--- {} {} ---", flags::signal(number.into()), signal::show(&info)))?;
                }
                pass_on = number as i32;
            }
            _ => {}
        }
        // A thread that was killed meanwhile tells so by its end.
        let _ = raw::trace(tid, Trace::Syscall(pass_on));
        Ok(())
    }

    /// A line that is no call.
    fn tell(&mut self, tid: i32, text: &str) -> io::Result<()> {
        if self.summary.is_some() || self.hidden { Ok(()) } else { self.output.line(tid, text) }
    }

    fn ended(&mut self, tid: i32, status: u32) -> io::Result<()> {
        if let Some(Some(call)) = self.threads.remove(&tid)
            && !call.hidden
        {
            self.output.leave(tid, &call.name, ")", "?")?;
        }
        let core = if status & 0x80 != 0 { " (core dumped)" } else { "" };
        let text = match status & 0x7f {
            0 => format!("+++ exited with {} +++", status >> 8 & 0xff),
            killer => format!("+++ killed by {}{core} +++", flags::signal(killer.into())),
        };
        if tid == self.main {
            self.status = Some(status);
        }
        self.hidden &= tid != self.main;
        self.tell(tid, &text)
    }

    fn syscall(&mut self, tid: i32) -> io::Result<()> {
        let Ok(info) = trace_read(tid, TraceRead::SyscallInfo) else { return Ok(()) };
        let word = |at: usize| u64::from_le_bytes(std::array::from_fn(|byte| info[at + byte]));
        match info[0] {
            1 => self.entered(tid, word(24), std::array::from_fn(|index| word(32 + 8 * index))),
            2 => self.left(tid, word(24) as i64, info[32] != 0),
            _ => Ok(()),
        }
    }

    fn entered(&mut self, tid: i32, number: u64, args: [u64; 6]) -> io::Result<()> {
        self.hidden &= number != EXECVE;
        let row = by_number(number);
        let name = row.map_or_else(|| format!("syscall_{number:#x}"), |row| row.name.to_owned());
        let unwanted = self.names.as_ref().is_some_and(|names| !names.contains(&name));
        let hidden = self.hidden || unwanted;
        let mut call =
            Entered { row, name, args, shown: 0, start: Instant::now(), hidden: hidden || self.summary.is_some() };
        if !call.hidden {
            let arguments = call.arguments(tid, None);
            self.output.enter(tid, &format!("{}({arguments}", call.name))?;
        }
        if !hidden || self.summary.is_none() {
            self.threads.insert(tid, Some(call));
        }
        Ok(())
    }

    fn left(&mut self, tid: i32, result: i64, failed: bool) -> io::Result<()> {
        let Some(mut call) = self.threads.get_mut(&tid).and_then(Option::take) else { return Ok(()) };
        if let Some(summary) = &mut self.summary {
            summary.add(&call.name, call.start.elapsed(), failed);
            return Ok(());
        }
        if call.hidden {
            return Ok(());
        }
        let arguments = call.arguments(tid, Some(result));
        let text = call.result(result, failed);
        self.output.leave(tid, &call.name, &format!("{arguments})"), &text)
    }
}

impl Entered {
    /// The arguments that can be shown now and have not been: all of them once there is a result.
    fn arguments(&mut self, tid: i32, result: Option<i64>) -> String {
        let memory = Memory::of(tid);
        let Some(row) = self.row else {
            let all = self.args.map(|word| format!("{word:#x}")).join(", ");
            return if result.is_none() { all } else { String::new() };
        };
        let mut text = String::new();
        while let Some(kind) = row.args.get(self.shown) {
            if kind.is_output() && result.is_none() {
                break;
            }
            let call = Call { args: self.args, result, memory: &memory };
            if let Some(argument) = kind.show(&call, self.shown) {
                text += if self.shown > 0 { ", " } else { "" };
                text += &argument;
            }
            self.shown += 1;
        }
        text
    }

    fn result(&self, result: i64, failed: bool) -> String {
        if !failed {
            let is_address = ADDRESSES.contains(&self.name.as_str());
            return if is_address { pointer(result as u64) } else { result.to_string() };
        }
        if let Some((_, text)) = RESTARTS.iter().find(|(number, _)| *number == -result) {
            return format!("? {text}");
        }
        let number = result.unsigned_abs();
        let text =
            i32::try_from(number).map_or_else(|_| String::new(), |number| why(&io::Error::from_raw_os_error(number)));
        format!("-1 {} ({text})", flags::errno(number))
    }
}
