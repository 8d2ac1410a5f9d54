//! The crate's one error type, [`Error`], and the Linux error number that each variant stands for.

use core::fmt;

/// What a file system call comes back with.
pub type Result<T> = core::result::Result<T, Error>;

/// Why a file system call failed. [`Error::errno`] gives the number of errno(3).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Error {
    /// No such file or directory (`ENOENT`).
    NotFound,
    /// The device failed to read or write (`EIO`).
    Io,
    /// No memory for a buffer (`ENOMEM`).
    NoMemory,
    /// The name is taken (`EEXIST`).
    Exists,
    /// Not a directory (`ENOTDIR`).
    NotDir,
    /// A directory, where none may be (`EISDIR`).
    IsDir,
    /// A bad argument (`EINVAL`).
    Invalid,
    /// The file would become larger than the format can hold (`EFBIG`).
    TooBig,
    /// Out of blocks or out of inodes (`ENOSPC`).
    NoSpace,
    /// Mounted read-only, or turned read-only by an earlier error (`EROFS`).
    ReadOnly,
    /// Too many links to one inode (`EMLINK`).
    TooManyLinks,
    /// A name longer than 255 bytes, or a symlink target longer than 4095 (`ENAMETOOLONG`).
    NameTooLong,
    /// The directory has entries (`ENOTEMPTY`).
    NotEmpty,
    /// No such extended attribute (`ENODATA`).
    NoAttr,
    /// What was read from the disk makes no sense (`EUCLEAN`).
    Corrupt,
}

impl Error {
    /// The positive errno(3) number of Linux x86_64.
    pub fn errno(self) -> i32 {
        match self {
            Error::NotFound => 2,
            Error::Io => 5,
            Error::NoMemory => 12,
            Error::Exists => 17,
            Error::NotDir => 20,
            Error::IsDir => 21,
            Error::Invalid => 22,
            Error::TooBig => 27,
            Error::NoSpace => 28,
            Error::ReadOnly => 30,
            Error::TooManyLinks => 31,
            Error::NameTooLong => 36,
            Error::NotEmpty => 39,
            Error::NoAttr => 61,
            Error::Corrupt => 117,
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Error::NotFound => "no such file or directory",
            Error::Io => "input/output error",
            Error::NoMemory => "out of memory",
            Error::Exists => "file exists",
            Error::NotDir => "not a directory",
            Error::IsDir => "is a directory",
            Error::Invalid => "invalid argument",
            Error::TooBig => "file too large",
            Error::NoSpace => "no space left on device",
            Error::ReadOnly => "read-only file system",
            Error::TooManyLinks => "too many links",
            Error::NameTooLong => "file name too long",
            Error::NotEmpty => "directory not empty",
            Error::NoAttr => "no such attribute",
            Error::Corrupt => "file system structure is damaged",
        })
    }
}

impl core::error::Error for Error {}
