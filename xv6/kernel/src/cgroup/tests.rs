//! Host tests of the tree and of the `pids` arithmetic, by example and against a model.

use super::{Cgroup, TaskCharge, UNLIMITED, charge_task, path_from, root, tree};
use crate::error::{Errno, Result};
use alloc::format;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::sync::atomic::{AtomicU64, Ordering};
use proptest::prelude::{Strategy, any, prop_oneof};

/// A fresh group below the root, so that tests that run at once stay apart.
fn fresh() -> Arc<Cgroup> {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    let name = format!("test{}", NEXT.fetch_add(1, Ordering::Relaxed));
    tree::make(&root(), name.as_bytes()).expect("a new name")
}

fn errno<T>(result: Result<T>) -> Option<Errno> {
    result.err().map(|error| error.errno)
}

#[test]
fn a_limit_holds_for_the_group_and_all_below_it() {
    let top = fresh();
    let leaf = tree::make(&top, b"leaf").expect("a new name");
    top.pids.set_max(2);
    let first = charge_task(&leaf).expect("one of two");
    let _second = charge_task(&top).expect("two of two");
    assert_eq!(errno(charge_task(&leaf)), Some(Errno::EAGAIN));
    assert_eq!((leaf.pids.current(), top.pids.current()), (1, 2));
    assert_eq!((top.pids.refused(), leaf.pids.refused()), ((1, 1), (0, 0)));
    drop(first);
    assert!(charge_task(&leaf).is_ok());
    assert_eq!((leaf.pids.current(), leaf.pids.peak(), top.pids.peak()), (0, 1, 2));
}

#[test]
fn a_zombie_counts_as_pid_but_not_as_member() {
    let group = fresh();
    let mut charge = charge_task(&group).expect("no limit");
    assert_eq!(errno(tree::remove(&root(), group.name())), Some(Errno::EBUSY));
    let before = group.events.generation();
    charge.exited();
    assert_ne!(group.events.generation(), before);
    assert_eq!((group.is_populated(), group.pids.current()), (false, 1));
    tree::remove(&root(), group.name()).expect("only a zombie is left");
    assert_eq!(errno(charge_task(&group)), Some(Errno::EAGAIN));
    assert!(path_from(&root(), &group).ends_with(b" (deleted)"));
    drop(charge);
    assert_eq!(group.pids.current(), 0);
}

#[test]
fn a_migration_moves_the_charge_and_passes_limits() {
    let (from, to) = (fresh(), fresh());
    to.pids.set_max(0);
    let mut charge = charge_task(&from).expect("no limit");
    charge.move_to(&to);
    assert_eq!((from.pids.current(), from.members()), (0, 0));
    assert_eq!((to.pids.current(), to.members()), (1, 1));
    assert_eq!(errno(charge_task(&to)), Some(Errno::EAGAIN));
}

#[test]
fn controllers_are_handed_down_by_the_rules() {
    let top = fresh();
    let leaf = tree::make(&top, b"leaf").expect("a new name");
    assert_eq!(errno(top.write_subtree_control("+pids")), Some(Errno::ENOENT));
    root().write_subtree_control("+pids").expect("the root has all controllers");
    let charge = charge_task(&top).expect("no limit");
    assert_eq!(errno(top.write_subtree_control("+pids")), Some(Errno::EBUSY));
    drop(charge);
    top.write_subtree_control("+pids").expect("no members");
    assert_eq!(leaf.controllers().names(), "pids");
    let _tree = tree::lock();
    assert_eq!(errno(tree::may_enter(&root(), &root(), &top)), Some(Errno::EBUSY));
    assert_eq!(errno(tree::may_enter(&leaf, &root(), &leaf)), Some(Errno::ENOENT));
    assert!(tree::may_enter(&root(), &root(), &leaf).is_ok());
    drop(_tree);
    for (text, want) in [("+cpu", Errno::EINVAL), ("pids", Errno::EINVAL), ("+", Errno::EINVAL), ("é", Errno::EINVAL)]
    {
        assert_eq!(errno(top.write_subtree_control(text)), Some(want), "{text}");
    }
    leaf.pids.set_max(7);
    top.write_subtree_control("-pids").expect("no child hands it down");
    assert_eq!(leaf.pids.max(), UNLIMITED);
}

#[test]
fn paths_are_relative_to_the_namespace() {
    let top = fresh();
    let a = tree::make(&top, b"a").expect("a new name");
    let b = tree::make(&top, b"b").expect("a new name");
    let inner = tree::make(&a, b"inner").expect("a new name");
    assert_eq!(path_from(&top, &inner), b"/a/inner");
    assert_eq!(path_from(&inner, &inner), b"/");
    assert_eq!(path_from(&inner, &b), b"/../../b");
    assert_eq!(path_from(&a, &top), b"/..");
    assert_eq!(path_from(&root(), &root()), b"/");
}

