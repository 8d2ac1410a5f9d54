//! The machine's numbers: `meminfo`, `stat`, `uptime`, `loadavg`, and `xv6`, the counts that leak tests compare.

use super::View;
use super::stat::TICK;
use crate::error::Result;
use crate::ns::PidNamespace;
use crate::task::{self, sched};
use crate::time::{self, SECOND};
use crate::vfs::census;
use crate::{cgroup, mm};
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

/// `meminfo`, in kB.
pub fn meminfo(_: &View) -> Result<Vec<u8>> {
    let stats = mm::stats();
    let mut text = String::new();
    for (key, bytes) in [
        ("MemTotal", stats.total),
        ("MemFree", stats.free),
        ("MemAvailable", stats.available),
        ("Buffers", 0),
        ("Cached", stats.cached),
        ("SwapCached", 0),
        ("SwapTotal", 0),
        ("SwapFree", 0),
        ("Dirty", stats.dirty),
        ("Writeback", stats.writeback),
        ("AnonPages", stats.anon),
        ("Shmem", stats.shmem),
        ("Slab", stats.slab),
        ("SReclaimable", 0),
        ("SUnreclaim", stats.slab),
        ("KernelStack", hal::thread::stack_bytes()),
        ("PageTables", hal::paging::table_bytes() + hal::paging::kernel_table_bytes()),
    ] {
        text += &format!("{:<16}{:8} kB\n", format!("{key}:"), bytes / 1024);
    }
    Ok(text.into_bytes())
}

/// CPU time since boot in ticks: user, system, idle; of one CPU or of all.
fn cpu_line(name: &str, idle: u64, busy: (u64, u64)) -> String {
    format!("{name} {} 0 {} {} 0 0 0 0 0 0\n", busy.0 / TICK, busy.1 / TICK, idle / TICK)
}

/// `stat`: what top(1) and vmstat(8) read first. What the CPUs did is split into user and system time as the processes'
/// times are.
pub fn stat(_: &View) -> Result<Vec<u8>> {
    let now = hal::time::now_ns();
    let cpus = hal::boot::cpu_count();
    let processes = task::all_in(PidNamespace::initial());
    let used = processes.iter().fold((0, 0), |sum, process| {
        let times = process.times().plus(process.child_times());
        (sum.0 + times.user, sum.1 + times.system)
    });
    let split = |busy: u64| {
        let user = if used.0 + used.1 == 0 {
            0
        } else {
            (u128::from(busy) * u128::from(used.0) / u128::from(used.0 + used.1)) as u64
        };
        (user, busy - user)
    };
    let idle: Vec<u64> = (0..cpus).map(|cpu| sched::idle_ns(cpu).min(now)).collect();
    let all: u64 = idle.iter().sum();
    let mut text = cpu_line("cpu ", all, split((now * cpus as u64).saturating_sub(all)));
    for (cpu, idle) in idle.iter().enumerate() {
        text += &cpu_line(&format!("cpu{cpu}"), *idle, split(now - idle));
    }
    let boot = (time::realtime_ns() - now) / SECOND;
    text +=
        &format!("intr 0\nctxt {}\nbtime {boot}\nprocesses {}\n", sched::switches(), PidNamespace::initial().last());
    text += &format!("procs_running {}\nprocs_blocked {}\n", sched::runnable().max(1), sched::blocked());
    Ok(text.into_bytes())
}

/// `uptime`: seconds since boot, and idle seconds of all CPUs.
pub fn uptime(_: &View) -> Result<Vec<u8>> {
    let idle: u64 = (0..hal::boot::cpu_count()).map(sched::idle_ns).sum();
    let shown = |ns: u64| format!("{}.{:02}", ns / SECOND, ns % SECOND / TICK);
    Ok(format!("{} {}\n", shown(hal::time::now_ns()), shown(idle)).into_bytes())
}

/// `loadavg`: the averages, running and existing threads, and the last pid.
pub fn loadavg(view: &View) -> Result<Vec<u8>> {
    let threads: usize = task::all_in(view.ns()).iter().map(|process| process.thread_count()).sum();
    // Whoever asks runs only to ask.
    sched::load::look(hal::time::now_ns(), || sched::active().saturating_sub(1));
    let mut text = String::new();
    for average in sched::load::averages() {
        let hundredths = average * 100 / sched::load::ONE;
        text += &format!("{}.{:02} ", hundredths / 100, hundredths % 100);
    }
    text += &format!("{}/{threads} {}\n", sched::runnable().max(1), view.ns().last());
    Ok(text.into_bytes())
}

/// `xv6`: what exists now. Two readings around a workload are equal if it left nothing behind.
pub fn xv6(_: &View) -> Result<Vec<u8>> {
    let processes = task::all_in(PidNamespace::initial());
    let threads: usize = processes.iter().map(|process| process.thread_count()).sum();
    let mut text = String::new();
    for (key, value) in [
        ("frames_total", hal::frame::total()),
        ("frames_free", hal::frame::free()),
        ("heap_bytes", hal::heap::used()),
        ("heap_live_bytes", hal::heap::live()),
        ("kernel_stack_bytes", hal::thread::stack_bytes()),
        ("page_table_bytes", hal::paging::table_bytes()),
        ("kernel_table_bytes", hal::paging::kernel_table_bytes()),
        ("processes", processes.len()),
        ("threads", threads),
        ("cgroups", cgroup::root().descendants() as usize),
        ("mounts", census::MOUNTS.total()),
        ("superblocks", census::SUPERBLOCKS.total()),
        ("inodes", census::INODES.total()),
        ("dentries", census::DENTRIES.total()),
        ("files", census::FILES.total()),
        ("page_cache_bytes", mm::stats().cached),
    ] {
        text += &format!("{key} {value}\n");
    }
    let larger = hal::heap::census(|size, objects| text += &format!("heap_objects_{size} {objects}\n"));
    text += &format!("heap_larger_bytes {larger}\n");
    Ok(text.into_bytes())
}
