//! System calls that take long by themselves: minutes, if nothing ends them. Whoever makes one must leave the CPU to others meanwhile and end when
//! he is killed: the call is made by a child, while this process, which wants the same CPU, lets some time pass and kills it.

use std::io::{self, Write};
use std::os::fd::AsRawFd;
use std::time::Duration;

use libc::{MAP_ANONYMOUS, MAP_NORESERVE, MAP_POPULATE, MAP_PRIVATE, PROT_NONE, PROT_READ, PROT_WRITE};
use rustix::event::{EventfdFlags, eventfd};
use rustix::fs::{MemfdFlags, ftruncate, memfd_create};
use rustix::process::{Signal, WaitOptions, kill_process, waitpid};
use user::raw::expendable::{call, sacrifice};
use user::{About, Failure, Out};

/// How long the child may be at it.
const A_WHILE: Duration = Duration::from_millis(200);
/// Bytes of the address space that a call goes over, page by page.
const RANGE: usize = 1 << 46;
const PAGE: usize = 4096;

/// Makes a kind of call and kills who makes it; prints `KIND<TAB>killed`, or the status with which the child ended before. `None`: no such kind.
pub fn run(kind: &str, out: &mut Out) -> Option<Result<u8, Failure>> {
    let make: fn() -> io::Result<()> = match kind {
        "populate" => populate,
        "mincore" => mincore,
        "sendfile" => sendfile,
        _ => return None,
    };
    Some(killed(make).and_then(|end| writeln!(out, "{kind}\t{end}").map(|()| 0).map_err(Failure::from)))
}

fn killed(make: fn() -> io::Result<()>) -> Result<String, Failure> {
    let child = sacrifice(&mut || {
        let result = make();
        eprintln!("probe: long: it returned: {result:?}");
        std::process::exit(i32::from(result.is_err()));
    })
    .about("fork")?;
    std::thread::sleep(A_WHILE);
    kill_process(child, Signal::KILL).about("kill")?;
    let Some((_, status)) = waitpid(Some(child), WaitOptions::empty()).about("wait")? else {
        return Err(Failure::new("the child has gone"));
    };
    Ok(match (status.terminating_signal(), status.exit_status()) {
        (Some(libc::SIGKILL), _) => "killed".to_owned(),
        (signal, status) => format!("status {status:?}, signal {signal:?}"),
    })
}

fn mapped(length: usize, protection: i32, flags: i32) -> io::Result<usize> {
    let flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | flags;
    let arguments = [0, length, protection as usize, flags as usize, usize::MAX, 0];
    call(libc::SYS_mmap, arguments).map_err(io::Error::from_raw_os_error)
}

/// mmap(2) that fills its page tables: all lead to the one page of zeros.
fn populate() -> io::Result<()> {
    mapped(RANGE, PROT_READ, MAP_POPULATE).map(drop)
}

/// mincore(2) of pages that are not there.
fn mincore() -> io::Result<()> {
    let range = mapped(RANGE, PROT_NONE, 0)?;
    let answer = mapped(RANGE / PAGE, PROT_READ | PROT_WRITE, 0)?;
    call(libc::SYS_mincore, [range, RANGE, answer, 0, 0, 0]).map(drop).map_err(io::Error::from_raw_os_error)
}

/// sendfile(2) to an eventfd, which takes eight bytes at a time, of a file with a hole as large as such a call takes.
fn sendfile() -> io::Result<()> {
    const HOLE: u64 = 0x7fff_f000;
    let file = memfd_create("hole", MemfdFlags::empty())?;
    ftruncate(&file, HOLE)?;
    let count = eventfd(0, EventfdFlags::empty())?;
    let arguments = [count.as_raw_fd() as usize, file.as_raw_fd() as usize, 0, HOLE as usize, 0, 0];
    call(libc::SYS_sendfile, arguments).map(drop).map_err(io::Error::from_raw_os_error)
}
