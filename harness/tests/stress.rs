//! Many things at once. What `probe stress` finds gets a test of its own here.

use harness::fixture::{boot, machine};

/// A thread that makes no call, alone on its CPU, is not interrupted by a clock: a signal has to do that.
#[test]
fn a_signal_ends_a_program_that_makes_no_call() {
    let mut guest = boot(&machine("spinners").cpus(4));
    // One each for the CPUs that the shell does not need, and some time to spread over them.
    let start = "probe spin & a=$!; probe spin & b=$!; probe spin & c=$!; sleep 0.3";
    for signal in ["KILL", "TERM"] {
        guest.ok(start).expect("the guest answers");
        guest.ok(&format!("kill -{signal} $a $b $c; wait")).expect("they end");
    }
}
