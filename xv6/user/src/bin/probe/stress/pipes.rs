//! Pipes, FIFOs, socket pairs, eventfds, epoll: every byte arrives, in order, whole records stay whole, ends are seen.

use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixStream;

use super::{Dice, End, Worker, child, ensure, expect, pipe};
use rustix::event::epoll;
use rustix::process::Signal;
use user::{About, Failure};

/// The most bytes of a stream, and of one piece of it.
const STREAM: usize = 200_000;
const PIECE: usize = 9000;
/// Writers of one pipe, records of each, and the bytes of a record.
const WRITERS: u8 = 4;
const RECORDS: u8 = 100;
const RECORD: usize = 300;
/// Pipes under one epoll.
const PIPES: usize = 6;
/// What each adds to an eventfd, one by one.
const EVENTS: u64 = 100;

pub fn round(worker: &mut Worker) -> Result<(), Failure> {
    match worker.dice.below(7) {
        0 => {
            let (reader, writer) = pipe()?;
            stream(worker, reader, writer)
        }
        1 => {
            let (reader, writer) = UnixStream::pair().about("socketpair")?;
            stream(worker, File::from(OwnedFd::from(reader)), File::from(OwnedFd::from(writer)))
        }
        2 => fifo(worker),
        3 => many_writers(),
        4 => polled(worker),
        5 => broken(),
        _ => counted(),
    }
}

