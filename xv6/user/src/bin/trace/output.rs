//! Where the lines go: standard error or a file, each line a thread's, with calls that overlap cut in two as strace(1) does.

use std::fs::File;
use std::io::{self, Write};

/// The lines of all threads.
pub struct Output {
    sink: Box<dyn Write>,
    /// Lines begin with the thread's number.
    numbered: bool,
    /// As `[pid N]`, on a terminal that other programs write to as well.
    bracketed: bool,
    /// The thread whose line is open.
    open: Option<i32>,
    /// Where in its line it is, to align the results.
    column: usize,
}

/// The column where results begin, if the call leaves room.
const RESULT: usize = 39;

impl Output {
    /// To `file`, or to standard error. `follow`: there may be several threads.
    pub fn new(file: Option<File>, follow: bool) -> Output {
        let bracketed = file.is_none();
        let sink: Box<dyn Write> = match file {
            Some(file) => Box::new(io::LineWriter::new(file)),
            None => Box::new(io::LineWriter::new(io::stderr())),
        };
        Output { sink, numbered: follow, bracketed, open: None, column: 0 }
    }

    fn write(&mut self, text: &str) -> io::Result<()> {
        self.column += text.len();
        self.sink.write_all(text.as_bytes())
    }

    fn begin(&mut self, tid: i32) -> io::Result<()> {
        if self.open.take().is_some() {
            self.write(" <unfinished ...>\n")?;
        }
        self.column = 0;
        match (self.numbered, self.bracketed) {
            (true, true) => self.write(&format!("[pid {tid:5}] "))?,
            (true, false) => self.write(&format!("{tid:<5} "))?,
            _ => {}
        }
        self.column = 0;
        Ok(())
    }

    /// A whole line of thread `tid`.
    pub fn line(&mut self, tid: i32, text: &str) -> io::Result<()> {
        self.begin(tid)?;
        self.write(text)?;
        self.write("\n")
    }

    /// The beginning of a call.
    pub fn enter(&mut self, tid: i32, text: &str) -> io::Result<()> {
        self.begin(tid)?;
        self.write(text)?;
        self.open = Some(tid);
        // It may be the last thing that is heard of the thread for long.
        self.flush()
    }

    /// The rest of a call, `name` for when its line was cut: the remaining arguments, and the result.
    pub fn leave(&mut self, tid: i32, name: &str, arguments: &str, result: &str) -> io::Result<()> {
        if self.open != Some(tid) {
            self.begin(tid)?;
            self.write(&format!("<... {name} resumed>"))?;
        }
        self.open = None;
        self.write(arguments)?;
        let fill = RESULT.saturating_sub(self.column);
        self.write(&format!("{:fill$} = {result}\n", ""))
    }

    /// Passes on what is kept back.
    pub fn flush(&mut self) -> io::Result<()> {
        self.sink.flush()
    }

    /// For the table.
    pub fn sink(&mut self) -> &mut dyn Write {
        &mut *self.sink
    }
}
