//! Path walk (path_resolution(7)): from a text to a [`Path`].
//!
//! [`Walk`] is what a process brings: root, start, credentials. [`walk`] finds an existing place; [`lookup_parent`] stops before the last
//! component, for calls that create or remove it; `open` drives a [`Walker`] itself, since `O_CREAT` may pass through a dangling link.
//! A walk over cached names allocates nothing and takes no sleeping lock; a symlink's target is spliced before the rest of the text.

use super::dentry::NAME_MAX;
use super::inode::Kind;
use super::perm::{self, May};
use super::{Dentry, Path};
use crate::error::{Errno, Result};
use crate::task::Cred;
use alloc::borrow::Cow;
use alloc::sync::Arc;
use core::ops::Range;

/// Symlinks that one walk follows (path_resolution(7)).
const MAX_LINKS: u32 = 40;

/// Longest path that a program may pass, its NUL included.
pub const PATH_MAX: usize = 4096;

bitflags::bitflags! {
    /// How to walk. The `RESOLVE_*` values are openat2(2)'s.
    #[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
    pub struct WalkFlags: u32 {
        /// `EXDEV` rather than cross a mount.
        const NO_XDEV = 0x01;
        /// `ELOOP` rather than follow a magic link.
        const NO_MAGICLINKS = 0x02;
        /// `ELOOP` rather than follow any link.
        const NO_SYMLINKS = 0x04;
        /// `EXDEV` rather than leave the start.
        const BENEATH = 0x08;
        /// The start is the root.
        const IN_ROOT = 0x10;
        /// A link as the last component stands for itself.
        const NOFOLLOW = 0x100;
        /// `ENOTDIR` unless the result is a directory.
        const DIRECTORY = 0x200;
        /// The empty path stands for the start (`AT_EMPTY_PATH`).
        const EMPTY_PATH = 0x400;
    }
}

/// Where a walk starts and who walks.
pub struct Walk {
    /// Where `/` leads, and `..` stops.
    pub root: Path,
    /// Where a relative path starts: the working directory or the `dirfd`.
    pub start: Path,
    /// Whose permission counts.
    pub cred: Arc<Cred>,
}

/// A walk that stopped before its last component.
pub struct Parent<'p> {
    /// The directory.
    pub dir: Path,
    /// The last component: maybe `.` or `..`, and empty for `/` alone.
    pub name: Cow<'p, [u8]>,
    /// A slash followed.
    pub slash: bool,
}

impl Parent<'_> {
    /// True when the last component names an entry, which `/`, `.` and `..` do not.
    pub fn is_entry(&self) -> bool {
        !matches!(&*self.name, b"" | b"." | b"..")
    }
}

/// The place that `path` names: `ENOENT`, `ENOTDIR`, `EACCES`, `ELOOP`, `ENAMETOOLONG`.
pub fn walk(ctx: &Walk, path: &[u8], flags: WalkFlags) -> Result<Path> {
    let mut walker = Walker::new(ctx, path, flags)?;
    let last = walker.run(false)?;
    debug_assert!(last.is_none(), "a whole walk has no last component left");
    if flags.contains(WalkFlags::DIRECTORY) && !walker.at.is_dir() {
        return Err(Errno::ENOTDIR.into());
    }
    Ok(walker.at)
}

/// The directory that holds the last component of `path`, and that component. The directory may be searched.
pub fn lookup_parent<'p>(ctx: &Walk, path: &'p [u8], flags: WalkFlags) -> Result<Parent<'p>> {
    let mut walker = Walker::new(ctx, path, flags)?;
    match walker.run(true)? {
        Some(last) => Ok(Parent { dir: walker.at, name: walker.text.slice(last.range), slash: last.slash }),
        None => Ok(Parent { dir: walker.at, name: Cow::Borrowed(b""), slash: true }),
    }
}

/// The text still to walk: the caller's, or one made by splicing a link's target.
pub(super) struct Text<'p>(Cow<'p, [u8]>);

impl<'p> Text<'p> {
    fn slice(self, range: Range<usize>) -> Cow<'p, [u8]> {
        match self.0 {
            Cow::Borrowed(text) => Cow::Borrowed(&text[range]),
            Cow::Owned(text) => Cow::Owned(text[range].to_vec()),
        }
    }
}

/// A last component not yet taken.
pub(super) struct Last {
    /// Where it stands in the walker's text.
    pub range: Range<usize>,
    /// A slash follows.
    pub slash: bool,
}

/// A walk under way.
pub(super) struct Walker<'c, 'p> {
    ctx: &'c Walk,
    flags: WalkFlags,
    /// Where the walk stands.
    pub at: Path,
    text: Text<'p>,
    next: usize,
    links: u32,
    /// The walker may search any directory: nobody need be asked.
    searches_all: bool,
}

impl<'c, 'p> Walker<'c, 'p> {
    /// A walk at its start: `ENOENT` for the empty path.
    pub fn new(ctx: &'c Walk, path: &'p [u8], flags: WalkFlags) -> Result<Walker<'c, 'p>> {
        if path.is_empty() && !flags.contains(WalkFlags::EMPTY_PATH) {
            return Err(Errno::ENOENT.into());
        }
        let at = if path.first() != Some(&b'/') || flags.contains(WalkFlags::IN_ROOT) {
            ctx.start.clone()
        } else if flags.contains(WalkFlags::BENEATH) {
            return Err(Errno::EXDEV.into());
        } else {
            ctx.root.clone()
        };
        let searches_all = perm::searches_all(&ctx.cred);
        Ok(Walker { ctx, flags, at, text: Text(Cow::Borrowed(path)), next: 0, links: 0, searches_all })
    }

