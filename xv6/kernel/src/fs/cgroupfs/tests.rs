//! Host tests of the tree as files; what concerns running processes is tested in the guest.

use super::CgroupFs;
use crate::cgroup::{charge_task, root, tree};
use crate::error::{Errno, Result};
use crate::mm::{ReadBuf, WriteBuf};
use crate::vfs::file::{Events, OpenFlags};
use crate::vfs::inode::{Kind, NewNode};
use crate::vfs::{File, Mount, MountFlags, Path, Superblock};
use alloc::string::{String, ToString};
use alloc::sync::Arc;
use alloc::vec::Vec;

/// A mount that shows a fresh group called `name`.
fn mounted(name: &str) -> Path {
    let group = tree::make(&root(), name.as_bytes()).expect("a new name");
    let superblock = Superblock::new(CgroupFs::of(group), false);
    let dentry = superblock.root.clone();
    Mount::new(superblock, dentry, b"cgroup2", MountFlags::empty()).root_path()
}

fn open(at: &Path, path: &str) -> Result<Arc<File>> {
    let dentry = path.split('/').try_fold(at.dentry.clone(), |dir, name| dir.lookup(name.as_bytes()))?;
    let ops = dentry.inode().open(OpenFlags::RDWR)?.expect("a control file brings its operations");
    Ok(File::new(Path { mount: at.mount.clone(), dentry }, ops, OpenFlags::RDWR))
}

fn read_from(file: &File) -> Result<String> {
    let mut bytes = [0; 256];
    let len = file.read_at(&mut ReadBuf::kernel(&mut bytes), 0)?;
    Ok(String::from_utf8_lossy(&bytes[..len]).to_string())
}

fn read(at: &Path, path: &str) -> Result<String> {
    read_from(&*open(at, path)?)
}

fn write(at: &Path, path: &str, text: &str) -> Result<()> {
    open(at, path)?.write(&mut WriteBuf::kernel(text.as_bytes())).map(drop)
}

fn names(at: &Path) -> Vec<String> {
    let mut names = Vec::new();
    let feed = &mut |entry: crate::vfs::inode::DirEntry<'_>| {
        names.push(String::from_utf8_lossy(entry.name).to_string());
        true
    };
    at.inode().read_dir(0, feed).expect("reading a directory");
    names
}

const FOLDER: NewNode<'static> = NewNode { kind: Kind::Directory, mode: 0o755, uid: 0, gid: 0, rdev: 0, target: b"" };

#[test]
fn a_group_is_a_folder_with_files() {
    let at = mounted("files");
    root().write_subtree_control("+pids").expect("the root has all controllers");
    let made = at.dentry.create(b"inner", &FOLDER).expect("mkdir");
    assert!(names(&at).contains(&"inner".into()) && names(&at).contains(&"pids.max".into()));
    assert_eq!(read(&at, "inner/pids.max").err().map(|error| error.errno), Some(Errno::ENOENT), "not handed down yet");
    write(&at, "cgroup.subtree_control", "+pids\n").expect("no members");
    assert_eq!(read(&at, "inner/pids.max").expect("handed down"), "max\n");
    write(&at, "inner/pids.max", " 12\n").expect("a limit");
    assert_eq!(read(&at, "inner/pids.max").expect("there"), "12\n");
    assert_eq!(read(&at, "cgroup.stat").expect("there"), "nr_descendants 1\nnr_dying_descendants 0\n");
    for bad in ["", "-1", "x", "1 2", "99999999999"] {
        assert_eq!(write(&at, "inner/pids.max", bad).err().map(|error| error.errno), Some(Errno::EINVAL), "{bad:?}");
    }
    assert_eq!(at.dentry.unlink(b"cgroup.procs").err().map(|error| error.errno), Some(Errno::EPERM));
    let held = open(&at, "inner/pids.max").expect("there");
    drop(made);
    at.dentry.rmdir(b"inner").expect("empty");
    assert_eq!(read_from(&held).err().map(|error| error.errno), Some(Errno::ENODEV));
    assert_eq!(read(&at, "inner/pids.max").err().map(|error| error.errno), Some(Errno::ENOENT));
}

#[test]
fn pollers_learn_of_the_last_exit() {
    let at = mounted("poll");
    let group = root().child(b"poll").expect("just made");
    let mut charge = charge_task(&group).expect("no limit");
    let events = open(&at, "cgroup.events").expect("there");
    assert_eq!(read_from(&events).expect("there"), "populated 1\nfrozen 0\n");
    assert!(!events.poll(None).contains(Events::PRI));
    charge.exited();
    assert!(events.poll(None).contains(Events::PRI | Events::ERR));
    assert_eq!(read_from(&events).expect("there"), "populated 0\nfrozen 0\n");
    assert!(!events.poll(None).contains(Events::PRI));
}
