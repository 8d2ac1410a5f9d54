//! The tables of `/proc/PID` and `/proc/PID/task/TID`: one row a file.

use super::lists::{DescriptorInfos, Descriptors, Threads};
use super::namespaces::NAMESPACES;
use super::{Row, View, idmap, limits, memory, mounts, smaps, stat, status};
use crate::error::{Errno, Result};
use crate::fs::text::number;
use crate::task::iocount::NAMES;
use crate::task::{self, Cap};
use crate::vfs::Path;
use alloc::format;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;

/// `/proc/PID`.
pub static PROCESS: &[Row] = &[
    Row::text("stat", stat::process_stat),
    Row::text("statm", memory::statm),
    Row::text("status", status::status),
    Row::knob("comm", status::comm, status::set_comm),
    Row::text("cmdline", memory::cmdline),
    Row::text("environ", memory::environ).private(),
    Row::text("auxv", memory::auxv).private(),
    Row::text("maps", memory::maps).private(),
    Row::text("smaps", smaps::smaps).private(),
    Row::text("smaps_rollup", smaps::smaps_rollup).private(),
    Row::memory("mem"),
    Row::text("io", io).private(),
    Row::text("limits", limits::limits),
    Row::text("cgroup", status::cgroup),
    Row::text("mounts", mounts::mounts),
    Row::text("mountinfo", mounts::mountinfo),
    Row::magic("exe", exe, |view| Ok(status::path_text(&exe(view)?))),
    Row::magic("cwd", cwd, |view| Ok(status::path_text(&cwd(view)?))),
    Row::magic("root", root, |view| Ok(status::path_text(&root(view)?))),
    Row::list("fd", &Descriptors).private(),
    Row::list("fdinfo", &DescriptorInfos).private(),
    Row::rows("ns", NAMESPACES),
    Row::list("task", &Threads),
    Row::knob("uid_map", idmap::uid_map, idmap::set_uid_map),
    Row::knob("gid_map", idmap::gid_map, idmap::set_gid_map),
    Row::knob("setgroups", idmap::setgroups, idmap::set_setgroups),
    Row::knob("oom_score_adj", oom_score_adj, set_oom_score_adj),
    Row::text("oom_score", |_| Ok(b"0\n".to_vec())),
    // No audit: the login user was never set, as Linux says it without one.
    Row::text("loginuid", |_| Ok(b"4294967295".to_vec())),
    Row::text("sessionid", |_| Ok(b"4294967295".to_vec())),
    Row::text("wchan", |_| Ok(b"0".to_vec())),
];

/// `/proc/PID/task/TID`.
pub static THREAD: &[Row] = &[
    Row::text("stat", stat::process_stat),
    Row::text("statm", memory::statm),
    Row::text("status", status::status),
    Row::knob("comm", status::comm, status::set_comm),
    Row::text("cmdline", memory::cmdline),
    Row::text("environ", memory::environ).private(),
    Row::text("auxv", memory::auxv).private(),
    Row::text("maps", memory::maps).private(),
    Row::text("smaps", smaps::smaps).private(),
    Row::text("smaps_rollup", smaps::smaps_rollup).private(),
    Row::memory("mem"),
    Row::text("limits", limits::limits),
    Row::text("cgroup", status::cgroup),
    Row::text("mounts", mounts::mounts),
    Row::text("mountinfo", mounts::mountinfo),
    Row::magic("exe", exe, |view| Ok(status::path_text(&exe(view)?))),
    Row::magic("cwd", cwd, |view| Ok(status::path_text(&cwd(view)?))),
    Row::magic("root", root, |view| Ok(status::path_text(&root(view)?))),
    Row::list("fd", &Descriptors).private(),
    Row::list("fdinfo", &DescriptorInfos).private(),
    Row::rows("ns", NAMESPACES),
];

fn exe(view: &View) -> Result<Path> {
    Ok(view.process()?.exe().ok_or(Errno::ENOENT)?.file.path.clone())
}

fn cwd(view: &View) -> Result<Path> {
    Ok(view.thread()?.try_fs().ok_or(Errno::ENOENT)?.cwd())
}

fn root(view: &View) -> Result<Path> {
    Ok(view.thread()?.try_fs().ok_or(Errno::ENOENT)?.root())
}

/// What it has read and written, and what of it went to disks and came from them.
fn io(view: &View) -> Result<Vec<u8>> {
    let counts = view.process()?.io().0;
    let lines = NAMES.iter().zip(counts).map(|(name, count)| format!("{name}: {count}\n"));
    Ok(lines.collect::<String>().into_bytes())
}

fn oom_score_adj(view: &View) -> Result<Vec<u8>> {
    Ok(format!("{}\n", view.process()?.oom_score_adj()).into_bytes())
}

/// From -1000 to 1000; below what it was only with `CAP_SYS_RESOURCE` (proc(5)).
fn set_oom_score_adj(view: &View, message: &[u8]) -> Result<()> {
    let value: i16 = number(message)?;
    if !(-1000..=1000).contains(&value) {
        return Err(Errno::EINVAL.into());
    }
    let process = view.process()?;
    if value < process.oom_score_adj() && !task::current().cred().capable(Cap::SysResource) {
        return Err(Errno::EACCES.into());
    }
    process.set_oom_score_adj(value);
    Ok(())
}

/// True if `view` is about the caller's own process.
pub fn is_own(view: &View) -> bool {
    view.process().is_ok_and(|process| Arc::ptr_eq(&task::current().process, &process))
}
