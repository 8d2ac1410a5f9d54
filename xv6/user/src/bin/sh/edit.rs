//! Reads a person's lines: with editing, history and completion (`rustyline`) where the terminal can, else as it gives them.
//!
//! Key types: [`Editor`], [`Line`]. The shell's own modes of the terminal are canonical; `rustyline` makes it raw for one line
//! at a time. With `TERM=dumb` or unset, or if the kernel lacks a call it needs, lines are read as the terminal edits them.

use std::collections::BTreeSet;
use std::io::Write;

use rustyline::completion::{Completer, FilenameCompleter, Pair};
use rustyline::config::Configurer;
use rustyline::error::ReadlineError;
use rustyline::highlight::Highlighter;
use rustyline::hint::Hinter;
use rustyline::history::MemHistory;
use rustyline::validate::Validator;
use rustyline::{CompletionType, Config, Context, Helper};

use user::shell::syntax::Bytes;

use crate::builtins;
use crate::shell::{Flow, Shell};

/// What reading a line gave.
pub enum Line {
    /// A line without its newline.
    Text(Bytes),
    /// Ctrl-C.
    Interrupted,
    /// Ctrl-D on an empty line, or the terminal is gone.
    End,
}

/// Reads lines from the terminal.
pub struct Editor {
    rich: Option<rustyline::Editor<Completion, MemHistory>>,
}

impl Editor {
    /// An editor on standard input.
    pub fn new(shell: &Shell) -> Self {
        let dumb = shell.variables.get(b"TERM").is_none_or(|term| term.is_empty() || term == b"dumb");
        let terminal =
            rustix::termios::isatty(rustix::stdio::stdin()) && rustix::termios::isatty(rustix::stdio::stdout());
        // Bracketed paste would be told to terminals that do not know it.
        let config = Config::builder().completion_type(CompletionType::List).bracketed_paste(false).build();
        let history = MemHistory::with_config(&config);
        let mut rich = if dumb || !terminal { None } else { rustyline::Editor::with_history(config, history).ok() };
        if let Some(editor) = &mut rich {
            // Nor is synchronised output known everywhere.
            editor.enable_synchronized_output(false);
            editor.set_helper(Some(Completion::default()));
        }
        Self { rich }
    }

    /// Prints `prompt` and reads a line.
    pub fn read_line(&mut self, shell: &mut Shell, prompt: &[u8]) -> Line {
        let Some(editor) = &mut self.rich else { return read_plain(shell, prompt) };
        if let Some(helper) = editor.helper_mut() {
            helper.own = builtins::TABLE.iter().map(|builtin| builtin.name.to_owned()).collect();
            helper.own.extend(shell.functions.keys().map(|name| String::from_utf8_lossy(name).into_owned()));
            helper.path = shell.variables.get(b"PATH").cloned().unwrap_or_default();
        }
        match editor.readline(&*String::from_utf8_lossy(prompt)) {
            Ok(line) => {
                if !line.trim().is_empty() {
                    // Only a full memory could refuse it.
                    let _ = editor.add_history_entry(&line);
                }
                Line::Text(line.into_bytes())
            }
            Err(ReadlineError::Interrupted) => Line::Interrupted,
            Err(ReadlineError::Eof) => Line::End,
            Err(_) => {
                self.rich = None;
                read_plain(shell, prompt)
            }
        }
    }
}

/// A line as the terminal's own editing gives it.
fn read_plain(shell: &mut Shell, prompt: &[u8]) -> Line {
    // A terminal that is gone shows at the read below.
    let _ = std::io::stderr().write_all(prompt);
    let mut line = Bytes::new();
    let mut byte = [0];
    loop {
        match rustix::io::read(rustix::stdio::stdin(), &mut byte) {
            Ok(0) if line.is_empty() => {
                eprintln!();
                return Line::End;
            }
            Ok(0) => return Line::Text(line),
            Ok(_) if byte[0] == b'\n' => return Line::Text(line),
            Ok(_) => line.push(byte[0]),
            Err(rustix::io::Errno::INTR) => {
                if shell.run_traps() == Err(Flow::Interrupt) {
                    return Line::Interrupted;
                }
            }
            Err(_) => return Line::End,
        }
    }
}

/// Completes commands and file names at Tab.
struct Completion {
    files: FilenameCompleter,
    /// Builtins and functions.
    own: BTreeSet<String>,
    /// `PATH`, whose folders are read when Tab is pressed.
    path: Bytes,
}

impl Default for Completion {
    fn default() -> Self {
        Self { files: FilenameCompleter::new(), own: BTreeSet::new(), path: Bytes::new() }
    }
}

impl Completion {
    /// The names that may stand where a command begins.
    fn commands(&self) -> BTreeSet<String> {
        let mut names = self.own.clone();
        for folder in self.path.split(|byte| *byte == b':') {
            let entries =
                std::fs::read_dir(&*String::from_utf8_lossy(folder)).into_iter().flatten().filter_map(Result::ok);
            names.extend(entries.map(|entry| entry.file_name().to_string_lossy().into_owned()));
        }
        names
    }
}

impl Completer for Completion {
    type Candidate = Pair;

    fn complete(&self, line: &str, at: usize, _: &Context<'_>) -> rustyline::Result<(usize, Vec<Pair>)> {
        let before = &line[..at];
        let start = before.rfind([' ', '\t', ';', '|', '&', '(']).map_or(0, |index| index + 1);
        let first = before[..start].trim_end().is_empty() || before[..start].trim_end().ends_with([';', '|', '&', '(']);
        let word = &before[start..];
        if !first || word.contains('/') {
            return self.files.complete_path(line, at);
        }
        let names = self.commands().into_iter().filter(|name| name.starts_with(word));
        Ok((start, names.map(|name| Pair { replacement: format!("{name} "), display: name }).collect()))
    }
}

impl Hinter for Completion {
    type Hint = String;
}

impl Highlighter for Completion {}
impl Validator for Completion {}
impl Helper for Completion {}
