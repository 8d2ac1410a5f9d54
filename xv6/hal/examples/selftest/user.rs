//! User mode: what ends it, its memory, its FPU state. User programs are a few bytes of machine code.

use crate::checks::measure;
use hal::frame::Frame;
use hal::paging::{PageTable, Prot};
use hal::user::{self, Event, Fault, UserContext};
use hal::{println, time};

/// Where the code is mapped.
pub const CODE: usize = 0x40_0000;
/// Where a page of data is mapped.
pub const DATA: usize = 0x50_0000;

/// An address space with `code`, and a page of data.
pub fn space(code: &[u8]) -> (PageTable, Frame) {
    let table = PageTable::new().expect("memory");
    let (text, data) = (Frame::zeroed().expect("memory"), Frame::zeroed().expect("memory"));
    text.write(0, code);
    table.map(CODE, &text, Prot::READ | Prot::EXEC).expect("memory");
    table.map(DATA, &data, Prot::READ | Prot::WRITE).expect("memory");
    table.activate();
    (table, data)
}

fn run_code(code: &[u8]) -> (Event, UserContext) {
    let (_table, _data) = space(code);
    let mut context = UserContext::new(CODE, DATA + 4096);
    (context.run(), context)
}

/// Each way out of user mode.
pub fn events() {
    // mov eax, 39; mov r12, rsp; syscall
    let (table, _data) = space(&[0xb8, 39, 0, 0, 0, 0x49, 0x89, 0xe4, 0x0f, 0x05, 0xeb, 0xfc]);
    let mut context = UserContext::new(CODE, DATA + 4096);
    (context.regs.rbx, context.regs.r15, context.regs.fs_base, context.regs.gs_base) = (1, 2, 0x1234, 0x5678);
    for _ in 0..3 {
        assert_eq!(context.run(), Event::Syscall);
        assert_eq!((context.regs.orig_rax, context.regs.rip), (39, (CODE + 10) as u64));
        assert_eq!(context.regs.r12, (DATA + 4096) as u64);
        assert_eq!((context.regs.rbx, context.regs.r15), (1, 2));
        assert_eq!((context.regs.fs_base, context.regs.gs_base), (0x1234, 0x5678));
        assert_eq!(context.regs.rsp, (DATA + 4096) as u64);
    }
    drop(table);
    let exception = |vector| Event::Exception { vector, error: 0 };
    assert_eq!(run_code(&[0x0f, 0x0b]).0, exception(6));
    assert_eq!(run_code(&[0xcc]).0, exception(3));
    assert_eq!(run_code(&[0x31, 0xc9, 0xf7, 0xf1]).0, exception(0)); // xor ecx, ecx; div ecx
    assert_eq!(run_code(&[0xf4]).0, exception(13)); // hlt
    assert_eq!(run_code(&[0xfa]).0, exception(13)); // cli
    assert_eq!(run_code(&[0xc5, 0xf8, 0x77]).0, exception(6)); // vzeroupper: no AVX
    let fault = |addr, write, exec, present| Event::PageFault { addr, write, exec, present };
    // mov [0x600000], eax; mov [CODE], eax; jmp to DATA; mov eax, [kernel]
    assert_eq!(run_code(&[0x89, 0x04, 0x25, 0, 0, 0x60, 0]).0, fault(0x60_0000, true, false, false));
    assert_eq!(run_code(&[0x89, 0x04, 0x25, 0, 0, 0x40, 0]).0, fault(CODE, true, false, true));
    assert_eq!(run_code(&[0xb8, 0, 0, 0x50, 0, 0xff, 0xe0]).0, fault(DATA, false, true, true));
    let kernel = 0xffff_ffff_8020_0000usize;
    assert_eq!(run_code(&[0x8b, 0x04, 0x25, 0, 0, 0x20, 0x80]).0, fault(kernel, false, false, true));
    // Flags and addresses that would hurt the kernel.
    let (_table, _data) = space(&[0x0f, 0x05]);
    let mut context = UserContext::new(CODE, DATA + 4096);
    context.regs.rflags = !0x100;
    assert_eq!(context.run(), Event::Syscall);
    context.regs.rip = 0x8000_0000_0000;
    assert_eq!(context.run(), exception(13));
    context.regs.rip = (CODE - 1) as u64;
    context.regs.rcx = context.regs.rip;
    assert!(matches!(context.run(), Event::PageFault { exec: true, .. }));
    (context.regs.rip, context.regs.rsp) = (CODE as u64, 0xdead_beef_dead_beef);
    assert_eq!(context.run(), Event::Syscall);
    assert_eq!(context.regs.rsp, 0xdead_beef_dead_beef);
    // An endless loop is ended by the timer.
    let (_table, _data) = space(&[0xeb, 0xfe]);
    let mut context = UserContext::new(CODE, 0);
    time::arm(Some(time::now_ns() + 1_000_000));
    assert_eq!(context.run(), Event::Interrupt);
    assert_eq!(context.regs.rip, CODE as u64);
    println!("user: events as expected");
}

