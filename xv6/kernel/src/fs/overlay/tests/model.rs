//! Random changes, to an overlay and to a plain file system with the same files: both must show the same.

use super::{Fixture, errno, layer, overlay};
use crate::error::Errno;
use crate::vfs::inode::{Kind, RenameMode};
use proptest::prelude::{Strategy, any, prop_oneof};

#[derive(Clone, Debug)]
enum Step {
    Make(usize, bool),
    Edit(usize, u8),
    Remove(usize),
    Rename(usize, usize, bool),
    Link(usize, usize),
    Remount,
}

const PATHS: &[&str] = &["a", "b", "d", "d/a", "d/b", "d/e", "d/e/a", "n", "n/a", "n/b"];

fn step() -> impl Strategy<Value = Step> {
    let path = || 0..PATHS.len();
    prop_oneof![
        3 => (path(), any::<bool>()).prop_map(|(path, dir)| Step::Make(path, dir)),
        3 => (path(), any::<u8>()).prop_map(|(path, byte)| Step::Edit(path, byte)),
        4 => path().prop_map(Step::Remove),
        4 => (path(), path(), any::<bool>()).prop_map(|(from, to, exchange)| Step::Rename(from, to, exchange)),
        1 => (path(), path()).prop_map(|(from, to)| Step::Link(from, to)),
        1 => proptest::prelude::Just(Step::Remount),
    ]
}

/// Applies a step; the errno tells what came of it.
fn apply(view: &Fixture, step: &Step) -> Option<Errno> {
    match step {
        Step::Make(path, dir) => errno(view.make(PATHS[*path], if *dir { Kind::Directory } else { Kind::File })),
        Step::Edit(path, byte) => match view.find(PATHS[*path]) {
            Ok(found) if found.is_dir() => Some(Errno::EISDIR),
            _ => errno(view.edit(PATHS[*path], &alloc::format!("edit {byte}"))),
        },
        Step::Remove(path) => match view.find(PATHS[*path]) {
            Ok(found) if found.is_dir() => errno(view.rmdir(PATHS[*path])),
            _ => errno(view.unlink(PATHS[*path])),
        },
        Step::Rename(from, to, exchange) => {
            let mode = if *exchange { RenameMode::Exchange } else { RenameMode::Replace };
            errno(view.rename(PATHS[*from], PATHS[*to], mode))
        }
        Step::Link(from, to) => match view.find(PATHS[*from]) {
            Ok(found) if found.is_dir() => None,
            Ok(found) => errno(view.parent(PATHS[*to]).and_then(|(dir, name)| dir.link(name, &found))),
            Err(error) => Some(error.errno),
        },
        Step::Remount => None,
    }
}

proptest::proptest! {
    /// An overlay does what a plain file system with the same files does, but for `EXDEV`.
    #[test]
    fn an_overlay_behaves_like_one_file_system(steps in proptest::collection::vec(step(), 1..40)) {
        let files = ["a=bottom a", "d/a=bottom d/a", "d/e/a=deep"];
        let lower = [&layer(&["d/b=top d/b", "d/-hidden"]), &layer(&[&files[..], &["d/hidden=x"]].concat())];
        let mut view = overlay(&lower, true);
        let plain = layer(&[&files[..], &["d/b=top d/b"]].concat());
        let model = Fixture { fs: overlay(&lower, false).fs, root: plain.dentry.clone(), upper: None, scratch: plain };
        for step in &steps {
            if let Step::Remount = step {
                view = view.remounted(&lower);
            }
            let got = apply(&view, step);
            if got != Some(Errno::EXDEV) {
                assert_eq!(got, apply(&model, step), "{step:?}");
            }
            assert_eq!(view.tree(""), model.tree(""), "after {step:?}");
        }
        drop(model);
        let before = view.tree("");
        view = view.remounted(&lower);
        assert_eq!(view.tree(""), before, "after mounting it again");
    }
}
