//! Reads commands: compound ones (POSIX XCU 2.9.4) by their reserved words, function definitions, and simple ones.
//!
//! The rest of [`Parser`] is in `parser.rs` and `words.rs`.

use std::rc::Rc;

use super::parser::{Parsed, Parser, SyntaxError};
use super::syntax::{Bytes, Command, Compound, List, Simple};

impl Parser<'_> {
    /// One command, compound or simple, with its redirections.
    pub(super) fn command(&mut self) -> Parsed<Command> {
        self.skip_blanks();
        let compound = if self.peek() == Some(b'(') {
            self.at += 1;
            let list = self.list()?;
            if !self.accept(b")") {
                return Err(self.unexpected());
            }
            Compound::Subshell(list)
        } else {
            match self.reserved() {
                None | Some(b"in") => return self.simple_or_function(),
                Some(word) => self.nested(|parser| parser.compound(word))?,
            }
        };
        let mut redirects = Vec::new();
        loop {
            self.skip_blanks();
            match self.redirect()? {
                Some(redirect) => redirects.push(redirect),
                None => return Ok(Command::Compound(compound, redirects)),
            }
        }
    }

    fn compound(&mut self, word: &'static [u8]) -> Parsed<Compound> {
        let start = self.at;
        self.at += word.len();
        match word {
            b"{" => {
                let list = self.list()?;
                self.expect_reserved(b"}")?;
                Ok(Compound::Brace(list))
            }
            b"if" => self.conditional(),
            b"while" | b"until" => {
                let condition = self.list()?;
                Ok(Compound::Loop(word == b"until", condition, self.do_group()?))
            }
            b"for" => self.for_loop(),
            b"case" => self.case(),
            _ => {
                self.at = start;
                Err(self.unexpected())
            }
        }
    }

    fn do_group(&mut self) -> Parsed<List> {
        self.expect_reserved(b"do")?;
        let body = self.list()?;
        self.expect_reserved(b"done")?;
        Ok(body)
    }

    fn conditional(&mut self) -> Parsed<Compound> {
        let mut arms = Vec::new();
        loop {
            let condition = self.list()?;
            self.expect_reserved(b"then")?;
            arms.push((condition, self.list()?));
            if !self.accept_reserved(b"elif") {
                break;
            }
        }
        let otherwise = if self.accept_reserved(b"else") { Some(self.list()?) } else { None };
        self.expect_reserved(b"fi")?;
        Ok(Compound::If(arms, otherwise))
    }

    fn for_loop(&mut self) -> Parsed<Compound> {
        self.skip_blanks();
        let name = self.name();
        if name.is_empty() {
            return Err(if self.at == self.text.len() {
                SyntaxError::Incomplete
            } else {
                self.wrong("syntax error: bad for loop variable")
            });
        }
        self.skip_newlines()?;
        let mut words = None;
        if self.accept_reserved(b"in") {
            let mut list = Vec::new();
            self.skip_blanks();
            while let Some(word) = self.word()? {
                list.push(word);
                self.skip_blanks();
            }
            words = Some(list);
        }
        if self.peek() == Some(b';') && !self.looking_at(b";;") {
            self.at += 1;
        }
        self.skip_newlines()?;
        Ok(Compound::For(name, words, self.do_group()?))
    }

    fn case(&mut self) -> Parsed<Compound> {
        self.skip_blanks();
        let subject = self.word()?.ok_or_else(|| self.unexpected())?;
        self.skip_newlines()?;
        self.expect_reserved(b"in")?;
        let mut arms = Vec::new();
        loop {
            self.skip_newlines()?;
            if self.accept_reserved(b"esac") {
                return Ok(Compound::Case(subject, arms));
            }
            self.accept(b"(");
            let mut patterns = Vec::new();
            loop {
                self.skip_blanks();
                patterns.push(self.word()?.ok_or_else(|| self.unexpected())?);
                self.skip_blanks();
                if !self.accept(b"|") {
                    break;
                }
            }
            if !self.accept(b")") {
                return Err(self.unexpected());
            }
            arms.push((patterns, self.list_or_nothing()?));
            self.skip_newlines()?;
            if !self.accept(b";;") && self.reserved() != Some(b"esac") {
                return Err(self.unexpected());
            }
        }
    }

    fn simple_or_function(&mut self) -> Parsed<Command> {
        let mut simple = Simple::default();
        loop {
            self.skip_blanks();
            if let Some(redirect) = self.redirect()? {
                simple.redirects.push(redirect);
                continue;
            }
            if simple.words.is_empty()
                && let Some(assignment) = self.assignment()?
            {
                simple.assignments.push(assignment);
                continue;
            }
            let start = self.at;
            let Some(word) = self.word()? else { break };
            if simple.words.is_empty() && simple.assignments.is_empty() && simple.redirects.is_empty() {
                let end = self.at;
                self.skip_blanks();
                if self.accept(b"(") {
                    return self.function(self.text[start..end].to_vec());
                }
            }
            simple.words.push(word);
        }
        if simple.words.is_empty() && simple.assignments.is_empty() && simple.redirects.is_empty() {
            return Err(self.unexpected());
        }
        Ok(Command::Simple(simple))
    }

    /// A function's definition, from after its `(`.
    fn function(&mut self, name: Bytes) -> Parsed<Command> {
        self.skip_blanks();
        let valid = name.iter().all(|byte| byte.is_ascii_alphanumeric() || b"_-.+:".contains(byte));
        if !self.accept(b")") || !valid {
            return Err(self.unexpected());
        }
        self.skip_newlines()?;
        Ok(Command::Function(name, Rc::new(self.nested(Self::command)?)))
    }
}
