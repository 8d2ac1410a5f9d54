//! The checks, by area: one file each.

mod attrs;
mod exec;
mod fds;
mod folders;
mod futex;
mod identity;
mod io;
mod locks;
mod memory;
mod mounts;
mod names;
mod namespaces;
mod open;
mod overlay;
mod pipes;
mod poll;
mod proc;
mod processes;
mod signals;
mod sockets;
mod time;
mod tty;

use crate::runner::Area;

/// All areas, in the order in which they run.
pub const AREAS: &[Area] = &[
    open::AREA,
    io::AREA,
    names::AREA,
    attrs::AREA,
    folders::AREA,
    fds::AREA,
    locks::AREA,
    pipes::AREA,
    poll::AREA,
    sockets::AREA,
    memory::AREA,
    processes::AREA,
    exec::AREA,
    signals::AREA,
    time::AREA,
    futex::AREA,
    tty::AREA,
    identity::AREA,
    proc::AREA,
    mounts::AREA,
    overlay::AREA,
    namespaces::AREA,
];
