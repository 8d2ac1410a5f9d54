//! `/proc/PID/status`, `comm`, `cgroup`, and how a path looks from where the reader stands.

use super::process::is_own;
use super::{View, stat};
use crate::cgroup;
use crate::error::{Errno, Result};
use crate::mm::Usage;
use crate::task::{self, signal};
use crate::vfs::Path;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

/// What a link of `/proc/PID` shows for `path`: its name from the reader's root.
pub fn path_text(path: &Path) -> Vec<u8> {
    match task::try_current().and_then(|task| task.try_fs()) {
        Some(fs) => path.text(&fs.root()),
        None => path.text(&path.mount.root_path()),
    }
}

/// `comm`.
pub fn comm(view: &View) -> Result<Vec<u8>> {
    let mut comm = match view.thread() {
        Ok(thread) => thread.comm(),
        Err(_) => view.process()?.comm(),
    };
    comm.push(b'\n');
    Ok(comm)
}

/// A write to `comm`: a process names its own threads only.
pub fn set_comm(view: &View, message: &[u8]) -> Result<()> {
    if !is_own(view) {
        return Err(Errno::EINVAL.into());
    }
    let name = message.strip_suffix(b"\n").unwrap_or(message);
    view.thread()?.set_comm(name);
    Ok(())
}

/// `cgroup`: the path as the reader's cgroup namespace shows it (cgroup_namespaces(7)).
pub fn cgroup(view: &View) -> Result<Vec<u8>> {
    let group = match view.thread() {
        Ok(thread) => thread.cgroup(),
        Err(_) => cgroup::root(),
    };
    let root =
        task::try_current().and_then(|task| task.try_ns()).map_or_else(cgroup::root, |ns| ns.cgroup.root.clone());
    Ok([b"0::".to_vec(), cgroup::path_from(&root, &group), b"\n".to_vec()].concat())
}

fn state_name(letter: char) -> &'static str {
    match letter {
        'R' => "R (running)",
        'D' => "D (disk sleep)",
        'T' => "T (stopped)",
        't' => "t (tracing stop)",
        'Z' => "Z (zombie)",
        _ => "S (sleeping)",
    }
}

/// `status`.
pub fn status(view: &View) -> Result<Vec<u8>> {
    let process = view.process()?;
    let thread = view.thread().ok();
    let ns = view.ns();
    let cred = match &thread {
        Some(thread) => thread.cred(),
        None => process.cred().ok_or(Errno::ESRCH)?,
    };
    let comm = thread.as_ref().map_or_else(|| process.comm(), |thread| thread.comm());
    let tid = match &thread {
        Some(thread) if view.is_thread() => thread.tid(),
        _ => process.pid.clone(),
    };
    let below = |pid: &task::Pid| -> String {
        let numbers = pid.numbers().filter(|(its, _)| its.level >= ns.level).map(|(_, number)| format!("\t{number}"));
        numbers.collect()
    };
    let user = task::try_current().map(|task| task.cred().user.clone());
    let uid = |id: u32| user.as_ref().map_or(id, |user| user.uid_from_kernel(id));
    let gid = |id: u32| user.as_ref().map_or(id, |user| user.gid_from_kernel(id));
    let groups: Vec<String> = cred.groups.iter().map(|group| gid(*group).to_string()).collect();
    let umask = thread.as_ref().and_then(|thread| thread.try_fs()).map_or(0, |fs| fs.umask());
    let mut text = String::new();
    let mut line = |key: &str, value: String| {
        text.push_str(key);
        text.push_str(":\t");
        text.push_str(&value);
        text.push('\n');
    };
    line("Name", String::from_utf8_lossy(&comm).replace('\\', "\\\\").replace('\n', "\\n"));
    line("Umask", format!("{umask:04o}"));
    line("State", state_name(stat::state(view)?).into());
    line("Tgid", process.pid.nr_or_zero(ns).to_string());
    line("Ngid", "0".into());
    line("Pid", tid.nr_or_zero(ns).to_string());
    line("PPid", process.parent_nr(ns).to_string());
    let tracer = thread.as_ref().and_then(|thread| task::ptrace::tracer_of(thread));
    line("TracerPid", tracer.map_or(0, |tracer| tracer.pid.nr_or_zero(ns)).to_string());
    line("Uid", format!("{}\t{}\t{}\t{}", uid(cred.uid), uid(cred.euid), uid(cred.suid), uid(cred.fsuid)));
    line("Gid", format!("{}\t{}\t{}\t{}", gid(cred.gid), gid(cred.egid), gid(cred.sgid), gid(cred.fsgid)));
    line(
        "FDSize",
        thread.as_ref().and_then(|thread| thread.try_files()).map_or(0, |files| files.list().len()).to_string(),
    );
    line("Groups", groups.join(" ") + " ");
    line("NStgid", below(&process.pid).trim_start().into());
    line("NSpid", below(&tid).trim_start().into());
    line("NSpgid", below(&process.group().pid).trim_start().into());
    line("NSsid", below(&process.session().pid).trim_start().into());
    line("Kthread", u8::from(process.pid.namespace().is_none()).to_string());
    if let Some(mm) = thread.as_ref().and_then(|thread| thread.mm()) {
        memory_lines(&mm.usage(), &mut line);
    }
    line("Threads", process.thread_count().max(1).to_string());
    if let Some(thread) = &thread {
        let (own, shared, blocked) = signal::masks(thread);
        let (ignored, caught) = signal::summary(thread);
        line(
            "SigQ",
            format!(
                "{}/{}",
                own.0.count_ones() + shared.0.count_ones(),
                process.limit(task::rlimit::Resource::SignalsPending).0
            ),
        );
        line("SigPnd", format!("{:016x}", own.0));
        line("ShdPnd", format!("{:016x}", shared.0));
        line("SigBlk", format!("{:016x}", blocked.0));
        line("SigIgn", format!("{:016x}", ignored.0));
        line("SigCgt", format!("{:016x}", caught.0));
    }
    for (key, set) in [
        ("CapInh", cred.inheritable),
        ("CapPrm", cred.permitted),
        ("CapEff", cred.effective),
        ("CapBnd", cred.bounding),
        ("CapAmb", cred.ambient),
    ] {
        line(key, format!("{:016x}", set.0));
    }
    line("NoNewPrivs", u8::from(cred.no_new_privs).to_string());
    line("Seccomp", "0".into());
    let online = crate::task::sched::online();
    line("Cpus_allowed", format!("{online:x}"));
    if let Some(thread) = &thread {
        let (voluntary, forced) = thread.switch_counts();
        line("voluntary_ctxt_switches", voluntary.to_string());
        line("nonvoluntary_ctxt_switches", forced.to_string());
    }
    Ok(text.into_bytes())
}

fn memory_lines(usage: &Usage, line: &mut impl FnMut(&str, String)) {
    for (key, bytes) in [
        ("VmPeak", usage.peak),
        ("VmSize", usage.size),
        ("VmHWM", usage.rss_peak),
        ("VmRSS", usage.rss),
        ("VmData", usage.data),
        ("VmStk", usage.stack),
        ("VmExe", usage.text),
    ] {
        line(key, format!("{:8} kB", bytes / 1024));
    }
}
