//! Pending signals of a thread or a process: at most one of each standard signal, real-time ones in order and bounded.
//!
//! A queue is guarded by its owner's lock; the number of queued real-time signals of the whole machine is an atomic.

use super::{SigInfo, SigSet, Signal};
use crate::error::{Errno, Result};
use alloc::collections::VecDeque;
use core::sync::atomic::{AtomicUsize, Ordering};

/// Most real-time signals one queue holds (`RLIMIT_SIGPENDING` is per user on Linux).
const QUEUE_MAX: usize = 1024;

/// Most real-time signals that all queues hold together: they are kernel memory that any program may ask for.
const TOTAL_MAX: usize = 32 * 1024;

/// Real-time signals queued now.
static TOTAL: AtomicUsize = AtomicUsize::new(0);

/// Signals waiting to be delivered.
#[derive(Default)]
pub struct Pending {
    set: SigSet,
    infos: VecDeque<SigInfo>,
}

impl Pending {
    /// The signals that are pending.
    pub fn set(&self) -> SigSet {
        self.set
    }

    /// Adds one. A standard signal that is pending already is dropped; `EAGAIN` when the real-time queue is full.
    pub fn push(&mut self, info: SigInfo) -> Result<()> {
        let signal = info.signal;
        if !signal.is_realtime() && self.set.has(signal) {
            return Ok(());
        }
        if signal.is_realtime() {
            let full = || Errno::EAGAIN.during("queueing a real-time signal");
            if self.infos.len() >= QUEUE_MAX {
                return Err(full());
            }
            if TOTAL.fetch_add(1, Ordering::Relaxed) >= TOTAL_MAX {
                TOTAL.fetch_sub(1, Ordering::Relaxed);
                return Err(full());
            }
        }
        self.set = self.set.with(signal);
        self.infos.push_back(info);
        Ok(())
    }

    /// Takes the next signal in `allowed`: faults first, then by ascending number.
    pub fn take(&mut self, allowed: SigSet) -> Option<SigInfo> {
        let ready = self.set.and(allowed);
        let signal = ready.and(SigSet::SYNCHRONOUS).first().or_else(|| ready.first())?;
        let index = self.infos.iter().position(|info| info.signal == signal)?;
        let info = self.infos.remove(index)?;
        forget(&info);
        if !self.infos.iter().any(|info| info.signal == signal) {
            self.set = self.set.without(SigSet::only(signal));
        }
        Some(info)
    }

    /// Forgets the signals in `signals`.
    pub fn discard(&mut self, signals: SigSet) {
        if !self.set.and(signals).is_empty() {
            self.infos.retain(|info| {
                let stays = !signals.has(info.signal);
                if !stays {
                    forget(info);
                }
                stays
            });
            self.set = self.set.without(signals);
        }
    }

    /// Whether `signal` is pending.
    pub fn has(&self, signal: Signal) -> bool {
        self.set.has(signal)
    }
}

/// Uncounts a signal that leaves its queue.
fn forget(info: &SigInfo) {
    if info.signal.is_realtime() {
        TOTAL.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Drop for Pending {
    fn drop(&mut self) {
        self.infos.iter().for_each(forget);
    }
}

#[cfg(test)]
mod tests {
    use super::{Pending, SigInfo, SigSet, Signal};

    #[test]
    fn standard_signals_coalesce_and_real_time_ones_queue() {
        let mut pending = Pending::default();
        let rt = Signal::new(40).expect("a real-time signal");
        for signal in [Signal::TERM, Signal::TERM, rt, rt, Signal::SEGV] {
            pending.push(SigInfo::kernel(signal)).expect("there is room");
        }
        let all = SigSet(u64::MAX);
        let mut order = Vec::new();
        while let Some(info) = pending.take(all) {
            order.push(info.signal.number());
        }
        assert_eq!(order, [11, 15, 40, 40]);
        assert!(pending.set().is_empty());
    }
}
