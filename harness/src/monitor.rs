//! monitor: asking QEMU itself about the machine (QMP).
//!
//! QEMU connects to a socket of ours with an abstract name, so there is no file to clean up and nothing to wait for: the
//! connection is taken up only when somebody asks. [`Monitor::stacks`] is what it is for: where every CPU is, and how it
//! got there, read from the outside, whatever state the kernel is in.

use crate::deadline::{BOOT, scaled};
use crate::failure::Failure;
use crate::symbols::Symbols;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use serde_json::{Value, json};
use std::io::{self, BufRead, BufReader, Write};
use std::os::fd::BorrowedFd;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixListener, UnixStream};
use std::path::Path;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// The most frames of one CPU's stack.
const DEPTH: usize = 32;

/// How long one question may take; QEMU answers in microseconds when it lives.
const PATIENCE: Duration = Duration::from_secs(5);

/// A place where QEMU will connect.
#[derive(Debug)]
pub struct Monitor {
    name: String,
    listener: UnixListener,
    session: Mutex<Option<Session>>,
}

/// One CPU's registers, as far as they matter.
#[derive(Debug, Default, PartialEq, Eq)]
struct Cpu {
    rip: u64,
    rbp: u64,
    user: bool,
    halted: bool,
}

impl Monitor {
    /// Listens under a name of its own.
    ///
    /// # Errors
    /// `Setup` when the socket cannot be made.
    pub fn listen() -> Result<Self, Failure> {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let name = format!("xv6-monitor-{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        let listener = SocketAddr::from_abstract_name(&name).and_then(|address| UnixListener::bind_addr(&address));
        let listener = listener.map_err(|e| Failure::setup("listen for QEMU's monitor", e))?;
        Ok(Self { name, listener, session: Mutex::default() })
    }

    /// QEMU's arguments for connecting here.
    pub fn arguments(&self) -> [String; 4] {
        let chardev = format!("socket,id=monitor,path={},abstract=on,tight=on", self.name);
        ["-chardev".into(), chardev, "-mon".into(), "chardev=monitor,mode=control".into()]
    }

    /// Where each CPU of the machine is: a line with its state, then its call stack by function, file and line. The machine
    /// stands still meanwhile and goes on afterwards.
    ///
    /// # Errors
    /// QEMU's end, or its silence.
    pub fn stacks(&self, kernel: &Path) -> io::Result<String> {
        let mut held = self.session.lock().unwrap_or_else(PoisonError::into_inner);
        let session = self.connected(&mut held)?;
        let ran = session.stop()?;
        let registers = session.command("info registers -a")?;
        let symbols = Symbols::load(kernel).ok();
        let mut out = String::new();
        for (i, cpu) in cpus(&registers).iter().enumerate() {
            let state = match (cpu.user, cpu.halted) {
                (true, _) => "in user mode",
                (false, true) => "halted",
                (false, false) => "in the kernel",
            };
            out.push_str(&format!("CPU {i}: {state} at {:#x}\n", cpu.rip));
            let frames = if cpu.user { Vec::new() } else { session.frames(cpu)? };
            for address in frames {
                let places = symbols.as_ref().map(|symbols| symbols.places(address)).unwrap_or_default();
                if places.is_empty() {
                    out.push_str(&format!("  {address:#x}\n"));
                }
                for place in places {
                    out.push_str(&format!("  {address:#x} {place}\n"));
                }
            }
        }
        session.go_on(ran)?;
        Ok(out)
    }
}

impl Monitor {
    /// Waits until QEMU talks, which it does once it is set up, or until its process has ended.
    ///
    /// # Errors
    /// QEMU's end, or its silence.
    pub fn ready(&self, process: BorrowedFd<'_>) -> io::Result<()> {
        let limit = Timespec::try_from(scaled(BOOT)).map_err(io::Error::other)?;
        let mut first = [PollFd::new(&self.listener, PollFlags::IN), PollFd::from_borrowed_fd(process, PollFlags::IN)];
        poll(&mut first, Some(&limit))?;
        let mut held = self.session.lock().unwrap_or_else(PoisonError::into_inner);
        self.connected(&mut held).map(|_| ())
    }

    /// The code address that each CPU is at, `None` for one that is halted. The machine stands still for a moment.
    ///
    /// # Errors
    /// QEMU's end, or its silence.
    pub fn sample(&self) -> io::Result<Vec<Option<u64>>> {
        let mut held = self.session.lock().unwrap_or_else(PoisonError::into_inner);
        let session = self.connected(&mut held)?;
        let ran = session.stop()?;
        let registers = session.command("info registers -a")?;
        session.go_on(ran)?;
        Ok(cpus(&registers).iter().map(|cpu| (!cpu.halted).then_some(cpu.rip)).collect())
    }

