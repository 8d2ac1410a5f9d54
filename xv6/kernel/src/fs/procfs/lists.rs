//! Folders whose entries are not rows: the root with its pids, `task`, `fd` and `fdinfo`.

use super::node::ProcNode;
use super::process::{PROCESS, THREAD};
use super::system::SYSTEM;
use super::{Row, Subject, View, What, status};
use crate::error::{Errno, Result};
use crate::task;
use crate::vfs::inode::{DirEntry, InodeRef, Kind};
use crate::vfs::{File, Path};
use alloc::format;
use alloc::string::ToString;
use alloc::sync::Arc;
use alloc::vec::Vec;

/// A folder with entries of its own.
pub trait List: Send + Sync {
    /// The entry `name`.
    fn find(&self, folder: &ProcNode, name: &[u8]) -> Result<InodeRef>;
    /// Feeds the entries after `cursor`.
    fn feed(&self, folder: &ProcNode, cursor: u64, sink: &mut dyn FnMut(DirEntry<'_>) -> bool) -> Result<()>;
    /// The mode, where it depends on the subject.
    fn mode(&self, _view: &View) -> Option<u16> {
        None
    }
}

/// A name that is a number without leading zeros.
fn parse(name: &[u8]) -> Result<u32> {
    let text = core::str::from_utf8(name).map_err(|_| Errno::ENOENT)?;
    let number: u32 = text.parse().map_err(|_| Errno::ENOENT)?;
    if number.to_string() == text { Ok(number) } else { Err(Errno::ENOENT.into()) }
}

/// Feeds numbered entries, ascending; an entry's cursor is `first + number`.
fn feed_numbers(
    folder: &ProcNode,
    numbers: impl IntoIterator<Item = u32>,
    kind: Kind,
    (first, cursor): (u64, u64),
    sink: &mut dyn FnMut(DirEntry<'_>) -> bool,
) {
    for number in numbers {
        let next = first + u64::from(number);
        let name = number.to_string();
        let entry = DirEntry { ino: folder.entry_ino(name.as_bytes()), kind, name: name.as_bytes(), next };
        if next > cursor && !sink(entry) {
            return;
        }
    }
}

/// `/proc`: the system's rows, then a folder for each process.
pub struct Root;

const PID: Row = Row { name: "", mode: 0o555, what: What::Process(PROCESS), private: false };
const TID: Row = Row { name: "", mode: 0o555, what: What::Rows(THREAD), private: false };

/// Cursors of pids begin here.
const FIRST_PID: u64 = 1024;

impl List for Root {
    fn find(&self, folder: &ProcNode, name: &[u8]) -> Result<InodeRef> {
        let view = folder.view();
        let Ok(number) = parse(name) else { return folder.find_row(SYSTEM, name, view) };
        let pid = view.ns().find(number).ok_or(Errno::ENOENT)?;
        // A thread's number finds its process too, though the folder does not list it (proc(5)).
        let process = pid.process().or_else(|| Some(pid.task()?.process.clone()));
        let process = process.filter(|process| !process.is_reaped()).ok_or(Errno::ENOENT)?;
        let view = View { subject: Subject::Process(Arc::downgrade(&process)), ..view.clone() };
        Ok(ProcNode::new(folder, name, view, &PID))
    }

    fn feed(&self, folder: &ProcNode, cursor: u64, sink: &mut dyn FnMut(DirEntry<'_>) -> bool) -> Result<()> {
        if !folder.feed_rows(SYSTEM, cursor, sink) {
            return Ok(());
        }
        let ns = folder.view().ns();
        let pids = task::all_in(ns).into_iter().filter_map(|process| process.pid.nr_in(ns));
        feed_numbers(folder, pids, Kind::Directory, (FIRST_PID, cursor), sink);
        Ok(())
    }
}

/// `/proc/PID/task`.
pub struct Threads;

impl List for Threads {
    fn find(&self, folder: &ProcNode, name: &[u8]) -> Result<InodeRef> {
        let view = folder.view();
        let process = view.process()?;
        let number = parse(name)?;
        let thread = process
            .threads()
            .into_iter()
            .find(|thread| thread.tid().nr_in(view.ns()) == Some(number))
            .ok_or(Errno::ENOENT)?;
        let subject = Subject::Thread(Arc::downgrade(&process), Arc::downgrade(&thread));
        Ok(ProcNode::new(folder, name, View { subject, ..view.clone() }, &TID))
    }

    fn feed(&self, folder: &ProcNode, cursor: u64, sink: &mut dyn FnMut(DirEntry<'_>) -> bool) -> Result<()> {
        let view = folder.view();
        let mut tids: Vec<u32> =
            view.process()?.threads().iter().filter_map(|thread| thread.tid().nr_in(view.ns())).collect();
        tids.sort_unstable();
        feed_numbers(folder, tids, Kind::Directory, (0, cursor), sink);
        Ok(())
    }
}

/// `/proc/PID/fd`: a magic link for each open file.
pub struct Descriptors;

/// `/proc/PID/fdinfo`: offset and flags of each.
pub struct DescriptorInfos;

const DESCRIPTOR: Row = Row::magic("", descriptor_place, descriptor_text);
const DESCRIPTOR_INFO: Row = Row { name: "", mode: 0o400, what: What::Text(descriptor_info), private: true };

fn descriptors(view: &View) -> Result<Vec<(u32, Arc<File>)>> {
    // A zombie has closed them all.
    let Some(thread) = view.process().map(|_| view.thread().ok())? else { return Ok(Vec::new()) };
    Ok(thread.try_files().map(|files| files.list()).unwrap_or_default())
}

fn descriptor(view: &View) -> Result<Arc<File>> {
    let files = view.thread()?.try_files().ok_or(Errno::ENOENT)?;
    files.get(view.number).map_err(|_| Errno::ENOENT.into())
}

fn find_descriptor(folder: &ProcNode, name: &[u8], row: &Row) -> Result<InodeRef> {
    let view = View { number: parse(name)?, ..folder.view().clone() };
    let file = descriptor(&view)?;
    let readable = if file.is_readable() { 0o500 } else { 0 };
    let writable = if file.is_writable() { 0o300 } else { 0 };
    let mode = if row.mode == 0o777 { readable | writable } else { row.mode };
    Ok(ProcNode::new(folder, name, view, &Row { name: "", mode, what: row.what, private: true }))
}

fn feed_descriptors(
    folder: &ProcNode,
    kind: Kind,
    cursor: u64,
    sink: &mut dyn FnMut(DirEntry<'_>) -> bool,
) -> Result<()> {
    let numbers = descriptors(folder.view())?.into_iter().map(|(number, _)| number);
    feed_numbers(folder, numbers, kind, (1, cursor), sink);
    Ok(())
}

impl List for Descriptors {
    fn find(&self, folder: &ProcNode, name: &[u8]) -> Result<InodeRef> {
        find_descriptor(folder, name, &DESCRIPTOR)
    }

    fn feed(&self, folder: &ProcNode, cursor: u64, sink: &mut dyn FnMut(DirEntry<'_>) -> bool) -> Result<()> {
        feed_descriptors(folder, Kind::Symlink, cursor, sink)
    }
}

impl List for DescriptorInfos {
    fn find(&self, folder: &ProcNode, name: &[u8]) -> Result<InodeRef> {
        find_descriptor(folder, name, &DESCRIPTOR_INFO)
    }

    fn feed(&self, folder: &ProcNode, cursor: u64, sink: &mut dyn FnMut(DirEntry<'_>) -> bool) -> Result<()> {
        feed_descriptors(folder, Kind::File, cursor, sink)
    }
}

fn descriptor_place(view: &View) -> Result<Path> {
    Ok(descriptor(view)?.path.clone())
}

fn descriptor_text(view: &View) -> Result<Vec<u8>> {
    Ok(status::path_text(&descriptor(view)?.path))
}

fn descriptor_info(view: &View) -> Result<Vec<u8>> {
    let file = descriptor(view)?;
    let offset = if file.ops.is_stream() { 0 } else { file.offset() };
    let ino = file.inode.attr().map_or(0, |attr| attr.ino);
    Ok(format!("pos:\t{offset}\nflags:\t0{:o}\nmnt_id:\t{}\nino:\t{ino}\n", file.flags().bits(), file.path.mount.id)
        .into_bytes())
}
