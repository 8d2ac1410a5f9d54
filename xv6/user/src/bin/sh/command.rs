//! Simple commands: assignments, functions, builtins, and programs found through `PATH`.

use std::ffi::{CString, OsStr};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::rc::Rc;

use nix::errno::Errno;

use user::raw::Forked;
use user::shell::syntax::{Bytes, Command, Redirect, Simple};

use crate::builtins::{self, Builtin};
use crate::expand::cannot;
use crate::shell::{Flow, Run, Shell};

/// The search path when `PATH` is unset.
const DEFAULT_PATH: &[u8] = b"/bin:/sbin";

/// Why a command could not be run: what to say, and the status.
pub struct Missing {
    text: String,
    status: i32,
}

impl Missing {
    /// What to say.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// 127 if it is not there, 126 if it may not be executed.
    pub fn status(&self) -> i32 {
        self.status
    }
}

impl Shell {
    /// Runs a simple command; with `last`, a program takes this process's place.
    pub fn run_simple(&mut self, simple: &Simple, last: bool) -> Run {
        self.substituted = None;
        let words = self.expand_words(&simple.words)?;
        let Some(name) = words.first() else { return self.run_assignments(simple) };
        let builtin = builtins::find(name);
        if let Some(Builtin { special: true, run, .. }) = builtin {
            for (name, value) in self.expand_assignments(simple)? {
                self.assign(&name, value)?;
            }
            self.trace(&[], &words);
            if name == b"exec" {
                self.redirect_for_good(&simple.redirects)?;
                return run(self, &words);
            }
            let saved = self.redirect(&simple.redirects)?;
            let result = run(self, &words);
            self.restore(saved);
            return result;
        }
        let function = self.functions.get(name).cloned();
        let assignments = self.expand_assignments(simple)?;
        self.trace(&assignments, &words);
        if function.is_none() && builtin.is_none() {
            return self.run_program(&words, &assignments, &simple.redirects, last);
        }
        let saved = match self.redirect(&simple.redirects) {
            Err(Flow::Fatal(text)) => {
                self.complain(&text);
                return Ok(2);
            }
            saved => saved?,
        };
        let temporary = !assignments.is_empty();
        if temporary {
            self.variables.push_frame();
        }
        let result = self.set_temporary(assignments).and_then(|()| match (function, builtin) {
            (Some(body), _) => self.run_function(&body, &words),
            (None, Some(builtin)) => (builtin.run)(self, &words),
            (None, None) => Ok(127),
        });
        if temporary {
            self.variables.pop_frame();
        }
        self.restore(saved);
        result
    }

    fn run_assignments(&mut self, simple: &Simple) -> Run {
        let saved = match self.redirect(&simple.redirects) {
            Err(Flow::Fatal(text)) => {
                self.complain(&text);
                return Ok(1);
            }
            saved => saved?,
        };
        self.restore(saved);
        for (name, word) in &simple.assignments {
            let value = self.expand_string(word)?;
            self.trace(&[(name.clone(), value.clone())], &[]);
            self.assign(name, value)?;
        }
        Ok(self.substituted.unwrap_or(0))
    }

    fn expand_assignments(&mut self, simple: &Simple) -> Result<Vec<(Bytes, Bytes)>, Flow> {
        simple.assignments.iter().map(|(name, word)| Ok((name.clone(), self.expand_string(word)?))).collect()
    }

    /// Sets variables for one command: exported, and put back by the frame that the caller has pushed.
    fn set_temporary(&mut self, assignments: Vec<(Bytes, Bytes)>) -> Result<(), Flow> {
        for (name, value) in assignments {
            self.variables.make_local(&name);
            self.variables.set(&name, value).map_err(Flow::Fatal)?;
            self.variables.export(&name);
        }
        Ok(())
    }

    /// `set -x`.
    fn trace(&self, assignments: &[(Bytes, Bytes)], words: &[Bytes]) {
        if self.options.xtrace {
            let mut line = self.variables.get(b"PS4").cloned().unwrap_or_default();
            let pairs = assignments.iter().map(|(name, value)| [name.as_slice(), b"=", value].concat());
            let all: Vec<Bytes> = pairs.chain(words.iter().cloned()).collect();
            line.extend(all.join(&b' '));
            eprintln!("{}", String::from_utf8_lossy(&line));
        }
    }

