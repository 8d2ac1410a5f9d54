//! Reading an ELF64 program's headers (elf(5)). The file is whatever a user wrote: every number is checked here, and what does not
//! make sense is `ENOEXEC`. No locks, no memory mapped: plain data in, plain data out.

use crate::error::{Errno, Error, Result};
use crate::mm::Prot;
use alloc::vec::Vec;
use core::ops::Range;
use hal::frame::SIZE as PAGE;

/// Bytes of the file header.
const HEADER: usize = 64;
/// Bytes of one program header.
pub const PROGRAM_HEADER: usize = 56;
/// The most program headers accepted (Linux: 64 KiB of them; real programs have about ten).
const MAX_HEADERS: usize = 128;
/// One past the highest address a segment may have, leaving room for a base and the stack.
const HIGHEST: u64 = 0x7000_0000_0000;

const PT_LOAD: u32 = 1;
const PT_INTERP: u32 = 3;
const PT_PHDR: u32 = 6;
const PT_GNU_STACK: u32 = 0x6474_e551;

/// A segment to be mapped (`PT_LOAD`).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Segment {
    /// Address, relative to the base.
    pub address: usize,
    /// Bytes in memory.
    pub memory: usize,
    /// Bytes from the file, at most `memory`; the rest is zeros.
    pub file: usize,
    /// Where they are in the file; congruent to `address` within a page.
    pub offset: u64,
    /// Protection.
    pub prot: Prot,
}

/// What the headers say.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Elf {
    /// The first instruction, relative to the base.
    pub entry: usize,
    /// `ET_DYN`: may be loaded at any base.
    pub movable: bool,
    /// The segments, by ascending address.
    pub segments: Vec<Segment>,
    /// Where the program headers will be in memory, relative to the base; 0 if they are not loaded.
    pub headers: usize,
    /// How many there are.
    pub header_count: usize,
    /// The interpreter's path in the file (`PT_INTERP`).
    pub interpreter: Option<Range<u64>>,
    /// The stack is to be executable.
    pub executable_stack: bool,
}

fn bad(why: &'static str) -> Error {
    Errno::ENOEXEC.during(why)
}

fn u16_at(bytes: &[u8], at: usize) -> u16 {
    u16::from_le_bytes([bytes[at], bytes[at + 1]])
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from(u16_at(bytes, at)) | u32::from(u16_at(bytes, at + 2)) << 16
}

fn u64_at(bytes: &[u8], at: usize) -> u64 {
    u64::from(u32_at(bytes, at)) | u64::from(u32_at(bytes, at + 4)) << 32
}

impl Elf {
    /// Reads the headers of a file of `size` bytes through `read(offset, buffer)`, which is only asked for bytes within the file.
    pub fn read(size: u64, mut read: impl FnMut(u64, &mut [u8]) -> Result<()>) -> Result<Elf> {
        if size < HEADER as u64 {
            return Err(bad("a file shorter than an ELF header"));
        }
        let mut header = [0; HEADER];
        read(0, &mut header)?;
        // Magic, 64 bits, little-endian, version 1; machine x86-64.
        if header[..7] != *b"\x7fELF\x02\x01\x01" || u16_at(&header, 18) != 62 {
            return Err(bad("not an ELF file for x86-64"));
        }
        let movable = match u16_at(&header, 16) {
            2 => false,
            3 => true,
            _ => return Err(bad("an ELF file that is no program")),
        };
        let (entry, offset) = (u64_at(&header, 24), u64_at(&header, 32));
        let count = usize::from(u16_at(&header, 56));
        if usize::from(u16_at(&header, 54)) != PROGRAM_HEADER || count == 0 || count > MAX_HEADERS {
            return Err(bad("bad program header table"));
        }
        let mut table = alloc::vec![0; count * PROGRAM_HEADER];
        if offset.checked_add(table.len() as u64).is_none_or(|end| end > size) {
            return Err(bad("program headers past the end of the file"));
        }
        read(offset, &mut table)?;
        Elf::from_table(size, movable, entry, offset, &table)
    }

