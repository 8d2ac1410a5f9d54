//! `/proc/PID/limits`: getrlimit(2) as a table.

use super::View;
use crate::error::Result;
use crate::task::rlimit::{INFINITY, Resource};
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

const ROWS: &[(Resource, &str, &str)] = &[
    (Resource::Cpu, "Max cpu time", "seconds"),
    (Resource::FileSize, "Max file size", "bytes"),
    (Resource::Data, "Max data size", "bytes"),
    (Resource::Stack, "Max stack size", "bytes"),
    (Resource::Core, "Max core file size", "bytes"),
    (Resource::Rss, "Max resident set", "bytes"),
    (Resource::Processes, "Max processes", "processes"),
    (Resource::Files, "Max open files", "files"),
    (Resource::LockedMemory, "Max locked memory", "bytes"),
    (Resource::AddressSpace, "Max address space", "bytes"),
    (Resource::Locks, "Max file locks", "locks"),
    (Resource::SignalsPending, "Max pending signals", "signals"),
    (Resource::MessageQueue, "Max msgqueue size", "bytes"),
    (Resource::Nice, "Max nice priority", ""),
    (Resource::RealtimePriority, "Max realtime priority", ""),
    (Resource::RealtimeTime, "Max realtime timeout", "us"),
];

/// The table.
pub fn limits(view: &View) -> Result<Vec<u8>> {
    let process = view.process()?;
    let shown = |value: u64| if value == INFINITY { String::from("unlimited") } else { value.to_string() };
    let mut text = format!("{:<25} {:<20} {:<20} {:<10}\n", "Limit", "Soft Limit", "Hard Limit", "Units");
    for (resource, name, unit) in ROWS {
        let (soft, hard) = process.limit(*resource);
        text += &format!("{name:<25} {:<20} {:<20} {unit:<10}\n", shown(soft), shown(hard));
    }
    Ok(text.into_bytes())
}
