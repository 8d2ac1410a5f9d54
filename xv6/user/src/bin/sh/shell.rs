//! The shell's state, and running a whole text in it.
//!
//! Key types: [`Shell`], [`Options`], and [`Flow`], by which `break`, `return`, `exit` and errors leave the syntax tree.

use std::collections::HashMap;
use std::io::Write;
use std::os::unix::fs::MetadataExt;
use std::rc::Rc;

use user::shell::parser::{Parser, SyntaxError};
use user::shell::syntax::{Bytes, Command};

use crate::jobs::Jobs;
use crate::traps::Traps;
use crate::variables::Variables;

/// Why running left the ordinary order of commands.
#[derive(Debug, PartialEq, Eq)]
pub enum Flow {
    /// `break N`
    Break(u32),
    /// `continue N`
    Continue(u32),
    /// `return STATUS`, also out of a sourced file
    Return(i32),
    /// `exit STATUS`
    Exit(i32),
    /// An error that ends a script with status 2 and brings a person back to the prompt.
    Fatal(String),
    /// Ctrl-C at an interactive shell: back to the prompt.
    Interrupt,
}

/// What running something gives: its status, or how it was left.
pub type Run = Result<i32, Flow>;

/// The options of `set`.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// `-a`: export every variable that is set.
    pub allexport: bool,
    /// `-C`: `>` does not replace files.
    pub noclobber: bool,
    /// `-e`: leave at the first failure.
    pub errexit: bool,
    /// `-f`: no file name expansion.
    pub noglob: bool,
    /// `-i`: a person types.
    pub interactive: bool,
    /// `-m`: job control.
    pub monitor: bool,
    /// `-n`: read, do not run.
    pub noexec: bool,
    /// `-u`: an unset parameter is an error.
    pub nounset: bool,
    /// `-v`: print what is read.
    pub verbose: bool,
    /// `-x`: print what is run.
    pub xtrace: bool,
    /// A pipeline fails if any of its commands does.
    pub pipefail: bool,
}

/// Letters (0 for none) and long names of the options.
pub const OPTION_NAMES: [(u8, &str); 11] = [
    (b'a', "allexport"),
    (b'C', "noclobber"),
    (b'e', "errexit"),
    (b'f', "noglob"),
    (b'i', "interactive"),
    (b'm', "monitor"),
    (b'n', "noexec"),
    (b'u', "nounset"),
    (b'v', "verbose"),
    (b'x', "xtrace"),
    (0, "pipefail"),
];

impl Options {
    fn slot(&mut self, name: &str) -> Option<&mut bool> {
        Some(match name {
            "allexport" => &mut self.allexport,
            "noclobber" => &mut self.noclobber,
            "errexit" => &mut self.errexit,
            "noglob" => &mut self.noglob,
            "interactive" => &mut self.interactive,
            "monitor" => &mut self.monitor,
            "noexec" => &mut self.noexec,
            "nounset" => &mut self.nounset,
            "verbose" => &mut self.verbose,
            "xtrace" => &mut self.xtrace,
            "pipefail" => &mut self.pipefail,
            _ => return None,
        })
    }

    /// Sets the option with this letter; `false` if there is none.
    pub fn set(&mut self, letter: u8, on: bool) -> bool {
        let name = OPTION_NAMES.iter().find(|(known, _)| *known == letter && letter != 0);
        name.is_some_and(|(_, name)| self.set_by_name(name.as_bytes(), on))
    }

    /// Sets the option with this long name; `false` if there is none.
    pub fn set_by_name(&mut self, name: &[u8], on: bool) -> bool {
        let slot = str::from_utf8(name).ok().and_then(|name| self.slot(name));
        slot.map(|slot| *slot = on).is_some()
    }

    /// Whether the option with this long name is on.
    pub fn get(&self, name: &str) -> bool {
        self.clone().slot(name).is_some_and(|slot| *slot)
    }

    /// The value of `$-`.
    pub fn letters(&self) -> Bytes {
        OPTION_NAMES.iter().filter(|(letter, name)| *letter != 0 && self.get(name)).map(|(letter, _)| *letter).collect()
    }
}

/// A running shell.
pub struct Shell {
    /// `$0`
    pub name: Bytes,
    /// `$1` and so on
    pub parameters: Vec<Bytes>,
    /// `$?`
    pub status: i32,
    /// `$$`, the same in subshells
    pub pid: u32,
    /// `$!`
    pub last_background: Option<i32>,
    /// Options of `set`.
    pub options: Options,
    /// Variables.
    pub variables: Variables,
    /// Functions.
    pub functions: HashMap<Bytes, Rc<Command>>,
    /// Jobs.
    pub jobs: Jobs,
    /// Traps.
    pub traps: Traps,
    /// How many conditions (`if`, `&&`, `!`) are being evaluated, in which `-e` does not count.
    pub conditions: u32,
    /// How many loops are being run, for `break`.
    pub loops: u32,
    /// How many functions, sourced files and `eval`s are being run: a bound on the stack.
    pub calls: u32,
    /// Whether this is a forked subshell.
    pub child: bool,
    /// The status of the last command substitution in the command being expanded.
    pub substituted: Option<i32>,
}

