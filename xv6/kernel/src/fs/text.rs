//! Generated text files, as procfs and cgroupfs have them: [`TextFile`] makes the operations of an open file out of a
//! [`Text`].
//!
//! The text is made when a reader starts (a read at offset 0) and kept for the reads that follow, so that a reader sees
//! one moment. A write is one whole message. Locks: the kept text, a spin lock held to look at it.

use crate::error::{Errno, Result};
use crate::mm::{ReadBuf, WriteBuf};
use crate::sync::Poller;
use crate::vfs::File;
use crate::vfs::file::{Events, FileOps};
use alloc::sync::Arc;
use alloc::vec;
use alloc::vec::Vec;
use core::any::Any;
use hal::sync::{Rank, SpinLock};

/// The longest message a file takes in one write (as Linux: a page).
const MAX_WRITE: usize = 4096;

/// The content of a generated file.
pub trait Text: Send + Sync + 'static {
    /// Makes the text.
    fn show(&self) -> Result<Vec<u8>>;

    /// Takes a message.
    fn store(&self, _message: &[u8]) -> Result<()> {
        Err(Errno::EINVAL.into())
    }

    /// The events that hold now; registers `poller` for the next change. The text was last made with `seen` as
    /// [`Text::generation`].
    fn poll(&self, _seen: u64, _poller: Option<&mut Poller>) -> Events {
        Events::IN | Events::OUT | Events::RDNORM | Events::WRNORM
    }

    /// A number that changes with the text, where pollers are told of changes.
    fn generation(&self) -> u64 {
        0
    }
}

/// An open generated file.
pub struct TextFile<T> {
    text: T,
    shown: SpinLock<Shown>,
}

#[derive(Default)]
struct Shown {
    text: Option<Arc<[u8]>>,
    generation: u64,
}

impl<T: Text> TextFile<T> {
    /// The operations of a file just opened.
    pub fn open(text: T) -> Result<Option<Arc<dyn FileOps>>> {
        let generation = text.generation();
        let shown = Shown { text: None, generation };
        Ok(Some(Arc::new(TextFile { text, shown: SpinLock::new(Rank::File, "generated text", shown) })))
    }

    fn shown(&self, afresh: bool) -> Result<Arc<[u8]>> {
        let kept = self.shown.lock().text.clone();
        match kept {
            Some(text) if !afresh => Ok(text),
            _ => {
                let generation = self.text.generation();
                let text: Arc<[u8]> = self.text.show()?.into();
                let old = core::mem::replace(&mut *self.shown.lock(), Shown { text: Some(text.clone()), generation });
                drop(old);
                Ok(text)
            }
        }
    }
}

impl<T: Text> FileOps for TextFile<T> {
    fn read(&self, _file: &File, buf: &mut ReadBuf<'_>, offset: &mut u64) -> Result<usize> {
        let text = self.shown(*offset == 0)?;
        let start = usize::try_from(*offset).unwrap_or(usize::MAX).min(text.len());
        let done = buf.put(&text[start..])?;
        *offset += done as u64;
        Ok(done)
    }

    fn write(&self, _file: &File, buf: &mut WriteBuf<'_>, offset: &mut u64) -> Result<usize> {
        let len = buf.remaining();
        if len > MAX_WRITE {
            return Err(Errno::EINVAL.during("writing a long message to a control file"));
        }
        let mut message = vec![0; len];
        let taken = buf.take(&mut message)?;
        self.text.store(&message[..taken])?;
        *offset += taken as u64;
        Ok(taken)
    }

    fn poll(&self, _file: &File, poller: Option<&mut Poller>) -> Events {
        let seen = self.shown.lock().generation;
        self.text.poll(seen, poller)
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}

/// A message without the white space around it.
pub fn trimmed(message: &[u8]) -> Result<&str> {
    core::str::from_utf8(message)
        .map(|text| text.trim_matches(|c: char| c.is_ascii_whitespace() || c == '\0'))
        .map_err(|_| Errno::EINVAL.into())
}

/// A decimal number with optional white space around it.
pub fn number<T: core::str::FromStr>(message: &[u8]) -> Result<T> {
    trimmed(message)?.parse().map_err(|_| Errno::EINVAL.into())
}
