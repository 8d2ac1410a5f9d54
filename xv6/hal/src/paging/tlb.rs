//! The CPUs' side of page tables: which one each runs, and making TLBs forget.
//!
//! Each CPU has a root of its own, which stays in CR3: its kernel half is the kernel's, its user half a copy of the upper entries of the space
//! that it runs. For QEMU's TCG empties the whole TLB, the kernel's part and what it knows of the code with it, at every write of CR3, whatever
//! CR4.PGE says; going from one process to another and back costs 20 microseconds that way, and a quarter of that page by page.
//!
//! So a CPU that leaves a space forgets the pages it has used ([`leave`]). That is right because
//!
//! - all that the CPU's TLB holds of user addresses are pages of the space it runs, each of which, since nobody else can have taken the mark
//!   away without noting it, is marked [`ACCESSED`](super::entry::ACCESSED), or among the space's pending changes, or in a flush that has taken these;
//! - under the space's lock it can tell: other CPUs run the space, whose use of the marks it must not spoil; changes are pending; a flush
//!   is under way: in each of these cases it forgets everything instead.
//!
//! A flush invalidates here; where no other CPU runs the space, that is all ([`forget`]). Otherwise it asks every other CPU that runs it to do the
//! same, and waits. They answer from the interrupt in user mode, or when they next spin ([`answer`]). An idle CPU runs no space, so it is never
//! asked. One request is under way at a time; who waits for its turn answers meanwhile. What one CPU changes another's flush may take; so each flush
//! ends after all that were under way with it.
//!
//! All this is [`protocol`]. Left to the machine is to forget a page or all of them, to interrupt a CPU, and to know where a CPU's root is. The loom
//! models run the same protocol on CPUs of their own (`model::mmu`).

#[cfg(not(any(target_os = "none", loom)))]
mod hosted;
#[cfg(target_os = "none")]
mod machine;
#[cfg(any(target_os = "none", loom))]
mod protocol;

#[cfg(loom)]
use crate::model::mmu as machine;

#[cfg(not(any(target_os = "none", loom)))]
pub(crate) use hosted::{activate, activate_kernel, forget, retire, set_top, shoot, this_cpu};
#[cfg(target_os = "none")]
pub(crate) use machine::new_root;
#[cfg(loom)]
pub(crate) use protocol::begin;
#[cfg(any(target_os = "none", loom))]
pub(crate) use protocol::{activate, activate_kernel, answer, forget, retire, set_top, shoot, this_cpu};
#[cfg(target_os = "none")]
pub(crate) use protocol::{any_active, shoot_kernel};
