//! Memory system calls: mmap(2), munmap(2), mprotect(2), mremap(2), brk(2), madvise(2), msync(2), mincore(2), mlock(2).
//!
//! Decoding and the checks that need the open file; the rest is `mm`'s.

use super::{Call, Row};
use crate::error::{Errno, Result};
use crate::mm::{Access, AddressSpace, Advice, Content, FaultError, MapFile, Move, Place, Prot, Request, user};
use crate::task;
use crate::vfs::MountFlags;
use crate::vfs::file::OpenFlags;
use alloc::sync::Arc;
use hal::frame::SIZE as PAGE;

/// The table rows.
pub const ROWS: &[Row] = &[
    Row { number: 9, name: "mmap", handler: mmap },
    Row { number: 10, name: "mprotect", handler: mprotect },
    Row { number: 11, name: "munmap", handler: munmap },
    Row { number: 12, name: "brk", handler: brk },
    Row { number: 25, name: "mremap", handler: mremap },
    Row { number: 26, name: "msync", handler: msync },
    Row { number: 27, name: "mincore", handler: mincore },
    Row { number: 28, name: "madvise", handler: madvise },
    Row { number: 149, name: "mlock", handler: mlock },
    Row { number: 150, name: "munlock", handler: munlock },
    Row { number: 151, name: "mlockall", handler: mlockall },
    Row { number: 152, name: "munlockall", handler: munlockall },
    Row { number: 325, name: "mlock2", handler: mlock },
];

bitflags::bitflags! {
    /// mmap(2)'s flags.
    #[derive(Clone, Copy, PartialEq, Eq)]
    struct MapFlags: u32 {
        const SHARED = 0x01;
        const PRIVATE = 0x02;
        const SHARED_VALIDATE = 0x03;
        const FIXED = 0x10;
        const ANONYMOUS = 0x20;
        const GROWSDOWN = 0x100;
        const DENYWRITE = 0x800;
        const EXECUTABLE = 0x1000;
        const LOCKED = 0x2000;
        const NORESERVE = 0x4000;
        const POPULATE = 0x8000;
        const NONBLOCK = 0x1_0000;
        const STACK = 0x2_0000;
        const FIXED_NOREPLACE = 0x10_0000;
    }
}

fn space(call: &Call<'_>) -> Result<Arc<AddressSpace>> {
    call.task.mm().ok_or(Errno::EFAULT.during("a memory call without memory"))
}

fn prot(bits: usize) -> Result<Prot> {
    // PROT_GROWSDOWN and PROT_GROWSUP, and what is unknown, are EINVAL; PROT_SEM (8) means nothing.
    Prot::from_bits((bits & !8) as u32).filter(|_| bits <= 0xf).ok_or(Errno::EINVAL.into())
}

fn mmap(call: &mut Call<'_>) -> Result<usize> {
    let [addr, len, bits, flags, _, offset] = call.args;
    if !offset.is_multiple_of(PAGE) {
        return Err(Errno::EINVAL.during("mmap"));
    }
    let flags = MapFlags::from_bits_truncate(flags as u32);
    // The file outlives the call's locks: what mm drops under one is never the last reference.
    let file = if flags.contains(MapFlags::ANONYMOUS) { None } else { Some(call.file(4)?) };
    let prot = prot(bits)?;
    let kind = flags.intersection(MapFlags::SHARED_VALIDATE);
    if kind.is_empty() || kind == MapFlags::SHARED_VALIDATE && file.is_none() {
        return Err(Errno::EINVAL.during("mmap"));
    }
    let shared = kind != MapFlags::PRIVATE;
    let content = match &file {
        None if shared => Content::SharedAnonymous,
        None => Content::Anonymous,
        Some(file) => {
            if !file.is_readable() {
                return Err(Errno::EACCES.during("mapping a file not open for reading"));
            }
            if shared && prot.contains(Prot::WRITE) && (!file.is_writable() || file.flags().contains(OpenFlags::APPEND))
            {
                return Err(Errno::EACCES.during("mapping a file not open for writing"));
            }
            if prot.contains(Prot::EXEC) && file.path.mount.flags().contains(MountFlags::NOEXEC) {
                return Err(Errno::EPERM.during("mapping code from a noexec mount"));
            }
            let pages = file.ops.pages().or_else(|| file.inode.pages());
            let pages = pages.ok_or(Errno::ENODEV.during("mapping a file without pages"))?;
            let (writable, file): (bool, Arc<dyn MapFile>) = (file.is_writable(), file.clone());
            Content::File { pages, file, offset: offset as u64, shared, writable }
        }
    };
    let place = if flags.contains(MapFlags::FIXED_NOREPLACE) {
        Place::FixedNoReplace(addr)
    } else if flags.contains(MapFlags::FIXED) {
        Place::Fixed(addr)
    } else {
        Place::Hint(addr)
    };
    let grows_down = flags.contains(MapFlags::GROWSDOWN);
    let no_reserve = flags.contains(MapFlags::NORESERVE);
    let space = space(call)?;
    let at = space.map(Request { place, len, prot, content, grows_down, no_reserve })?;
    if flags.intersects(MapFlags::POPULATE | MapFlags::LOCKED) && !prot.is_empty() {
        // As far as it goes: mmap succeeds even if a page cannot be had.
        let _ = space.populate(at, len, Access::Read);
    }
    Ok(at)
}

fn mprotect(call: &mut Call<'_>) -> Result<usize> {
    let [addr, len, bits, ..] = call.args;
    space(call)?.protect(addr, len, prot(bits)?).map(|()| 0)
}

