//! Hostile programs, on the host: a static program's file with its headers cut and changed by dice is read and loaded. Whatever comes of it is
//! an error that execve(2) names, or an address space whose segments lie where the user's may.

use super::image::{self, Binary, Start};
use super::{elf, script};
use crate::error::{Errno, Result};
use crate::mm::{MapFile, PageCache, PageSource};
use alloc::sync::{Arc, Weak};
use alloc::vec::Vec;
use hal::frame::{Frame, SIZE as PAGE};
use hal::user::LIMIT;
use proptest::prelude::{Just, ProptestConfig, Strategy, any, prop, prop_oneof, proptest};

/// A file's content.
struct Bytes(Vec<u8>);

impl PageSource for Bytes {
    fn read_pages(&self, first: u64, frames: &mut [Frame]) -> Result<()> {
        for (index, frame) in (first as usize..).zip(frames) {
            let page = frame.get_mut().expect("a frame of our own");
            let rest = self.0.get(index * PAGE..).unwrap_or_default();
            let len = rest.len().min(PAGE);
            page[..len].copy_from_slice(&rest[..len]);
            page[len..].fill(0);
        }
        Ok(())
    }
}

impl MapFile for Bytes {
    fn identity(&self) -> (u64, u64, Vec<u8>) {
        (1, 2, b"/program".to_vec())
    }
    fn sync(&self) -> Result<()> {
        Ok(())
    }
}

/// Reads and loads a program, as `load` does; an interpreter is left out.
fn load(bytes: Vec<u8>) -> Result<image::Loaded> {
    let file = Arc::new(Bytes(bytes));
    let source: Arc<dyn PageSource> = file.clone();
    let weak: Weak<dyn PageSource> = Arc::downgrade(&source);
    let program = Binary { pages: PageCache::new(weak, file.0.len() as u64), file };
    let elf = program.elf()?;
    assert!(elf.extent().end <= LIMIT && elf.segments.len() <= elf.header_count);
    let start = Start { path: b"/program", argv: &[b"program".to_vec()], envp: &[], ids: [0; 4], secure: false };
    image::build(&program, &elf, None, None, &start)
}

const HEADERS: usize = 6;

/// A static program as linkers lay it out: text, data with zeros behind it, and the headers that are no segments.
fn whole(kind: u16) -> Vec<u8> {
    let mut bytes = alloc::vec![0x90; 3 * PAGE];
    bytes[..64].fill(0);
    bytes[..7].copy_from_slice(b"\x7fELF\x02\x01\x01");
    let mut put =
        |at: usize, value: u64, size: usize| bytes[at..at + size].copy_from_slice(&value.to_le_bytes()[..size]);
    for (at, value, size) in
        [(16, kind.into(), 2), (18, 62, 2), (24, 0x40_1000, 8), (32, 64, 8), (54, 56, 2), (56, HEADERS as u64, 2)]
    {
        put(at, value, size);
    }
    // Type, flags, offset, address, bytes in the file, bytes in memory.
    let headers: [(u64, u64, u64, u64, u64, u64); HEADERS] = [
        (6, 4, 64, 0x40_0040, 336, 336),
        (1, 4, 0, 0x40_0000, 0x1000, 0x1000),
        (1, 5, 0x1000, 0x40_1000, 0x1000, 0x1000),
        (1, 6, 0x2010, 0x40_2010, 0xff0, 0x5000),
        (7, 4, 0x2010, 0x40_2010, 16, 32),
        (0x6474_e551, 6, 0, 0, 0, 0),
    ];
    for (index, (what, flags, offset, address, file, memory)) in headers.into_iter().enumerate() {
        let at = 64 + index * 56;
        for (field, value, size) in [
            (0, what, 4),
            (4, flags, 4),
            (8, offset, 8),
            (16, address, 8),
            (24, address, 8),
            (32, file, 8),
            (40, memory, 8),
        ] {
            put(at + field, value, size);
        }
    }
    bytes
}

/// Numbers near the edges.
fn value() -> impl Strategy<Value = u64> {
    prop_oneof![
        any::<u64>(),
        0u64..8,
        (0u32..64).prop_map(|bit| 1 << bit),
        (0u64..0x3000).prop_map(|back| u64::MAX - back),
        (0u64..0x8000).prop_map(|on| 0x40_0000 + on),
        (0u64..0x4000).prop_map(|back| LIMIT as u64 - back),
        Just(0x7000_0000_0000),
        Just(0xffff_8000_0000_0000),
    ]
}

