//! failure: everything that can go wrong with a machine, with the evidence to understand it.
//!
//! [`Failure`] is the error type of the whole library. Each variant about a running machine carries [`Evidence`]: where the
//! transcript lies, its last lines, and what was awaited. `Setup` is for failures before there is a machine (no QEMU, no
//! kernel file, a build that failed). The console and the machine create these; command lines and tests print them.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

/// What a person needs to see after a machine failed.
#[derive(Clone, Debug, Default)]
pub struct Evidence {
    /// The file with every byte the machine printed.
    pub transcript: PathBuf,
    /// The last lines of the transcript.
    pub tail: String,
    /// What the caller was waiting for.
    pub awaited: String,
    /// Where every CPU was, if the machine still lived.
    pub stacks: String,
}

/// Why a request to the harness failed. `Debug` reads like `Display`, so that a test's `expect` shows it to people.
#[derive(Clone)]
pub enum Failure {
    /// The awaited thing did not come within the limit.
    Timeout {
        /// The limit that passed.
        after: Duration,
        /// What was seen until then.
        evidence: Box<Evidence>,
    },
    /// The kernel panicked.
    Panic {
        /// The panic report of the kernel, each code address followed by its function, file and line.
        report: String,
        /// What was seen until then.
        evidence: Box<Evidence>,
    },
    /// The machine reset itself (a triple fault, or a reboot) although nobody asked it to.
    Reboot(Box<Evidence>),
    /// The machine ended with this status while something else was awaited; 0 is a plain power-off.
    Exit(u8, Box<Evidence>),
    /// The machine ended before it was up, or QEMU itself refused to run it.
    BootFailed {
        /// QEMU's own words, or how it ended.
        cause: String,
        /// What was seen until then.
        evidence: Box<Evidence>,
    },
    /// There was no machine to talk to: something on the host is missing or broken.
    Setup(String),
}

impl Failure {
    /// A failure on the host's side: `doing` names the action and its object, `cause` says why it failed.
    pub fn setup(doing: impl fmt::Display, cause: impl fmt::Display) -> Self {
        Self::Setup(format!("{doing}: {cause}"))
    }

    /// The evidence, if a machine was running.
    pub fn evidence(&self) -> Option<&Evidence> {
        match self {
            Self::Timeout { evidence, .. } | Self::Panic { evidence, .. } | Self::BootFailed { evidence, .. } => {
                Some(evidence)
            }
            Self::Reboot(evidence) | Self::Exit(_, evidence) => Some(evidence),
            Self::Setup(_) => None,
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Timeout { after, .. } => write!(f, "nothing came within {:.1} s", after.as_secs_f64())?,
            Self::Panic { report, .. } => write!(f, "the kernel panicked\n{}", report.trim_end())?,
            Self::Reboot(_) => write!(f, "the machine reset itself")?,
            Self::Exit(status, _) => write!(f, "the machine ended with status {status}")?,
            Self::BootFailed { cause, .. } => write!(f, "the machine did not boot: {cause}")?,
            Self::Setup(cause) => return write!(f, "{cause}"),
        }
        if let Some(evidence) = self.evidence() {
            write!(f, "\n  awaited: {}\n  transcript: {}", evidence.awaited, evidence.transcript.display())?;
            if !matches!(self, Self::Panic { .. }) && !evidence.tail.is_empty() {
                write!(f, "\n  its last lines:")?;
                for line in evidence.tail.lines() {
                    write!(f, "\n  | {line}")?;
                }
            }
            for line in evidence.stacks.lines() {
                write!(f, "\n  {line}")?;
            }
        }
        Ok(())
    }
}

impl fmt::Debug for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl std::error::Error for Failure {}
