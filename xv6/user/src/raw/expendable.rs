//! What a process may do that exists to be broken: make any system call with any arguments, touch any address, catch any fault.
//!
//! [`sacrifice`] makes such a process, a fork of its caller, and only there the other functions work: nothing can be promised of
//! a wild call, and nothing needs to be, since what it may break is a copy that nobody shares and that ends soon. Key type:
//! [`Caught`], what a signal's handler was told. Neighbours: `raw.rs`, whose fork this is; `conform`, which lives in such processes, and `probe fuzz`.

use std::io;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};

use rustix::process::Pid;

use super::{Forked, fork};

/// Whether this process is one made by [`sacrifice`], or a child of one.
static EXPENDABLE: AtomicBool = AtomicBool::new(false);

/// Runs `life` in a child made for it, which then exits with status 0. The caller has one thread.
pub fn sacrifice(life: &mut dyn FnMut()) -> io::Result<Pid> {
    match fork()? {
        Forked::Parent(child) => Ok(child),
        Forked::Child => {
            EXPENDABLE.store(true, Ordering::Relaxed);
            life();
            std::process::exit(0)
        }
    }
}

/// The condition of everything below.
fn assert_expendable() {
    assert!(EXPENDABLE.load(Ordering::Relaxed), "wild calls belong into a process that exists for them");
}

/// A system call: its number and its arguments.
pub type WildCall = (i64, [usize; 6]);

/// How many words [`shared_words`] are.
pub const SHARED_WORDS: usize = 512;

/// Words that this process and its children share.
pub type SharedWords = &'static [AtomicU64; SHARED_WORDS];

/// A page of words for this process and the children that it has from now on, so that expendable ones can be watched. It stays for ever.
pub fn shared_words() -> io::Result<SharedWords> {
    let (protection, flags) = (libc::PROT_READ | libc::PROT_WRITE, libc::MAP_SHARED | libc::MAP_ANONYMOUS);
    // SAFETY: a new mapping, where the kernel finds room for it.
    let page =
        unsafe { libc::mmap(std::ptr::null_mut(), size_of::<[AtomicU64; SHARED_WORDS]>(), protection, flags, -1, 0) };
    if page == libc::MAP_FAILED {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: a page of zeros, aligned, which nobody unmaps but an expendable process, in its own address space; atomics may be shared.
    Ok(unsafe { &*page.cast() })
}

/// Makes a system call; the error is its errno. A call that ends the process, or makes one that shares its memory, does so.
pub fn call(number: i64, [a, b, c, d, e, f]: [usize; 6]) -> Result<usize, i32> {
    assert_expendable();
    // SAFETY: nothing is promised of the call: what it may break is this process's own memory, see the file's head. The compiler
    // takes it for a function that may touch whatever memory has had its address exposed, as the arguments' has.
    let result = unsafe { libc::syscall(number, a, b, c, d, e, f) };
    match usize::try_from(result) {
        Ok(value) => Ok(value),
        // Addresses in the upper half do not come back from a call; -1 is the wrapper's sign for errno.
        Err(_) => Err(io::Error::last_os_error().raw_os_error().unwrap_or_default()),
    }
}

/// Reads the byte at any address.
pub fn load(address: usize) -> u8 {
    assert_expendable();
    // SAFETY: if nothing is mapped there, the process gets the signal that it asked for; if Rust owns it, a byte is read.
    unsafe { std::ptr::with_exposed_provenance::<u8>(address).read_volatile() }
}

/// Writes a byte to any address.
pub fn store(address: usize, byte: u8) {
    assert_expendable();
    // SAFETY: as for `load`; should Rust own the byte, this process's memory breaks and nobody else's.
    unsafe { std::ptr::with_exposed_provenance_mut::<u8>(address).write_volatile(byte) }
}

/// What a handler was told: the members of `siginfo_t`, and where and how it ran.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Caught {
    /// The signal.
    pub signal: i32,
    /// `si_code`.
    pub code: i32,
    /// `si_value` as a number.
    pub value: usize,
    /// `si_pid`.
    pub pid: i32,
    /// `si_uid`.
    pub uid: u32,
    /// `si_status`.
    pub status: i32,
    /// `si_addr`.
    pub address: usize,
    /// An address on the stack that the handler ran on.
    pub stack: usize,
    /// The signals blocked while it ran: bit `n - 1` is signal `n`.
    pub mask: u64,
}

/// How many deliveries are remembered.
const MOST: usize = 64;
/// The words of one delivery.
const WORDS: usize = 9;