fn munmap(call: &mut Call<'_>) -> Result<usize> {
    let [addr, len, ..] = call.args;
    space(call)?.unmap(addr, len).map(|()| 0)
}

fn brk(call: &mut Call<'_>) -> Result<usize> {
    Ok(space(call)?.brk(call.args[0]))
}

const MREMAP_MAYMOVE: usize = 1;
const MREMAP_FIXED: usize = 2;

fn mremap(call: &mut Call<'_>) -> Result<usize> {
    let [addr, old_len, new_len, flags, new_addr, _] = call.args;
    let how = match flags {
        0 => Move::Never,
        MREMAP_MAYMOVE => Move::MayMove,
        3 => Move::To(new_addr),
        // MREMAP_FIXED needs MREMAP_MAYMOVE; MREMAP_DONTUNMAP (4) is not supported.
        _ => {
            return Err(Errno::EINVAL.during(if flags & MREMAP_FIXED != 0 {
                "mremap to a fixed place"
            } else {
                "mremap"
            }));
        }
    };
    space(call)?.remap(addr, old_len, new_len, how)
}

fn msync(call: &mut Call<'_>) -> Result<usize> {
    const ASYNC: usize = 1;
    const INVALIDATE: usize = 2;
    const SYNC: usize = 4;
    let [addr, len, flags, ..] = call.args;
    if flags & !(ASYNC | INVALIDATE | SYNC) != 0 || flags & (ASYNC | SYNC) == ASYNC | SYNC {
        return Err(Errno::EINVAL.during("msync"));
    }
    space(call)?.sync(addr, len, flags & SYNC != 0).map(|()| 0)
}

fn mincore(call: &mut Call<'_>) -> Result<usize> {
    let [addr, len, vec, ..] = call.args;
    if !addr.is_multiple_of(PAGE) {
        return Err(Errno::EINVAL.during("mincore"));
    }
    // Page by page of the answer: the range may be as large as the address space.
    let piece = PAGE * PAGE;
    for done in (0..len).step_by(piece) {
        let at = addr.checked_add(done).ok_or(Errno::ENOMEM)?;
        let answer = space(call)?.resident(at, piece.min(len - done))?;
        user::write_bytes(vec.wrapping_add(done / PAGE), &answer)?;
        if task::breathe_or_stop() {
            break;
        }
    }
    Ok(0)
}

fn madvise(call: &mut Call<'_>) -> Result<usize> {
    let [addr, len, advice, ..] = call.args;
    let space = space(call)?;
    let advice = match advice {
        4 => Advice::DontNeed,
        8 => Advice::Free,
        9 => Advice::Remove,
        10 => Advice::NotInChild(true),
        11 => Advice::NotInChild(false),
        18 => Advice::WipedInChild(true),
        19 => Advice::WipedInChild(false),
        22 | 23 => {
            let access = if advice == 23 { Access::Write } else { Access::Read };
            check_mapped(&space, addr, len)?;
            return space.populate(addr, len, access).map(|()| 0).map_err(|error| match error {
                FaultError::Oom => Errno::ENOMEM.during("populating"),
                _ => Errno::EFAULT.during("populating"),
            });
        }
        // NORMAL, RANDOM, SEQUENTIAL, WILLNEED, (UN)MERGEABLE, (NO)HUGEPAGE, DONTDUMP, DODUMP, COLD, PAGEOUT, COLLAPSE: hints that
        // change nothing here.
        0..=3 | 12..=17 | 20 | 21 | 25 => return check_mapped(&space, addr, len).map(|()| 0),
        _ => return Err(Errno::EINVAL.during("madvise")),
    };
    space.advise(addr, len, advice).map(|()| 0)
}

/// `ENOMEM` unless all of the range is mapped, `EINVAL` if it is misaligned.
fn check_mapped(space: &AddressSpace, addr: usize, len: usize) -> Result<()> {
    if len == 0 && addr.is_multiple_of(PAGE) {
        return Ok(());
    }
    if space.covers(addr, len)? { Ok(()) } else { Err(Errno::ENOMEM.during("naming what is not mapped")) }
}

/// Nothing is ever swapped out, so locking is faulting in.
fn mlock(call: &mut Call<'_>) -> Result<usize> {
    let [addr, len, flags, ..] = call.args;
    let start = addr & !(PAGE - 1);
    let len = len.checked_add(addr - start).ok_or(Errno::EINVAL)?;
    let space = space(call)?;
    check_mapped(&space, start, len)?;
    // mlock2(2) with MLOCK_ONFAULT (1) leaves faulting to the accesses; mlock(2) has no third argument.
    let on_fault = call.user.regs.orig_rax == 325 && flags & 1 != 0;
    if on_fault {
        return Ok(0);
    }
    space.populate(start, len, Access::Read).map(|()| 0).map_err(|_| Errno::ENOMEM.during("locking memory"))
}

fn munlock(call: &mut Call<'_>) -> Result<usize> {
    let [addr, len, ..] = call.args;
    let start = addr & !(PAGE - 1);
    let len = len.checked_add(addr - start).ok_or(Errno::EINVAL)?;
    check_mapped(&*space(call)?, start, len).map(|()| 0)
}

fn mlockall(call: &mut Call<'_>) -> Result<usize> {
    // MCL_CURRENT, MCL_FUTURE, MCL_ONFAULT: there is no swap to be kept from.
    if call.args[0] == 0 || call.args[0] > 7 { Err(Errno::EINVAL.during("mlockall")) } else { Ok(0) }
}

fn munlockall(_call: &mut Call<'_>) -> Result<usize> {
    Ok(0)
}
