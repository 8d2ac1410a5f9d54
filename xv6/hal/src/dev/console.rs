//! The console on a virtio serial port (specification 5.3): fast, a buffer at a time, and nothing is lost when the host is slow.
//!
//! QEMU's `virtconsole`, which is always port 0, drops what the host does not take at once; its `virtserialport`, a numbered port, gives
//! the buffer back only when the host has taken it. So port 1 is used where there are several: the device has these queues,
//! and such a port must be opened by messages.
//!
//! ```text
//! queue   0, 1             2, 3                                4, 5
//!         port 0           messages                            port 1
//!         in, out          in, out: ready, port 1 ready, open  in, out
//! ```
//!
//! Output has a few buffers. Who finds none free ([`room`]) or waits for all to be taken ([`is_sent`]) is called back once
//! ([`on_output`]). Locks: one for each direction ([`crate::sync::Rank::Device`]).

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

/// How many bytes [`write`] takes now, in one call. When it is 0, the [`on_output`] handler is called once there is room again.
pub fn room() -> usize {
    #[cfg(target_os = "none")]
    return machine::room();
    #[cfg(not(target_os = "none"))]
    usize::MAX
}

/// Writes bytes as they are; those for which there is no [`room`] are lost.
pub fn write(bytes: &[u8]) {
    #[cfg(target_os = "none")]
    machine::write(bytes);
    #[cfg(not(target_os = "none"))]
    let _ = bytes;
}

/// Whether the host has taken all that was written. When not, the [`on_output`] handler is called once it has taken more.
pub fn is_sent() -> bool {
    #[cfg(target_os = "none")]
    return machine::is_sent();
    #[cfg(not(target_os = "none"))]
    true
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

/// Sets what is called, in the interrupt, after [`room`] has said 0 or [`is_sent`] false, once the host has taken more.
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
    /// All of them, a bit each.
    const ALL: u32 = (1 << BUFFERS) - 1;

    /// The device has numbered ports, and queues for messages about them.
    const MULTIPORT: u64 = 1 << 1;
    /// Messages that the driver sends: which port, what, and a value, here always 1.
    const DEVICE_READY: (u32, u16) = (0, 0);
    const PORT_READY: (u32, u16) = (1, 3);
    const PORT_OPEN: (u32, u16) = (1, 6);
    const MESSAGE_BYTES: usize = 8;
    /// The queue of those messages.
    const MESSAGES: u32 = 3;

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
        /// Somebody waits to be called when more has been taken.
        awaited: bool,
    }

    /// Input: buffers that the device has filled, oldest first: number, length, and how much of it was read.
    struct Input {
        direction: Direction,
        filled: [(u8, usize, usize); BUFFERS],
        count: usize,
    }

    /// The messages that open port 1, offered to the device in their queue.
    struct Opening {
        queue: Queue,
        messages: Frame,
    }

    impl Opening {
        fn new(device: Device) -> Option<Opening> {
            let mut opening = Opening { queue: device.queue(MESSAGES)?, messages: Frame::zeroed()? };
            for (i, (port, event)) in [DEVICE_READY, PORT_READY, PORT_OPEN].into_iter().enumerate() {
                let [a, b, c, d] = port.to_le_bytes();
                let [e, f] = event.to_le_bytes();
                opening.messages.write(i * MESSAGE_BYTES, &[a, b, c, d, e, f, 1, 0]);
                let addr = opening.messages.addr() + (i * MESSAGE_BYTES) as u64;
                opening.queue.offer(&[Piece { addr, len: MESSAGE_BYTES as u32, device_writes: false }]);
            }
            Some(opening)
        }
    }

    struct Console {
        device: Device,
        /// The messages that open the port, which the device may read at any time.
        opening: Option<Opening>,
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
        console.opening.iter().for_each(|opening| opening.queue.notify());
        console.input.lock().direction.queue.notify();
    }

    fn set_up(device: Device) -> Option<Console> {
        let ports = device.start(MULTIPORT)? & MULTIPORT != 0;
        let opening = if ports { Some(Opening::new(device)?) } else { None };
        let first = if ports { 4 } else { 0 };
        let mut receive = Direction::new(device, first)?;
        for buffer in 0..BUFFERS {
            receive.offer(buffer, frame::SIZE, true);
        }
        let transmit = Direction::new(device, first + 1)?;
        transmit.queue.want_interrupts(false);
        let output = Output { direction: transmit, free: ALL, awaited: false };
        let input = Input { direction: receive, filled: [(0, 0, 0); BUFFERS], count: 0 };
        Some(Console {
            device,
            opening,
            output: SpinLock::new(Rank::Device, "console output", output),
            input: SpinLock::new(Rank::Device, "console input", input),
        })
    }

    impl Output {
        /// Takes back the buffers that the host has taken.
        fn reap(&mut self) {
            while let Some((head, _)) = self.direction.queue.take() {
                self.free |= 1 << self.direction.buffer_of[usize::from(head)];
            }
        }

        /// Whether `enough` of the buffers are free; if not, the next that becomes so interrupts.
        fn or_call(&mut self, enough: impl Fn(u32) -> bool) -> bool {
            self.reap();
            if !enough(self.free) {
                // Ask for the interrupt, then look again: it may have come between.
                self.awaited = true;
                self.direction.queue.want_interrupts(true);
                self.reap();
            }
            enough(self.free)
        }
    }

    pub fn room() -> usize {
        let Some(console) = CONSOLE.get() else { return usize::MAX };
        let mut output = console.output.lock();
        output.or_call(|free| free != 0);
        output.free.count_ones() as usize * frame::SIZE
    }

    pub fn is_sent() -> bool {
        CONSOLE.get().is_none_or(|console| console.output.lock().or_call(|free| free == ALL))
    }

    pub fn write(bytes: &[u8]) {
        let Some(console) = CONSOLE.get() else { return };
        let mut output = console.output.lock();
        output.reap();
        for piece in bytes.chunks(frame::SIZE) {
            if output.free == 0 {
                break;
            }
            let buffer = output.free.trailing_zeros() as usize;
            output.direction.frames[buffer].write(0, piece);
            output.free &= !(1 << buffer);
            output.direction.offer(buffer, piece.len(), false);
        }
        output.direction.queue.notify();
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
        // Even when this interrupt is about input, or a writer has reaped meanwhile: who waits looks for himself.
        let awaited = core::mem::take(&mut output.awaited);
        if awaited {
            output.direction.queue.want_interrupts(false);
        }
        drop(output);
        if awaited {
            ON_OUTPUT.call();
        }
    }
}
