//! The bare system calls, with short names.
//!
//! [`sys!`] makes any call: its arguments are numbers, paths, buffers. The functions here are the calls that many checks need. What they
//! return is the kernel's answer: a value or an [`Errno`]. `must` is for steps that only prepare a check.

use std::ffi::{CStr, CString};

use user::raw::expendable;

/// An error number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Errno(pub i32);

impl Errno {
    /// `ENOENT`.
    pub fn name(self) -> String {
        match nix::errno::Errno::from_raw(self.0) {
            nix::errno::Errno::UnknownErrno => format!("errno-{}", self.0),
            errno => format!("{errno:?}"),
        }
    }
}

impl From<rustix::io::Errno> for Errno {
    fn from(errno: rustix::io::Errno) -> Self {
        Self(errno.raw_os_error())
    }
}

/// What a call answers.
pub type Answer<T = usize> = Result<T, Errno>;

/// An open descriptor; the check's end closes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fd(pub i32);

/// The working directory, for `*at` calls.
pub const CWD: Fd = Fd(libc::AT_FDCWD);

/// What may be an argument of a call.
pub trait Arg {
    /// The register's value.
    fn word(self) -> usize;
}

macro_rules! numbers {
    ($($kind:ty),*) => {
        $(impl Arg for $kind {
            fn word(self) -> usize {
                self as usize
            }
        })*
    };
}

numbers!(i32, u32, i64, u64, usize);

impl Arg for Fd {
    fn word(self) -> usize {
        self.0 as usize
    }
}

impl Arg for &CStr {
    fn word(self) -> usize {
        self.as_ptr().expose_provenance()
    }
}

impl Arg for &CString {
    fn word(self) -> usize {
        self.as_ptr().expose_provenance()
    }
}

impl Arg for &str {
    fn word(self) -> usize {
        self.as_ptr().expose_provenance()
    }
}

impl<T> Arg for &[T] {
    fn word(self) -> usize {
        self.as_ptr().expose_provenance()
    }
}

impl<T, const N: usize> Arg for &[T; N] {
    fn word(self) -> usize {
        self.as_ptr().expose_provenance()
    }
}

impl<T> Arg for &mut [T] {
    fn word(self) -> usize {
        self.as_mut_ptr().expose_provenance()
    }
}

impl<T, const N: usize> Arg for &mut [T; N] {
    fn word(self) -> usize {
        self.as_mut_ptr().expose_provenance()
    }
}

/// Makes a system call: `sys!(SYS_openat, CWD, c"f", O_RDONLY, 0)`.
macro_rules! sys {
    ($number:ident $(, $argument:expr)* $(,)?) => {
        $crate::sys::call(libc::$number, &[$($crate::sys::Arg::word($argument)),*])
    };
}
pub(crate) use sys;

/// Makes a call; arguments that are not given are 0.
pub fn call(number: i64, arguments: &[usize]) -> Answer {
    let mut words = [0; 6];
    words[..arguments.len()].copy_from_slice(arguments);
    expendable::call(number, words).map_err(Errno)
}

/// The value of a step that only prepares: a failure ends the check.
pub fn must<T, E: Into<Errno>>(answer: Result<T, E>) -> T {
    match answer {
        Ok(value) => value,
        Err(error) => {
            let mut line = crate::line::Line::new();
            line.is("unprepared", error.into().name());
            std::process::abort()
        }
    }
}

/// A path or any text as the kernel takes it.
pub fn text(text: &str) -> CString {
    CString::new(text).expect("no NUL in it")
}

pub fn open(path: &CStr, flags: i32) -> Answer<Fd> {
    open_mode(path, flags, 0o666)
}

pub fn open_mode(path: &CStr, flags: i32, mode: u32) -> Answer<Fd> {
    sys!(SYS_open, path, flags, mode).map(|fd| Fd(fd as i32))
}

pub fn openat(dir: Fd, path: &CStr, flags: i32) -> Answer<Fd> {
    sys!(SYS_openat, dir, path, flags, 0o666).map(|fd| Fd(fd as i32))
}

pub fn close(fd: Fd) -> Answer<()> {
    sys!(SYS_close, fd).map(drop)
}

/// Up to `count` bytes as text; a NUL reads as a dot.
pub fn read(fd: Fd, count: usize) -> Answer<String> {
    let mut bytes = vec![0u8; count];
    sys!(SYS_read, fd, bytes.as_mut_slice(), count).map(|n| shown(&bytes[..n]))
}

pub fn pread(fd: Fd, count: usize, at: i64) -> Answer<String> {
    let mut bytes = vec![0u8; count];
    sys!(SYS_pread64, fd, bytes.as_mut_slice(), count, at).map(|n| shown(&bytes[..n]))
}