static COUNT: AtomicUsize = AtomicUsize::new(0);
static LOG: [[AtomicUsize; WORDS]; MOST] = [const { [const { AtomicUsize::new(0) }; WORDS] }; MOST];

/// The handler: it remembers, and puts a page where a fault found none, so that the program goes on.
extern "C" fn record(signal: libc::c_int, info: *mut libc::siginfo_t, _: *mut libc::c_void) {
    let here = 0u8;
    // SAFETY: the kernel passes a whole siginfo_t; reading a member that this signal does not have gives other members' bytes, which
    // are as initialised. sigprocmask and mmap are plain system calls; the new page replaces one that could not be used.
    unsafe {
        let info = &*info;
        let mut mask: libc::sigset_t = std::mem::zeroed();
        libc::sigprocmask(libc::SIG_BLOCK, std::ptr::null(), &mut mask);
        let slot = COUNT.fetch_add(1, Ordering::Relaxed);
        if let Some(words) = LOG.get(slot) {
            let values = [
                signal as usize,
                info.si_code as usize,
                info.si_value().sival_ptr as usize,
                info.si_pid() as usize,
                info.si_uid() as usize,
                info.si_status() as usize,
                info.si_addr() as usize,
                &raw const here as usize,
                (&raw const mask).cast::<usize>().read(),
            ];
            for (word, value) in words.iter().zip(values) {
                word.store(value, Ordering::Relaxed);
            }
        }
        let fault = matches!(signal, libc::SIGSEGV | libc::SIGBUS) && info.si_code > 0;
        let page = (info.si_addr() as usize & !4095) as *mut libc::c_void;
        let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_FIXED;
        if fault && libc::mmap(page, 4096, libc::PROT_READ | libc::PROT_WRITE, flags, -1, 0) == libc::MAP_FAILED {
            // Nothing helps: an address where no page can be.
            libc::_exit(99);
        }
    }
}

/// Lets `signal` be remembered for [`take_caught`], with these `SA_*` flags (`SA_SIGINFO` is added) and `mask` blocked meanwhile.
/// A fault is mended by a page of zeros.
pub fn catch(signal: i32, flags: i32, mask: u64) -> Result<(), i32> {
    assert_expendable();
    // SAFETY: the structure is plain integers; the handler uses atomics and system calls alone, which are async-signal-safe, and
    // lives as long as the program.
    let result = unsafe {
        let mut action: libc::sigaction = std::mem::zeroed();
        action.sa_sigaction = record as *const () as libc::sighandler_t;
        action.sa_flags = flags | libc::SA_SIGINFO;
        (&raw mut action.sa_mask).cast::<u64>().write(mask);
        libc::sigaction(signal, &action, std::ptr::null_mut())
    };
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error().raw_os_error().unwrap_or_default()) }
}

/// What was caught since the last call, in the order in which the handlers began.
pub fn take_caught() -> Vec<Caught> {
    let count = COUNT.swap(0, Ordering::Relaxed).min(MOST);
    let read = |words: &[AtomicUsize; WORDS]| {
        let [signal, code, value, pid, uid, status, address, stack, mask] =
            words.each_ref().map(|word| word.load(Ordering::Relaxed));
        Caught {
            signal: signal as i32,
            code: code as i32,
            value,
            pid: pid as i32,
            uid: uid as u32,
            status: status as i32,
            address,
            stack,
            mask: mask as u64,
        }
    };
    LOG[..count].iter().map(read).collect()
}

/// How many signals were caught and not yet taken.
pub fn count_caught() -> usize {
    COUNT.load(Ordering::Relaxed)
}

/// The stack of a child made by [`clone`].
const STACK: usize = 64 * 1024;

/// clone(2) with these flags and a stack of its own, on which the child runs `body` and exits with what it returns. With
/// `CLONE_VM` the two share all memory, of which the C library knows nothing: while both run, neither allocates nor takes a lock.
pub fn clone(flags: i32, body: extern "C" fn(*mut libc::c_void) -> libc::c_int, argument: usize) -> Result<i32, i32> {
    assert_expendable();
    // The child may outlive this call: its stack is never given back.
    let stack = Box::leak(vec![0u8; STACK].into_boxed_slice()).as_mut_ptr_range().end;
    // SAFETY: the stack is the child's alone, and aligned down by the C library; what `body` breaks is this process, see the head.
    let pid = unsafe { libc::clone(body, stack.cast(), flags, argument as *mut libc::c_void) };
    if pid >= 0 { Ok(pid) } else { Err(io::Error::last_os_error().raw_os_error().unwrap_or_default()) }
}
