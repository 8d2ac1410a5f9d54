//! Memory is each process's own, on any number of CPUs: what a CPU remembers of one address space never shows in the next.

use harness::fixture::{boot, machine};

fn each_its_own(cpus: u32) {
    let mut guest = boot(&machine("spaces").cpus(cpus));
    let output = guest.run("probe spaces 800").expect("the guest answers");
    assert_eq!((output.text.as_str(), output.status), ("spaces\teach its own\n", 0));
}

#[test]
fn memory_is_each_processs_own_on_one_cpu() {
    each_its_own(1);
}

#[test]
fn memory_is_each_processs_own_on_two_cpus() {
    each_its_own(2);
}

#[test]
fn memory_is_each_processs_own_on_four_cpus() {
    each_its_own(4);
}
