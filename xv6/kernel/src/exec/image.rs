//! Mapping a program's segments and its stack into a fresh address space. Segments are private mappings of the file's cached pages: nothing
//! is copied but the page where the data ends and zeros begin.

use super::elf::{Elf, Segment};
use super::stack::{self, Facts};
use crate::error::{Errno, Result};
use crate::mm::{AddressSpace, Content, Limit, MapFile, PageCache, Place, Prot, ReadBuf, Request};
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::ops::Range;
use hal::frame::SIZE as PAGE;
use hal::user::LIMIT;

/// Where a movable program goes (as Linux does without randomisation), and where a movable interpreter does.
const PROGRAM_BASE: usize = 0x5555_5555_4000;
const INTERPRETER_BASE: usize = 0x7fff_0000_0000;

/// Bytes that the stack has at first, beyond its strings; it grows on demand.
const STACK_START: usize = 132 << 10;
/// The least and most distance of mappings from the stack's top, whatever `RLIMIT_STACK` says (Linux's mmap_base).
const MAP_GAP: Range<usize> = 128 << 20..0x1000_0000_0000;

/// An open program: its pages, and what keeps it open.
#[derive(Clone)]
pub struct Binary {
    /// Its content.
    pub pages: Arc<PageCache>,
    /// The open file.
    pub file: Arc<dyn MapFile>,
}

impl Binary {
    /// Reads its headers.
    pub fn elf(&self) -> Result<Elf> {
        Elf::read(self.pages.size(), |offset, buf| self.read(offset, buf))
    }

    /// Reads exactly `buf.len()` bytes; `ENOEXEC` if the file ends before.
    pub fn read(&self, offset: u64, buf: &mut [u8]) -> Result<()> {
        let len = buf.len();
        if self.pages.read(&mut ReadBuf::kernel(buf), offset)? != len {
            return Err(Errno::ENOEXEC.during("reading a program that ends early"));
        }
        Ok(())
    }

    /// Maps the segments of `elf` into `space`; the base they are at.
    pub fn map(&self, space: &AddressSpace, elf: &Elf, movable_base: usize) -> Result<usize> {
        let extent = elf.extent();
        let base = if elf.movable { movable_base.wrapping_sub(extent.start) } else { 0 };
        let end = base.wrapping_add(extent.end);
        if base.wrapping_add(extent.start) < hal::paging::LOWEST || end > LIMIT - MAP_GAP.start {
            return Err(Errno::ENOEXEC.during("loading a program at addresses that are not the user's"));
        }
        for segment in &elf.segments {
            self.map_segment(space, segment, base)?;
        }
        Ok(base)
    }

    fn map_segment(&self, space: &AddressSpace, segment: &Segment, base: usize) -> Result<()> {
        let start = base.wrapping_add(segment.address);
        let (file_end, end) = (start + segment.file, start + segment.memory);
        let first = start & !(PAGE - 1);
        let mut zeros = first;
        if segment.file > 0 {
            zeros = file_end.next_multiple_of(PAGE);
            let offset = segment.offset & !(PAGE as u64 - 1);
            let content = Content::File {
                pages: self.pages.clone(),
                file: self.file.clone(),
                offset,
                shared: false,
                writable: false,
            };
            place(space, first..zeros, segment.prot, content)?;
            // To the end of the page, not of the segment, as Linux does (`padzero` in fs/binfmt_elf.c): glibc's loader takes its first
            // memory from there, and expects zeros.
            let tail = if end > file_end { zeros - file_end } else { 0 };
            if tail > 0 && segment.prot.contains(Prot::WRITE) {
                // A page that cannot be read is `EIO` here, where the fault below would have no page; one that was cut off since the headers
                // were read has none.
                self.pages.get((segment.offset + segment.file as u64) / PAGE as u64)?;
                let cleared = space.write_remote(file_end, &[0; PAGE][..tail]).map_err(|error| match error.errno {
                    Errno::EFAULT => Errno::ENOEXEC.during("clearing the end of a data segment that is cut off"),
                    _ => error,
                })?;
                if cleared != tail {
                    return Err(Errno::ENOMEM.during("clearing the end of a data segment"));
                }
            }
        }
        let end = end.next_multiple_of(PAGE);
        if zeros < end {
            place(space, zeros..end, segment.prot, Content::Anonymous)?;
        }
        Ok(())
    }
}

