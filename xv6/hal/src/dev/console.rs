//! The virtio console (specification 5.3, one port): fast, a buffer at a time. Locks: one for each direction
//! ([`crate::sync::Rank::Device`]).

use crate::irq::Handler;

static ON_INPUT: Handler = Handler::none();
static ON_OUTPUT: Handler = Handler::none();

/// Whether there is one.
pub fn present() -> bool {
    #[cfg(target_os = "none")]
    return machine::present();
    #[cfg(not(target_os = "none"))]
    false
}

/// Writes bytes as they are; spins while the host is slower than the buffers are many. For the kernel's own words: a terminal
/// uses [`try_write`] and sleeps.
pub fn write(mut bytes: &[u8]) {
    while !bytes.is_empty() && present() {
        let count = try_write(bytes);
        bytes = &bytes[count..];
        if count == 0 {
            crate::cpu::pause();
        }
    }
}

/// Writes as many bytes as there is room for; how many. When that is not all, the [`on_output`] handler is called once there is
/// room again.
pub fn try_write(bytes: &[u8]) -> usize {
    #[cfg(target_os = "none")]
    return machine::try_write(bytes);
    #[cfg(not(target_os = "none"))]
    bytes.len()
}

/// Takes received bytes; how many. What is not taken waits, and in the end holds up the host.
pub fn read(buf: &mut [u8]) -> usize {
    #[cfg(target_os = "none")]
    return machine::read(buf);
    #[cfg(not(target_os = "none"))]
    {
        let _ = buf;
        0
    }
}

/// Sets what the receive interrupt calls.
pub fn on_input(f: fn()) {
    ON_INPUT.set(f);
}

/// Sets what is called when there is room again after a short [`try_write`].
pub fn on_output(f: fn()) {
    ON_OUTPUT.set(f);
}

#[cfg(target_os = "none")]
pub(crate) use machine::init;

#[cfg(target_os = "none")]
mod machine {
    use super::{ON_INPUT, ON_OUTPUT};
    use crate::frame::{self, Frame};
    use crate::sync::{Once, Rank, SpinLock};
    use crate::virtio::mmio::Device;
    use crate::virtio::queue::{Piece, Queue};

    /// Buffers in each direction, a frame each.
    const BUFFERS: usize = 8;

    /// One direction: the queue, and its buffers by number.
    struct Direction {
        queue: Queue,
        frames: [Frame; BUFFERS],
        /// The buffer of each chain in flight, by its head (chains are one descriptor; heads stay below this).
        buffer_of: [u8; crate::virtio::queue::SIZE],
    }

    impl Direction {
        fn new(device: Device, index: u32) -> Option<Direction> {
            let frames = [const { None }; BUFFERS].map(|none: Option<Frame>| none.or_else(Frame::alloc));
            if frames.iter().any(Option::is_none) {
                return None;
            }
            let frames = frames.map(|frame| frame.expect("just checked"));
            Some(Direction { queue: device.queue(index)?, frames, buffer_of: [0; crate::virtio::queue::SIZE] })
        }

        fn offer(&mut self, buffer: usize, len: usize, device_writes: bool) {
            let piece = Piece { addr: self.frames[buffer].addr(), len: len as u32, device_writes };
            let head = self.queue.offer(&[piece]);
            self.buffer_of[usize::from(head)] = buffer as u8;
        }
    }

    /// Output: which buffers are free.
    struct Output {
        direction: Direction,
        free: u32,
        /// A short write happened: its writer waits to be called.
        short: bool,
    }

    /// Input: buffers that the device has filled, oldest first: number, length, and how much of it was read.
    struct Input {
        direction: Direction,
        filled: [(u8, usize, usize); BUFFERS],
        count: usize,
    }

    struct Console {
        device: Device,
        output: SpinLock<Output>,
        input: SpinLock<Input>,
    }

    static CONSOLE: Once<Console> = Once::new();

