//! Mounts in namespaces of their own: file systems on top of each other, binds, moves, lazy unmounts of what is in use, and a namespace that
//! ends with all its mounts. Nobody outside sees any of them.

use std::fs::{self, File};
use std::io::{ErrorKind, Read};
use std::path::Path;

use super::{Dice, End, Worker, child, ensure, expect};
use nix::sched::{CloneFlags, unshare};
use rustix::mount::{
    MountFlags, MountPropagationFlags, UnmountFlags, mount, mount_bind, mount_change, mount_move, unmount,
};
use user::{About, Failure};

/// Namespaces at once, and steps in each.
const AT_ONCE: usize = 2;
const STEPS: usize = 12;

pub fn round(worker: &mut Worker) -> Result<(), Failure> {
    let (first, second) = (worker.own("mount"), worker.own("other"));
    for folder in [&first, &second] {
        fs::create_dir_all(folder).about(folder)?;
    }
    let mut children = Vec::new();
    for _ in 0..AT_ONCE {
        let mut dice = Dice::new(worker.dice.roll(), 0);
        children.push(child(|| {
            unshare(CloneFlags::CLONE_NEWNS).about("unshare")?;
            let private = MountPropagationFlags::PRIVATE | MountPropagationFlags::REC;
            mount_change("/", private).about("/")?;
            live(&mut dice, &first, &second).map(|()| 0)
        })?);
    }
    children.into_iter().try_for_each(|child| expect(child, End::Status(0)))?;
    for folder in [&first, &second] {
        let mut inside = fs::read_dir(folder).about(folder)?;
        ensure(inside.next().is_none(), || format!("a mount came through to {}", folder.display()))?;
        // Whoever looks at the ended processes in /proc keeps their namespaces, with what is mounted in them, for a moment.
        while let Err(error) = fs::remove_dir(folder) {
            ensure(error.kind() == ErrorKind::ResourceBusy, || format!("{}: {error}", folder.display()))?;
            rustix::thread::sched_yield();
        }
    }
    Ok(())
}

/// Stacks and takes away mounts on `first`; what is on top tells which it is.
fn live(dice: &mut Dice, first: &Path, second: &Path) -> Result<(), Failure> {
    let mut stack: Vec<u64> = Vec::new();
    for _ in 0..STEPS {
        match (dice.below(5), stack.last()) {
            (0 | 1, _) | (_, None) => {
                let which = dice.roll();
                mount("stress", first, "tmpfs", MountFlags::empty(), None).about("mount")?;
                fs::write(first.join("which"), which.to_string()).about("which")?;
                stack.push(which);
            }
            (2, Some(&which)) => {
                mount_bind(first, second).about("bind")?;
                is(&second.join("which"), which)?;
                // Whoever reads where the processes are, in /proc, holds the mount for that moment.
                while let Err(error) = unmount(second, UnmountFlags::empty()) {
                    ensure(error == rustix::io::Errno::BUSY, || format!("umount: {error}"))?;
                    rustix::thread::sched_yield();
                }
            }
            (3, Some(&which)) => {
                // In use: it goes when the file is closed, its name at once.
                let mut open = File::open(first.join("which")).about("which")?;
                let busy = unmount(first, UnmountFlags::empty());
                ensure(busy == Err(rustix::io::Errno::BUSY), || format!("umount of what is in use: {busy:?}"))?;
                unmount(first, UnmountFlags::DETACH).about("umount -l")?;
                let mut text = String::new();
                open.read_to_string(&mut text).about("which")?;
                ensure(text == which.to_string(), || format!("{text:?} after umount -l"))?;
                stack.pop();
            }
            (_, Some(&which)) => {
                mount_move(first, second).about("move")?;
                is(&second.join("which"), which)?;
                mount_move(second, first).about("move back")?;
            }
        }
        match stack.last() {
            Some(&which) => is(&first.join("which"), which)?,
            None => ensure(!first.join("which").exists(), || "a mount is still there".into())?,
        }
    }
    Ok(())
}

fn is(path: &Path, which: u64) -> Result<(), Failure> {
    let text = fs::read_to_string(path).about(path)?;
    ensure(text == which.to_string(), || format!("{} holds {text:?}, not {which}", path.display()))
}
