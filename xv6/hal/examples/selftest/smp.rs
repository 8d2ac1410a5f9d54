//! Several CPUs: start, frames and heap from all, kicks, TLB shootdowns.

use crate::user::{CODE, DATA, space};
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use hal::frame::Frame;
use hal::paging::{PageTable, Prot};
use hal::sync::{Rank, SpinLock};
use hal::user::{Event, UserContext};
use hal::{boot, cpu, irq, println, time};

static READY: AtomicUsize = AtomicUsize::new(0);
static SHARED: SpinLock<Option<Arc<PageTable>>> = SpinLock::new(Rank::Task, "shared", None);
static STOP: AtomicBool = AtomicBool::new(false);
static DONE: AtomicUsize = AtomicUsize::new(0);
static KICKS: AtomicUsize = AtomicUsize::new(0);
static LOCK: SpinLock<usize> = SpinLock::new(Rank::Leaf, "counter", 0);

/// What each other CPU does.
fn other() -> ! {
    READY.fetch_add(1, Ordering::SeqCst);
    churn();
    let table = loop {
        if let Some(table) = SHARED.lock().clone() {
            break table;
        }
        cpu::pause();
    };
    table.activate();
    let mut context = UserContext::new(CODE, 0);
    let mut last = 0;
    // The program loads the word at DATA and makes a system call, again and again.
    while !STOP.load(Ordering::SeqCst) {
        match context.run() {
            Event::Syscall => {
                assert!(context.regs.rax >= last, "an old page was seen after the flush");
                last = context.regs.rax;
            }
            Event::Interrupt => {}
            Event::PageFault { .. } => cpu::pause(),
            event => panic!("{event:?}"),
        }
    }
    // The page table stays active here until the CPU sleeps, or its owner asks for it back.
    drop(table);
    DONE.fetch_add(1, Ordering::SeqCst);
    loop {
        cpu::idle();
    }
}

/// Frames and heap from all CPUs at once.
fn churn() {
    let mut held = Vec::new();
    for round in 0..3000usize {
        held.push((Frame::zeroed().expect("memory"), alloc::vec![round; round % 300]));
        if held.len() > 100 {
            let (frame, numbers) = held.swap_remove(round % 100);
            let mut word = [0; 8];
            frame.read(8, &mut word);
            assert_eq!(word, [0; 8]);
            assert!(numbers.iter().all(|&n| n == numbers.len() || numbers.len() == n % 300));
        }
        *LOCK.lock() += 1;
    }
}

/// Starts the others and works with them.
pub fn all() {
    irq::on_kick(|| {
        KICKS.fetch_add(1, Ordering::SeqCst);
    });
    let start = time::now_ns();
    boot::start_others(other);
    let count = boot::cpu_count();
    println!("smp: {count} CPUs, {} us to start the others", (time::now_ns() - start) / 1000);
    assert_eq!(count, boot::cpus_found());
    churn();
    while READY.load(Ordering::SeqCst) < count - 1 || *LOCK.lock() < 3000 * count {
        cpu::pause();
    }
    // mov rax, [DATA]; syscall; jmp back
    let (table, _data) = space(&[0x48, 0x8b, 0x04, 0x25, 0, 0, 0x50, 0, 0x0f, 0x05, 0xeb, 0xf4]);
    let table = Arc::new(table);
    *SHARED.lock() = Some(table.clone());
    let start = time::now_ns();
    for round in 1..500u64 {
        let frame = Frame::zeroed().expect("memory");
        frame.write(0, &round.to_le_bytes());
        let old = table.unmap(DATA);
        table.flush();
        if let Some(old) = old {
            old.write(0, &0u64.to_le_bytes());
        }
        table.map(DATA, &frame, Prot::READ).expect("memory");
        let wait = time::now_ns() + 20_000;
        while time::now_ns() < wait {
            cpu::pause();
        }
    }
    println!("smp: a shootdown costs {} ns", (time::now_ns() - start) / 499 - 20_000);
    STOP.store(true, Ordering::SeqCst);
    while DONE.load(Ordering::SeqCst) < count - 1 {
        cpu::pause();
    }
    SHARED.lock().take();
    let wait = time::now_ns() + 2_000_000;
    while time::now_ns() < wait {
        cpu::pause();
    }
    drop(table);
    let frames = hal::frame::free();
    for cpu in 1..count {
        cpu::kick(cpu);
    }
    while KICKS.load(Ordering::SeqCst) < count - 1 {
        cpu::pause();
    }
    println!("smp: flushes and kicks as expected; {} frames came back", hal::frame::free() as i64 - frames as i64);
}
