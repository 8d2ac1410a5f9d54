//! `harness debug`, without gdb: the few packets of its remote protocol that an attached gdb sends first.
//!
//! A packet is `$TEXT#SUM` and is answered by `+` and a packet (GDB manual, "Remote Serial Protocol"). Registers come as hexadecimal bytes
//! in gdb's order, of which the seventeenth is `rip`.

use harness::{Slot, Symbols, deadline};
use object::{Object, ObjectSegment, ObjectSymbol};
use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// Where `rip` begins among the bytes of the registers.
const RIP: usize = 16 * 8;

/// A running `harness debug` and what it printed on standard error.
struct Debug {
    child: Child,
    kernel: PathBuf,
    socket: PathBuf,
}

impl Debug {
    fn start() -> Debug {
        let mut command = Command::new(assert_cmd::cargo::cargo_bin("harness"));
        command.arg("debug").stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("it starts");
        let mut stderr = BufReader::new(child.stderr.take().expect("a pipe"));
        let mut line = String::new();
        while !line.starts_with("gdb ") {
            line.clear();
            assert_ne!(stderr.read_line(&mut line).expect("text"), 0, "it ended without a line for gdb");
        }
        // Whatever the kernel logs must not block it.
        std::thread::spawn(move || std::io::copy(&mut stderr, &mut std::io::sink()));
        let words: Vec<&str> = line.trim().split(' ').collect();
        let ["gdb", kernel, "-ex", "'target", "remote", socket] = words[..] else {
            panic!("not a line for gdb: {line}")
        };
        Debug { child, kernel: kernel.into(), socket: socket.trim_end_matches('\'').into() }
    }
}

impl Drop for Debug {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// gdb's side of the protocol.
struct Gdb(UnixStream);

impl Gdb {
    fn attach(socket: &Path) -> Gdb {
        let stream = UnixStream::connect(socket).expect("the line can be used as soon as it is printed");
        stream.set_read_timeout(Some(deadline::scaled(Duration::from_secs(20)))).expect("set");
        Gdb(stream)
    }

    fn send(&mut self, text: &str) {
        let sum = text.bytes().fold(0u8, u8::wrapping_add);
        self.0.write_all(format!("${text}#{sum:02x}").as_bytes()).expect("sent");
    }

    /// The next packet's text.
    fn receive(&mut self) -> String {
        let mut byte = || {
            let mut byte = [0];
            self.0.read_exact(&mut byte).expect("an answer in time");
            byte[0]
        };
        while byte() != b'$' {}
        let text: Vec<u8> = std::iter::from_fn(|| Some(byte()).filter(|byte| *byte != b'#')).collect();
        // The sum: a Unix socket loses nothing.
        byte();
        byte();
        self.0.write_all(b"+").expect("sent");
        String::from_utf8(text).expect("ASCII")
    }

    fn ask(&mut self, text: &str) -> String {
        self.send(text);
        self.receive()
    }

    fn rip(&mut self) -> u64 {
        let bytes = bytes(&self.ask("g"));
        u64::from_le_bytes(bytes[RIP..RIP + 8].try_into().expect("a register"))
    }
}

/// The bytes that hexadecimal `text` spells.
fn bytes(text: &str) -> Vec<u8> {
    let byte = |at: usize| u8::from_str_radix(&text[at..at + 2], 16).unwrap_or_else(|_| panic!("no bytes: {text}"));
    (0..text.len()).step_by(2).map(byte).collect()
}

/// The address of the function that `symbol` ends the path of, and its first bytes.
fn function(kernel: &Path, symbol: &str) -> (u64, Vec<u8>) {
    let file = std::fs::read(kernel).expect("the kernel");
    let elf = object::File::parse(&*file).expect("an ELF file");
    let found = elf.symbols().find(|entry| entry.name().is_ok_and(|name| name.contains(symbol)));
    let address = found.unwrap_or_else(|| panic!("no {symbol}")).address();
    let bytes = elf.segments().find_map(|segment| segment.data_range(address, 16).ok().flatten());
    (address, bytes.expect("loaded bytes").to_vec())
}

#[test]
fn gdb_finds_a_kernel_that_waits_and_stops_at_a_function() {
    let _slot = Slot::take().expect("a slot");
    harness::fixture::machine("built");
    let mut debug = Debug::start();
    let mut gdb = Gdb::attach(&debug.socket);
    assert!(gdb.ask("?").starts_with("T05"), "stopped by a trap");
    assert_eq!(gdb.rip(), 0xfff0, "before the first instruction");
    // A row of the table of system calls: its function is never inlined.
    let (execve, code) = function(&debug.kernel, "6kernel7syscall4exec6execve17h");
    assert_eq!(gdb.ask(&format!("Z0,{execve:x},1")), "OK");
    gdb.send("c");
    assert!(gdb.receive().starts_with("T05"), "at the breakpoint");
    assert_eq!(gdb.rip(), execve);
    assert_eq!(bytes(&gdb.ask(&format!("m{execve:x},10"))), code, "memory is what the kernel's file says");
    let places = Symbols::load(&debug.kernel).expect("symbols").places(execve);
    assert!(places.iter().any(|place| place.contains("xv6/kernel/src/syscall/exec.rs:")), "{places:?}");
    // Ctrl-C stops what runs.
    assert_eq!(gdb.ask(&format!("z0,{execve:x},1")), "OK");
    gdb.send("c");
    gdb.0.write_all(&[3]).expect("sent");
    assert!(gdb.receive().starts_with("T02"), "interrupted");
    // Detached, the machine runs on; its end takes the socket with it.
    assert_eq!(gdb.ask("D"), "OK");
    let mut console = debug.child.stdin.take().expect("a pipe");
    console.write_all(b"poweroff\n").expect("typed");
    let status = debug.child.wait().expect("it ends");
    assert!(status.success(), "{status:?}");
    assert!(!debug.socket.exists(), "{}", debug.socket.display());
}

#[test]
fn a_socket_left_behind_is_removed() {
    let _slot = Slot::take().expect("a slot");
    harness::fixture::machine("built");
    let mut debug = Debug::start();
    assert!(debug.socket.exists());
    debug.child.kill().expect("killed");
    debug.child.wait().expect("it ends");
    assert!(debug.socket.exists(), "nobody could remove it");
    let start = Instant::now();
    let second = Debug::start();
    assert!(!debug.socket.exists(), "{:?}", start.elapsed());
    assert!(second.socket.exists());
}