    pub fn present() -> bool {
        CONSOLE.get().is_some()
    }

    /// Sets up the first console.
    pub fn init(device: Device) {
        if present() {
            return;
        }
        let Some(console) = set_up(device) else { return };
        let console = CONSOLE.call_once(|| console);
        device.ready(interrupt, 0);
        console.input.lock().direction.queue.notify();
    }

    fn set_up(device: Device) -> Option<Console> {
        device.start(0)?;
        let mut receive = Direction::new(device, 0)?;
        for buffer in 0..BUFFERS {
            receive.offer(buffer, frame::SIZE, true);
        }
        let transmit = Direction::new(device, 1)?;
        transmit.queue.want_interrupts(false);
        let output = Output { direction: transmit, free: (1 << BUFFERS) - 1, short: false };
        let input = Input { direction: receive, filled: [(0, 0, 0); BUFFERS], count: 0 };
        Some(Console {
            device,
            output: SpinLock::new(Rank::Device, "console output", output),
            input: SpinLock::new(Rank::Device, "console input", input),
        })
    }

    impl Output {
        /// Takes back the buffers that have been written.
        fn reap(&mut self) {
            while let Some((head, _)) = self.direction.queue.take() {
                self.free |= 1 << self.direction.buffer_of[usize::from(head)];
            }
        }
    }

    pub fn try_write(bytes: &[u8]) -> usize {
        let Some(console) = CONSOLE.get() else { return bytes.len() };
        let mut output = console.output.lock();
        output.reap();
        let mut written = 0;
        while written < bytes.len() {
            if output.free == 0 {
                // Ask for an interrupt, then look again: room may have come between.
                output.direction.queue.want_interrupts(true);
                output.reap();
                if output.free == 0 {
                    output.short = true;
                    break;
                }
            }
            let buffer = output.free.trailing_zeros() as usize;
            let count = (bytes.len() - written).min(frame::SIZE);
            output.direction.frames[buffer].write(0, &bytes[written..written + count]);
            output.free &= !(1 << buffer);
            output.direction.offer(buffer, count, false);
            written += count;
        }
        if written > 0 {
            output.direction.queue.notify();
        }
        written
    }

    impl Input {
        /// Notes the buffers that the device has filled.
        fn fetch(&mut self) {
            while self.count < BUFFERS {
                let Some((head, len)) = self.direction.queue.take() else { break };
                let buffer = self.direction.buffer_of[usize::from(head)];
                self.filled[self.count] = (buffer, (len as usize).min(frame::SIZE), 0);
                self.count += 1;
            }
        }
    }

    pub fn read(buf: &mut [u8]) -> usize {
        let Some(console) = CONSOLE.get() else { return 0 };
        let mut input = console.input.lock();
        input.fetch();
        let mut count = 0;
        let mut emptied = false;
        while count < buf.len() && input.count > 0 {
            let (buffer, len, start) = input.filled[0];
            let part = (len - start).min(buf.len() - count);
            input.direction.frames[usize::from(buffer)].read(start, &mut buf[count..count + part]);
            count += part;
            input.filled[0].2 += part;
            if start + part == len {
                input.filled.rotate_left(1);
                input.count -= 1;
                input.direction.offer(usize::from(buffer), frame::SIZE, true);
                emptied = true;
            }
        }
        if emptied {
            input.direction.queue.notify();
        }
        count
    }

    fn interrupt(_: usize) {
        let Some(console) = CONSOLE.get() else { return };
        console.device.acknowledge();
        let mut input = console.input.lock();
        input.fetch();
        let some = input.count > 0;
        drop(input);
        if some {
            ON_INPUT.call();
        }
        let mut output = console.output.lock();
        output.reap();
        let room = output.short && output.free != 0;
        if room {
            output.short = false;
            output.direction.queue.want_interrupts(false);
        }
        drop(output);
        if room {
            ON_OUTPUT.call();
        }
    }
}
