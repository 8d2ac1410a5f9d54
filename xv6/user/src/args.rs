//! Options as getopt(3) reads them: `-a -b`, `-ab`, `-n 5`, `-n5`, `--name`, `--name=value`, `--` ends them.
//!
//! Key type: [`Args`]. Options and operands may be mixed (GNU's order) until [`Args::stop_at_operand`] is called, which a program
//! that runs another command needs. A bad option prints the usage line on standard error and exits with status 2.

use std::collections::VecDeque;
use std::ffi::{OsStr, OsString};
use std::io::Write;
use std::os::unix::ffi::{OsStrExt, OsStringExt};

/// A program's command line, being read.
pub struct Args {
    usage: &'static str,
    rest: VecDeque<OsString>,
    /// What is left of a cluster such as `-abc`.
    cluster: VecDeque<u8>,
    /// The value after `=` of the long option just returned.
    inline: Option<OsString>,
    operands: Vec<OsString>,
    stop_at_operand: bool,
}

impl Args {
    /// The process's own arguments.
    pub fn from_env(usage: &'static str) -> Self {
        Self::new(usage, std::env::args_os().skip(1))
    }

    /// Reads `arguments`, without the program's name.
    pub fn new(usage: &'static str, arguments: impl IntoIterator<Item = OsString>) -> Self {
        Self {
            usage,
            rest: arguments.into_iter().collect(),
            cluster: VecDeque::new(),
            inline: None,
            operands: Vec::new(),
            stop_at_operand: false,
        }
    }

    /// Treats the first operand and everything after it as operands: what follows belongs to another command.
    pub fn stop_at_operand(&mut self) {
        self.stop_at_operand = true;
    }

    /// The next argument as it stands, if no option has been read yet; for forms such as `head -5` or `dd`'s operands.
    pub fn peek(&self) -> Option<&OsStr> {
        self.rest.front().map(OsString::as_os_str)
    }

    /// Takes the argument that [`Args::peek`] showed.
    pub fn take(&mut self) -> Option<OsString> {
        self.rest.pop_front()
    }

    /// The next option: `"x"` for `-x`, `"--name"` for `--name`; `None` when only operands are left.
    pub fn option(&mut self) -> Option<String> {
        if self.inline.take().is_some() {
            self.usage_error(); // `--flag=value` where the flag takes none
        }
        if let Some(letter) = self.cluster.pop_front() {
            return Some(char::from(letter).to_string());
        }
        while let Some(argument) = self.rest.pop_front() {
            let bytes = argument.as_bytes();
            if bytes == b"--" {
                self.operands.extend(self.rest.drain(..));
            } else if let Some(long) = bytes.strip_prefix(b"--") {
                let mut halves = long.splitn(2, |byte| *byte == b'=');
                let name = String::from_utf8_lossy(halves.next().unwrap_or_default()).into_owned();
                self.inline = halves.next().map(|value| OsString::from_vec(value.to_vec()));
                if name == "help" {
                    // Asked for, so it goes to standard output.
                    let _ = writeln!(std::io::stdout(), "usage: {}", self.usage);
                    std::process::exit(0);
                }
                return Some(format!("--{name}"));
            } else if bytes.len() > 1 && bytes[0] == b'-' {
                self.cluster.extend(&bytes[1..]);
                return self.cluster.pop_front().map(|letter| char::from(letter).to_string());
            } else {
                self.operands.push(argument);
                if self.stop_at_operand {
                    self.operands.extend(self.rest.drain(..));
                }
            }
        }
        None
    }

    /// The value of the option just returned: the rest of its word or the next argument.
    pub fn value(&mut self) -> OsString {
        if let Some(value) = self.optional_value() {
            return value;
        }
        match self.rest.pop_front() {
            Some(value) => value,
            None => self.usage_error(),
        }
    }

    /// The value of the option just returned if it stands in the same word (`--mode=x`, `-mx`).
    pub fn optional_value(&mut self) -> Option<OsString> {
        if !self.cluster.is_empty() {
            return Some(OsString::from_vec(self.cluster.drain(..).collect()));
        }
        self.inline.take()
    }

    /// The value of the option just returned, as text.
    pub fn text(&mut self) -> String {
        self.value().to_string_lossy().into_owned()
    }

    /// The value of the option just returned, as a number; a bad number is a usage error.
    pub fn number<T: std::str::FromStr>(&mut self) -> T {
        match self.text().parse() {
            Ok(number) => number,
            Err(_) => self.usage_error(),
        }
    }

    /// The operands, once [`Args::option`] has returned `None`.
    pub fn operands(&mut self) -> Vec<OsString> {
        if self.option().is_some() {
            self.usage_error();
        }
        std::mem::take(&mut self.operands)
    }

    /// Exactly `N` operands, or a usage error.
    pub fn exactly<const N: usize>(&mut self) -> [OsString; N] {
        match self.operands().try_into() {
            Ok(operands) => operands,
            Err(_) => self.usage_error(),
        }
    }

    /// At least one operand, or a usage error.
    pub fn some(&mut self) -> Vec<OsString> {
        let operands = self.operands();
        if operands.is_empty() {
            self.usage_error();
        }
        operands
    }

    /// Prints the usage line on standard error and exits with status 2.
    pub fn usage_error(&self) -> ! {
        let _ = writeln!(std::io::stderr(), "usage: {}", self.usage);
        std::process::exit(2)
    }
}

#[cfg(test)]
mod tests {
    use super::Args;

    fn args(words: &[&str]) -> Args {
        Args::new("test", words.iter().map(Into::into))
    }

    #[test]
    fn clusters_values_and_operands_mix() {
        let mut args = args(&["-ab", "one", "-n5", "--name=x", "-n", "6", "--", "-z"]);
        assert_eq!(args.option().as_deref(), Some("a"));
        assert_eq!(args.option().as_deref(), Some("b"));
        assert_eq!(args.option().as_deref(), Some("n"));
        assert_eq!(args.number::<u32>(), 5);
        assert_eq!(args.option().as_deref(), Some("--name"));
        assert_eq!(args.text(), "x");
        assert_eq!(args.option().as_deref(), Some("n"));
        assert_eq!(args.number::<u32>(), 6);
        assert_eq!(args.option(), None);
        assert_eq!(args.operands(), ["one", "-z"]);
    }

    #[test]
    fn a_commands_own_options_are_left_alone() {
        let mut args = args(&["-i", "ls", "-l"]);
        args.stop_at_operand();
        assert_eq!(args.option().as_deref(), Some("i"));
        assert_eq!(args.option(), None);
        assert_eq!(args.operands(), ["ls", "-l"]);
    }
}
