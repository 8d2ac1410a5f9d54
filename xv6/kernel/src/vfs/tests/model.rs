//! Random changes of names, against a model: a map from paths to kinds. What the walk finds must be what the model holds.

use super::{mkdir, put, rename, rmdir, scratch_mount, unlink, walk_from};
use crate::vfs::inode::RenameMode;
use crate::vfs::{Walk, WalkFlags, shrink, walk};
use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use proptest::prelude::{Just, Strategy, any, prop_oneof, proptest};

#[derive(Clone, Debug)]
enum Op {
    Mkdir(String),
    Put(String),
    Unlink(String),
    Rmdir(String),
    Rename(String, String),
    Shrink,
}

fn path() -> impl Strategy<Value = String> {
    proptest::collection::vec(any::<u8>().prop_map(|byte| format!("/{}", (b'a' + byte % 3) as char)), 1..4)
        .prop_map(|names| names.concat())
}

fn op() -> impl Strategy<Value = Op> {
    prop_oneof![
        path().prop_map(Op::Mkdir),
        path().prop_map(Op::Put),
        path().prop_map(Op::Unlink),
        path().prop_map(Op::Rmdir),
        (path(), path()).prop_map(|(from, to)| Op::Rename(from, to)),
        Just(Op::Shrink),
    ]
}

/// Paths, and whether each is a directory.
#[derive(Default)]
struct Model(BTreeMap<String, bool>);

impl Model {
    fn parent_is_dir(&self, path: &str) -> bool {
        let parent = &path[..path.rfind('/').unwrap_or(0)];
        parent.is_empty() || self.0.get(parent) == Some(&true)
    }

    fn is_empty(&self, dir: &str) -> bool {
        let below = format!("{dir}/");
        !self.0.keys().any(|path| path.starts_with(&below))
    }

    /// Applies `op`; whether it should succeed.
    fn apply(&mut self, op: &Op) -> bool {
        match op {
            Op::Mkdir(path) => {
                self.parent_is_dir(path) && !self.0.contains_key(path) && self.0.insert(path.clone(), true).is_none()
            }
            Op::Put(path) => {
                let fine = self.parent_is_dir(path) && self.0.get(path) != Some(&true);
                fine && self.0.insert(path.clone(), false) != Some(true)
            }
            Op::Unlink(path) => self.0.get(path) == Some(&false) && self.0.remove(path).is_some(),
            Op::Rmdir(path) => self.0.get(path) == Some(&true) && self.is_empty(path) && self.0.remove(path).is_some(),
            Op::Rename(from, to) => self.rename(from, to),
            Op::Shrink => true,
        }
    }

    fn rename(&mut self, from: &str, to: &str) -> bool {
        let Some(&is_dir) = self.0.get(from) else { return false };
        if !self.parent_is_dir(to) || to.starts_with(&format!("{from}/")) || from.starts_with(&format!("{to}/")) {
            return false;
        }
        if from == to {
            return true;
        }
        match self.0.get(to) {
            Some(&target_is_dir) if target_is_dir != is_dir || (is_dir && !self.is_empty(to)) => return false,
            _ => {}
        }
        let below = format!("{from}/");
        let moved: Vec<String> =
            self.0.keys().filter(|path| *path == from || path.starts_with(&below)).cloned().collect();
        for old in moved {
            let kind = self.0.remove(&old).expect("a key of the map");
            self.0.insert(format!("{to}{}", &old[from.len()..]), kind);
        }
        true
    }
}

fn apply(ctx: &Walk, op: &Op) -> bool {
    match op {
        Op::Mkdir(path) => mkdir(ctx, path).is_ok(),
        Op::Put(path) => put(ctx, path, "x").is_ok(),
        Op::Unlink(path) => unlink(ctx, path.as_bytes()).is_ok(),
        Op::Rmdir(path) => rmdir(ctx, path.as_bytes()).is_ok(),
        Op::Rename(from, to) => rename(ctx, from.as_bytes(), to.as_bytes(), RenameMode::Replace).is_ok(),
        Op::Shrink => shrink::shrink(1000) < usize::MAX,
    }
}

proptest! {
    #[test]
    fn names_follow_the_model(ops in proptest::collection::vec(op(), 1..60)) {
        let ctx = walk_from(&scratch_mount().root_path());
        let mut model = Model::default();
        for op in &ops {
            let expected = model.apply(op);
            assert_eq!(apply(&ctx, op), expected, "{op:?}");
        }
        for a in ["/a", "/b", "/c"] {
            for rest in ["", "/a", "/b", "/c", "/a/a", "/a/b", "/b/a", "/c/c"] {
                let path = a.to_string() + rest;
                let found = walk(&ctx, path.as_bytes(), WalkFlags::empty()).ok().map(|path| path.is_dir());
                assert_eq!(found, model.0.get(&path).copied(), "{path}");
            }
        }
    }
}