/// The byte at `place` of the stream that `seed` means.
fn byte(seed: u64, place: usize) -> u8 {
    (seed.wrapping_add(place as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 56) as u8
}

/// Sends `length` bytes in pieces of any size.
fn send(mut writer: File, seed: u64, length: usize) -> Result<u8, Failure> {
    let mut dice = Dice::new(seed, 1);
    let mut sent = 0;
    while sent < length {
        let piece: Vec<u8> = (sent..length.min(sent + 1 + dice.below(PIECE))).map(|place| byte(seed, place)).collect();
        writer.write_all(&piece).about("write")?;
        sent += piece.len();
    }
    Ok(0)
}

/// Receives in pieces of any size, up to the end.
fn receive(mut reader: File, seed: u64, length: usize) -> Result<(), Failure> {
    let mut dice = Dice::new(seed, 2);
    let mut piece = vec![0; PIECE];
    let mut received = 0;
    loop {
        let size = 1 + dice.below(PIECE);
        let count = reader.read(&mut piece[..size]).about("read")?;
        if count == 0 {
            return ensure(received == length, || format!("{received} bytes of {length} came"));
        }
        let right = piece[..count].iter().enumerate().all(|(i, &found)| found == byte(seed, received + i));
        ensure(right, || format!("wrong bytes at {received}"))?;
        received += count;
    }
}

fn stream(worker: &mut Worker, reader: File, writer: File) -> Result<(), Failure> {
    let (seed, length) = (worker.dice.roll(), worker.dice.below(STREAM));
    // The parent's copy of the writing end goes with the closure.
    let sender = child(move || send(writer, seed, length))?;
    receive(reader, seed, length)?;
    expect(sender, End::Status(0))
}

/// The same through a FIFO, whose ends wait for each other to open.
fn fifo(worker: &mut Worker) -> Result<(), Failure> {
    let (seed, length) = (worker.dice.roll(), worker.dice.below(STREAM));
    let path = worker.own("fifo");
    nix::unistd::mkfifo(&path, nix::sys::stat::Mode::from_bits_truncate(0o600)).about(&path)?;
    let sender = child(|| send(File::options().write(true).open(&path).about(&path)?, seed, length))?;
    receive(File::open(&path).about(&path)?, seed, length)?;
    expect(sender, End::Status(0))?;
    std::fs::remove_file(&path).about(&path)
}

/// Records of several writers, no longer than `PIPE_BUF`: pipe(7) keeps each whole, and each writer's are in order.
fn many_writers() -> Result<(), Failure> {
    let (mut reader, mut writer) = pipe()?;
    let mut writers = Vec::new();
    for number in 0..WRITERS {
        writers.push(child(|| {
            for record in 0..RECORDS {
                let mut bytes = [number ^ record; RECORD];
                bytes[..2].copy_from_slice(&[number, record]);
                writer.write_all(&bytes).about("write")?;
            }
            Ok(0)
        })?);
    }
    drop(writer);
    let mut bytes = Vec::new();
    reader.read_to_end(&mut bytes).about("read")?;
    let mut next = [0; WRITERS as usize];
    for record in bytes.chunks(RECORD) {
        let [number, count, rest @ ..] = record else { return Err(Failure::new("half a record")) };
        let whole = rest.len() == RECORD - 2 && rest.iter().all(|byte| *byte == number ^ count);
        let expected = next.get_mut(usize::from(*number)).filter(|expected| whole && **expected == *count);
        let Some(expected) = expected else { return Err(Failure::new(format!("a torn record of writer {number}"))) };
        *expected += 1;
    }
    ensure(next == [RECORDS; WRITERS as usize], || format!("records that came: {next:?}"))?;
    writers.into_iter().try_for_each(|writer| expect(writer, End::Status(0)))
}

/// Many streams, received as epoll tells that there is something.
fn polled(worker: &mut Worker) -> Result<(), Failure> {
    let set = epoll::create(epoll::CreateFlags::CLOEXEC).about("epoll_create")?;
    let edge = if worker.dice.below(2) == 0 { epoll::EventFlags::ET } else { epoll::EventFlags::empty() };
    let (mut readers, mut senders) = (Vec::new(), Vec::new());
    for number in 0..PIPES {
        let (reader, writer) = pipe()?;
        rustix::io::ioctl_fionbio(&reader, true).about("FIONBIO")?;
        let data = epoll::EventData::new_u64(number as u64);
        epoll::add(&set, reader.as_fd(), data, epoll::EventFlags::IN | edge).about("epoll_ctl")?;
        let (seed, length) = (worker.dice.roll(), worker.dice.below(STREAM / PIPES));
        senders.push(child(move || send(writer, seed, length))?);
        readers.push(Some((reader, seed, length, 0)));
    }
    let mut events = [epoll::Event { flags: epoll::EventFlags::empty(), data: epoll::EventData::new_u64(0) }; PIPES];
    while readers.iter().any(Option::is_some) {
        let count = epoll::wait(&set, &mut events[..], None).about("epoll_wait")?;
        for event in &events[..count] {
            let slot = &mut readers[event.data.u64() as usize];
            // An event may have waited beside the one that ended it.
            let Some(stream) = slot else { continue };
            if drain(stream)? {
                *slot = None;
            }
        }
    }
    senders.into_iter().try_for_each(|sender| expect(sender, End::Status(0)))
}

/// Receives all that is there; true at the stream's end.
fn drain((reader, seed, length, received): &mut (File, u64, usize, usize)) -> Result<bool, Failure> {
    let mut piece = [0; 4096];
    loop {
        match reader.read(&mut piece) {
            Ok(0) => {
                ensure(received == length, || format!("{received} bytes of {length} came"))?;
                return Ok(true);
            }
            Ok(count) => {
                let right = piece[..count].iter().enumerate().all(|(i, &found)| found == byte(*seed, *received + i));
                ensure(right, || format!("wrong bytes at {received}"))?;
                *received += count;
            }
            Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => return Ok(false),
            Err(error) => return Err(error).about("read"),
        }
    }
}

/// Who writes to a pipe that has lost its reader gets `SIGPIPE`.
fn broken() -> Result<(), Failure> {
    let (reader, mut writer) = pipe()?;
    let mut reader = Some(reader);
    let pid = child(|| {
        drop(reader.take());
        loop {
            writer.write_all(&[1; PIECE]).about("write")?;
        }
    })?;
    if let Some(mut reader) = reader {
        reader.read_exact(&mut [0; PIECE]).about("read")?;
    }
    expect(pid, End::Killed(Signal::PIPE))
}

/// What two children add to an eventfd is what is read from it.
fn counted() -> Result<(), Failure> {
    let counter: File = rustix::event::eventfd(0, rustix::event::EventfdFlags::CLOEXEC).about("eventfd")?.into();
    let add = || {
        let counter = &counter;
        child(move || {
            for _ in 0..EVENTS {
                rustix::io::write(counter, &1_u64.to_ne_bytes()).about("eventfd")?;
            }
            Ok(0)
        })
    };
    let children = [add()?, add()?];
    let mut sum = 0;
    while sum < 2 * EVENTS {
        let mut word = [0; 8];
        (&counter).read_exact(&mut word).about("eventfd")?;
        sum += u64::from_ne_bytes(word);
    }
    ensure(sum == 2 * EVENTS, || format!("the eventfd counted {sum}"))?;
    children.into_iter().try_for_each(|child| expect(child, End::Status(0)))
}
