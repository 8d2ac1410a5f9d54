//! Models of the kernel's concurrent types for the loom model checker: what must hold in every order in which CPUs may take their steps, and
//! under every value that the memory model lets a load see. They check the very types that run: hal and the kernel are compiled with
//! `--cfg loom`, which exchanges only the atomics (`hal::sync::atomic`) and the machine (`hal::model`).
//!
//! [`spin`]: spin locks, `Once`, sleep cells. [`sched`]: threads, run queues, parking. [`waiting`]: wait queues, mutexes, readers-writer locks.
//!
//! Run them with `RUSTFLAGS="--cfg loom" cargo test -p models --profile models --target-dir build/loom`; `cargo test` at the root does (harness/tests/gate.rs).
//! Without the flag this crate is empty.
#![cfg(loom)]

#[cfg(test)]
mod sched;
#[cfg(test)]
mod spin;
#[cfg(test)]
mod waiting;