/// User memory from the kernel.
pub fn copies() {
    let (table, data) = space(&[]);
    user::write(DATA + 100, b"hello\0world").expect("mapped");
    let mut buf = [0; 32];
    data.read(100, &mut buf[..11]);
    assert_eq!(&buf[..11], b"hello\0world");
    assert_eq!(user::read_cstr(DATA + 100, &mut buf), Ok(5));
    assert_eq!(user::read_cstr(DATA + 100, &mut buf[..3]), Ok(3));
    let fault = |addr, write| Err(Fault { addr, write });
    assert_eq!(user::read(DATA + 4090, &mut buf), fault(DATA + 4096, false));
    assert_eq!(user::write(CODE, &buf), fault(CODE, true));
    assert_eq!(user::write(DATA - 4, &buf), fault(DATA - 4, true));
    assert_eq!(user::read(usize::MAX - 3, &mut buf), fault(usize::MAX - 3, false));
    assert_eq!(user::read(0xffff_8000_0000_0000, &mut buf), fault(0xffff_8000_0000_0000, false));
    assert_eq!(user::cmpxchg_u32(DATA + 8, 0, 7), Ok(0));
    assert_eq!(user::cmpxchg_u32(DATA + 8, 0, 8), Ok(7));
    assert_eq!(user::load_u32(DATA + 8), Ok(7));
    assert_eq!(user::load_u32(DATA + 9).map(drop), fault(DATA + 9, false));
    user::store_u32(DATA + 8, 9).expect("mapped");
    assert_eq!(data.word(8).load(core::sync::atomic::Ordering::Relaxed), 9);
    assert!(table.get(DATA).is_some_and(|m| m.dirty && m.accessed));
    table.protect(DATA..DATA + 4096, Prot::empty());
    table.flush();
    assert_eq!(user::load_u32(DATA).map(drop), fault(DATA, false));
    table.protect(DATA..DATA + 4096, Prot::READ);
    table.flush();
    assert_eq!(user::load_u32(DATA + 8), Ok(9));
    assert_eq!(user::store_u32(DATA, 1), fault(DATA, true));
    let child = PageTable::new().expect("memory");
    table.protect(DATA..DATA + 4096, Prot::READ | Prot::WRITE);
    user::store_u32(DATA, 3).expect("writable");
    table.copy_range_cow(&child, hal::paging::LOWEST..user::LIMIT).expect("memory");
    table.flush();
    assert_eq!(user::store_u32(DATA, 1), fault(DATA, true));
    assert_eq!(data.refs(), 3);
    child.activate();
    assert_eq!(user::load_u32(DATA), Ok(3));
    drop(child);
    assert_eq!(data.refs(), 2);
    table.activate();
    table.move_range(DATA, DATA + 0x10_0000, 4096).expect("memory");
    table.flush();
    assert_eq!(user::load_u32(DATA).map(drop), fault(DATA, false));
    assert_eq!(user::load_u32(DATA + 0x10_0000), Ok(3));
    drop(table);
    assert_eq!(data.refs(), 1);
    let free = hal::frame::free();
    for _ in 0..100 {
        drop(space(&[]));
    }
    assert!(free - hal::frame::free() < 16, "page tables leak");
    println!("user: copies as expected");
}

