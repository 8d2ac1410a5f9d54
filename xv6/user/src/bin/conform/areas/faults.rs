//! Faults: which signal an access gets, with which code and address. `memory` has the calls.

use libc::{MAP_PRIVATE, MAP_SHARED, O_RDONLY, O_RDWR, PROT_NONE, PROT_READ, PROT_WRITE, SIGSEGV};
use user::raw::expendable::{load, store, take_caught};

use crate::areas::memory::{faults, watch};
use crate::child::end_of;
use crate::runner::{Area, plain};
use crate::sys::{file, memory, mmap, must, open, pipe, sys};

pub const AREA: Area = Area {
    name: "memory",
    checks: &[
        plain("fault_unmapped", |t| {
            watch();
            let page = memory(1);
            must(sys!(SYS_munmap, page, 4096));
            load(page + 5);
            faults(t, page);
        }),
        plain("fault_null", |t| {
            watch();
            // The handler cannot put a page there: an ordinary user may not map the lowest ones.
            t.put(end_of(|| load(8).into()));
            t.is(
                "default",
                end_of(|| {
                    must(sys!(SYS_rt_sigaction, SIGSEGV, &[0u64; 4], 0, 8));
                    load(8).into()
                }),
            );
        }),
        plain("fault_kernel_address", |t| {
            t.put(end_of(|| load(0xffff_8000_0000_0000).into()));
            t.put(end_of(|| load(0x8000_0000_0000_0000).into()));
        }),
        plain("fault_write_protected", |t| {
            watch();
            let page = memory(1);
            store(page, 1);
            must(sys!(SYS_mprotect, page, 4096, PROT_READ));
            t.put(load(page));
            store(page + 3, 9);
            faults(t, page);
        }),
        plain("fault_none", |t| {
            watch();
            let page = memory(1);
            must(sys!(SYS_mprotect, page, 4096, PROT_NONE));
            load(page);
            faults(t, page);
        }),
        plain("fault_beyond_the_file", |t| {
            watch();
            file(c"f", "text");
            let page = must(mmap(3, PROT_READ, MAP_PRIVATE, must(open(c"f", O_RDONLY)), 0));
            t.put(load(page + 4095));
            load(page + 4097);
            faults(t, page);
        }),
        plain("fault_after_truncation", |t| {
            watch();
            file(c"f", "text");
            let fd = must(open(c"f", O_RDWR));
            let page = must(mmap(1, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0));
            t.put(load(page));
            must(sys!(SYS_ftruncate, fd, 0));
            store(page, 1);
            faults(t, page);
        }),
        plain("fault_ignored_kills", |t| {
            must(sys!(SYS_rt_sigaction, SIGSEGV, &[1u64, 0, 0, 0], 0, 8));
            t.put(end_of(|| load(8).into()));
        }),
        plain("fault_blocked_kills", |t| {
            watch();
            must(sys!(SYS_rt_sigprocmask, libc::SIG_BLOCK, &[1u64 << (SIGSEGV - 1)], 0, 8));
            t.put(end_of(|| load(8).into()));
        }),
        plain("syscall_faults_do_not_signal", |t| {
            watch();
            t.put(sys!(SYS_write, must(pipe(0)).1, 8, 4));
            t.put(take_caught().len());
        }),
    ],
};
