//! The checks, by area: one file each, or several whose checks share the name of the area.

mod attrs;
mod cgroups;
mod clones;
mod exec;
mod faults;
mod fds;
mod folders;
mod futex;
mod identity;
mod io;
mod job_control;
mod kills;
mod locks;
mod memory;
mod mounts;
mod names;
mod namespaces;
mod open;
mod open_paths;
mod overlay;
mod pidfds;
mod pipes;
mod pivot_root;
mod poll;
mod proc;
mod proc_memory;
mod processes;
mod ptrace;
mod renames;
mod shares;
mod signal_waits;
mod signals;
mod sockets;
mod time;
mod tty;
mod user_namespaces;

use crate::runner::Area;

/// All areas, in the order in which they run.
pub const AREAS: &[Area] = &[
    open::AREA,
    open_paths::AREA,
    io::AREA,
    names::AREA,
    renames::AREA,
    attrs::AREA,
    folders::AREA,
    fds::AREA,
    locks::AREA,
    pipes::AREA,
    poll::AREA,
    sockets::AREA,
    memory::AREA,
    faults::AREA,
    processes::AREA,
    shares::AREA,
    clones::AREA,
    exec::AREA,
    signals::AREA,
    signal_waits::AREA,
    kills::AREA,
    time::AREA,
    futex::AREA,
    tty::AREA,
    job_control::AREA,
    identity::AREA,
    proc::AREA,
    proc_memory::AREA,
    mounts::AREA,
    pivot_root::AREA,
    overlay::AREA,
    namespaces::AREA,
    user_namespaces::AREA,
    pidfds::AREA,
    ptrace::AREA,
    cgroups::AREA,
];
