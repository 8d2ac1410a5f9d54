//! Models of the kernel's concurrent types for the loom model checker: what must hold in every order in which CPUs may take their steps, and
//! under every value that the memory model lets a load see. They check the very types that run: hal and the kernel are compiled with
//! `--cfg loom`, which exchanges only the atomics (`hal::sync::atomic`) and the machine (`hal::model`).
//!
//! [`spin`]: spin locks, `Once`, sleep cells. [`tlb`]: address spaces, flushes, shootdowns. [`sched`]: threads, run queues, parking. [`waiting`]: wait
//! queues, mutexes, readers-writer locks.
//!
//! Each model has been seen to fail. Take this away, and it does:
//!
//! | model | from the kernel's code |
//! |---|---|
//! | `a_spin_lock_admits_one...` | `Release` at the unlock |
//! | `a_try_takes_only_a_free_lock` | `Acquire` in `try_lock` |
//! | `once_shows_whole_values_only` | `Release` where `Once` is set |
//! | `a_sleep_cell_is_exclusive_or_shared` | `Release` at the end of sole access |
//! | `a_thread_that_goes_to_sleep...` | the token that `unpark` leaves with a thread that runs |
//! | `a_woken_thread_is_stolen_by_one_cpu` | taking the stolen thread out of its queue |
//! | `threads_that_give_way_all_end` | putting the thread that gives way into the queue |
//! | `a_deadline_and_a_wake_up...` | `unpark`'s note that the thread is ready |
//! | `a_wait_sees_the_wake_up` | the look at the condition after registering |
//! | `a_wake_up_for_one_that_gives_up...` | the same; passing the wake-up on is not caught within the test's bound |
//! | `a_poller_is_woken_by_either_queue` | the look whether it was woken |
//! | `a_signal_ends_a_wait` | setting the work bit before the unparking |
//! | `a_mutex_admits_one...`, `a_writer_is_alone...` | counting the contender before its look |
//! | `a_condition_that_sleeps...` | the look whether it was woken, before the sleep |
//! | `a_page_is_free_when_all_have...` | setting the CPU's bit under the lock; the looks for changes and flushes at a leave; `Acquire` at the answer |
//! | `a_table_is_free_when_all_have...` | the one page that is forgotten where none was used; freeing the table after the answers |
//! | `two_flushes_wait_for_each_other` | waiting for flushes under way; the turn |
//! | `who_leaves_spoils_no_others_marks` | the look whether the CPU is alone |
//! | `a_space_is_left_for_another` | taking the space out of the root; changing the roots of all CPUs that run it |
//! | `who_computes_is_asked` | the interrupt; leaving the other CPUs' bits in the answer |
//! | `a_protected_page_takes...`, `a_page_of_its_own...` | the flush here; forgetting in the answer |
//! | `a_space_ends_when_nobody_runs_it` | asking for the end; leaving the space here |
//! | `a_cpu_that_guesses_forgets_too` | the one page that is forgotten first at a leave |
//!
//! The models of stealing and giving way hold without the scheduler's `on_cpu` checks: the switch itself waits for a context to be left, and these
//! spare that wait.
//!
//! Run them with `RUSTFLAGS="--cfg loom" cargo test -p models --profile models --target-dir build/loom`; `cargo test` at the root does (harness/tests/gate.rs).
//! Without the flag this crate is empty.
#![cfg(loom)]

#[cfg(test)]
mod sched;
#[cfg(test)]
mod spin;
#[cfg(test)]
mod tlb;
#[cfg(test)]
mod waiting;