/// How deep functions, `eval` and `.` may call each other before the stack would end.
const MAX_CALLS: u32 = 300;

impl Shell {
    /// A shell with the process's environment and no script.
    pub fn new() -> Self {
        let mut shell = Self {
            name: b"sh".to_vec(),
            parameters: Vec::new(),
            status: 0,
            pid: std::process::id(),
            last_background: None,
            options: Options::default(),
            variables: Variables::from_environment(),
            functions: HashMap::new(),
            jobs: Jobs::default(),
            traps: Traps::default(),
            conditions: 0,
            loops: 0,
            calls: 0,
            child: false,
            substituted: None,
        };
        shell.find_directory();
        let parent = rustix::process::getppid().map_or(0, |pid| pid.as_raw_nonzero().get());
        // Neither name can be read-only yet.
        let _ = shell.variables.set(b"PPID", parent.to_string());
        shell
    }

    /// `PWD` from the environment if it is true, else from the kernel.
    fn find_directory(&mut self) {
        use std::os::unix::ffi::{OsStrExt, OsStringExt};
        let told = self.variables.get(b"PWD").filter(|path| path.starts_with(b"/")).cloned();
        let same = told.is_some_and(|path| {
            let id = |path: &std::path::Path| std::fs::metadata(path).ok().map(|meta| (meta.dev(), meta.ino()));
            let told = id(std::path::Path::new(std::ffi::OsStr::from_bytes(&path)));
            told.is_some() && told == id(".".as_ref())
        });
        if !same && let Ok(path) = std::env::current_dir() {
            let _ = self.variables.set(b"PWD", path.into_os_string().into_vec());
        }
    }

    /// Prints `sh: text` on standard error.
    pub fn complain(&self, text: &str) {
        let name = String::from_utf8_lossy(self.name.strip_prefix(b"-").unwrap_or(&self.name)).into_owned();
        let _ = writeln!(std::io::stderr(), "{name}: {text}");
    }

    /// Sets a variable as an assignment does.
    pub fn assign(&mut self, name: &[u8], value: impl Into<Bytes>) -> Result<(), Flow> {
        self.variables.set(name, value).map_err(Flow::Fatal)?;
        if self.options.allexport {
            self.variables.export(name);
        }
        Ok(())
    }

    /// Runs a script's text, command by command; `last` lets its last command take this process's place.
    pub fn run_text(&mut self, text: &[u8], last: bool) -> Run {
        let mut parser = Parser::new(text);
        let mut shown = 0;
        loop {
            let list = match parser.next_command() {
                Ok(Some(list)) => list,
                Ok(None) => return Ok(self.status),
                Err(error) => return Err(Flow::Fatal(describe(error))),
            };
            if self.options.verbose {
                let _ = std::io::stderr().write_all(&text[shown..parser.position()]);
                shown = parser.position();
            }
            let ends = text[parser.position()..].trim_ascii().is_empty();
            self.run_list(&list, last && ends)?;
        }
    }

    /// Runs `body` one call deeper.
    pub fn called(&mut self, body: impl FnOnce(&mut Self) -> Run) -> Run {
        if self.calls >= MAX_CALLS {
            return Err(Flow::Fatal("calls nested too deeply".to_owned()));
        }
        self.calls += 1;
        let result = body(self);
        self.calls -= 1;
        result
    }

    /// The status that `flow` leaves behind where nothing is left to break out of; prints the error of a fatal one.
    pub fn settle(&mut self, flow: Run) -> i32 {
        self.status = match flow {
            Ok(status) | Err(Flow::Return(status) | Flow::Exit(status)) => status,
            Err(Flow::Break(_) | Flow::Continue(_)) => 0,
            Err(Flow::Fatal(text)) => {
                if !text.is_empty() {
                    self.complain(&text);
                }
                2
            }
            Err(Flow::Interrupt) => 128 + libc::SIGINT,
        };
        self.status
    }
}

/// A syntax error as a line.
pub fn describe(error: SyntaxError) -> String {
    match error {
        SyntaxError::Incomplete => "syntax error: unexpected end of file".to_owned(),
        SyntaxError::Wrong(line, text) => format!("line {line}: {text}"),
    }
}
