//! `/proc/PID/{mem,smaps,smaps_rollup,io}`: what debuggers and tools of memory read, and who may.

use libc::{
    MAP_ANONYMOUS, MAP_PRIVATE, MAP_SHARED, O_CREAT, O_RDONLY, O_RDWR, O_WRONLY, PROT_NONE, PROT_READ, PROT_WRITE,
};

use user::raw::expendable::{load, store};

use crate::child::{Gate, end, sleeper, spawn, state, until};
use crate::runner::{Area, plain};
use crate::sys::{Answer, CWD, Fd, close, lines, must, open, pread, read, sys, text, unlink, write};

pub const AREA: Area = Area {
    name: "proc",
    checks: &[
        plain("smaps", |t| {
            let page = alone();
            store(page, 1);
            store(page + 4096, 1);
            let missing = |names: &[&str], lines: &[String]| -> Vec<String> {
                let missing =
                    names.iter().filter(|name| !lines.iter().any(|line| line.starts_with(&format!("{name}:"))));
                missing.map(|name| (*name).to_owned()).collect()
            };
            t.put(missing(
                &["KernelPageSize", "MMUPageSize", "Shared_Clean", "Referenced", "Swap", "VmFlags"],
                &area("self", page),
            ));
            t.is("alone", sizes("self", page));
            let child = sleeper();
            until("mapped", || !area(&child.to_string(), page).is_empty());
            t.is("with_a_child", sizes("self", page));
            let whole = lines(&format!("/proc/{child}/smaps_rollup"));
            t.put(whole.first().map(|line| line.ends_with(" [rollup]") && line.contains(" ---p 00000000 00:00 0 ")));
            t.put(missing(&["Rss", "Pss", "Pss_Anon", "Pss_File", "Pss_Shmem", "Private_Dirty", "Locked"], &whole));
            let all = lines(&format!("/proc/{child}/smaps"));
            let sum = |lines: &[String]| lines.iter().filter_map(|line| kilobytes(line, "Rss")).sum::<u64>();
            t.is("sum", sum(&all) == sum(&whole));
            end(child);
        }),
        plain("mem_of_a_child", |t| {
            let page = alone();
            store(page, b'p');
            must(sys!(SYS_mprotect, page, 4096, PROT_READ));
            let child = sleeper();
            let fd = must(open(&text(&format!("/proc/{child}/mem")), O_RDWR));
            t.put([pread(fd, 1, page as i64), pread(fd, 1, page as i64 + 4 * 4096)]);
            t.is("read_only_page", sys!(SYS_pwrite64, fd, "c", 1, page));
            t.put(pread(fd, 1, page as i64));
            t.is("not_mine", load(page));
            t.is("seek", [sys!(SYS_lseek, fd, page, 0).map(|at| at == page), sys!(SYS_lseek, fd, 0, 2).map(|_| false)]);
            t.put(read(fd, 1));
            t.is("across_the_end", sys!(SYS_pread64, fd, &mut [0u8; 8192], 8192, page + 3 * 4096));
            must(crate::sys::kill(child, libc::SIGKILL));
            until("a zombie", || state(child) == 'Z');
            t.is("ended", pread(fd, 1, page as i64));
            end(child);
        }),
        plain("memory_of_the_undumpable", |t| {
            let hidden = Gate::new();
            let child = spawn(|| {
                must(sys!(SYS_prctl, libc::PR_SET_DUMPABLE, 0));
                hidden.open();
                must(sys!(SYS_pause)) as i32
            });
            hidden.wait();
            let names = ["mem", "auxv", "maps", "smaps", "smaps_rollup", "environ", "io"];
            t.put(names.map(|name| {
                let fd = open(&text(&format!("/proc/{child}/{name}")), O_RDONLY)?;
                sys!(SYS_pread64, fd, &mut [0u8; 1], 1, 0)
            }));
            end(child);
        }),
        plain("io", |t| {
            let fd = must(open(c"f", O_CREAT | O_RDWR));
            let before = counts();
            must(write(fd, "0123456789"));
            must(sys!(SYS_pwrite64, fd, "abc", 3, 20));
            let _ = must(pread(fd, 7, 0));
            let _ = read(fd, 100);
            let write_only = must(sys!(SYS_openat, CWD, c"f", O_WRONLY, 0));
            let _ = sys!(SYS_read, write_only, 0, 0);
            let after = counts();
            let change = |at: usize| after.0[at].wrapping_sub(before.0[at]);
            // The second look read what the first had not counted yet: the first's own text.
            t.put([change(0) - before.1, change(1), change(2), change(3)]);
            t.put(after.2);
        }),
        plain("io_with_a_disk", |t| {
            let fd = must(open(c"f", O_CREAT | O_RDWR));
            // Page by page, the last first: Linux joins what comes at once.
            let fill = |fd: Fd| {
                (0..4).rev().try_for_each(|page| sys!(SYS_pwrite64, fd, &[1u8; 4096], 4096, page * 4096).map(drop))
            };
            t.put(disk_bytes(|| fill(fd)));
            t.is("again", disk_bytes(|| fill(fd)));
            t.is("cut", disk_bytes(|| sys!(SYS_ftruncate, fd, 5000)));
            t.is("synced", disk_bytes(|| sys!(SYS_fsync, fd)));
            let page = must(sys!(SYS_mmap, 0, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 4096));
            t.is(
                "stored",
                disk_bytes(|| {
                    store(page, 1);
                    Ok(())
                }),
            );
            t.is(
                "removed",
                disk_bytes(|| {
                    must(sys!(SYS_munmap, page, 4096));
                    must(unlink(c"f"));
                    close(fd)
                }),
            );
            let memory = Fd(must(sys!(SYS_memfd_create, c"m", 0)) as i32);
            t.is("memory", disk_bytes(|| fill(memory)));
        }),
    ],
};