#[test]
fn depth_and_descendants_are_limited() {
    let top = fresh();
    top.set_max_depth(1);
    let a = tree::make(&top, b"a").expect("one level");
    assert_eq!(errno(tree::make(&a, b"deeper")), Some(Errno::EAGAIN));
    top.set_max_descendants(1);
    assert_eq!(errno(tree::make(&top, b"b")), Some(Errno::EAGAIN));
    assert_eq!(errno(tree::make(&top, b"a")), Some(Errno::EEXIST));
    assert_eq!(errno(tree::make(&top, b"a\nb")), Some(Errno::EINVAL));
    tree::remove(&top, b"a").expect("empty");
    assert_eq!(top.descendants(), 0);
    assert_eq!(errno(tree::remove(&top, b"a")), Some(Errno::ENOENT));
}

/// A chain of groups ends, and letting go of its last one when all are removed lets go of the chain.
#[test]
fn groups_nest_only_so_deep() {
    let mut chain = vec![fresh()];
    let refused = loop {
        match tree::make(chain.last().expect("a group"), b"below") {
            Ok(group) => chain.push(group),
            refused => break errno(refused),
        }
    };
    assert_eq!(refused, Some(Errno::EAGAIN));
    assert_eq!(chain.last().map(|group| group.depth()), Some(tree::MAX_DEPTH));
    for pair in chain.windows(2).rev() {
        tree::remove(&pair[0], b"below").expect("empty");
    }
    let last = chain.pop().expect("a group");
    drop(chain);
    assert_eq!(last.ancestry().count() as u64, tree::MAX_DEPTH + 1);
}

#[derive(Clone, Debug)]
enum Step {
    Charge(usize),
    Exit(usize),
    Reap(usize),
    Move(usize, usize),
    Limit(usize, u64),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => any::<usize>().prop_map(Step::Charge),
        1 => any::<usize>().prop_map(Step::Exit),
        2 => any::<usize>().prop_map(Step::Reap),
        1 => (any::<usize>(), any::<usize>()).prop_map(|(task, group)| Step::Move(task, group)),
        1 => (any::<usize>(), 0..6_u64).prop_map(|(group, max)| Step::Limit(group, max)),
    ]
}

proptest::proptest! {
    /// Five groups (a chain of three, two siblings) and a plain list of (group, alive) as the model.
    #[test]
    fn counters_follow_the_model(steps in proptest::collection::vec(step(), 1..80)) {
        let top = fresh();
        let mid = tree::make(&top, b"mid").expect("a new name");
        let groups = [
            top.clone(), mid.clone(), tree::make(&mid, b"leaf").expect("a new name"),
            tree::make(&top, b"side").expect("a new name"), tree::make(&mid, b"other").expect("a new name"),
        ];
        let above: [&[usize]; 5] = [&[0], &[0, 1], &[0, 1, 2], &[0, 3], &[0, 1, 4]];
        let mut tasks: Vec<(usize, bool, TaskCharge)> = Vec::new();
        let mut max = [UNLIMITED; 5];
        for step in steps {
            let count = |tasks: &[(usize, bool, TaskCharge)], group: usize, all: bool| {
                tasks.iter().filter(|(place, alive, _)| above[*place].contains(&group) && (all || *alive)).count() as u64
            };
            match step {
                Step::Charge(group) => {
                    let group = group % 5;
                    let fits = above[group].iter().all(|each| count(&tasks, *each, true) < max[*each]);
                    match charge_task(&groups[group]) {
                        Ok(charge) => { assert!(fits); tasks.push((group, true, charge)); }
                        Err(_) => assert!(!fits),
                    }
                }
                Step::Exit(task) if !tasks.is_empty() => {
                    let task = task % tasks.len();
                    tasks[task].1 = false;
                    tasks[task].2.exited();
                }
                Step::Reap(task) if !tasks.is_empty() => { tasks.swap_remove(task % tasks.len()); }
                Step::Move(task, group) if !tasks.is_empty() => {
                    let task = task % tasks.len();
                    if tasks[task].1 { tasks[task].0 = group % 5; }
                    tasks[task].2.move_to(&groups[group % 5]);
                }
                Step::Limit(group, limit) => { max[group % 5] = limit; groups[group % 5].pids.set_max(limit); }
                _ => {}
            }
            for (index, group) in groups.iter().enumerate() {
                assert_eq!(group.pids.current(), count(&tasks, index, true));
                assert_eq!(group.is_populated(), count(&tasks, index, false) > 0);
            }
        }
        tasks.clear();
        assert_eq!(top.pids.current(), 0);
        assert!(!top.is_populated());
    }
}