/// SSE state stays apart.
pub fn fpu() {
    // movq xmm0, rax; syscall; movq rbx, xmm0; syscall
    let (_table, _data) = space(&[0x66, 0x48, 0x0f, 0x6e, 0xc0, 0x0f, 0x05, 0x66, 0x48, 0x0f, 0x7e, 0xc3, 0x0f, 0x05]);
    let [mut a, mut b] = [1, 2].map(|value| {
        let mut context = UserContext::new(CODE, 0);
        context.regs.rax = value;
        context
    });
    assert_eq!(a.run(), Event::Syscall);
    assert_eq!(b.run(), Event::Syscall);
    let mut c = a.clone();
    for (context, value) in [(&mut a, 1), (&mut c, 1), (&mut b, 2)] {
        assert_eq!(context.run(), Event::Syscall);
        assert_eq!(context.regs.rbx, value, "mixed-up SSE state");
    }
    // fld1; fldpi; syscall; fstp [DATA]; fstp [DATA + 8]; syscall: x87 state, with another context between
    let (table, data) = space(&[
        0xd9, 0xe8, 0xd9, 0xeb, 0x0f, 0x05, 0xdd, 0x1c, 0x25, 0, 0, 0x50, 0, 0xdd, 0x1c, 0x25, 8, 0, 0x50, 0, 0x0f,
        0x05,
    ]);
    let mut x87 = UserContext::new(CODE, 0);
    assert_eq!(x87.run(), Event::Syscall);
    let mut twin = x87.clone();
    for context in [&mut x87, &mut twin] {
        b.regs.rip = (CODE + 4) as u64;
        assert_eq!(b.run(), Event::Syscall);
        assert_eq!(&b.fpu_bytes()[32..160], &[0; 128], "x87 registers leak");
        data.fill(0, 16, 0);
        assert_eq!(context.run(), Event::Syscall);
        let mut words = [0; 16];
        data.read(0, &mut words);
        assert_eq!(words[..8], core::f64::consts::PI.to_le_bytes());
        assert_eq!(words[8..], 1f64.to_le_bytes());
    }
    drop(table);
    let (_table, _data) = space(&[0x66, 0x48, 0x0f, 0x6e, 0xc0, 0x0f, 0x05, 0x66, 0x48, 0x0f, 0x7e, 0xc3, 0x0f, 0x05]);
    let bytes = b.fpu_bytes();
    assert_eq!(bytes[160], 2);
    b.set_fpu_bytes(&[0xff; 512]);
    b.regs.rip = (CODE + 7) as u64;
    assert_eq!(b.run(), Event::Syscall);
    assert_eq!(b.regs.rbx, u64::MAX);
    println!("user: FPU state as expected");
}

/// What going there and back costs.
pub fn speed() {
    let (table, data) = space(&[0x0f, 0x05, 0xeb, 0xfc]);
    let mut context = UserContext::new(CODE, 0);
    measure("null system call", 100_000, || {
        context.run();
    });
    let mut buf = [0; 64];
    measure("user read of 64 bytes", 100_000, || user::read(DATA, &mut buf).expect("mapped"));
    let mut page = [0; 4096];
    measure("user read of 4096 bytes", 20_000, || user::read(DATA, &mut page).expect("mapped"));
    context.regs.rip = CODE as u64 - 4;
    measure("user page fault", 20_000, || {
        context.run();
    });
    measure("map+unmap+flush, unused", 20_000, || {
        table.map(DATA + 4096, &data, Prot::READ).expect("memory");
        table.unmap(DATA + 4096);
        table.flush();
    });
    measure("new+drop of a page table", 5_000, || drop(PageTable::new().expect("memory")));
    for page in 0..100 {
        table.map(DATA + page * 4096, &data, Prot::READ | Prot::WRITE).expect("memory");
    }
    measure("fork of 100 pages+drop", 500, || {
        let child = PageTable::new().expect("memory");
        table.copy_range_cow(&child, hal::paging::LOWEST..user::LIMIT).expect("memory");
        table.flush();
    });
    measure("protect 100 pages", 500, || {
        table.protect(DATA..DATA + 100 * 4096, Prot::READ | Prot::WRITE);
    });
    measure("idle kernel stack: new+drop", 5_000, || {
        drop(hal::thread::Context::new(8, alloc::boxed::Box::new(|| ())).expect("memory"));
    });
    let other = PageTable::new().expect("memory");
    measure("2 x CR3", 20_000, || {
        other.activate();
        table.activate();
    });
    let [mut a, mut b] = [0, 0].map(|_| UserContext::new(CODE, 0));
    measure("2 x (FPU save, restore, system call)", 20_000, || {
        a.run();
        b.run();
    });
}