    fn from_table(size: u64, movable: bool, entry: u64, table_offset: u64, table: &[u8]) -> Result<Elf> {
        let mut elf = Elf {
            entry: usize::try_from(entry)
                .ok()
                .filter(|&entry| (entry as u64) < HIGHEST)
                .ok_or(bad("entry point out of range"))?,
            movable,
            segments: Vec::new(),
            headers: 0,
            header_count: table.len() / PROGRAM_HEADER,
            interpreter: None,
            executable_stack: false,
        };
        let mut explicit = None;
        for header in table.chunks_exact(PROGRAM_HEADER) {
            let flags = u32_at(header, 4);
            let (offset, address) = (u64_at(header, 8), u64_at(header, 16));
            let (file, memory) = (u64_at(header, 32), u64_at(header, 40));
            match u32_at(header, 0) {
                PT_LOAD if memory > 0 => elf.segments.push(segment(size, flags, offset, address, file, memory)?),
                PT_INTERP => {
                    let end = offset
                        .checked_add(file)
                        .filter(|&end| end <= size)
                        .ok_or(bad("interpreter past the end of the file"))?;
                    if !(2..=4096).contains(&file) {
                        return Err(bad("bad interpreter path"));
                    }
                    elf.interpreter = Some(offset..end);
                }
                PT_PHDR => explicit = Some(address),
                PT_GNU_STACK => elf.executable_stack = flags & 1 != 0,
                _ => {}
            }
        }
        let ascending = elf.segments.windows(2).all(|pair| pair[0].address + pair[0].memory <= pair[1].address);
        if elf.segments.is_empty() || !ascending {
            return Err(bad("no segments, or segments out of order"));
        }
        let holds =
            |segment: &&Segment| table_offset >= segment.offset && table_offset - segment.offset < segment.file as u64;
        let found =
            elf.segments.iter().find(holds).map(|segment| segment.address as u64 + (table_offset - segment.offset));
        elf.headers = explicit.filter(|&address| address < HIGHEST).or(found).unwrap_or(0) as usize;
        Ok(elf)
    }

    /// The pages the segments cover, relative to the base.
    pub fn extent(&self) -> Range<usize> {
        let start = self.segments.first().map_or(0, |first| first.address & !(PAGE - 1));
        let end = self.segments.last().map_or(0, |last| (last.address + last.memory).next_multiple_of(PAGE));
        start..end
    }
}

fn segment(size: u64, flags: u32, offset: u64, address: u64, file: u64, memory: u64) -> Result<Segment> {
    if file > memory {
        return Err(bad("a segment with more bytes in the file than in memory"));
    }
    if offset.checked_add(file).is_none_or(|end| end > size) {
        return Err(bad("a segment past the end of the file"));
    }
    if address.checked_add(memory).is_none_or(|end| end > HIGHEST) {
        return Err(bad("a segment out of range"));
    }
    if address % PAGE as u64 != offset % PAGE as u64 {
        return Err(bad("a segment that does not fit pages"));
    }
    let mut prot = Prot::empty();
    prot.set(Prot::READ, flags & 4 != 0);
    prot.set(Prot::WRITE, flags & 2 != 0);
    prot.set(Prot::EXEC, flags & 1 != 0);
    Ok(Segment { address: address as usize, memory: memory as usize, file: file as usize, offset, prot })
}

#[cfg(test)]
mod tests {
    use super::{Elf, Segment};
    use crate::error::Errno;
    use crate::mm::Prot;
    use alloc::vec;
    use alloc::vec::Vec;

    fn read(bytes: &[u8]) -> crate::error::Result<Elf> {
        Elf::read(bytes.len() as u64, |offset, buffer| {
            let offset = offset as usize;
            buffer.copy_from_slice(&bytes[offset..offset + buffer.len()]);
            Ok(())
        })
    }

    /// A program of one segment.
    fn small() -> Vec<u8> {
        let mut bytes = vec![0; 0x1000];
        bytes[..7].copy_from_slice(b"\x7fELF\x02\x01\x01");
        bytes[16] = 2;
        bytes[18] = 62;
        bytes[24..32].copy_from_slice(&0x40_0100u64.to_le_bytes());
        bytes[32] = 64;
        bytes[54] = 56;
        bytes[56] = 1;
        bytes[64] = 1;
        bytes[68] = 5;
        bytes[80..88].copy_from_slice(&0x40_0000u64.to_le_bytes());
        bytes[96..104].copy_from_slice(&0x1000u64.to_le_bytes());
        bytes[104..112].copy_from_slice(&0x3000u64.to_le_bytes());
        bytes
    }

    #[test]
    fn a_small_program_is_understood() {
        let elf = read(&small()).expect("a good program");
        let text =
            Segment { address: 0x40_0000, memory: 0x3000, file: 0x1000, offset: 0, prot: Prot::READ | Prot::EXEC };
        assert_eq!(elf.segments, [text]);
        assert_eq!((elf.entry, elf.headers, elf.movable), (0x40_0100, 0x40_0040, false));
        assert_eq!(elf.extent(), 0x40_0000..0x40_3000);
    }

    #[test]
    fn a_truncated_program_is_refused() {
        let bytes = small();
        for len in [0, 3, 63, 64, 100, 119, 120, 0xfff] {
            assert_eq!(read(&bytes[..len]).expect_err("cut short").errno, Errno::ENOEXEC);
        }
    }
}
