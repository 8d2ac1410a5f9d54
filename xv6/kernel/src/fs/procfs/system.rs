//! The table of `/proc` itself, and the links to the reader's own process.

use super::sysctl::SYS;
use super::{Row, View, usage};
use crate::error::{Errno, Result};
use crate::task;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

/// `/proc`, before its pids.
pub static SYSTEM: &[Row] = &[
    Row::link("self", own_process),
    Row::link("thread-self", own_thread),
    Row::link("mounts", |_| Ok(b"self/mounts".to_vec())),
    Row::text("meminfo", usage::meminfo),
    Row::text("stat", usage::stat),
    Row::text("uptime", usage::uptime),
    Row::text("loadavg", usage::loadavg),
    Row::text("version", version),
    Row::text("cpuinfo", cpuinfo),
    Row::text("filesystems", filesystems),
    Row::text("partitions", partitions),
    Row::text("devices", devices),
    Row::text("cmdline", |_| Ok(format!("{}\n", hal::boot::cmdline()).into_bytes())),
    Row::text("xv6", usage::xv6),
    Row::rows("sys", SYS),
];

/// The caller's number in the mount's namespace; `ENOENT` where it is not seen.
fn own_process(view: &View) -> Result<Vec<u8>> {
    let number = task::current().process.pid.nr_in(view.ns()).ok_or(Errno::ENOENT)?;
    Ok(format!("{number}").into_bytes())
}

fn own_thread(view: &View) -> Result<Vec<u8>> {
    let task = task::current();
    let process = task.process.pid.nr_in(view.ns()).ok_or(Errno::ENOENT)?;
    let thread = task.tid().nr_in(view.ns()).ok_or(Errno::ENOENT)?;
    Ok(format!("{process}/task/{thread}").into_bytes())
}

fn version(_: &View) -> Result<Vec<u8>> {
    Ok(format!("Linux version {} (xv6 Conductor) {}\n", crate::version::RELEASE, crate::version::VERSION).into_bytes())
}

fn cpuinfo(_: &View) -> Result<Vec<u8>> {
    let mut text = String::new();
    for cpu in 0..hal::boot::cpu_count() {
        text += &format!(
            "processor\t: {cpu}\nvendor_id\t: QEMU\nmodel name\t: QEMU TCG CPU\nphysical id\t: 0\ncore id\t\t: {cpu}\n"
        );
        text += &format!(
            "cpu cores\t: {}\nflags\t\t: fpu tsc msr pae cx8 apic sep cmov fxsr sse sse2 syscall nx lm\n\n",
            hal::boot::cpu_count()
        );
    }
    Ok(text.into_bytes())
}

fn filesystems(_: &View) -> Result<Vec<u8>> {
    let mut text = String::new();
    for each in crate::fs::TYPES {
        text +=
            &format!("{}\t{}\n", if each.source == crate::vfs::fstype::Source::Any { "nodev" } else { "" }, each.name);
    }
    Ok(text.into_bytes())
}

fn partitions(_: &View) -> Result<Vec<u8>> {
    let mut text = String::from("major minor  #blocks  name\n\n");
    for (disk, (name, dev)) in crate::drivers::block::devices().iter().zip(crate::vfs::fstype::disks()) {
        let (major, minor) = (crate::vfs::devnum::major(dev), crate::vfs::devnum::minor(dev));
        text += &format!("{major:4} {minor:8} {:10} {}\n", disk.sectors() / 2, String::from_utf8_lossy(&name));
    }
    Ok(text.into_bytes())
}

fn devices(_: &View) -> Result<Vec<u8>> {
    let chars = "  1 mem\n  5 /dev/tty\n  5 /dev/console\n  5 /dev/ptmx\n136 pts\n229 hvc\n";
    Ok(format!("Character devices:\n{chars}\nBlock devices:\n254 virtblk\n").into_bytes())
}
