//! Expands words, XCU 2.6: tilde, parameters, command substitution, arithmetic; then fields and file names.

use std::io::Read;

use user::raw::Forked;
use user::shell::arith;
use user::shell::fields::{self, Field, Origin, Unit};
use user::shell::glob;
use user::shell::pattern::Pattern;
use user::shell::syntax::{Bytes, List, Operation, Part, Word};

use crate::shell::{Flow, Shell};

impl Shell {
    /// The fields of several words, file names expanded.
    pub fn expand_words(&mut self, words: &[Word]) -> Result<Vec<Bytes>, Flow> {
        let ifs = self.variables.get(b"IFS").cloned().unwrap_or_else(|| b" \t\n".to_vec());
        let mut arguments = Vec::new();
        for word in words {
            let mut units = Vec::new();
            self.expand_parts(word, &mut units)?;
            for field in fields::split(&units, &ifs) {
                let found = if self.options.noglob { Vec::new() } else { glob::expand(&field) };
                if found.is_empty() {
                    arguments.push(fields::plain(&field));
                } else {
                    arguments.extend(found);
                }
            }
        }
        Ok(arguments)
    }

    /// One word as one string: an assignment, a here-document, a redirection's target.
    pub fn expand_string(&mut self, word: &Word) -> Result<Bytes, Flow> {
        let mut units = Vec::new();
        self.expand_parts(word, &mut units)?;
        Ok(fields::join(&units))
    }

    /// One word as a pattern, in which quoted parts mean themselves.
    pub fn expand_pattern(&mut self, word: &Word) -> Result<Field, Flow> {
        let mut units = Vec::new();
        self.expand_parts(word, &mut units)?;
        Ok(fields::pattern(&units))
    }

    fn expand_parts(&mut self, word: &Word, units: &mut Vec<Unit>) -> Result<(), Flow> {
        for part in &word.0 {
            match part {
                Part::Literal(text) => push(units, text, Origin::Literal),
                Part::Quoted(text) if text.is_empty() => units.push(Unit::Empty),
                Part::Quoted(text) => push(units, text, Origin::Quoted),
                Part::Tilde(user) => self.expand_tilde(user, units),
                Part::Parameter(name, operation, quoted) => self.expand_parameter(name, operation, *quoted, units)?,
                Part::Command(list, quoted) => {
                    let output = self.substitute(list)?;
                    push_expanded(units, &output, *quoted);
                }
                Part::Arithmetic(expression, quoted) => {
                    let text = self.expand_string(expression)?;
                    let value = arith::evaluate(&text, self).map_err(Flow::Fatal)?;
                    push_expanded(units, value.to_string().as_bytes(), *quoted);
                }
            }
        }
        Ok(())
    }

    fn expand_tilde(&self, user: &[u8], units: &mut Vec<Unit>) {
        let home = if user.is_empty() { self.variables.get(b"HOME").cloned() } else { home_of(user) };
        match home {
            Some(home) => push(units, &home, Origin::Quoted),
            None => push(units, &[b"~", user].concat(), Origin::Quoted),
        }
    }

    /// The value of a parameter that is one string; `None` if it is unset.
    fn parameter(&self, name: &[u8]) -> Option<Bytes> {
        match name {
            b"?" => Some(self.status.to_string().into()),
            b"$" => Some(self.pid.to_string().into()),
            b"!" => self.last_background.map(|pid| pid.to_string().into()),
            b"#" => Some(self.parameters.len().to_string().into()),
            b"-" => Some(self.options.letters()),
            b"0" => Some(self.name.clone()),
            b"@" | b"*" => (!self.parameters.is_empty()).then(|| self.parameters.join(self.separator().as_slice())),
            _ if name[0].is_ascii_digit() => {
                let index: usize = str::from_utf8(name).ok()?.parse().ok()?;
                self.parameters.get(index.checked_sub(1)?).cloned()
            }
            _ => self.variables.get(name).cloned(),
        }
    }

    /// What joins `"$*"`: the first byte of `IFS`, a space if it is unset.
    fn separator(&self) -> Bytes {
        match self.variables.get(b"IFS") {
            Some(ifs) => ifs.iter().take(1).copied().collect(),
            None => b" ".to_vec(),
        }
    }

