//! recording: a terminal session kept as a file that `asciinema play` shows again (asciicast, version 2).
//!
//! The file is lines of JSON: a header with the terminal's size, then one `[seconds, "o", text]` for each piece of output. Text
//! is UTF-8, so a character that two reads have cut apart is kept back until it is whole; what is no UTF-8 shows as U+FFFD.
//! Clones share the file: the console and the kernel's log may both write. A recording that can no longer be written (a
//! full disk) ends with one line on standard error; the session goes on.

use crate::failure::Failure;
use serde_json::json;
use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Instant, SystemTime, UNIX_EPOCH};

/// A recording in progress.
#[derive(Clone, Debug)]
pub struct Recording(Arc<Mutex<State>>);

#[derive(Debug)]
struct State {
    path: PathBuf,
    /// `None` once a write has failed.
    file: Option<File>,
    start: Instant,
    /// The beginning of a character whose end has not come yet.
    cut: Vec<u8>,
}

impl Recording {
    /// Begins a recording of a terminal with so many columns and rows in `path`.
    ///
    /// # Errors
    /// `Setup` when the file cannot be written.
    pub fn create(path: &Path, (columns, rows): (u16, u16), term: &str) -> Result<Self, Failure> {
        let failed = |e: io::Error| Failure::setup(format_args!("record {}", path.display()), e);
        let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
        let env = json!({"SHELL": "/bin/sh", "TERM": term});
        let header = json!({"version": 2, "width": columns, "height": rows, "timestamp": now, "env": env});
        let mut file = File::create(path).map_err(failed)?;
        writeln!(file, "{header}").map_err(failed)?;
        let state = State { path: path.to_path_buf(), file: Some(file), start: Instant::now(), cut: Vec::new() };
        Ok(Self(Arc::new(Mutex::new(state))))
    }

    /// Keeps `bytes`, which the terminal has just shown.
    pub fn output(&self, bytes: &[u8]) {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut all = std::mem::take(&mut state.cut);
        all.extend_from_slice(bytes);
        state.cut = all.split_off(whole(&all));
        state.event(&all);
    }
}

impl State {
    fn event(&mut self, bytes: &[u8]) {
        let Some(file) = self.file.as_mut().filter(|_| !bytes.is_empty()) else { return };
        let line = json!([self.start.elapsed().as_secs_f64(), "o", String::from_utf8_lossy(bytes)]);
        if let Err(error) = writeln!(file, "{line}") {
            eprintln!("harness: record {}: {error}", self.path.display());
            self.file = None;
        }
    }
}

impl Drop for State {
    /// Keeps the beginning of a character that never ended, too.
    fn drop(&mut self) {
        let rest = std::mem::take(&mut self.cut);
        self.event(&rest);
    }
}

/// How many of `bytes` come before a character that is cut off at their end.
fn whole(bytes: &[u8]) -> usize {
    // The last character begins within the last four bytes.
    let first = bytes.len().saturating_sub(4);
    let Some(lead) = (first..bytes.len()).rev().find(|&at| bytes[at] & 0xc0 != 0x80) else { return bytes.len() };
    match std::str::from_utf8(&bytes[lead..]) {
        // No `error_len`: the input ended before the character did.
        Err(error) if error.error_len().is_none() => lead,
        _ => bytes.len(),
    }
}

#[cfg(test)]
mod tests {
    use super::{Recording, whole};
    use serde_json::Value;
    use std::path::Path;

    #[test]
    fn a_cut_character_waits_for_its_end() {
        let text = "aé€😀".as_bytes();
        let cuts: Vec<usize> = (0..=text.len()).map(|end| whole(&text[..end])).collect();
        assert_eq!(cuts, [0, 1, 1, 3, 3, 3, 6, 6, 6, 6, 10]);
        assert_eq!(whole(b"a\xff\x80"), 3, "what can never become a character does not wait");
    }

    #[test]
    fn it_replays_to_the_same_text() {
        let dir = tempfile::tempdir().expect("a folder");
        let path = dir.path().join("session.cast");
        let recording = Recording::create(&path, (80, 24), "xterm").expect("created");
        let text = "\x1b[1mé€😀\"\\\r\n".repeat(3);
        text.as_bytes().chunks(1).for_each(|piece| recording.output(piece));
        recording.output(b"end\xc3");
        drop(recording);
        let file = std::fs::read_to_string(&path).expect("UTF-8");
        let mut lines = file.lines().map(|line| serde_json::from_str::<Value>(line).expect("JSON"));
        let header = lines.next().expect("a header");
        assert_eq!((&header["version"], &header["width"], &header["height"]), (&2.into(), &80.into(), &24.into()));
        assert!(header["timestamp"].as_u64().is_some_and(|seconds| seconds > 1_600_000_000), "{header}");
        let events: Vec<Value> = lines.collect();
        let times: Vec<f64> = events.iter().map(|event| event[0].as_f64().expect("a time")).collect();
        assert!(times.is_sorted(), "{times:?}");
        assert!(events.iter().all(|event| event[1] == "o"));
        let played: String = events.iter().map(|event| event[2].as_str().expect("text")).collect();
        assert_eq!(played, format!("{text}end\u{fffd}"));
    }

    #[test]
    fn a_file_that_cannot_be_written_is_named() {
        let error = Recording::create(Path::new("/no/such/file"), (80, 24), "dumb").expect_err("no folder");
        assert_eq!(error.to_string(), "record /no/such/file: No such file or directory (os error 2)");
    }
}