    /// The bytes of a last component.
    pub fn name(&self, last: &Last) -> &[u8] {
        &self.text.0[last.range.clone()]
    }

    /// Walks to the end, or with `parent` to before the last component, which is then returned.
    pub fn run(&mut self, parent: bool) -> Result<Option<Last>> {
        loop {
            let text = &self.text.0;
            let Some(start) = text[self.next..].iter().position(|&byte| byte != b'/').map(|skip| self.next + skip)
            else {
                return Ok(None);
            };
            let end = text[start..].iter().position(|&byte| byte == b'/').map_or(text.len(), |len| start + len);
            let is_last = text[end..].iter().all(|&byte| byte == b'/');
            let last = Last { range: start..end, slash: is_last && end < text.len() };
            if !self.at.is_dir() {
                return Err(Errno::ENOTDIR.into());
            }
            if !self.searches_all {
                perm::may(self.at.inode(), &self.ctx.cred, May::EXEC)?;
            }
            if is_last && parent {
                self.next = start;
                return Ok(Some(last));
            }
            self.next = end;
            match &text[start..end] {
                b"." => {}
                b".." => self.up()?,
                name if name.len() > NAME_MAX => return Err(Errno::ENAMETOOLONG.into()),
                name => {
                    let child = self.at.dentry.lookup(name)?;
                    self.enter(child)?;
                    let stays = is_last && !last.slash && self.flags.contains(WalkFlags::NOFOLLOW);
                    if self.at.inode().kind() == Kind::Symlink && !stays {
                        self.follow()?;
                        continue;
                    }
                }
            }
            if last.slash && !self.at.is_dir() {
                return Err(Errno::ENOTDIR.into());
            }
        }
    }

    /// Steps to `child` of the place where the walk stands, and over what is mounted there.
    pub fn enter(&mut self, child: Arc<Dentry>) -> Result<()> {
        let covered = child.is_mountpoint();
        self.at.dentry = child;
        if covered {
            let from = self.at.mount.id;
            self.at = self.at.clone().cross_mounts();
            if self.flags.contains(WalkFlags::NO_XDEV) && self.at.mount.id != from {
                return Err(Errno::EXDEV.into());
            }
        }
        Ok(())
    }

    /// Takes a last component that exists as the place where the walk stands; false if its name is still free.
    pub fn take(&mut self, last: &Last) -> Result<bool> {
        let name = &self.text.0[last.range.clone()];
        if name.len() > NAME_MAX {
            return Err(Errno::ENAMETOOLONG.into());
        }
        let child = self.at.dentry.child(name)?;
        if child.is_negative() {
            return Ok(false);
        }
        self.next = last.range.end;
        self.enter(child)?;
        Ok(true)
    }

    /// True while text is left to walk.
    pub fn has_more(&self) -> bool {
        self.next < self.text.0.len()
    }

    /// Follows the link where the walk stands: the rest of the text is then relative to where it leads.
    pub fn follow(&mut self) -> Result<()> {
        self.links += 1;
        if self.links > MAX_LINKS || self.flags.contains(WalkFlags::NO_SYMLINKS) {
            return Err(Errno::ELOOP.into());
        }
        let link = self.at.inode().clone();
        if let Some(target) = link.magic_link() {
            if self.flags.contains(WalkFlags::NO_MAGICLINKS) {
                return Err(Errno::ELOOP.into());
            }
            if self.flags.intersects(WalkFlags::BENEATH | WalkFlags::IN_ROOT | WalkFlags::NO_XDEV) {
                return Err(Errno::EXDEV.into());
            }
            self.at = target?;
            return Ok(());
        }
        let mut text = link.read_link()?;
        if text.is_empty() {
            return Err(Errno::ENOENT.into());
        }
        if text[0] == b'/' {
            if self.flags.contains(WalkFlags::BENEATH) {
                return Err(Errno::EXDEV.into());
            }
            self.at = self.top().clone();
        } else if let Some(parent) = self.at.dentry.parent() {
            self.at.dentry = parent;
        }
        text.extend_from_slice(&self.text.0[self.next..]);
        self.text = Text(Cow::Owned(text));
        self.next = 0;
        Ok(())
    }

    /// Where `/` leads and `..` stops.
    fn top(&self) -> &'c Path {
        let inside = self.flags.intersects(WalkFlags::IN_ROOT | WalkFlags::BENEATH);
        if inside { &self.ctx.start } else { &self.ctx.root }
    }

    fn up(&mut self) -> Result<()> {
        if self.flags.contains(WalkFlags::BENEATH) && self.at == self.ctx.start {
            return Err(Errno::EXDEV.into());
        }
        let from = self.at.mount.id;
        self.at = self.at.clone().up(self.top());
        if self.flags.contains(WalkFlags::NO_XDEV) && self.at.mount.id != from {
            return Err(Errno::EXDEV.into());
        }
        Ok(())
    }
}
