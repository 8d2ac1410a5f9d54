//! Disks and console, where QEMU has them.

use alloc::boxed::Box;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::sync::atomic::{AtomicUsize, Ordering};
use hal::dev::block::{self, BlockDevice, IoError, Request, SECTOR, Segment};
use hal::dev::{console, rng, serial};
use hal::frame::Frame;
use hal::{cpu, println, time};

/// Starts requests and waits for all; how many failed.
fn run(disk: &BlockDevice, requests: Vec<Request>) -> usize {
    let left = Arc::new(AtomicUsize::new(requests.len()));
    let failed = Arc::new(AtomicUsize::new(0));
    for request in requests {
        let (left, failed) = (left.clone(), failed.clone());
        disk.submit(
            request,
            Box::new(move |result: Result<(), IoError>| {
                failed.fetch_add(usize::from(result.is_err()), Ordering::Relaxed);
                left.fetch_sub(1, Ordering::Relaxed);
            }),
        );
    }
    while left.load(Ordering::Relaxed) > 0 {
        cpu::idle();
    }
    failed.load(Ordering::Relaxed)
}

fn segments(frames: &[Frame]) -> Vec<Segment> {
    frames.iter().map(|frame| Segment { frame: frame.clone(), offset: 0, len: 4096 }).collect()
}

/// Writes and reads back on every disk that can be written.
pub fn disks() {
    for disk in block::devices() {
        println!("disk {}: {} sectors, read-only: {}", disk.index(), disk.sectors(), disk.read_only());
        let frames: Vec<Frame> = (0..32).map(|_| Frame::zeroed().expect("memory")).collect();
        let beyond = Request::Read { sector: disk.sectors(), segments: segments(&frames[..1]) };
        assert_eq!(run(disk, alloc::vec![beyond]), 1);
        if disk.read_only() {
            let write = Request::Write { sector: 0, segments: segments(&frames[..1]) };
            assert_eq!(run(disk, alloc::vec![write]), 1);
            continue;
        }
        for (i, frame) in frames.iter().enumerate() {
            frame.fill(0, 4096, i as u8 + 1);
        }
        let sector_of = |i: usize| (i * 32 * 4096 / SECTOR) as u64;
        let start = time::now_ns();
        let writes = (0..64).map(|i| Request::Write { sector: sector_of(i), segments: segments(&frames) }).collect();
        assert_eq!(run(disk, writes), 0);
        println!("  write of 8 MiB: {} us", (time::now_ns() - start) / 1000);
        assert_eq!(run(disk, alloc::vec![Request::Flush]), 0);
        let back: Vec<Vec<Frame>> =
            (0..64).map(|_| (0..32).map(|_| Frame::alloc().expect("memory")).collect()).collect();
        let start = time::now_ns();
        let reads = (0..64).map(|i| Request::Read { sector: sector_of(i), segments: segments(&back[i]) }).collect();
        assert_eq!(run(disk, reads), 0);
        println!("  read of 8 MiB: {} us", (time::now_ns() - start) / 1000);
        for (i, frame) in back.iter().flat_map(|frames| frames.iter().enumerate()) {
            let mut bytes = [0; 4096];
            frame.read(0, &mut bytes);
            assert!(bytes.iter().all(|&b| b == i as u8 + 1), "the disk mixed things up");
        }
        let start = time::now_ns();
        for i in 0..200 {
            run(disk, alloc::vec![Request::Read { sector: 8 * i, segments: segments(&back[0][..1]) }]);
        }
        println!("  read of 4 KiB: {} us", (time::now_ns() - start) / 200_000);
    }
}

/// Echoes a line of the console, or of the serial port, when the command line asks for it.
pub fn input() {
    console::on_input(|| ());
    serial::on_input(|| ());
    let mut line = Vec::new();
    while line.last() != Some(&b'\n') {
        cpu::idle();
        let mut buf = [0; 16];
        let count = console::read(&mut buf);
        line.extend_from_slice(&buf[..count]);
        line.extend(core::iter::from_fn(serial::read));
    }
    println!("input: {:?}", alloc::string::String::from_utf8_lossy(&line));
}

/// Writes a MiB to the console, and looks at some random bytes.
pub fn output() {
    let mut bytes = [0u8; 32];
    rng::fill(&mut bytes);
    assert!(bytes.iter().any(|&b| b != bytes[0]), "not very random: {bytes:?}");
    if console::present() {
        let text = [b'x'; 4096];
        let start = time::now_ns();
        for _ in 0..256 {
            console::write(&text);
        }
        println!("console: a MiB in {} us", (time::now_ns() - start) / 1000);
    }
}
