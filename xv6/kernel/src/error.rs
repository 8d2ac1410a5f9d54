//! The kernel's one error type: an errno and what was being done.
//!
//! Every fallible function returns [`Result`]; the number goes to user space at one exit, in `syscall::dispatch`.
//! The `context` is for `dmesg` and for whoever reads a debugger's screen: it costs a pointer and never reaches a program.

use core::fmt;

/// Shorthand used everywhere in the kernel.
pub type Result<T> = core::result::Result<T, Error>;

/// What failed, as Linux numbers it (errno(3)), and what the kernel was doing.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Error {
    /// The number that a program sees.
    pub errno: Errno,
    /// What was being done, e.g. `"reading an ELF header"`.
    pub context: &'static str,
}

impl From<Errno> for Error {
    fn from(errno: Errno) -> Error {
        Error { errno, context: "" }
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} ({})", self.errno, self.context)
    }
}

macro_rules! errnos {
    ($($name:ident = $number:literal),* $(,)?) => {
        /// Linux's error numbers for x86_64 (errno(3), asm-generic/errno.h), and the kernel's own restart codes.
        #[derive(Clone, Copy, PartialEq, Eq, Debug)]
        #[repr(i32)]
        #[expect(missing_docs, reason = "errno(3) documents each name")]
        pub enum Errno { $($name = $number),* }
    };
}

errnos! {
    EPERM = 1, ENOENT = 2, ESRCH = 3, EINTR = 4, EIO = 5, ENXIO = 6, E2BIG = 7, ENOEXEC = 8, EBADF = 9, ECHILD = 10,
    EAGAIN = 11, ENOMEM = 12, EACCES = 13, EFAULT = 14, ENOTBLK = 15, EBUSY = 16, EEXIST = 17, EXDEV = 18, ENODEV = 19,
    ENOTDIR = 20, EISDIR = 21, EINVAL = 22, ENFILE = 23, EMFILE = 24, ENOTTY = 25, ETXTBSY = 26, EFBIG = 27, ENOSPC = 28,
    ESPIPE = 29, EROFS = 30, EMLINK = 31, EPIPE = 32, EDOM = 33, ERANGE = 34, EDEADLK = 35, ENAMETOOLONG = 36,
    ENOLCK = 37, ENOSYS = 38, ENOTEMPTY = 39, ELOOP = 40, ENODATA = 61, ETIME = 62, EOVERFLOW = 75, EBADFD = 77,
    EILSEQ = 84, EUSERS = 87, ENOTSOCK = 88, EDESTADDRREQ = 89, EMSGSIZE = 90, EPROTOTYPE = 91, ENOPROTOOPT = 92,
    EPROTONOSUPPORT = 93, ESOCKTNOSUPPORT = 94, EOPNOTSUPP = 95, EPFNOSUPPORT = 96, EAFNOSUPPORT = 97, EADDRINUSE = 98,
    EADDRNOTAVAIL = 99, ENETDOWN = 100, ENETUNREACH = 101, ECONNABORTED = 103, ECONNRESET = 104, ENOBUFS = 105,
    EISCONN = 106, ENOTCONN = 107, ETIMEDOUT = 110, ECONNREFUSED = 111, EHOSTUNREACH = 113, EALREADY = 114,
    EINPROGRESS = 115, ESTALE = 116, EUCLEAN = 117, EDQUOT = 122, ECANCELED = 125,
    // Never seen by a program: signal delivery turns them into a restart or into EINTR (signal(7), "Interruption of system calls").
    ERESTARTSYS = 512, ERESTARTNOINTR = 513, ERESTARTNOHAND = 514, ERESTARTBLOCK = 516,
}

impl Errno {
    /// This errno with a note of what was being done.
    pub const fn during(self, context: &'static str) -> Error {
        Error { errno: self, context }
    }
}
