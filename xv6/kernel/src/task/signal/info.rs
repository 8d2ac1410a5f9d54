//! What comes with a signal: [`SigInfo`], and its encoding as Linux's 128-byte `siginfo_t` (sigaction(2)).
//!
//! Pids and uids inside are already those that the receiver sees. Plain data.

use super::Signal;

/// `si_code`: sent by kill(2).
pub const SI_USER: i32 = 0;
/// `si_code`: sent by the kernel.
pub const SI_KERNEL: i32 = 0x80;
/// `si_code`: sent by sigqueue(3).
pub const SI_QUEUE: i32 = -1;
/// `si_code`: sent by tgkill(2).
pub const SI_TKILL: i32 = -6;
/// `SIGCHLD`: the child exited.
pub const CLD_EXITED: i32 = 1;
/// `SIGCHLD`: the child was killed.
pub const CLD_KILLED: i32 = 2;
/// `SIGCHLD`: the traced child stopped for its tracer.
pub const CLD_TRAPPED: i32 = 4;
/// `SIGCHLD`: the child stopped.
pub const CLD_STOPPED: i32 = 5;
/// `SIGCHLD`: the child continued.
pub const CLD_CONTINUED: i32 = 6;

/// Bytes of `siginfo_t`.
pub const SIGINFO_BYTES: usize = 128;

/// The part of a [`SigInfo`] that depends on its origin.
#[derive(Clone, Debug)]
#[expect(missing_docs, reason = "sigaction(2) documents the fields")]
pub enum SigData {
    None,
    /// kill(2), tgkill(2).
    Sender {
        pid: u32,
        uid: u32,
    },
    /// rt_sigqueueinfo(2): the bytes after the three leading words, as the sender gave them.
    Raw([u8; SIGINFO_BYTES - 16]),
    /// `SIGCHLD`; times in clock ticks.
    Child {
        pid: u32,
        uid: u32,
        status: i32,
        utime: u64,
        stime: u64,
    },
    /// A fault at an address.
    Fault {
        addr: u64,
    },
}

/// A signal with its origin.
#[derive(Clone, Debug)]
pub struct SigInfo {
    /// Which.
    pub signal: Signal,
    /// `si_code`.
    pub code: i32,
    /// The rest.
    pub data: SigData,
}

impl SigInfo {
    /// A signal from the kernel itself.
    pub fn kernel(signal: Signal) -> SigInfo {
        SigInfo { signal, code: SI_KERNEL, data: SigData::None }
    }

    /// `siginfo_t`'s bytes.
    pub fn encode(&self) -> [u8; SIGINFO_BYTES] {
        let mut bytes = [0; SIGINFO_BYTES];
        let mut put = |at: usize, value: &[u8]| bytes[at..at + value.len()].copy_from_slice(value);
        put(0, &self.signal.number().to_le_bytes());
        put(8, &self.code.to_le_bytes());
        match &self.data {
            SigData::None => {}
            SigData::Sender { pid, uid } => {
                put(16, &pid.to_le_bytes());
                put(20, &uid.to_le_bytes());
            }
            SigData::Raw(rest) => put(16, rest),
            SigData::Child { pid, uid, status, utime, stime } => {
                put(16, &pid.to_le_bytes());
                put(20, &uid.to_le_bytes());
                put(24, &status.to_le_bytes());
                put(32, &utime.to_le_bytes());
                put(40, &stime.to_le_bytes());
            }
            SigData::Fault { addr } => put(16, &addr.to_le_bytes()),
        }
        bytes
    }

    /// The faulting address, if it has one.
    pub fn addr(&self) -> Option<u64> {
        match self.data {
            SigData::Fault { addr } => Some(addr),
            _ => None,
        }
    }
}
