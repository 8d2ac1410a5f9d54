//! Hangs are found, not timed out: when a deadline passes, the failure shows where every CPU is, and what every other thread sleeps in.

use harness::Failure;
use harness::fixture::{boot, machine};
use std::time::Duration;

/// The call stacks that a command shows which does not end in time.
fn stacks(name: &str, cpus: u32, command: &str) -> String {
    let mut guest = boot(&machine(name).cpus(cpus));
    let failure = guest.run_within(command, Duration::from_millis(150)).expect_err("it does not end");
    assert!(matches!(failure, Failure::Timeout { .. }), "{failure}");
    let stacks = failure.evidence().expect("a machine").stacks.clone();
    assert!(failure.to_string().contains(stacks.lines().next().expect("a line")), "{failure}");
    stacks
}

#[test]
fn a_sleeping_machine_shows_its_idle_cpus() {
    let stacks = stacks("hang-asleep", 2, "sleep 1000");
    let cpus: Vec<&str> = stacks.lines().filter(|line| line.starts_with("CPU ")).collect();
    assert_eq!(cpus.len(), 2, "{stacks}");
    assert!(cpus.iter().all(|line| line.contains(": halted at 0xffffffff8")), "{stacks}");
    assert_eq!(stacks.matches("hal::cpu::idle at xv6/hal/src/cpu/mod.rs:").count(), 2, "{stacks}");
    assert_eq!(stacks.matches("idle_loop at xv6/kernel/src/task/sched/mod.rs:").count(), 2, "{stacks}");
}

#[test]
fn threads_that_sleep_show_what_they_sleep_in() {
    // A reader without a writer, as in a deadlock of programs.
    let stacks = stacks("hang-pipe", 2, "sleep 1000 | cat");
    let cat = stacks.split("\nthread ").find(|thread| thread.contains("(cat) S\n")).expect("the thread of cat");
    assert!(cat.contains("kernel::vfs::pipe::Pipe::read at xv6/kernel/src/vfs/pipe.rs:"), "{stacks}");
    assert!(cat.contains("kernel::task::user::run at xv6/kernel/src/task/user.rs:"), "{stacks}");
    assert!(stacks.contains("(sleep) S\n"), "{stacks}");
}

#[test]
fn a_kernel_that_is_busy_shows_what_with() {
    // One call that the kernel works on for long.
    let stacks = stacks("hang-busy", 1, "dd if=/dev/zero of=/dev/null bs=256M count=100000");
    assert!(stacks.starts_with("CPU 0: in the kernel at 0xffffffff8"), "{stacks}");
    assert!(stacks.contains("kernel::syscall::io::read at xv6/kernel/src/syscall/io.rs:"), "{stacks}");
    assert!(stacks.contains("kernel::task::user::run at xv6/kernel/src/task/user.rs:"), "{stacks}");
}
