//! Redirections: opening files onto descriptors, and putting the old ones back.
//!
//! Key type: [`Saved`]. Descriptors by number are `nix`'s plain numbers; saved copies live at 10 and above, closed on exec.

use std::ffi::OsStr;
use std::io::Write;
use std::os::fd::{AsRawFd, OwnedFd, RawFd};
use std::os::unix::ffi::OsStrExt;

use nix::fcntl::{FcntlArg, fcntl};
use nix::unistd::{close, dup2};
use rustix::fs::{Mode, OFlags};

use user::raw::Forked;
use user::shell::syntax::{Bytes, Redirect, RedirectKind};

use crate::expand::cannot;
use crate::shell::{Flow, Shell};

/// What redirections replaced: each descriptor and its copy, `None` if it was closed.
#[derive(Debug, Default)]
#[must_use = "the redirections stay until they are restored"]
pub struct Saved(Vec<(RawFd, Option<RawFd>)>);

/// The lowest number of a saved descriptor.
const SAVE_FROM: RawFd = 10;

/// What a here-document may have to fit in a pipe without a writer beside it.
const PIPE_SIZE: usize = 4096;

impl Shell {
    /// Applies `redirects` in order; on an error those already applied are undone. The error's text names the file.
    pub fn redirect(&mut self, redirects: &[Redirect]) -> Result<Saved, Flow> {
        let mut saved = Saved::default();
        for redirect in redirects {
            if let Err(flow) = self.apply(redirect, Some(&mut saved)) {
                self.restore(saved);
                return Err(flow);
            }
        }
        Ok(saved)
    }

    /// Applies `redirects` for good: in a child, or for `exec`.
    pub fn redirect_for_good(&mut self, redirects: &[Redirect]) -> Result<(), Flow> {
        redirects.iter().try_for_each(|redirect| self.apply(redirect, None))
    }

    /// Puts back what [`Shell::redirect`] replaced.
    pub fn restore(&mut self, saved: Saved) {
        for (fd, copy) in saved.0.into_iter().rev() {
            // The copy was made from an open descriptor: neither call can fail.
            match copy {
                Some(copy) => {
                    let _ = dup2(copy, fd);
                    let _ = close(copy);
                }
                None => {
                    let _ = close(fd);
                }
            }
        }
    }

    fn apply(&mut self, redirect: &Redirect, saved: Option<&mut Saved>) -> Result<(), Flow> {
        let fd = redirect.fd;
        // Saved first: the new file may be opened at this very number.
        if let Some(saved) = saved
            && !saved.0.iter().any(|(known, _)| *known == fd)
        {
            saved.0.push((fd, fcntl(fd, FcntlArg::F_DUPFD_CLOEXEC(SAVE_FROM)).ok()));
        }
        match self.open_target(&redirect.kind)? {
            Source::File(file) => {
                if file.as_raw_fd() == fd {
                    // Opened at the very number wanted: only the flag has to go, and the number stays open.
                    let flags = nix::fcntl::FdFlag::empty();
                    fcntl(fd, FcntlArg::F_SETFD(flags)).map_err(|error| cannot("redirect", error.into()))?;
                    std::mem::forget(file);
                } else {
                    dup2(file.as_raw_fd(), fd).map_err(|error| bad_descriptor(fd, error))?;
                }
            }
            Source::Copy(from) => {
                if from == fd {
                    fcntl(fd, FcntlArg::F_GETFD).map_err(|error| bad_descriptor(from, error))?;
                } else {
                    dup2(from, fd).map_err(|error| bad_descriptor(from, error))?;
                }
            }
            Source::Nothing => {
                // Closing what is not open is no error.
                let _ = close(fd);
            }
        }
        Ok(())
    }

    fn open_target(&mut self, kind: &RedirectKind) -> Result<Source, Flow> {
        let create = OFlags::WRONLY | OFlags::CREATE;
        let (word, flags) = match kind {
            RedirectKind::Read(word) => (word, OFlags::RDONLY),
            RedirectKind::Write(word) if self.options.noclobber => return self.open_new(word),
            RedirectKind::Write(word) | RedirectKind::Clobber(word) => (word, create | OFlags::TRUNC),
            RedirectKind::Append(word) => (word, create | OFlags::APPEND),
            RedirectKind::ReadWrite(word) => (word, OFlags::RDWR | OFlags::CREATE),
            RedirectKind::Duplicate(word) => {
                let text = self.expand_string(word)?;
                if text == b"-" {
                    return Ok(Source::Nothing);
                }
                let number = str::from_utf8(&text).ok().and_then(|text| text.parse().ok());
                return number.map(Source::Copy).ok_or_else(|| named(&text, "bad file descriptor"));
            }
            RedirectKind::Here(body) => {
                let text = match body.get() {
                    Some(word) => self.expand_string(word)?,
                    None => Bytes::new(),
                };
                return self.here_document(&text).map(Source::File);
            }
        };
        let path = self.expand_string(word)?;
        open(&path, flags).map(Source::File)
    }

    /// `>` under `set -C`: only what does not exist, or is no regular file.
    fn open_new(&mut self, word: &user::shell::syntax::Word) -> Result<Source, Flow> {
        let path = self.expand_string(word)?;
        let regular = std::fs::metadata(OsStr::from_bytes(&path)).is_ok_and(|meta| meta.is_file());
        if regular {
            return Err(named(&path, "File exists"));
        }
        open(&path, OFlags::WRONLY | OFlags::CREATE).map(Source::File)
    }

    /// A pipe to read `text` from; a child writes it if it is too long for the pipe.
    fn here_document(&mut self, text: &[u8]) -> Result<OwnedFd, Flow> {
        let (reader, writer) =
            rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC).map_err(|error| cannot("pipe", error.into()))?;
        if text.len() <= PIPE_SIZE {
            std::fs::File::from(writer).write_all(text).map_err(|error| cannot("write", error))?;
            return Ok(reader);
        }
        if let Forked::Child = user::raw::fork().map_err(|error| cannot("fork", error))? {
            self.enter_child(None, false);
            drop(reader);
            let written = std::fs::File::from(writer).write_all(text);
            self.leave_child(Ok(i32::from(written.is_err())))
        }
        Ok(reader)
    }
}

enum Source {
    File(OwnedFd),
    Copy(RawFd),
    Nothing,
}

fn open(path: &[u8], flags: OFlags) -> Result<OwnedFd, Flow> {
    let mode = Mode::from_raw_mode(0o666);
    match rustix::fs::open(path, flags | OFlags::CLOEXEC, mode) {
        Ok(file) => Ok(file),
        Err(error) => Err(named(path, &user::fail::why(&error.into()))),
    }
}

fn named(path: &[u8], why: &str) -> Flow {
    Flow::Fatal(format!("{}: {why}", String::from_utf8_lossy(path)))
}

fn bad_descriptor(fd: RawFd, error: nix::errno::Errno) -> Flow {
    named(fd.to_string().as_bytes(), &user::fail::why(&error.into()))
}
