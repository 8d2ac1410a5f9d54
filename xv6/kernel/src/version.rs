//! What this kernel calls itself (uname(2), `/proc/version`).

/// The system: programs for Linux run on it.
pub const SYSTEM: &str = "Linux";
/// The release: the Linux version whose interface it follows, and its own.
pub const RELEASE: &str = concat!("6.1.0-xv6-", env!("CARGO_PKG_VERSION"));
/// The build; one that checks itself says so.
pub const VERSION: &str = if cfg!(debug_assertions) { "#1 SMP CHECKED xv6 Conductor" } else { "#1 SMP xv6 Conductor" };
/// The machine.
pub const MACHINE: &str = "x86_64";
