//! `/proc/PID/ns`: a link to each namespace the process is in (namespaces(7)).

use super::{Row, View};
use crate::error::{Errno, Result};
use crate::fs::nsfs;
use crate::ns::NsRef;
use crate::vfs::Path;
use alloc::vec::Vec;

macro_rules! links {
    ($($name:literal => $get:expr),* $(,)?) => {
        /// `/proc/PID/ns`.
        pub static NAMESPACES: &[Row] = &[$(Row::magic(
            $name,
            |view| place(view, $get),
            |view| text(view, $get),
        )),*];
    };
}

links! {
    "cgroup" => |view| Ok(NsRef::Cgroup(view.thread()?.try_ns().ok_or(Errno::ENOENT)?.cgroup.clone())),
    "ipc" => |view| Ok(NsRef::Ipc(view.thread()?.try_ns().ok_or(Errno::ENOENT)?.ipc.clone())),
    "mnt" => |view| Ok(NsRef::Mnt(view.thread()?.try_ns().ok_or(Errno::ENOENT)?.mnt.clone())),
    "net" => |view| Ok(NsRef::Net(view.thread()?.try_ns().ok_or(Errno::ENOENT)?.net.clone())),
    "pid" => |view| Ok(NsRef::Pid(view.thread()?.pid_ns())),
    "pid_for_children" => |view| Ok(NsRef::Pid(view.thread()?.try_ns().ok_or(Errno::ENOENT)?.pid_for_children.clone())),
    "user" => |view| Ok(NsRef::User(view.thread()?.cred().user.clone())),
    "uts" => |view| Ok(NsRef::Uts(view.thread()?.try_ns().ok_or(Errno::ENOENT)?.uts.clone())),
}

fn place(view: &View, get: fn(&View) -> Result<NsRef>) -> Result<Path> {
    Ok(nsfs::path(get(view)?))
}

fn text(view: &View, get: fn(&View) -> Result<NsRef>) -> Result<Vec<u8>> {
    Ok(nsfs::text(&get(view)?))
}