/// A change of one field: of the file header or of a program header.
fn change() -> impl Strategy<Value = (usize, u64, usize)> {
    let file = prop::sample::select(alloc::vec![(16, 2), (18, 2), (24, 8), (32, 8), (54, 2), (56, 2)]);
    let entry = prop::sample::select(alloc::vec![(0, 4), (4, 4), (8, 8), (16, 8), (32, 8), (40, 8)]);
    let place = prop_oneof![
        1 => file,
        4 => (0..HEADERS, entry).prop_map(|(index, (at, size))| (64 + index * 56 + at, size)),
    ];
    (place, value()).prop_map(|((at, size), value)| (at, value, size))
}

/// What a refusal of a file that is no good program may be.
fn is_refusal(errno: Errno) -> bool {
    matches!(errno, Errno::ENOEXEC | Errno::EINVAL | Errno::ENOMEM | Errno::EFAULT)
}

#[test]
fn the_whole_program_is_loaded_where_it_says() {
    let fixed = load(whole(2)).expect("a good program");
    assert_eq!(fixed.entry, 0x40_1000);
    let moved = load(whole(3)).expect("a good program");
    assert_eq!(moved.entry, 0x5555_5555_5000);
}

#[test]
fn the_last_page_of_data_is_clear_to_its_end() {
    // The data segment's header: 256 bytes in the file, 512 in memory, and what follows in the file's page is no zeros.
    let (mut bytes, at) = (whole(2), 64 + 3 * 56);
    bytes[at + 32..][..8].copy_from_slice(&0x100u64.to_le_bytes());
    bytes[at + 40..][..8].copy_from_slice(&0x200u64.to_le_bytes());
    let loaded = load(bytes).expect("a good program");
    let mut page = [0; PAGE];
    assert_eq!(loaded.space.read_remote(0x40_2000, &mut page), Ok(PAGE));
    assert!(page[..0x110].iter().all(|byte| *byte == 0x90) && page[0x110..].iter().all(|byte| *byte == 0));
}

#[test]
fn a_program_cut_anywhere_in_its_headers_is_refused() {
    for kind in [2, 3] {
        for len in 0..64 + HEADERS * 56 {
            let mut bytes = whole(kind);
            bytes.truncate(len);
            assert_eq!(load(bytes).err().expect("cut short").errno, Errno::ENOEXEC, "{len} bytes");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 600, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_damaged_program_is_refused_or_loaded(
        kind in 2u16..4,
        changes in prop::collection::vec(change(), 1..5),
        cut in prop::option::weighted(0.1, 0usize..3 * PAGE),
    ) {
        let mut bytes = whole(kind);
        for (at, value, size) in changes {
            bytes[at..at + size].copy_from_slice(&value.to_le_bytes()[..size]);
        }
        bytes.truncate(cut.unwrap_or(usize::MAX));
        match load(bytes) {
            Ok(loaded) => assert!(loaded.sp < LIMIT),
            Err(error) => assert!(is_refusal(error.errno), "{error:?}"),
        }
    }

    #[test]
    fn random_bytes_are_no_program(mut bytes in prop::collection::vec(any::<u8>(), 0..600), magic in any::<bool>()) {
        if magic && bytes.len() > 20 {
            bytes[..7].copy_from_slice(b"\x7fELF\x02\x01\x01");
            bytes[18..20].copy_from_slice(&[62, 0]);
        }
        if let Err(error) = elf::Elf::read(bytes.len() as u64, |offset, buffer| {
            buffer.copy_from_slice(&bytes[offset as usize..][..buffer.len()]);
            Ok(())
        }) {
            assert_eq!(error.errno, Errno::ENOEXEC);
        }
    }

    #[test]
    fn any_first_line_names_an_interpreter_or_none(bytes in prop::collection::vec(any::<u8>(), 0..script::LINE)) {
        let line = [&b"#!"[..], &bytes[..bytes.len().min(script::LINE - 2)]].concat();
        match script::parse(&line) {
            Ok(found) => {
                let found = found.expect("it begins with the mark");
                let blank = |byte: &u8| matches!(byte, b' ' | b'\t' | b'\n' | 0);
                assert!(!found.path.is_empty() && !found.path.iter().any(blank));
                assert!(found.argument.is_none_or(|argument| !argument.is_empty() && !argument.contains(&b'\n')));
            }
            Err(error) => assert_eq!(error.errno, Errno::ENOEXEC),
        }
    }
}
