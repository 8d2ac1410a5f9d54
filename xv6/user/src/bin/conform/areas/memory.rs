//! Memory: mmap(2), munmap(2), mprotect(2), mremap(2), madvise(2), brk(2), mincore(2), msync(2), and the faults of each.

use libc::{
    MAP_ANONYMOUS, MAP_FIXED, MAP_FIXED_NOREPLACE, MAP_PRIVATE, MAP_SHARED, O_CREAT, O_RDONLY, O_RDWR, O_WRONLY,
    PROT_EXEC, PROT_NONE, PROT_READ, PROT_WRITE, SIGBUS, SIGSEGV,
};
use user::raw::expendable::{catch, load, store, take_caught};

use crate::child::{end_of, part, signal_name};
use crate::runner::{Area, plain};
use crate::sys::{Answer, Errno, Fd, content, file, memory, mmap, must, open, pipe, pread, sys};

pub const AREA: Area = Area {
    name: "memory",
    checks: &[
        plain("anonymous_is_zero", |t| {
            let page = memory(2);
            t.put([load(page), load(page + 8191)]);
            store(page + 4096, 7);
            t.put([load(page), load(page + 4096)]);
        }),
        plain("mmap_refused", |t| {
            let anonymous = MAP_PRIVATE | MAP_ANONYMOUS;
            let at = |address: usize, length: usize, flags: i32| {
                sys!(SYS_mmap, address, length, PROT_READ, flags, -1, 0).map(|_| "mapped")
            };
            t.put([at(0, 0, anonymous), at(0, 4096, 0), at(0, 4096, MAP_ANONYMOUS), at(0, 4096, MAP_ANONYMOUS | 3)]);
            t.put([
                at(1, 4096, anonymous | MAP_FIXED),
                at(1, 4096, anonymous),
                at(0, usize::MAX, anonymous),
                at(0, 1 << 47, anonymous),
            ]);
            t.put([
                at(0xffff_8000_0000_0000, 4096, anonymous | MAP_FIXED),
                at((1 << 47) - 4096, 4096, anonymous | MAP_FIXED),
            ]);
            t.put(sys!(SYS_mmap, 0, 4096, PROT_READ, MAP_PRIVATE, 77, 0));
            t.put(sys!(SYS_mmap, 0, 4096, PROT_READ, MAP_PRIVATE, -1, 0));
            file(c"f", "text");
            t.is("offset", sys!(SYS_mmap, 0, 4096, PROT_READ, MAP_PRIVATE, must(open(c"f", O_RDONLY)), 1));
            t.is("directory", sys!(SYS_mmap, 0, 4096, PROT_READ, MAP_PRIVATE, must(open(c".", O_RDONLY)), 0));
            t.is("pipe", sys!(SYS_mmap, 0, 4096, PROT_READ, MAP_PRIVATE, must(pipe(0)).0, 0));
        }),
        plain("mmap_needs_the_right_mode", |t| {
            file(c"f", "text");
            let map = |mode: i32, protection: i32, flags: i32| {
                mmap(1, protection, flags, must(open(c"f", mode)), 0).map(|_| "mapped")
            };
            t.put([
                map(O_WRONLY, PROT_READ, MAP_PRIVATE),
                map(O_WRONLY, PROT_WRITE, MAP_SHARED),
                map(O_RDONLY, PROT_WRITE, MAP_SHARED),
            ]);
            t.put([
                map(O_RDONLY, PROT_WRITE, MAP_PRIVATE),
                map(O_RDONLY, PROT_READ, MAP_SHARED),
                map(O_RDWR, PROT_WRITE, MAP_SHARED),
            ]);
        }),
        plain("file_private", |t| {
            file(c"f", "text");
            let page = must(mmap(1, PROT_READ | PROT_WRITE, MAP_PRIVATE, must(open(c"f", O_RDWR)), 0));
            t.put(load(page));
            store(page, b'T');
            t.put(content(c"f"));
            t.is("beyond_the_end", load(page + 4));
        }),
        plain("file_shared", |t| {
            file(c"f", "text");
            let fd = must(open(c"f", O_RDWR));
            let page = must(mmap(1, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0));
            store(page, b'T');
            t.put(content(c"f"));
            must(sys!(SYS_pwrite64, fd, "X", 1, 1));
            t.put(load(page + 1));
            store(page + 10, b'!');
            t.is("size", crate::sys::fstat(fd).map(|s| s.st_size));
            part(t, |_| store(page + 2, b'Z'));
            t.put(content(c"f"));
        }),
        plain("file_tail_not_written", |t| {
            file(c"f", "text");
            let fd = must(open(c"f", O_RDWR));
            let page = must(mmap(1, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0));
            store(page + 4, b'!');
            must(sys!(SYS_msync, page, 4096, libc::MS_SYNC));
            t.put(content(c"f"));
        }),
        plain("mapping_outlives_the_descriptor", |t| {
            file(c"f", "text");
            let fd = must(open(c"f", O_RDONLY));
            let page = must(mmap(1, PROT_READ, MAP_PRIVATE, fd, 0));
            must(crate::sys::close(fd));
            must(crate::sys::unlink(c"f"));
            t.put(load(page + 3));
        }),
        plain("file_offset", |t| {
            let fd = must(open(c"f", O_CREAT | O_RDWR));
            must(sys!(SYS_pwrite64, fd, "second", 6, 4096));
            t.put(load(must(mmap(1, PROT_READ, MAP_PRIVATE, fd, 4096))));
        }),
        plain("fixed_replaces", |t| {
            let page = memory(3);
            store(page + 4096, 5);
            t.put(
                sys!(SYS_mmap, page + 4096, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0)
                    .map(|at| at - page),
            );
            t.put([load(page + 4096), load(page), load(page + 8192)]);
        }),
        plain("fixed_noreplace", |t| {
            let page = memory(2);
            let flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE;
            t.put(sys!(SYS_mmap, page + 4096, 4096, PROT_READ, flags, -1, 0));
            t.put(sys!(SYS_mmap, page - 4096, 8192, PROT_READ, flags, -1, 0));
            must(sys!(SYS_munmap, page + 4096, 4096));
            t.put(sys!(SYS_mmap, page + 4096, 4096, PROT_READ, flags, -1, 0).map(|at| at - page));
        }),
        plain("hint_is_taken", |t| {
            let page = memory(2);
            must(sys!(SYS_munmap, page, 8192));
            t.put(sys!(SYS_mmap, page, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0).map(|at| at == page));
            t.put(sys!(SYS_mmap, page, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0).map(|at| at == page));
        }),
        plain("munmap", |t| {
            let page = memory(3);
            t.put([sys!(SYS_munmap, page + 1, 4096), sys!(SYS_munmap, page, 0), sys!(SYS_munmap, page + 4096, 1)]);
            t.put([mincore(page), mincore(page + 4096), mincore(page + 8192)]);
            t.put([
                sys!(SYS_munmap, page + 4096, 4096),
                sys!(SYS_munmap, page, 3 * 4096),
                sys!(SYS_munmap, 0xffff_8000_0000_0000u64, 4096),
            ]);
        }),
        plain("mprotect", |t| {
            let page = memory(3);
            t.put([
                sys!(SYS_mprotect, page + 1, 4096, PROT_READ),
                sys!(SYS_mprotect, page, 0, PROT_READ),
                sys!(SYS_mprotect, page, 4096, 0x80),
            ]);
            must(sys!(SYS_munmap, page + 4096, 4096));
            t.is("hole", sys!(SYS_mprotect, page, 3 * 4096, PROT_READ));
            t.is("unmapped", sys!(SYS_mprotect, page + 4096, 4096, PROT_READ));
            t.is("kernel", sys!(SYS_mprotect, 0xffff_8000_0000_0000u64, 4096, PROT_READ));
        }),
        plain("mprotect_partly_applies", |t| {
            watch();
            let page = memory(2);
            store(page, 1);
            must(sys!(SYS_munmap, page + 4096, 4096));
            t.put(sys!(SYS_mprotect, page, 8192, PROT_READ));
            store(page, 2);
            faults(t, page);
        }),
        plain("mprotect_of_a_shared_read_only_file", |t| {
            file(c"f", "text");
            let page = must(mmap(1, PROT_READ, MAP_SHARED, must(open(c"f", O_RDONLY)), 0));
            t.put(sys!(SYS_mprotect, page, 4096, PROT_READ | PROT_WRITE));
            let page = must(mmap(1, PROT_READ, MAP_PRIVATE, must(open(c"f", O_RDONLY)), 0));
            t.put(sys!(SYS_mprotect, page, 4096, PROT_READ | PROT_WRITE));
        }),
        plain("mprotect_back_and_forth", |t| {
            let page = memory(1);
            store(page, 42);
            must(sys!(SYS_mprotect, page, 4096, PROT_NONE));
            must(sys!(SYS_mprotect, page, 4096, PROT_READ | PROT_EXEC));
            t.put(load(page));
        }),
        plain("mremap", |t| {
            let page = memory(2);
            store(page, 1);
            store(page + 4096, 2);
            t.is("shrink", sys!(SYS_mremap, page, 8192, 4096, 0).map(|at| at == page));
            t.is("gone", mincore(page + 4096));
            t.is("grow", sys!(SYS_mremap, page, 4096, 8192, 0).map(|at| at == page));
            t.put([load(page), load(page + 4096)]);
            let grown = must(sys!(SYS_mremap, page, 8192, 1 << 20, libc::MREMAP_MAYMOVE));
            t.put([load(grown), load(grown + (1 << 20) - 1)]);
        }),
        plain("mremap_fixed", |t| {
            let (page, target) = (memory(1), memory(2));
            store(page, 3);
            store(target, 9);
            let flags = libc::MREMAP_MAYMOVE | libc::MREMAP_FIXED;
            t.put(sys!(SYS_mremap, page, 4096, 4096, flags, target).map(|at| at == target));
            t.put([load(target), load(target + 4096)]);
            t.put(mincore(page));
            t.is("overlap", sys!(SYS_mremap, target, 8192, 8192, flags, target + 4096));
            t.is("unaligned", sys!(SYS_mremap, target, 4096, 4096, flags, target + 1));
            t.is("without_maymove", sys!(SYS_mremap, target, 4096, 4096, libc::MREMAP_FIXED, page));
        }),
        plain("mremap_refused", |t| {
            let page = memory(2);
            t.put([
                sys!(SYS_mremap, page + 1, 4096, 4096, 0),
                sys!(SYS_mremap, page, 4096, 0, 0),
                sys!(SYS_mremap, page, 4096, 4096, 0x10),
            ]);
            t.is("no_room", sys!(SYS_mremap, page, 4096, 8192, 0));
            must(sys!(SYS_munmap, page, 4096));
            t.is("unmapped", sys!(SYS_mremap, page, 4096, 8192, 1));
            t.is("across", sys!(SYS_mremap, page, 8192, 4 * 4096, 1));
            t.is("old_zero_private", sys!(SYS_mremap, page + 4096, 0, 4096, 1));
        }),
        plain("madvise_dontneed", |t| {
            let page = memory(1);
            store(page, 7);
            t.put(sys!(SYS_madvise, page, 4096, libc::MADV_DONTNEED));
            t.put(load(page));
            file(c"f", "text");
            let page = must(mmap(1, PROT_READ | PROT_WRITE, MAP_PRIVATE, must(open(c"f", O_RDONLY)), 0));
            store(page, b'X');
            must(sys!(SYS_madvise, page, 4096, libc::MADV_DONTNEED));
            t.is("private_file", load(page));
        }),
        plain("madvise_refused", |t| {
            let page = memory(2);
            t.put([
                sys!(SYS_madvise, page + 1, 4096, 0),
                sys!(SYS_madvise, page, 4096, 9999),
                sys!(SYS_madvise, page, 0, 0),
            ]);
            must(sys!(SYS_munmap, page + 4096, 4096));
            t.is("hole", sys!(SYS_madvise, page, 8192, libc::MADV_DONTNEED));
            t.is("advice", [0, 1, 2, 3, 8, 14, 15].map(|advice| sys!(SYS_madvise, page, 4096, advice)));
        }),
        plain("madvise_fork", |t| {
            let page = memory(2);
            store(page, 5);
            store(page + 4096, 6);
            t.put(sys!(SYS_madvise, page + 4096, 4096, libc::MADV_WIPEONFORK));
            part(t, |t| t.put([load(page), load(page + 4096)]));
            t.put(sys!(SYS_madvise, page, 4096, libc::MADV_DONTFORK));
            t.is("child", end_of(|| load(page).into()));
        }),
        plain("brk", |t| {
            let start = must(sys!(SYS_brk, 0));
            t.put(sys!(SYS_brk, start + 8192).map(|end| end - start));
            store(start + 8191, 3);
            t.put(load(start + 4096));
            t.put(sys!(SYS_brk, start).map(|end| end - start));
            t.put(sys!(SYS_brk, start + 8192).map(|end| end - start));
            t.is("zero_again", load(start + 8191));
            t.is("too_low", sys!(SYS_brk, 4096).map(|end| end - start));
            t.is("too_high", sys!(SYS_brk, 1u64 << 47).map(|end| end - start));
        }),
        plain("brk_limit", |t| {
            let start = must(sys!(SYS_brk, 0));
            must(sys!(SYS_prlimit64, 0, libc::RLIMIT_DATA, &[0u64, 0], 0));
            t.put(sys!(SYS_brk, start + (1 << 20)).map(|end| end - start));
        }),
        plain("address_space_limit", |t| {
            must(sys!(SYS_prlimit64, 0, libc::RLIMIT_AS, &[64u64 << 20, 64 << 20], 0));
            t.put(mmap(32768, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, Fd(-1), 0));
        }),
        plain("copy_on_write", |t| {
            let page = memory(1);
            store(page, 1);
            part(t, |t| {
                store(page, 2);
                t.put(load(page));
            });
            t.put(load(page));
        }),
        plain("shared_anonymous", |t| {
            let page = must(mmap(1, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, Fd(-1), 0));
            part(t, |_| store(page, 2));
            t.put(load(page));
        }),
        plain("mincore", |t| {
            let page = memory(1);
            t.put([mincore(page + 1), sys!(SYS_mincore, page, 4096, 8)]);
            store(page, 1);
            let mut there = [0u8];
            t.put(sys!(SYS_mincore, page, 4096, &mut there));
            t.put(there[0] & 1);
            must(sys!(SYS_munmap, page, 4096));
            t.put(mincore(page));
        }),
        plain("msync", |t| {
            let page = memory(2);
            t.put([
                sys!(SYS_msync, page, 4096, libc::MS_SYNC),
                sys!(SYS_msync, page + 1, 4096, libc::MS_SYNC),
                sys!(SYS_msync, page, 4096, 9),
            ]);
            t.put(sys!(SYS_msync, page, 4096, libc::MS_SYNC | libc::MS_ASYNC));
            must(sys!(SYS_munmap, page + 4096, 4096));
            t.put(sys!(SYS_msync, page, 8192, libc::MS_ASYNC));
        }),
        plain("mlock", |t| {
            let page = memory(2);
            t.put([sys!(SYS_mlock, page, 4096), sys!(SYS_munlock, page, 4096)]);
            must(sys!(SYS_munmap, page + 4096, 4096));
            t.put([sys!(SYS_mlock, page, 8192), sys!(SYS_munlock, page, 8192), sys!(SYS_mlockall, 0x10)]);
        }),
        plain("process_vm", |t| {
            let page = memory(1);
            store(page, b'a');
            let mut into = [0u8; 4];
            let local = [into.as_mut_ptr().expose_provenance(), 4];
            let remote = [page, 4];
            t.put(sys!(SYS_process_vm_readv, crate::sys::getpid(), &local, 1, &remote, 1, 0));
            t.put(crate::sys::shown(&into));
            t.put(sys!(SYS_process_vm_readv, crate::sys::getpid(), &local, 1, &remote, 1, 1));
            t.put(sys!(SYS_process_vm_readv, crate::sys::getpid(), &local, 1, &[8usize, 4], 1, 0));
            t.put(sys!(SYS_process_vm_readv, 1 << 22, &local, 1, &remote, 1, 0));
        }),
        plain("proc_maps", |t| {
            file(c"f", "text");
            let page = must(mmap(1, PROT_READ, MAP_PRIVATE, must(open(c"f", O_RDONLY)), 0));
            let line =
                crate::sys::lines("/proc/self/maps").into_iter().find(|line| line.starts_with(&format!("{page:x}-")));
            let line = line.unwrap_or_default();
            let words: Vec<&str> = line.split_whitespace().collect();
            t.put([words[1], words[2]]);
            t.put([words[0] == format!("{page:x}-{:x}", page + 4096), words[5].ends_with("/work/f")]);
        }),
        plain("proc_self_mem", |t| {
            let page = memory(1);
            store(page, b'a');
            let fd = must(open(c"/proc/self/mem", O_RDWR));
            t.put(pread(fd, 2, page as i64));
            t.put(sys!(SYS_pwrite64, fd, "b", 1, page));
            t.put(load(page));
            t.put(pread(fd, 2, 8));
        }),
        plain("write_of_a_mapping_of_the_same_file", |t| {
            file(c"f", "0123456789");
            let fd = must(open(c"f", O_RDWR));
            let page = must(mmap(1, PROT_READ, MAP_SHARED, fd, 0));
            t.put(sys!(SYS_pwrite64, fd, page, 4, 2));
            t.put(content(c"f"));
        }),
    ],
};

/// Lets faults be caught and mended.
pub(super) fn watch() {
    for signal in [SIGSEGV, SIGBUS] {
        must(catch(signal, 0, 0).map_err(Errno));
    }
}

/// Tells the faults caught: signal, code, place from `base`.
pub(super) fn faults(line: &mut crate::line::Line, base: usize) {
    for caught in take_caught() {
        let code = match (caught.signal, caught.code) {
            (SIGSEGV, 1) => "MAPERR",
            (SIGSEGV, 2) => "ACCERR",
            (SIGBUS, 2) => "ADRERR",
            _ => "?",
        };
        line.put((signal_name(caught.signal), code, caught.address.wrapping_sub(base)));
    }
}

fn mincore(address: usize) -> Answer {
    sys!(SYS_mincore, address, 4096, &mut [0u8])
}