    /// The conversation, begun if need be.
    fn connected<'a>(&self, held: &'a mut Option<Session>) -> io::Result<&'a mut Session> {
        match held {
            Some(session) => Ok(session),
            empty => {
                self.listener.set_nonblocking(true)?;
                Ok(empty.insert(Session::new(self.listener.accept()?.0)?))
            }
        }
    }
}

/// A conversation in QMP.
#[derive(Debug)]
struct Session(BufReader<UnixStream>);

impl Session {
    fn new(stream: UnixStream) -> io::Result<Self> {
        stream.set_nonblocking(false)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_write_timeout(Some(PATIENCE))?;
        let mut session = Self(BufReader::new(stream));
        session.ask(&json!({"execute": "qmp_capabilities"}))?;
        Ok(session)
    }

    /// Sends `question` and reads to its answer, over the greeting and events.
    fn ask(&mut self, question: &Value) -> io::Result<Value> {
        self.0.get_mut().write_all(format!("{question}\n").as_bytes())?;
        loop {
            let mut line = String::new();
            if self.0.read_line(&mut line)? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            let answer: Value = serde_json::from_str(&line)?;
            if let Some(error) = answer.get("error") {
                return Err(io::Error::other(error.to_string()));
            }
            if let Some(value) = answer.get("return") {
                return Ok(value.clone());
            }
        }
    }

    /// Stops the machine; whether it ran. One that gdb has stopped is gdb's to start again.
    fn stop(&mut self) -> io::Result<bool> {
        let status = self.ask(&json!({"execute": "query-status"}))?;
        let ran = status["running"] == true;
        if ran {
            self.ask(&json!({"execute": "stop"}))?;
        }
        Ok(ran)
    }

    /// Lets a machine go on that [`Session::stop`] has stopped.
    fn go_on(&mut self, ran: bool) -> io::Result<()> {
        if ran {
            self.ask(&json!({"execute": "cont"}))?;
        }
        Ok(())
    }

    /// Runs a command of the human monitor; gives its text.
    fn command(&mut self, line: &str) -> io::Result<String> {
        let question = json!({"execute": "human-monitor-command", "arguments": {"command-line": line}});
        Ok(self.ask(&question)?.as_str().unwrap_or_default().to_string())
    }

    /// The code addresses on a CPU's stack, innermost first, by the chain of frame pointers.
    fn frames(&mut self, cpu: &Cpu) -> io::Result<Vec<u64>> {
        let mut frames = vec![cpu.rip];
        let mut rbp = cpu.rbp;
        // The upper half is the kernel's.
        while frames.len() < DEPTH && rbp >> 63 == 1 && rbp.is_multiple_of(8) {
            let text = self.command(&format!("x/2xg {rbp:#x}"))?;
            let words: Vec<u64> = text.split_once(':').map(|(_, words)| numbers(words)).unwrap_or_default();
            let [next, address] = words[..] else { break };
            // A return address points behind its call.
            frames.push(address.wrapping_sub(1));
            if next <= rbp {
                break;
            }
            rbp = next;
        }
        Ok(frames)
    }
}

/// The hexadecimal numbers of a line.
fn numbers(text: &str) -> Vec<u64> {
    text.split_whitespace().filter_map(|word| u64::from_str_radix(word.trim_start_matches("0x"), 16).ok()).collect()
}

/// Reads `info registers -a`.
fn cpus(text: &str) -> Vec<Cpu> {
    let mut cpus: Vec<Cpu> = Vec::new();
    for word in text.split_whitespace() {
        if word.starts_with("CPU#") {
            cpus.push(Cpu::default());
        }
        let (Some(cpu), Some((name, value))) = (cpus.last_mut(), word.split_once('=')) else { continue };
        let number = u64::from_str_radix(value, 16).unwrap_or(0);
        match name {
            "RIP" => cpu.rip = number,
            "RBP" => cpu.rbp = number,
            "CPL" => cpu.user = number == 3,
            "HLT" => cpu.halted = number == 1,
            _ => {}
        }
    }
    cpus
}

#[cfg(test)]
mod tests {
    use super::{Cpu, cpus, numbers};

    #[test]
    fn registers_are_read() {
        let text = "\r\nCPU#0\r\nRAX=0000000000000000 RBP=ffffffff80001000 RSP=00\r\nRIP=ffffffff80100123 RFL=00000246 [---Z-P-] CPL=0 II=0 HLT=1\r\n\r\nCPU#1\r\nRBP=0 RIP=0000000000401000 CPL=3 HLT=0\r\n";
        let first = Cpu { rip: 0xffff_ffff_8010_0123, rbp: 0xffff_ffff_8000_1000, user: false, halted: true };
        assert_eq!(cpus(text), [first, Cpu { rip: 0x40_1000, rbp: 0, user: true, halted: false }]);
        assert_eq!(numbers(" 0xffffffff80001000 0x0000000000000010"), [0xffff_ffff_8000_1000, 16]);
    }
}