/// Bytes in a line: quoted, NUL as a dot.
pub fn shown(bytes: &[u8]) -> String {
    let text: String = bytes
        .iter()
        .map(|byte| match byte {
            0 => '.',
            b'\n' => '|',
            b'\t' | b' ' => '_',
            byte => char::from(*byte),
        })
        .collect();
    format!("'{text}'")
}

pub fn write(fd: Fd, text: &str) -> Answer {
    sys!(SYS_write, fd, text, text.len())
}

pub fn lseek(fd: Fd, offset: i64, whence: i32) -> Answer {
    sys!(SYS_lseek, fd, offset, whence)
}

/// Makes file `path` with this content.
pub fn file(path: &CStr, content: &str) {
    let fd = must(open(path, libc::O_WRONLY | libc::O_CREAT | libc::O_TRUNC));
    must(write(fd, content));
    must(close(fd));
}

/// The content of file `path`, up to 64 KiB.
pub fn content(path: &CStr) -> Answer<String> {
    let fd = open(path, libc::O_RDONLY)?;
    let content = read(fd, 65536);
    must(close(fd));
    content
}

/// The whole text of a file of `/proc` or `/sys`.
pub fn lines(path: &str) -> Vec<String> {
    let bytes = std::fs::read(path).unwrap_or_default();
    String::from_utf8_lossy(&bytes).lines().map(str::to_owned).collect()
}

pub fn mkdir(path: &CStr) -> Answer<()> {
    sys!(SYS_mkdir, path, 0o777).map(drop)
}

pub fn rmdir(path: &CStr) -> Answer<()> {
    sys!(SYS_rmdir, path).map(drop)
}

pub fn unlink(path: &CStr) -> Answer<()> {
    sys!(SYS_unlink, path).map(drop)
}

pub fn symlink(target: &CStr, path: &CStr) -> Answer<()> {
    sys!(SYS_symlink, target, path).map(drop)
}

pub fn link(old: &CStr, new: &CStr) -> Answer<()> {
    sys!(SYS_link, old, new).map(drop)
}

pub fn rename(old: &CStr, new: &CStr) -> Answer<()> {
    sys!(SYS_rename, old, new).map(drop)
}

pub fn chmod(path: &CStr, mode: u32) -> Answer<()> {
    sys!(SYS_chmod, path, mode).map(drop)
}

pub fn chdir(path: &CStr) -> Answer<()> {
    sys!(SYS_chdir, path).map(drop)
}

pub fn stat(path: &CStr) -> Answer<rustix::fs::Stat> {
    Ok(rustix::fs::stat(path)?)
}

pub fn lstat(path: &CStr) -> Answer<rustix::fs::Stat> {
    Ok(rustix::fs::lstat(path)?)
}

/// What `fd` is open on, through its name in `/proc`.
pub fn fstat(fd: Fd) -> Answer<rustix::fs::Stat> {
    Ok(rustix::fs::stat(format!("/proc/self/fd/{}", fd.0))?)
}

/// The permission bits of `path`.
pub fn mode(path: &CStr) -> Answer<crate::line::Octal> {
    stat(path).map(|stat| crate::line::Octal(stat.st_mode & 0o7777))
}

/// Whether two paths name the same file.
pub fn same(a: &CStr, b: &CStr) -> Answer<bool> {
    let (a, b) = (lstat(a)?, lstat(b)?);
    Ok((a.st_dev, a.st_ino) == (b.st_dev, b.st_ino))
}

/// A pipe: its read end and its write end.
pub fn pipe(flags: i32) -> Answer<(Fd, Fd)> {
    let mut ends = [0i32; 2];
    sys!(SYS_pipe2, &mut ends, flags)?;
    Ok((Fd(ends[0]), Fd(ends[1])))
}

pub fn fcntl(fd: Fd, command: i32, argument: impl Arg) -> Answer {
    sys!(SYS_fcntl, fd, command, argument)
}

pub fn getpid() -> i32 {
    must(sys!(SYS_getpid)) as i32
}

pub fn kill(pid: i32, signal: i32) -> Answer<()> {
    sys!(SYS_kill, pid, signal).map(drop)
}

/// Memory of `pages` pages: protection and flags as mmap(2), at any address.
pub fn mmap(pages: usize, protection: i32, flags: i32, fd: Fd, offset: i64) -> Answer {
    sys!(SYS_mmap, 0, pages * 4096, protection, flags, fd, offset)
}

/// Private memory without a file, readable and writable.
pub fn memory(pages: usize) -> usize {
    let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS;
    must(mmap(pages, libc::PROT_READ | libc::PROT_WRITE, flags, Fd(-1), 0))
}
