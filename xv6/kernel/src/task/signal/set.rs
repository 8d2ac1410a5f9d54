//! Signal numbers and sets of them (signal(7)). Plain data.

/// A signal number, 1 to 64.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Signal(u8);

macro_rules! signals {
    ($($name:ident = $number:literal),* $(,)?) => {
        #[expect(missing_docs, reason = "signal(7) documents each")]
        impl Signal {
            $(pub const $name: Signal = Signal($number);)*

            /// The name without `SIG`, or `RT` for the rest.
            pub fn name(self) -> &'static str {
                match self.0 { $($number => stringify!($name),)* _ => "RT" }
            }
        }
    };
}

signals! {
    HUP = 1, INT = 2, QUIT = 3, ILL = 4, TRAP = 5, ABRT = 6, BUS = 7, FPE = 8, KILL = 9, USR1 = 10, SEGV = 11, USR2 = 12, PIPE = 13,
    ALRM = 14, TERM = 15, STKFLT = 16, CHLD = 17, CONT = 18, STOP = 19, TSTP = 20, TTIN = 21, TTOU = 22, URG = 23, XCPU = 24,
    XFSZ = 25, VTALRM = 26, PROF = 27, WINCH = 28, IO = 29, PWR = 30, SYS = 31,
}

impl core::fmt::Debug for Signal {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "SIG{}({})", self.name(), self.0)
    }
}

/// What a signal does when no handler is set (signal(7), "Standard signals").
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Default {
    /// End the process. No core is ever written, so a status never has the bit that says so (wait(2), `WCOREDUMP`).
    Terminate,
    /// Nothing.
    Ignore,
    /// Stop the process.
    Stop,
    /// Continue it if stopped.
    Continue,
}

impl Signal {
    /// The signal numbered `number`, if there is one.
    pub fn new(number: u32) -> Option<Signal> {
        (1..=64).contains(&number).then_some(Signal(number as u8))
    }

    /// Its number.
    pub fn number(self) -> u32 {
        u32::from(self.0)
    }

    /// Its place in an array.
    pub(super) fn index(self) -> usize {
        usize::from(self.0) - 1
    }

    /// The default action.
    pub fn default_action(self) -> Default {
        match self {
            Signal::CHLD | Signal::URG | Signal::WINCH => Default::Ignore,
            Signal::CONT => Default::Continue,
            Signal::STOP | Signal::TSTP | Signal::TTIN | Signal::TTOU => Default::Stop,
            _ => Default::Terminate,
        }
    }

    /// True for the queued signals from 32 on.
    pub fn is_realtime(self) -> bool {
        self.0 >= 32
    }
}

/// A set of signals, bit n-1 for signal n: Linux's `sigset_t`.
#[derive(Clone, Copy, PartialEq, Eq, Debug, core::default::Default)]
pub struct SigSet(pub u64);

impl SigSet {
    /// None.
    pub const EMPTY: SigSet = SigSet(0);
    /// `SIGKILL` and `SIGSTOP`, which cannot be blocked, caught or ignored.
    pub const UNBLOCKABLE: SigSet = SigSet(1 << 8 | 1 << 18);
    /// The stop signals.
    pub const STOPS: SigSet = SigSet(1 << 18 | 1 << 19 | 1 << 20 | 1 << 21);
    /// The signals that a fault of the thread itself raises: they are delivered before others.
    pub const SYNCHRONOUS: SigSet = SigSet(1 << 10 | 1 << 6 | 1 << 3 | 1 << 4 | 1 << 7 | 1 << 30);

    /// The set of one.
    pub const fn only(signal: Signal) -> SigSet {
        SigSet(1 << (signal.0 - 1))
    }

    /// Whether `signal` is in.
    pub const fn has(self, signal: Signal) -> bool {
        self.0 & (1 << (signal.0 - 1)) != 0
    }

    /// With `signal`.
    pub const fn with(self, signal: Signal) -> SigSet {
        SigSet(self.0 | 1 << (signal.0 - 1))
    }

    /// Those in both.
    pub const fn and(self, other: SigSet) -> SigSet {
        SigSet(self.0 & other.0)
    }

    /// Those in either.
    pub const fn or(self, other: SigSet) -> SigSet {
        SigSet(self.0 | other.0)
    }

    /// Those not in `other`.
    pub const fn without(self, other: SigSet) -> SigSet {
        SigSet(self.0 & !other.0)
    }

    /// True for none.
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// The lowest-numbered signal in it.
    pub fn first(self) -> Option<Signal> {
        Signal::new(self.0.trailing_zeros() + 1)
    }
}

#[cfg(test)]
mod tests {
    use super::{SigSet, Signal};

    #[test]
    fn sets_and_numbers_agree_with_linux() {
        assert_eq!(SigSet::only(Signal::KILL).or(SigSet::only(Signal::STOP)), SigSet::UNBLOCKABLE);
        for signal in [Signal::STOP, Signal::TSTP, Signal::TTIN, Signal::TTOU] {
            assert!(SigSet::STOPS.has(signal));
        }
        for signal in [Signal::SEGV, Signal::BUS, Signal::ILL, Signal::TRAP, Signal::FPE, Signal::SYS] {
            assert!(SigSet::SYNCHRONOUS.has(signal));
        }
        assert_eq!(SigSet::EMPTY.first(), None);
        assert_eq!(SigSet::only(Signal::TERM).first(), Some(Signal::TERM));
        assert_eq!(Signal::new(65), None);
    }
}