    fn run_function(&mut self, body: &Rc<Command>, words: &[Bytes]) -> Run {
        let parameters = std::mem::replace(&mut self.parameters, words[1..].to_vec());
        let loops = std::mem::take(&mut self.loops);
        self.variables.push_frame();
        let result = self.called(|shell| shell.run_command(body, false));
        self.variables.pop_frame();
        self.loops = loops;
        self.parameters = parameters;
        match result {
            Err(Flow::Return(status)) => Ok(status),
            other => other,
        }
    }

    /// Runs a program in a child, or in place of this process.
    pub fn run_program(
        &mut self,
        words: &[Bytes],
        assignments: &[(Bytes, Bytes)],
        redirects: &[Redirect],
        last: bool,
    ) -> Run {
        let path_now = assignments.iter().rev().find(|(name, _)| name == b"PATH").map(|(_, value)| value.clone());
        let path = match self.find_program(&words[0], path_now) {
            Ok(path) => path,
            Err(missing) => {
                // The message goes where the command's own would have gone.
                let saved = self.redirect(redirects);
                self.complain(&missing.text);
                match saved {
                    Ok(saved) => self.restore(saved),
                    Err(Flow::Fatal(text)) => self.complain(&text),
                    Err(flow) => return Err(flow),
                }
                return Ok(missing.status);
            }
        };
        if last && self.traps.is_empty() && !self.options.interactive && !self.options.monitor {
            let status = self.become_program(&path, words, assignments, redirects);
            self.leave_child(status);
        }
        match user::raw::fork().map_err(|error| cannot("fork", error))? {
            Forked::Child => {
                self.enter_child(self.options.monitor.then_some(None), true);
                let status = self.become_program(&path, words, assignments, redirects);
                self.leave_child(status)
            }
            Forked::Parent(child) => {
                let group = self.options.monitor.then_some(child);
                if group.is_some() {
                    // Fails if the child was faster.
                    let _ = rustix::process::setpgid(Some(child), group);
                }
                let job = self.jobs.add(&[child], group, words.join(&b' '), false);
                self.wait_foreground(job)
            }
        }
    }

    /// Executes the program at `path`; returns only if that fails, or when a script without `#!` has been run.
    pub fn become_program(
        &mut self,
        path: &Bytes,
        words: &[Bytes],
        assignments: &[(Bytes, Bytes)],
        redirects: &[Redirect],
    ) -> Run {
        if let Err(flow) = self.redirect_for_good(redirects) {
            let status = self.settle(Err(flow));
            return Ok(status);
        }
        self.set_temporary(assignments.to_vec())?;
        let c_string =
            |bytes: &Bytes| CString::new(bytes.clone()).map_err(|_| Flow::Fatal("argument with a NUL byte".to_owned()));
        let arguments = words.iter().map(c_string).collect::<Result<Vec<_>, _>>()?;
        let Err(error) = nix::unistd::execve(&c_string(path)?, &arguments, &self.variables.environment());
        if error == Errno::ENOEXEC
            && let Ok(text) = std::fs::read(OsStr::from_bytes(path))
            && !text.iter().take(256).any(|byte| *byte == 0)
        {
            // POSIX: a file that the kernel does not know is a script for sh.
            self.name = path.clone();
            self.parameters = words[1..].to_vec();
            return self.run_text(&text, true);
        }
        let status = if error == Errno::ENOENT { 127 } else { 126 };
        self.complain(&format!("{}: {}", String::from_utf8_lossy(&words[0]), user::fail::why(&error.into())));
        Ok(status)
    }

    /// The path of the program called `name`, through `path` or `PATH`.
    pub fn find_program(&self, name: &Bytes, path: Option<Bytes>) -> Result<Bytes, Missing> {
        if name.contains(&b'/') {
            return Ok(name.clone());
        }
        let path = path.or_else(|| self.variables.get(b"PATH").cloned()).unwrap_or_else(|| DEFAULT_PATH.to_vec());
        let mut refused = false;
        for folder in path.split(|byte| *byte == b':') {
            let candidate = if folder.is_empty() { name.clone() } else { [folder, b"/", name].concat() };
            let file = Path::new(OsStr::from_bytes(&candidate));
            if rustix::fs::access(file, rustix::fs::Access::EXEC_OK).is_ok() {
                if file.is_file() {
                    return Ok(candidate);
                }
            } else if file.is_file() {
                refused = true;
            }
        }
        let shown = String::from_utf8_lossy(name);
        Err(if refused {
            Missing { text: format!("{shown}: Permission denied"), status: 126 }
        } else {
            Missing { text: format!("{shown}: not found"), status: 127 }
        })
    }
}