/// Four pages of memory that nothing joins.
fn alone() -> usize {
    let around = must(sys!(SYS_mmap, 0, 6 * 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, Fd(-1), 0));
    must(sys!(SYS_mprotect, around + 4096, 4 * 4096, PROT_READ | PROT_WRITE));
    around + 4096
}

/// The lines of `smaps` about the area that begins at `start`.
fn area(process: &str, start: usize) -> Vec<String> {
    let all = lines(&format!("/proc/{process}/smaps"));
    let own = all.into_iter().skip_while(|line| !line.starts_with(&format!("{start:08x}-")));
    let mut own = own.peekable();
    let head = own.next();
    head.into_iter()
        .chain(own.take_while(|line| line.contains(':') && !line.contains('-') || line.starts_with("VmFlags")))
        .collect()
}

fn kilobytes(line: &str, name: &str) -> Option<u64> {
    line.strip_prefix(name)?.strip_prefix(':')?.trim().strip_suffix(" kB")?.parse().ok()
}

/// Some sizes of the area at `start`, in kB.
fn sizes(process: &str, start: usize) -> Vec<String> {
    let names = ["Size", "Rss", "Pss", "Shared_Dirty", "Private_Clean", "Private_Dirty", "Anonymous"];
    let lines = area(process, start);
    let value = |name: &str| lines.iter().find_map(|line| kilobytes(line, name));
    names.map(|name| format!("{name}-{}", value(name).map_or("none".to_owned(), |value| value.to_string()))).to_vec()
}

/// By how much `act` changes the rest of `io`: read_bytes, write_bytes, cancelled_write_bytes.
fn disk_bytes<T>(act: impl FnOnce() -> Answer<T>) -> [u64; 3] {
    let values = || {
        lines("/proc/self/io")
            .iter()
            .map(|line| line.split_once(": ").and_then(|(_, value)| value.parse().ok()).unwrap_or(0))
            .collect::<Vec<u64>>()
    };
    let before = values();
    must(act());
    let after = values();
    [4, 5, 6].map(|at| after[at].wrapping_sub(before[at]))
}

/// The first four of `io` (rchar, wchar, syscr, syscw), the length of its text, and its names.
fn counts() -> ([u64; 4], u64, Vec<String>) {
    let mut bytes = vec![0u8; 4096];
    let fd = must(open(c"/proc/self/io", O_RDONLY));
    let count = must(sys!(SYS_read, fd, bytes.as_mut_slice(), 4096));
    let text = String::from_utf8_lossy(&bytes[..count]).into_owned();
    let words: Vec<(&str, &str)> = text.lines().filter_map(|line| line.split_once(": ")).collect();
    let value = |at: usize| words.get(at).and_then(|word| word.1.parse().ok()).unwrap_or(0);
    ([0, 1, 2, 3].map(value), count as u64, words.iter().map(|word| word.0.to_owned()).collect())
}
