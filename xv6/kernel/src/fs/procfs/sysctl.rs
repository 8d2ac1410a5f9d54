//! `/proc/sys`: the few knobs that programs read (proc(5)).

use super::{Row, View};
use crate::drivers::klog;
use crate::error::{Errno, Result};
use crate::fs::text::number;
use crate::ns::pid::PID_MAX;
use crate::task::{self, Cap};
use alloc::format;
use alloc::vec::Vec;
use hal::sync::Lazy;

/// `/proc/sys`.
pub static SYS: &[Row] =
    &[Row::rows("kernel", KERNEL), Row::rows("vm", VM), Row::rows("fs", FS), Row::rows("net", NET)];

static KERNEL: &[Row] = &[
    Row::knob("hostname", hostname, set_hostname),
    Row::knob("domainname", domainname, set_domainname),
    Row::text("ostype", |_| Ok(b"Linux\n".to_vec())),
    Row::text("osrelease", |_| Ok(format!("{}\n", crate::version::RELEASE).into_bytes())),
    Row::text("version", |_| Ok(format!("{}\n", crate::version::VERSION).into_bytes())),
    Row::text("pid_max", |_| Ok(format!("{PID_MAX}\n").into_bytes())),
    Row::text("threads-max", |_| Ok(format!("{PID_MAX}\n").into_bytes())),
    Row::text("cap_last_cap", |_| Ok(format!("{}\n", task::cred::CAP_LAST).into_bytes())),
    Row::text("ngroups_max", |_| Ok(b"65536\n".to_vec())),
    Row::text("overflowuid", |_| Ok(b"65534\n".to_vec())),
    Row::text("overflowgid", |_| Ok(b"65534\n".to_vec())),
    Row::knob("printk", printk, set_printk),
    Row::knob("dmesg_restrict", dmesg_restrict, set_dmesg_restrict),
    Row::rows("random", RANDOM),
];

static RANDOM: &[Row] = &[
    Row::text("boot_id", |_| Ok(uuid(&BOOT_ID))),
    Row::text("uuid", |_| {
        let mut bytes = [0; 16];
        hal::dev::rng::fill(&mut bytes);
        Ok(uuid(&bytes))
    }),
    Row::text("entropy_avail", |_| Ok(b"256\n".to_vec())),
];

static VM: &[Row] = &[
    Row::knob("drop_caches", |_| Ok(b"0\n".to_vec()), drop_caches),
    Row::text("overcommit_memory", |_| Ok(b"1\n".to_vec())),
    Row::text("max_map_count", |_| Ok(b"65530\n".to_vec())),
    Row::text("mmap_min_addr", |_| Ok(b"65536\n".to_vec())),
];

static FS: &[Row] = &[
    Row::text("pipe-max-size", |_| Ok(b"1048576\n".to_vec())),
    Row::text("nr_open", |_| Ok(b"1048576\n".to_vec())),
    Row::text("mount-max", |_| Ok(format!("{}\n", crate::vfs::namespace::LIMIT).into_bytes())),
];

static NET: &[Row] = &[Row::rows("core", &[Row::text("somaxconn", |_| Ok(b"128\n".to_vec()))])];

static BOOT_ID: Lazy<[u8; 16]> = Lazy::new(|| {
    let mut bytes = [0; 16];
    hal::dev::rng::fill(&mut bytes);
    bytes
});

/// Sixteen random bytes as a UUID of version 4 (RFC 9562).
fn uuid(bytes: &[u8; 16]) -> Vec<u8> {
    let mut value = u128::from_be_bytes(*bytes);
    value = value & !(0xf << 76) | 4 << 76;
    value = value & !(3 << 62) | 2 << 62;
    let hex = format!("{value:032x}");
    format!("{}-{}-{}-{}-{}\n", &hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..]).into_bytes()
}

/// A write to `drop_caches`: 1 drops clean pages and blocks, 2 names, 3 both. Leak tests write it before they count.
fn drop_caches(_: &View, message: &[u8]) -> Result<()> {
    administrator()?;
    let what: u8 = number(message)?;
    if !(1..=3).contains(&what) {
        return Err(Errno::EINVAL.into());
    }
    if what & 2 != 0 {
        // A directory goes once its entries are gone, and a name looked up lately gets one more round.
        while crate::vfs::shrink::shrink(2 * crate::vfs::shrink::counters().0) > 0 {
            task::breathe();
        }
    }
    if what & 1 != 0 {
        crate::mm::drop_caches();
        crate::fs::xv6fs::drop_caches();
    }
    Ok(())
}

/// `EPERM` unless the caller administers the machine.
fn administrator() -> Result<()> {
    let allowed = task::current().cred().capable(Cap::SysAdmin);
    if allowed { Ok(()) } else { Err(Errno::EPERM.into()) }
}

/// The console's level, that of messages without one, the lowest that the console may have, and the one at boot.
fn printk(_: &View) -> Result<Vec<u8>> {
    let now = hal::log::console_level();
    let [usual, least, boot] = [klog::MESSAGE_LEVEL, klog::CONSOLE_MIN, hal::log::CONSOLE_LEVEL];
    Ok(format!("{now}\t{usual}\t{least}\t{boot}\n").into_bytes())
}

/// A write to `printk`: its first number is the console's level; the others cannot be changed here, and are not looked at.
fn set_printk(_: &View, message: &[u8]) -> Result<()> {
    administrator()?;
    let first = message.split(|byte| byte.is_ascii_whitespace()).find(|word| !word.is_empty()).unwrap_or_default();
    let level: u8 = number(first)?;
    klog::set_console_level(level.min(8));
    Ok(())
}

fn dmesg_restrict(_: &View) -> Result<Vec<u8>> {
    Ok(format!("{}\n", u8::from(klog::is_restricted())).into_bytes())
}

fn set_dmesg_restrict(_: &View, message: &[u8]) -> Result<()> {
    administrator()?;
    match number::<u8>(message)? {
        value @ 0..=1 => klog::restrict(value == 1),
        _ => return Err(Errno::EINVAL.into()),
    }
    Ok(())
}

fn line(mut text: Vec<u8>) -> Result<Vec<u8>> {
    text.push(b'\n');
    Ok(text)
}

/// The reader's own UTS namespace counts, whoever mounted this (uts_namespaces(7)).
fn hostname(_: &View) -> Result<Vec<u8>> {
    line(task::current().ns().uts.host())
}

fn domainname(_: &View) -> Result<Vec<u8>> {
    line(task::current().ns().uts.domain())
}

fn name(message: &[u8]) -> Result<Vec<u8>> {
    let task = task::current();
    if !task.cred().capable_in(&task.ns().uts.common.owner, Cap::SysAdmin) {
        return Err(Errno::EPERM.into());
    }
    Ok(message.strip_suffix(b"\n").unwrap_or(message).to_vec())
}

fn set_hostname(_: &View, message: &[u8]) -> Result<()> {
    task::current().ns().uts.set_host(name(message)?)
}

fn set_domainname(_: &View, message: &[u8]) -> Result<()> {
    task::current().ns().uts.set_domain(name(message)?)
}
