//! Timer, threads, and the ways to panic.

use crate::checks::measure;
use alloc::boxed::Box;
use alloc::sync::Arc;
use core::sync::atomic::{AtomicU64, Ordering};
use hal::sync::Once;
use hal::thread::{Context, switch};
use hal::{cpu, irq, println, time};

static FIRED: AtomicU64 = AtomicU64::new(0);

/// The timer fires when it should.
pub fn timer() {
    irq::on_timer(|| FIRED.store(time::now_ns(), Ordering::Relaxed));
    for wait in [50_000u64, 1_000_000, 20_000_000] {
        FIRED.store(0, Ordering::Relaxed);
        let deadline = time::now_ns() + wait;
        time::arm(Some(deadline));
        while FIRED.load(Ordering::Relaxed) == 0 {
            cpu::idle();
        }
        println!("timer: {wait} ns, {} ns late", FIRED.load(Ordering::Relaxed) as i64 - deadline as i64);
        assert!(FIRED.load(Ordering::Relaxed) >= deadline, "the timer fired early");
    }
    println!("wall clock at boot: {} s", time::wall_boot_ns() / 1_000_000_000);
}

/// Two threads pass control to and fro.
pub fn threads() {
    static MAIN: Once<Context> = Once::new();
    static OTHER: Once<Context> = Once::new();
    static COUNT: AtomicU64 = AtomicU64::new(0);
    MAIN.call_once(Context::idle);
    let token = Arc::new(());
    let theirs = token.clone();
    let entry = Box::new(move || {
        assert_eq!(Arc::strong_count(&theirs), 2);
        loop {
            COUNT.fetch_add(1, Ordering::Relaxed);
            switch(OTHER.get().expect("set"), MAIN.get().expect("set"));
        }
    });
    OTHER.call_once(|| Context::new(4, entry).expect("memory"));
    measure("switch there and back", 20_000, || switch(MAIN.get().expect("set"), OTHER.get().expect("set")));
    assert_eq!(COUNT.load(Ordering::Relaxed), 20_000);
    let frames = hal::frame::free();
    for _ in 0..300 {
        let many: alloc::vec::Vec<_> = (0..40).map(|_| Context::new(4, Box::new(|| ())).expect("memory")).collect();
        drop(many);
    }
    println!("threads: {} frames kept after 12000 contexts", frames as i64 - hal::frame::free() as i64);
}

/// Jumps to nowhere.
pub fn fault() -> ! {
    let mut context = hal::user::UserContext::new(0, 0);
    context.regs.rip = 0;
    let nowhere = hal::user::LIMIT - 16;
    // SAFETY: it is not: that is the point. The kernel must panic.
    unsafe { (nowhere as *const u64).read_volatile() };
    unreachable!("read from nowhere")
}

/// Uses up the stack.
#[expect(unconditional_recursion, reason = "that is the point")]
pub fn overflow(depth: u64) -> u64 {
    let room = core::hint::black_box([depth; 32]);
    overflow(room[depth as usize % 32] + 1) + room[3]
}
