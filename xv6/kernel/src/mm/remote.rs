//! Reading and writing an address space from outside, without it being active: exec(2) fills a new stack, procfs reads `cmdline`,
//! `environ` and `mem`, futexes name shared words.

use super::area::Backing;
use super::{Access, AddressSpace};
use crate::error::{Errno, Result};
use alloc::vec::Vec;
use core::ops::Range;
use hal::frame::{Frame, SIZE as PAGE};

/// The most of a process's arguments or environment that procfs shows.
const SHOWN: usize = 128 << 10;

impl AddressSpace {
    /// The frame at `page`, faulted in for `access`; `forced` as a debugger may.
    fn frame_at(&self, page: usize, access: Access, forced: bool) -> Result<Frame> {
        for _ in 0..4 {
            // A fault that finds nothing to do costs little, and a store needs the page to be ours alone.
            let ready = if forced { self.handle_forced(page, access) } else { self.handle_fault(page, access) };
            ready.map_err(|_| Errno::EFAULT.during("touching another address space"))?;
            let _layout = self.layout.lock();
            if let Some(mapping) = self.table.get(page) {
                return Ok(mapping.frame);
            }
        }
        Err(Errno::EFAULT.during("touching another address space"))
    }

    fn each_page(
        &self,
        addr: usize,
        len: usize,
        (access, forced): (Access, bool),
        mut f: impl FnMut(&Frame, usize, Range<usize>),
    ) -> Result<usize> {
        let mut done = 0;
        while done < len {
            let Some(at) = addr.checked_add(done) else { break };
            let within = at % PAGE;
            let part = (PAGE - within).min(len - done);
            match self.frame_at(at - within, access, forced) {
                Ok(frame) => f(&frame, within, done..done + part),
                Err(error) if done == 0 => return Err(error),
                Err(_) => break,
            }
            done += part;
        }
        Ok(done)
    }

    /// Reads another process's memory (process_vm_readv(2)): the bytes copied before the first bad page, `EFAULT` if none.
    pub fn read_remote(&self, addr: usize, buf: &mut [u8]) -> Result<usize> {
        self.each_page(addr, buf.len(), (Access::Read, false), |frame, within, part| frame.read(within, &mut buf[part]))
    }

    /// Writes another process's memory likewise; its protections count.
    pub fn write_remote(&self, addr: usize, bytes: &[u8]) -> Result<usize> {
        self.each_page(addr, bytes.len(), (Access::Write, false), |frame, within, part| {
            frame.write(within, &bytes[part])
        })
    }

    /// As [`AddressSpace::read_remote`], for a debugger: whatever the protection.
    pub fn peek(&self, addr: usize, buf: &mut [u8]) -> Result<usize> {
        self.each_page(addr, buf.len(), (Access::Read, true), |frame, within, part| frame.read(within, &mut buf[part]))
    }

    /// As [`AddressSpace::write_remote`], for a debugger: private memory takes stores whatever its protection, as a copy of its own.
    pub fn poke(&self, addr: usize, bytes: &[u8]) -> Result<usize> {
        self.each_page(addr, bytes.len(), (Access::Write, true), |frame, within, part| {
            frame.write(within, &bytes[part])
        })
    }

    /// Notes where exec(2) put the argument and environment strings and the auxiliary vector.
    pub fn set_strings(&self, arguments: Range<usize>, environment: Range<usize>, auxiliary: Range<usize>) {
        let mut layout = self.layout.lock();
        (layout.arguments, layout.environment, layout.auxiliary) = (arguments, environment, auxiliary);
    }

    /// Notes where the heap begins, and below what mappings go.
    pub fn set_heap(&self, start: usize, map_top: usize) {
        let mut layout = self.layout.lock();
        (layout.heap_start, layout.heap_end, layout.map_top) = (start, start, map_top);
    }

    /// The argument strings as they are now, NUL-terminated each (`/proc/PID/cmdline`).
    pub fn command_line(&self) -> Vec<u8> {
        let range = self.layout.lock().arguments.clone();
        self.string_area(range)
    }

    /// The environment strings likewise (`/proc/PID/environ`).
    pub fn environment(&self) -> Vec<u8> {
        let range = self.layout.lock().environment.clone();
        self.string_area(range)
    }

    /// The auxiliary vector likewise (`/proc/PID/auxv`).
    pub fn auxiliary_vector(&self) -> Vec<u8> {
        let range = self.layout.lock().auxiliary.clone();
        self.string_area(range)
    }

    fn string_area(&self, range: Range<usize>) -> Vec<u8> {
        let mut text = alloc::vec![0; range.len().min(SHOWN)];
        let read = self.read_remote(range.start, &mut text).unwrap_or(0);
        text.truncate(read);
        text
    }

    /// What identifies a futex word in shared memory: its cache and the byte offset there; `None` in private memory.
    pub fn shared_key(&self, addr: usize) -> Option<(usize, u64)> {
        let layout = self.layout.lock();
        let area = layout.areas.find(addr)?;
        match &area.backing {
            Backing::Mapped(mapped) if mapped.shared => {
                let offset = area.page_at(mapped, addr) * PAGE as u64 + (addr % PAGE) as u64;
                Some((core::ptr::from_ref(&*mapped.pages).addr(), offset))
            }
            _ => None,
        }
    }
}
