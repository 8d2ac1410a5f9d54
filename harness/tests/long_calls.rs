//! System calls that take minutes are ended by a signal and leave the CPU, the only one, to others. What they ask for does not fill the memory before.

use harness::fixture::{boot, machine};

#[test]
fn a_long_call_can_be_killed() {
    let mut guest = boot(&machine("long-calls").cpus(1));
    for kind in ["populate", "mincore", "sendfile"] {
        let text = guest.ok(&format!("probe long {kind}")).expect("it ends");
        assert_eq!(text, format!("{kind}\tkilled\n"));
    }
    let log = guest.ok("dmesg").expect("the guest answers");
    assert!(!log.contains("Out of memory"), "{log}");
}
