//! Attempts to leave the root folder. Each runs in a child of its own, and prints `ATTEMPT<TAB>refused (why)` or `ATTEMPT<TAB>ESCAPED`.
//!
//! A folder has been left when some place is reached that is not below it: climbing `..` from there ends somewhere else than at
//! the root the process began with. With a folder given, the process first makes it its root by a plain chroot(2): the
//! control, from which root does escape.

use std::fs::{self, File};
use std::io::{self, Write};
use std::os::unix::fs::MetadataExt;

use rustix::process::WaitOptions;

use super::errno;
use user::raw::{Forked, fork};
use user::{About, Failure, Out};

/// All attempts.
pub const ALL: [&str; 6] = ["..", "double chroot", "fchdir", "/proc/*/root", "/proc/*/cwd", "/proc/*/fd"];

/// A folder's identity.
type Id = (u64, u64);

fn id(path: &str) -> io::Result<Id> {
    fs::metadata(path).map(|meta| (meta.dev(), meta.ino()))
}

/// Makes `attempts`; status 1 if one succeeds.
pub fn run(attempts: &[&str], folder: Option<&str>, out: &mut Out) -> Result<u8, Failure> {
    if let Some(folder) = folder {
        std::env::set_current_dir(folder).about(folder)?;
        rustix::process::chroot(".").about(folder)?;
    }
    std::env::set_current_dir("/").about("/")?;
    let root = id("/").about("/")?;
    let mut escaped = false;
    for attempt in attempts {
        out.flush()?;
        match fork().about("fork")? {
            Forked::Child => {
                let result = make(attempt, root);
                let line = match &result {
                    Ok(true) => format!("{attempt}\tESCAPED"),
                    Ok(false) => format!("{attempt}\trefused (stayed inside)"),
                    Err(error) => format!("{attempt}\trefused ({})", errno::name(error)),
                };
                // The parent's buffer is empty: it was flushed above.
                let written = writeln!(out, "{line}").and_then(|()| out.flush());
                std::process::exit(if written.is_err() { 2 } else { i32::from(matches!(result, Ok(true))) });
            }
            Forked::Parent(child) => {
                let status = rustix::process::waitpid(Some(child), WaitOptions::empty()).about("wait")?;
                escaped |= status.and_then(|(_, status)| status.exit_status()) != Some(0);
            }
        }
    }
    Ok(u8::from(escaped))
}

/// Climbs from the current folder as far as it goes; whether that is outside `root`.
fn climb(root: Id) -> io::Result<bool> {
    for _ in 0..256 {
        // Seen on the way up: then the climb started inside.
        if id(".")? == root {
            return Ok(false);
        }
        std::env::set_current_dir("..")?;
        if id(".")? == id("..")? {
            break;
        }
    }
    Ok(id(".")? != root)
}

/// Some folder below the root, to make it the new root.
fn folder_inside() -> io::Result<std::path::PathBuf> {
    let folders = fs::read_dir("/")?.filter_map(Result::ok).map(|entry| entry.path());
    folders
        .into_iter()
        .find(|path| path.is_dir() && !path.is_symlink())
        .ok_or_else(|| io::Error::from_raw_os_error(libc::ENOENT))
}

fn make(attempt: &str, root: Id) -> io::Result<bool> {
    match attempt {
        ".." => {
            for _ in 0..256 {
                std::env::set_current_dir("..")?;
            }
            Ok(id(".")? != root)
        }
        "double chroot" => {
            // The current folder stays outside the new root, where `..` is not stopped.
            rustix::process::chroot(folder_inside()?)?;
            climb_past(root)
        }
        "fchdir" => {
            let outside = File::open("/")?;
            let inside = folder_inside()?;
            rustix::process::chroot(&inside)?;
            std::env::set_current_dir("/")?;
            rustix::process::fchdir(&outside)?;
            climb_past(root)
        }
        "/proc/*/root" => through_proc(|pid| vec![format!("/proc/{pid}/root")], root),
        "/proc/*/cwd" => through_proc(|pid| vec![format!("/proc/{pid}/cwd")], root),
        _ => through_proc(descriptors, root),
    }
}

/// Climbs from a place at the old root: going up even one step leaves it.
fn climb_past(root: Id) -> io::Result<bool> {
    for _ in 0..256 {
        std::env::set_current_dir("..")?;
    }
    Ok(id(".")? != root)
}

fn descriptors(pid: u32) -> Vec<String> {
    let folder = format!("/proc/{pid}/fd");
    let entries = fs::read_dir(&folder).into_iter().flatten().filter_map(Result::ok);
    entries.map(|entry| format!("{folder}/{}", entry.file_name().to_string_lossy())).collect()
}

/// Enters the folders that `/proc` shows of each process, and climbs; refused with the last errno if none can be entered.
fn through_proc(paths: impl Fn(u32) -> Vec<String>, root: Id) -> io::Result<bool> {
    let mut entered = false;
    let mut refusal = io::Error::from_raw_os_error(libc::ENOENT);
    for entry in fs::read_dir("/proc")?.filter_map(Result::ok) {
        let Some(pid) = entry.file_name().to_str().and_then(|name| name.parse().ok()) else { continue };
        for path in paths(pid) {
            match std::env::set_current_dir(&path) {
                Ok(()) => match climb(root) {
                    Ok(true) => return Ok(true),
                    Ok(false) => entered = true,
                    Err(error) => refusal = error,
                },
                Err(error) => refusal = error,
            }
        }
    }
    if entered { Ok(false) } else { Err(refusal) }
}
