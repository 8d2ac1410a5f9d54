//! Frames and heap.

use crate::checks::measure;
use alloc::boxed::Box;
use alloc::vec::Vec;
use hal::frame::{self, Frame};
use hal::{heap, println};

/// Takes many frames, checks that none comes twice, and gives them back.
pub fn frames() {
    let (total, free) = (frame::total(), frame::free());
    println!("frames: {total} total, {free} free");
    let count = (free / 2).min(20_000);
    let mut held: Vec<Frame> = (0..count).map(|_| Frame::alloc().expect("memory")).collect();
    let mut addrs: Vec<u64> = held.iter().map(Frame::addr).collect();
    addrs.sort_unstable();
    assert!(addrs.windows(2).all(|w| w[0] != w[1]), "a frame came twice");
    for (number, frame) in (0u64..).zip(&held) {
        frame.write(8, &number.to_le_bytes());
    }
    for (number, frame) in (0u64..).zip(&held) {
        let mut bytes = [0; 8];
        frame.read(8, &mut bytes);
        assert_eq!(u64::from_le_bytes(bytes), number, "a frame was overwritten");
    }
    let shared = held[0].clone();
    assert_eq!(shared.refs(), 2);
    assert!(held[0].get_mut().is_none());
    drop(shared);
    assert!(held[0].get_mut().is_some());
    drop((held, addrs));
    assert!(free - frame::free() < 64, "{} frames lost", free - frame::free());
    let mut all = Vec::new();
    all.try_reserve(free.min(41_000)).expect("memory");
    while let Some(frame) = Frame::alloc() {
        if all.len() == all.capacity() || all.len() > 40_000 {
            break;
        }
        all.push(frame);
    }
    if all.len() < 40_000 {
        assert!(Vec::<u8>::new().try_reserve(1 << 16).is_err());
        assert_eq!(frame::free(), 0);
    }
    assert!(Frame::zero_page().is_zero_page());
}

/// Boxes and vectors of many sizes, filled and checked.
pub fn heap() {
    let mut kept: Vec<(usize, Vec<u8>)> = Vec::new();
    let mut seed = 1u32;
    for round in 0..20_000usize {
        seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        let size = (seed >> 8) as usize % if round % 100 == 0 { 100_000 } else { 3000 };
        if kept.len() > 200 {
            let (size, old) = kept.swap_remove(seed as usize % 200);
            assert!(old.iter().all(|&b| b == size as u8), "the heap mixed things up");
        }
        kept.push((size, alloc::vec![size as u8; size]));
    }
    #[repr(align(256))]
    struct Aligned([u8; 300]);
    let aligned = Box::new(Aligned([1; 300]));
    assert_eq!((&raw const *aligned).addr() % 256, 0);
    assert_eq!(aligned.0[299], 1);
    let used = heap::used();
    drop((kept, aligned));
    let many: Vec<Box<[u64; 20]>> = (0..20_000u64).map(|i| Box::new([i; 20])).collect();
    assert!(many.iter().zip(0..).all(|(numbers, i)| numbers.iter().all(|&n| n == i)));
    let most = heap::used();
    drop(many);
    println!("heap: {} KiB, then {}, in the end {} KiB held", used / 1024, most / 1024, heap::used() / 1024);
    assert!(heap::used() < 200 * 1024, "the heap keeps what is free");
}

/// What memory costs.
pub fn speed() {
    measure("frame alloc+free", 20_000, || drop(Frame::alloc()));
    measure("frame zeroed+free", 20_000, || drop(Frame::zeroed()));
    let (a, b) = (Frame::zeroed().expect("memory"), Frame::zeroed().expect("memory"));
    measure("frame copy", 20_000, || a.copy_from(&b));
    measure("frame clone+drop", 20_000, || drop(a.clone()));
    measure("box 64", 20_000, || drop(Box::new([0u64; 8])));
    measure("vec 8192", 20_000, || drop(Vec::<u8>::with_capacity(8192)));
    let lock = hal::sync::SpinLock::new(hal::sync::Rank::Leaf, "test", 0);
    measure("spin lock+unlock", 20_000, || *lock.lock() += 1);
    measure("pause", 20_000, hal::cpu::pause);
    measure("now_ns", 20_000, || {
        hal::time::now_ns();
    });
}