    fn expand_parameter(
        &mut self,
        name: &[u8],
        operation: &Operation,
        quoted: bool,
        units: &mut Vec<Unit>,
    ) -> Result<(), Flow> {
        let value = self.parameter(name);
        let all = matches!(name, b"@" | b"*");
        match operation {
            Operation::Value => match value {
                Some(_) if all => self.push_parameters(name == b"@", quoted, units),
                Some(value) => push_expanded(units, &value, quoted),
                None if all => {
                    // "$*" is an empty field then; "$@" is none.
                    if quoted && name == b"*" {
                        units.push(Unit::Empty);
                    }
                }
                None => {
                    self.check_set(name)?;
                    push_expanded(units, b"", quoted);
                }
            },
            Operation::Length => {
                let length = if all {
                    self.parameters.len()
                } else {
                    value.map_or_else(|| self.check_set(name).map(|()| 0), |v| Ok(v.len()))?
                };
                push_expanded(units, length.to_string().as_bytes(), quoted);
            }
            Operation::Remove(end, longest, word) => {
                let value = match value {
                    Some(value) => value,
                    None => self.check_set(name).map(|()| Bytes::new())?,
                };
                let pattern = Pattern::new(&self.expand_pattern(word)?);
                push_expanded(units, pattern.remove(&value, *end, *longest), quoted);
            }
            Operation::Substitute(operator, colon, word) => {
                let missing = value.as_ref().is_none_or(|value| *colon && value.is_empty());
                match (operator, missing) {
                    (b'+', false) | (b'-', true) => {
                        let before = units.len();
                        self.expand_parts(word, units)?;
                        mark_expanded(&mut units[before..], quoted);
                        if quoted && units.len() == before {
                            units.push(Unit::Empty);
                        }
                    }
                    (b'+', true) => {
                        if quoted {
                            units.push(Unit::Empty);
                        }
                    }
                    (b'=', true) => {
                        if !crate::variables::is_name(name) {
                            return Err(Flow::Fatal(format!("{}: bad variable name", String::from_utf8_lossy(name))));
                        }
                        let value = self.expand_string(word)?;
                        self.assign(name, value.clone())?;
                        push_expanded(units, &value, quoted);
                    }
                    (b'?', true) => {
                        let text = self.expand_string(word)?;
                        let text = if text.is_empty() { b"parameter not set".to_vec() } else { text };
                        let line = format!("{}: {}", String::from_utf8_lossy(name), String::from_utf8_lossy(&text));
                        return Err(Flow::Fatal(line));
                    }
                    _ if all => self.push_parameters(name == b"@", quoted, units),
                    _ => push_expanded(units, &value.unwrap_or_default(), quoted),
                }
            }
        }
        Ok(())
    }

    fn check_set(&self, name: &[u8]) -> Result<(), Flow> {
        if self.options.nounset {
            return Err(Flow::Fatal(format!("{}: parameter not set", String::from_utf8_lossy(name))));
        }
        Ok(())
    }

    /// `$@`, `$*` and their quoted forms.
    fn push_parameters(&self, at: bool, quoted: bool, units: &mut Vec<Unit>) {
        let separator = self.separator();
        for (index, parameter) in self.parameters.iter().enumerate() {
            if index > 0 {
                if quoted && !at {
                    push(units, &separator, Origin::Quoted);
                } else {
                    units.push(Unit::Break);
                }
            }
            push_expanded(units, parameter, quoted);
        }
    }

    /// The output of `list` without its last newlines; its status is in `substituted`.
    fn substitute(&mut self, list: &List) -> Result<Bytes, Flow> {
        if list.is_empty() {
            self.substituted = Some(0);
            return Ok(Bytes::new());
        }
        let (reader, writer) =
            rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC).map_err(|error| cannot("pipe", error.into()))?;
        match user::raw::fork().map_err(|error| cannot("fork", error))? {
            Forked::Child => {
                self.enter_child(None, false);
                let ready = rustix::stdio::dup2_stdout(&writer);
                drop((reader, writer));
                let flow = if ready.is_ok() { self.run_list(list, true) } else { Ok(2) };
                self.leave_child(flow)
            }
            Forked::Parent(child) => {
                drop(writer);
                let mut output = Bytes::new();
                // A read error leaves what has been read; the command's status tells the rest.
                let _ = std::fs::File::from(reader).read_to_end(&mut output);
                self.substituted = Some(self.jobs.wait_child(child));
                self.status = self.substituted.unwrap_or(0);
                while output.last() == Some(&b'\n') {
                    output.pop();
                }
                output.retain(|byte| *byte != 0);
                self.check_interrupt()?;
                Ok(output)
            }
        }
    }
}

/// A system call that the shell itself needs failed.
pub fn cannot(what: &str, error: std::io::Error) -> Flow {
    Flow::Fatal(format!("cannot {what}: {}", user::fail::why(&error)))
}

fn push(units: &mut Vec<Unit>, text: &[u8], origin: Origin) {
    units.extend(text.iter().map(|byte| Unit::Byte(*byte, origin)));
}

fn push_expanded(units: &mut Vec<Unit>, text: &[u8], quoted: bool) {
    if quoted && text.is_empty() {
        units.push(Unit::Empty);
    }
    push(units, text, if quoted { Origin::Quoted } else { Origin::Expanded });
}

/// The word of `${x-word}` counts as expanded text: it is split unless it is quoted.
fn mark_expanded(units: &mut [Unit], quoted: bool) {
    for unit in units {
        if let Unit::Byte(byte, Origin::Literal) = *unit {
            *unit = Unit::Byte(byte, if quoted { Origin::Quoted } else { Origin::Expanded });
        }
    }
}

fn home_of(user: &[u8]) -> Option<Bytes> {
    let users = std::fs::read("/etc/passwd").ok()?;
    let line = users.split(|byte| *byte == b'\n').find(|line| line.split(|byte| *byte == b':').next() == Some(user))?;
    line.split(|byte| *byte == b':').nth(5).map(<[u8]>::to_vec)
}

impl arith::Variables for Shell {
    fn get(&self, name: &[u8]) -> Option<Bytes> {
        self.variables.get(name).cloned()
    }

    fn set(&mut self, name: &[u8], value: i64) -> Result<(), String> {
        self.variables.set(name, value.to_string())
    }
}
