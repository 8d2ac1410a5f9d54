//! console: typing at a machine and reading what it answers, through rexpect.
//!
//! [`Console`] owns the rexpect session. Every wait goes to the [`Wire`] first, which wakes at the byte that completes the
//! answer, at the machine's end, or at the deadline; only then is rexpect asked, and it answers at once. rexpect turns each
//! byte into one char, so needles are widened the same way and results narrowed back: UTF-8 passes unharmed.

use crate::deadline::scaled;
use crate::ending::{Ending, decode};
use crate::failure::Failure;
use crate::process::Process;
use crate::symbols::Symbols;
use crate::wire::{Heard, Line, Tee};
use rexpect::reader::{Options, ReadUntil, Regex};
use rexpect::session::StreamSession;
use std::io::Write;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// A scripted user at a machine's console.
pub struct Console {
    session: StreamSession<UnixStream>,
    process: Process,
    kernel: PathBuf,
    consumed: usize,
}

/// What ended a wait on the wire.
enum Wake {
    Found,
    Ended,
}

impl Console {
    /// Sits down at `process`, whose kernel is the ELF file `kernel`.
    ///
    /// # Errors
    /// `Setup` when a stream cannot be shared.
    pub fn new(process: Process, kernel: &Path) -> Result<Self, Failure> {
        let sharing = |e| Failure::setup("share the console's stream", e);
        let reader = process.console.try_clone().map_err(sharing)?;
        let writer = process.console.try_clone().map_err(sharing)?;
        // A machine that stopped reading must not hang its driver.
        writer.set_write_timeout(Some(scaled(crate::deadline::COMMAND))).map_err(sharing)?;
        let serial = process.serial.try_clone().map_err(sharing)?;
        Tee::new(serial, &process.wire, Line::Serial).drain(|_| {});
        let tee = Tee::new(reader, &process.wire, Line::Console);
        // The wire keeps the deadlines; rexpect's own is a fuse that never blows.
        let options = Options::new().timeout_ms(Some(10_000));
        let session = StreamSession::new(tee, writer, options);
        Ok(Self { session, process, kernel: kernel.to_path_buf(), consumed: 0 })
    }

    /// Types `text` as it is.
    ///
    /// # Errors
    /// The machine's end, or `Timeout` when it does not take the text.
    pub fn send(&mut self, text: &str) -> Result<(), Failure> {
        let mut rest = text.as_bytes();
        let mut stream = &self.process.console;
        while !rest.is_empty() {
            match stream.write(rest) {
                Ok(n) => rest = &rest[n..],
                Err(e) if e.kind() == std::io::ErrorKind::Interrupted => {}
                Err(e) if e.kind() == std::io::ErrorKind::WouldBlock => {
                    let after = scaled(crate::deadline::COMMAND);
                    return Err(Failure::Timeout {
                        after,
                        evidence: self.process.evidence("the machine to read its input", true),
                    });
                }
                Err(_) => return Err(self.ended("to type a line")),
            }
        }
        Ok(())
    }

    /// Types `line` and Enter.
    ///
    /// # Errors
    /// As [`Console::send`].
    pub fn send_line(&mut self, line: &str) -> Result<(), Failure> {
        self.send(&format!("{line}\n"))
    }

    /// Types a control character: `'c'` is Ctrl-C.
    ///
    /// # Errors
    /// As [`Console::send`].
    pub fn send_control(&mut self, key: char) -> Result<(), Failure> {
        self.session.send_control(key).map_err(|_| self.ended("to type a control character"))
    }

    /// Waits for `needle` and takes everything up to its end; returns what came before it.
    ///
    /// # Errors
    /// `Timeout` after `limit` (scaled), or the machine's end.
    pub fn expect(&mut self, needle: &str, limit: Duration) -> Result<String, Failure> {
        let wide = widen(needle.as_bytes());
        let bytes = needle.as_bytes().to_vec();
        // Bytes looked at already need no second look.
        let mut looked = self.consumed;
        let found = move |heard: &Heard| {
            let found = heard.console[looked..].windows(bytes.len()).any(|window| window == bytes);
            looked = looked.max(heard.console.len().saturating_sub(bytes.len()));
            found
        };
        self.take(found, &ReadUntil::String(wide), &format!("{needle:?}"), limit).map(|(before, _)| before)
    }

    /// Waits for a match of `pattern` (bytes as Latin-1 characters); returns what came before it, and the match.
    ///
    /// # Errors
    /// `Setup` for a bad pattern, `Timeout` after `limit` (scaled), or the machine's end.
    pub fn expect_regex(&mut self, pattern: &str, limit: Duration) -> Result<(String, String), Failure> {
        let regex = Regex::new(pattern).map_err(|e| Failure::setup(format_args!("pattern {pattern:?}"), e))?;
        let from = self.consumed;
        let look = regex.clone();
        let found = move |heard: &Heard| look.is_match(&widen(&heard.console[from..]));
        self.take(found, &ReadUntil::Regex(regex), &format!("a match of {pattern:?}"), limit)
    }

