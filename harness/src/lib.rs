//! harness: boots the guest in QEMU and drives it, as a library.
//!
//! The way through it: [`Artifacts::build`] makes kernel and disks; [`Machine`] says as data what to boot;
//! [`Guest::boot`] boots it to a prompt and [`Guest::run`] runs commands there; [`Console`] is underneath for whoever types by
//! hand. Whatever goes wrong is a [`Failure`] that carries the transcript. Every time limit obeys one scale ([`deadline`]).
//! The kernel is an ELF file to this crate: another kernel that keeps the wiring of [`machine`] can be driven the same way.

mod artifacts;
mod cargo;
mod conductor;
mod console;
mod counts;
pub mod deadline;
mod drive;
mod ending;
mod failure;
pub mod fixture;
mod guest;
mod kernel;
pub mod machine;
mod monitor;
mod overlay;
mod process;
mod recording;
mod slot;
mod stamp;
mod symbols;
pub mod volume;
mod wire;
pub mod workspace;
pub mod writelog;

pub use artifacts::Artifacts;
pub use cargo::cargo;
pub use conductor::{Conductor, Container, Row, quote};
pub use console::{Console, panic_report};
pub use counts::Counts;
pub use drive::{Drive, Fault, Writes};
pub use ending::{Ending, decode};
pub use failure::{Evidence, Failure};
pub use guest::{Guest, Output, PROMPT};
pub use kernel::Kernel;
pub use machine::Machine;
pub use process::{Process, spawn};
pub use recording::Recording;
pub use slot::Slot;
pub use symbols::Symbols;
pub use volume::Extra;
pub use wire::{Gone, Heard, Line, Tee, Wire};
