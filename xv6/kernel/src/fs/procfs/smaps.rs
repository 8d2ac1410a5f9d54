//! `/proc/PID/smaps` and `smaps_rollup`: what is present of a process's areas (proc_pid_smaps(5)).

use super::View;
use super::memory::{map_line, space};
use crate::error::Result;
use crate::mm::{AreaInfo, Detail, Prot};
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

/// Lines `Key: N kB`.
fn lines(text: &mut String, values: &[(&str, usize)]) {
    for (key, bytes) in values {
        *text += &format!("{:<16}{:8} kB\n", format!("{key}:"), bytes / 1024);
    }
}

/// What both files say of memory that is present, after the Pss.
fn present(text: &mut String, detail: &Detail) {
    lines(
        text,
        &[
            ("Shared_Clean", detail.shared[0]),
            ("Shared_Dirty", detail.shared[1]),
            ("Private_Clean", detail.private[0]),
            ("Private_Dirty", detail.private[1]),
            ("Referenced", detail.referenced),
            ("Anonymous", detail.anonymous),
            // There are no huge or merged pages, and no swap.
            ("KSM", 0),
            ("LazyFree", 0),
            ("AnonHugePages", 0),
            ("ShmemPmdMapped", 0),
            ("FilePmdMapped", 0),
            ("Shared_Hugetlb", 0),
            ("Private_Hugetlb", 0),
            ("Swap", 0),
            ("SwapPss", 0),
            ("Locked", 0),
        ],
    );
}

fn flags(area: &AreaInfo) -> String {
    let mut text = String::from("VmFlags:");
    for (set, flag) in [
        (area.prot.contains(Prot::READ), " rd"),
        (area.prot.contains(Prot::WRITE), " wr"),
        (area.prot.contains(Prot::EXEC), " ex"),
        (area.shared, " sh"),
        (area.name == b"[stack]", " gd"),
    ] {
        text += if set { flag } else { "" };
    }
    text + " \n"
}

/// `smaps`: an area's line of `maps`, then its sizes.
pub fn smaps(view: &View) -> Result<Vec<u8>> {
    let mut all = Vec::new();
    for (area, detail) in space(view)?.map(|mm| mm.details()).unwrap_or_default() {
        map_line(&mut all, &area);
        let mut text = String::new();
        let page = hal::frame::SIZE;
        lines(&mut text, &[("Size", area.end - area.start), ("KernelPageSize", page), ("MMUPageSize", page)]);
        lines(&mut text, &[("Rss", detail.rss), ("Pss", detail.pss), ("Pss_Dirty", detail.pss_dirty)]);
        present(&mut text, &detail);
        text += &format!("{:<16}{:8}\n", "THPeligible:", 0);
        text += &flags(&area);
        all.extend_from_slice(text.as_bytes());
    }
    Ok(all)
}

/// `smaps_rollup`: the sums.
pub fn smaps_rollup(view: &View) -> Result<Vec<u8>> {
    let areas = space(view)?.map(|mm| mm.details()).unwrap_or_default();
    let (Some((first, _)), Some((last, _))) = (areas.first(), areas.last()) else { return Ok(Vec::new()) };
    let whole = AreaInfo {
        prot: Prot::empty(),
        shared: false,
        name: b"[rollup]".to_vec(),
        ..AreaInfo::new(first.start..last.end)
    };
    let (mut sum, mut pss_shared) = (Detail::default(), 0);
    for (area, detail) in &areas {
        sum += *detail;
        pss_shared += if area.shared && area.ino == 0 { detail.pss } else { 0 };
    }
    let mut all = Vec::new();
    map_line(&mut all, &whole);
    let mut text = String::new();
    lines(
        &mut text,
        &[
            ("Rss", sum.rss),
            ("Pss", sum.pss),
            ("Pss_Dirty", sum.pss_dirty),
            ("Pss_Anon", sum.pss_anonymous),
            ("Pss_File", sum.pss.saturating_sub(sum.pss_anonymous + pss_shared)),
            ("Pss_Shmem", pss_shared),
        ],
    );
    present(&mut text, &sum);
    all.extend_from_slice(text.as_bytes());
    Ok(all)
}