fn place(space: &AddressSpace, range: Range<usize>, prot: Prot, content: Content) -> Result<()> {
    // A page that two segments share belongs to the later one, as with Linux.
    let place = Place::Fixed(range.start);
    space.map(Request { place, len: range.len(), prot, content, grows_down: false, no_reserve: false })?;
    Ok(())
}

/// What a program is started with.
pub struct Start<'a> {
    /// `AT_EXECFN`.
    pub path: &'a [u8],
    /// Arguments.
    pub argv: &'a [Vec<u8>],
    /// Environment.
    pub envp: &'a [Vec<u8>],
    /// Real and effective user and group.
    pub ids: [u32; 4],
    /// Set-id execution.
    pub secure: bool,
}

/// A loaded program's space, entry point and stack pointer.
pub struct Loaded {
    /// Its memory.
    pub space: Arc<AddressSpace>,
    /// Where it starts: its own entry point, or its interpreter's.
    pub entry: usize,
    /// Its first stack pointer.
    pub sp: usize,
}

/// Builds the address space of `program` (with `interpreter`, if it names one); limits come from `caller`.
pub fn build(
    program: &Binary,
    elf: &Elf,
    interpreter: Option<&Binary>,
    caller: Option<&AddressSpace>,
    start: &Start<'_>,
) -> Result<Loaded> {
    let space = AddressSpace::new()?;
    for limit in [Limit::AddressSpace, Limit::Data, Limit::Stack] {
        let fallback = if limit == Limit::Stack { 8 << 20 } else { u64::MAX };
        space.set_limit(limit, caller.map_or(fallback, |caller| caller.limit(limit)));
    }
    let base = program.map(&space, elf, PROGRAM_BASE)?;
    let own_entry = base.wrapping_add(elf.entry);
    let (mut entry, mut interpreter_base) = (own_entry, 0);
    if let Some(binary) = interpreter {
        let loader = binary.elf()?;
        interpreter_base = binary.map(&space, &loader, INTERPRETER_BASE)?;
        entry = interpreter_base.wrapping_add(loader.entry);
    }
    let limit = usize::try_from(space.limit(Limit::Stack)).unwrap_or(usize::MAX);
    let map_top = LIMIT - limit.clamp(MAP_GAP.start, MAP_GAP.end).next_multiple_of(PAGE);
    space.set_heap(base.wrapping_add(elf.extent().end), map_top.min(INTERPRETER_BASE));
    let mut random = [0; 16];
    hal::dev::rng::fill(&mut random);
    let headers = if elf.headers == 0 { 0 } else { base.wrapping_add(elf.headers) };
    let facts = Facts {
        headers,
        header_count: elf.header_count,
        base: interpreter_base,
        entry: own_entry,
        ids: start.ids,
        secure: start.secure,
        random,
    };
    crate::mm::reserve(2 * stack::size(start.path, start.argv, start.envp))?;
    let stack = stack::build(LIMIT, start.path, start.argv, start.envp, &facts);
    let mut prot = Prot::READ | Prot::WRITE;
    prot.set(Prot::EXEC, elf.executable_stack);
    let len = (stack.bytes.len() + STACK_START).min(limit).max(stack.bytes.len());
    space.map_stack(LIMIT, len.next_multiple_of(PAGE), prot)?;
    if space.write_remote(stack.sp, &stack.bytes)? != stack.bytes.len() {
        return Err(Errno::ENOMEM.during("filling a new stack"));
    }
    space.set_strings(stack.arguments, stack.environment, stack.auxiliary);
    Ok(Loaded { space, entry, sp: stack.sp })
}