    /// Waits for the machine to end by itself; returns its exit status and the text that came before.
    ///
    /// # Errors
    /// `Timeout` after `limit` (scaled), `Panic`, `Reboot`, or `BootFailed`.
    pub fn expect_end(&mut self, limit: Duration) -> Result<(u8, String), Failure> {
        let limit = scaled(limit);
        let awaited = "the machine to end";
        if self.process.wire.wait(limit, |heard| heard.ended().then_some(())).is_none() {
            return Err(Failure::Timeout { after: limit, evidence: self.process.evidence(awaited, true) });
        }
        match self.ended(awaited) {
            Failure::Exit(status, _) => {
                let rest = self.session.exp_eof().unwrap_or_default();
                Ok((status, narrow(&rest)))
            }
            failure => Err(failure),
        }
    }

    /// Everything the kernel logged so far.
    pub fn log(&self) -> String {
        String::from_utf8_lossy(&self.process.wire.heard().serial).into_owned()
    }

    /// The transcript's file.
    pub fn transcript(&self) -> &Path {
        self.process.wire.path()
    }

    /// QEMU's process id.
    pub fn pid(&self) -> u32 {
        self.process.pid
    }

    /// Every CPU's state and call stack, for looking into a hang.
    pub fn stacks(&self) -> String {
        self.process.stacks()
    }

    /// Ends the machine at once, as pulling its plug would.
    pub fn kill(&self) {
        self.process.kill();
    }

    fn take(
        &mut self,
        mut found: impl FnMut(&Heard) -> bool,
        needle: &ReadUntil,
        awaited: &str,
        limit: Duration,
    ) -> Result<(String, String), Failure> {
        let limit = scaled(limit);
        let wake = self.process.wire.wait(limit, |heard| {
            if found(heard) {
                return Some(Wake::Found);
            }
            heard.ended().then_some(Wake::Ended)
        });
        match wake {
            Some(Wake::Found) => {}
            Some(Wake::Ended) => return Err(self.ended(awaited)),
            None => return Err(Failure::Timeout { after: limit, evidence: self.process.evidence(awaited, true) }),
        }
        let answer = match needle {
            ReadUntil::Regex(regex) => self.session.exp_regex(regex.as_str()),
            ReadUntil::String(text) => self.session.exp_string(text).map(|before| (before, text.clone())),
            _ => return Err(Failure::setup("expect", "only texts and patterns can be awaited")),
        };
        let (before, matched) = answer.map_err(|e| Failure::setup(format_args!("expect {awaited}"), e))?;
        self.consumed += before.chars().count() + matched.chars().count();
        Ok((narrow(&before), narrow(&matched)))
    }

    /// The failure that a machine's end is while something else was awaited.
    pub(crate) fn ended(&self, awaited: &str) -> Failure {
        let wire = &self.process.wire;
        let end = wire.wait(scaled(Duration::from_secs(5)), |heard| {
            let gone = heard.gone.as_ref().filter(|_| heard.ended())?;
            Some((
                decode(gone, &heard.serial),
                String::from_utf8_lossy(&heard.serial).into_owned(),
                heard.console.is_empty(),
            ))
        });
        let evidence = self.process.evidence(awaited, false);
        match end {
            None => Failure::BootFailed { cause: "QEMU closed its console and hangs".into(), evidence },
            Some((Ending::NoBoot(cause), ..)) => Failure::BootFailed { cause, evidence },
            Some((Ending::Exit(status), ..)) => Failure::Exit(status, evidence),
            Some((Ending::Reset, _, true)) => {
                Failure::BootFailed { cause: "the machine reset itself while booting".into(), evidence }
            }
            Some((Ending::Reset, ..)) => Failure::Reboot(evidence),
            Some((Ending::Qemu(cause), ..)) => Failure::BootFailed { cause, evidence },
            Some((Ending::Panic, log, _)) => Failure::Panic { report: panic_report(&self.kernel, &log), evidence },
        }
    }
}

/// The panic report in the kernel's log, its addresses explained as far as `kernel` can be read.
pub fn panic_report(kernel: &Path, log: &str) -> String {
    let found = log.find("kernel panic").or_else(|| log.find("panic"));
    let start = found.map_or(0, |at| log[..at].rfind('\n').map_or(0, |line| line + 1));
    let report = &log[start..];
    match Symbols::load(kernel) {
        Ok(symbols) => symbols.annotate(report),
        Err(_) => report.to_string(),
    }
}

/// Bytes as rexpect sees them: one char each.
fn widen(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| char::from(*byte)).collect()
}

/// rexpect's chars back to text.
fn narrow(wide: &str) -> String {
    let bytes: Vec<u8> = wide.chars().map(|c| u8::try_from(c).unwrap_or(b'?')).collect();
    String::from_utf8_lossy(&bytes).into_owned()
}
