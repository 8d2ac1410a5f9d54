//! Host tests of the line discipline: what a person types, sees, and what the program reads.

use super::{CAPACITY, Discipline, Key};
use crate::tty::termios::{Char, Local};
use alloc::string::String;
use alloc::vec::Vec;

fn type_keys(discipline: &mut Discipline, keys: &[u8]) -> (String, Vec<Key>) {
    let mut echo = Vec::new();
    let signals = keys.iter().filter_map(|byte| discipline.input(*byte, &mut echo)).collect();
    (String::from_utf8_lossy(&echo).into_owned(), signals)
}

fn raw() -> Discipline {
    let mut discipline = Discipline::default();
    let mut termios = *discipline.termios();
    termios.local.remove(Local::ICANON | Local::ECHO | Local::ISIG);
    discipline.set_termios(termios);
    discipline
}

#[test]
fn a_line_is_ready_only_when_finished() {
    let mut line = Discipline::default();
    assert_eq!(type_keys(&mut line, b"ls").0, "ls");
    assert!(!line.is_readable());
    assert_eq!(type_keys(&mut line, b"\r").0, "\r\n");
    assert_eq!(line.read(100).as_deref(), Some(&b"ls\n"[..]));
    assert_eq!(line.read(100), None);
}

#[test]
fn a_read_takes_one_line_in_pieces() {
    let mut line = Discipline::default();
    type_keys(&mut line, b"abc\nd\n");
    assert_eq!(line.read(2).as_deref(), Some(&b"ab"[..]));
    assert_eq!(line.read(9).as_deref(), Some(&b"c\n"[..]));
    assert_eq!(line.read(9).as_deref(), Some(&b"d\n"[..]));
}

#[test]
fn erase_takes_a_whole_character_off_the_screen() {
    let mut line = Discipline::default();
    assert_eq!(type_keys(&mut line, b"a\x7f").0, "a\x08 \x08");
    assert_eq!(type_keys(&mut line, "é\x7f".as_bytes()).0, "é\x08 \x08");
    assert_eq!(type_keys(&mut line, b"\x01\x7f").0, "^A\x08 \x08\x08 \x08");
    assert_eq!(type_keys(&mut line, b"\x7f").0, "");
    type_keys(&mut line, b"x\n");
    assert_eq!(line.read(9).as_deref(), Some(&b"x\n"[..]));
}

#[test]
fn word_and_line_erase() {
    let mut line = Discipline::default();
    type_keys(&mut line, b"one two  \x17x\x15y\n");
    assert_eq!(line.read(99).as_deref(), Some(&b"y\n"[..]));
    type_keys(&mut line, b"one two \x17x\n");
    assert_eq!(line.read(99).as_deref(), Some(&b"one x\n"[..]));
}

#[test]
fn end_of_file_is_an_empty_read_and_flushes_a_partial_line() {
    let mut line = Discipline::default();
    type_keys(&mut line, b"\x04");
    assert_eq!(line.read(9).as_deref(), Some(&b""[..]));
    type_keys(&mut line, b"ab\x04");
    assert_eq!(line.read(9).as_deref(), Some(&b"ab"[..]));
    assert_eq!(line.read(9), None);
}

#[test]
fn signal_keys_show_and_drop_the_line() {
    let mut line = Discipline::default();
    let (echo, keys) = type_keys(&mut line, b"abc\x03\x1c\x1a");
    assert_eq!(echo, "abc^C^\\^Z");
    assert_eq!(keys, [Key::Interrupt, Key::Quit, Key::Suspend]);
    type_keys(&mut line, b"\n");
    assert_eq!(line.read(9).as_deref(), Some(&b"\n"[..]));
}

#[test]
fn literal_next_takes_any_byte() {
    let mut line = Discipline::default();
    let (_, keys) = type_keys(&mut line, b"\x16\x03\n");
    assert!(keys.is_empty());
    assert_eq!(line.read(9).as_deref(), Some(&b"\x03\n"[..]));
}

#[test]
fn a_line_longer_than_the_buffer_can_still_be_finished() {
    let mut line = Discipline::default();
    let long = [b'x'; CAPACITY + 100];
    assert!(type_keys(&mut line, &long).0.contains('\x07'));
    type_keys(&mut line, b"\n");
    let got = line.read(2 * CAPACITY).expect("the line is finished");
    assert_eq!((got.len(), got.last()), (CAPACITY, Some(&b'\n')));
}

#[test]
fn raw_mode_passes_every_byte_and_waits_for_min() {
    let mut line = raw();
    type_keys(&mut line, b"\x03\x7f\r");
    assert_eq!(line.read(9).as_deref(), Some(&b"\x03\x7f\n"[..]));
    let mut termios = *line.termios();
    termios.chars[Char::Min as usize] = 3;
    line.set_termios(termios);
    type_keys(&mut line, b"ab");
    assert!(!line.is_readable());
    type_keys(&mut line, b"c");
    assert!(line.is_readable());
}

#[test]
fn leaving_canonical_mode_hands_over_the_unfinished_line() {
    let mut line = Discipline::default();
    type_keys(&mut line, b"ab\ncd");
    let mut termios = *line.termios();
    termios.local.remove(Local::ICANON);
    line.set_termios(termios);
    assert_eq!(line.read(99).as_deref(), Some(&b"ab\ncd"[..]));
}

#[test]
fn flow_control_stops_and_starts() {
    let mut line = Discipline::default();
    type_keys(&mut line, b"\x13");
    assert!(line.is_stopped());
    type_keys(&mut line, b"\x11");
    assert!(!line.is_stopped());
}

#[test]
fn output_maps_newlines_and_erases_tabs() {
    let mut line = Discipline::default();
    let mut screen = Vec::new();
    line.output(b"a\nb", &mut screen);
    assert_eq!(screen, b"a\r\nb");
    // The cursor stands in column 1: a tab goes to column 8, and erasing it takes seven columns back.
    assert_eq!(type_keys(&mut line, b"\t\x7f").0, alloc::format!("\t{}", "\x08 \x08".repeat(7)));
}
