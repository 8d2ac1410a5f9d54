//! `proptest`: random operations on xv6fs and on the model of a few maps must agree, before and after a remount.

mod common;

use common::model::{Model, Op, snapshot};
use common::{mount, unmount_clean, volume};
use proptest::prelude::{Just, ProptestConfig, Strategy, any};
use proptest::{collection, prop_assert, prop_oneof, proptest};
use xv6fs::{FormatOptions, Fs, MountOptions};

fn op() -> impl Strategy<Value = Op> {
    let (d, n) = (0usize..12, 0usize..40);
    let at = 0u32..60_000;
    prop_oneof![
        6 => (d.clone(), n.clone(), any::<u8>()).prop_map(|(d, n, k)| Op::Create(d, n, k)),
        2 => (d.clone(), n.clone(), d.clone(), n.clone()).prop_map(|(d, n, e, m)| Op::Link(d, n, e, m)),
        2 => (d.clone(), n.clone()).prop_map(|(d, n)| Op::Unlink(d, n)),
        2 => (d.clone(), n.clone()).prop_map(|(d, n)| Op::Rmdir(d, n)),
        4 => (d.clone(), n.clone(), d.clone(), n.clone(), any::<u8>())
            .prop_map(|(d, n, e, m, f)| Op::Rename(d, n, e, m, f)),
        5 => (d.clone(), at.clone(), 0u16..20_000, any::<u8>()).prop_map(|(d, a, l, b)| Op::Write(d, a, l, b)),
        2 => (d.clone(), at.clone()).prop_map(|(d, s)| Op::Truncate(d, s)),
        2 => (d.clone(), at.clone(), at).prop_map(|(d, a, l)| Op::Punch(d, a, l)),
        1 => d.prop_map(Op::Hold),
        1 => Just(Op::Release),
        1 => Just(Op::Commit),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 150, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn agrees_with_the_model(ops in collection::vec(op(), 1..250)) {
        let disk = volume(2048, &FormatOptions { log_blocks: 96, ..FormatOptions::default() });
        // The smallest cache, so that blocks are evicted and read again.
        let mut fs = Fs::mount(disk, &MountOptions { cache_blocks: 0, ..MountOptions::default() }).expect("mount");
        let mut model = Model::new();
        for op in &ops {
            model.apply(&mut fs, op);
        }
        prop_assert!(!fs.is_read_only());
        prop_assert!(snapshot(&mut fs) == model.snapshot(), "before the remount");
        let mut fs = mount(unmount_clean(fs));
        prop_assert!(snapshot(&mut fs) == model.snapshot(), "after the remount");
    }
}
