//! Reads shell commands, POSIX XCU 2.10, by recursive descent over the bytes of a script.
//!
//! Key types: [`Parser`], [`SyntaxError`]. A script is read one complete command at a time, so that what stands before an error
//! runs. `words.rs` reads words, `compounds.rs` commands, this file lists and pipelines of
//! them, redirections and here-documents.

use std::cell::OnceCell;
use std::rc::Rc;

use super::syntax::{Bytes, Item, List, Part, Pipeline, Redirect, RedirectKind, Word};

/// Why a script could not be read.
#[derive(Debug, PartialEq, Eq)]
pub enum SyntaxError {
    /// The text ends within a command: more lines may complete it.
    Incomplete,
    /// The line and what was wrong.
    Wrong(usize, String),
}

/// The result of reading a part of a script.
pub type Parsed<T> = Result<T, SyntaxError>;

/// A here-document that begins after the current line.
struct PendingHere {
    end: Bytes,
    quoted: bool,
    strip_tabs: bool,
    body: Rc<OnceCell<Word>>,
}

/// How deep commands and expansions may nest: a bound on the parser's own stack.
const MAX_DEPTH: usize = 200;

/// Words with a meaning of their own where a command may begin.
const RESERVED: [&[u8]; 16] = [
    b"!", b"{", b"}", b"if", b"then", b"else", b"elif", b"fi", b"while", b"until", b"for", b"do", b"done", b"case",
    b"esac", b"in",
];

/// A script, being read.
pub struct Parser<'a> {
    pub(super) text: &'a [u8],
    pub(super) at: usize,
    pending: Vec<PendingHere>,
    depth: usize,
}

/// Reads `text` as if in double quotes, where `"` is an ordinary byte: a prompt.
pub fn parse_text(text: &[u8]) -> Parsed<Word> {
    Parser::new(text).here_document()
}

impl<'a> Parser<'a> {
    /// Reads `text` from its beginning.
    pub fn new(text: &'a [u8]) -> Self {
        Self { text, at: 0, pending: Vec::new(), depth: 0 }
    }

    /// The next line's commands; `None` at the end.
    pub fn next_command(&mut self) -> Parsed<Option<List>> {
        self.skip_newlines()?;
        if self.at == self.text.len() {
            return Ok(None);
        }
        let mut list = List::new();
        loop {
            list.push(self.item()?);
            self.skip_blanks();
            match self.peek() {
                None => break,
                Some(b'\n') => {
                    self.newline()?;
                    break;
                }
                // An item ended by `;` or `&` may be followed by another.
                Some(_) if matches!(self.text.get(self.at - 1), Some(b';' | b'&')) || self.ended_item() => {}
                Some(_) => return Err(self.unexpected()),
            }
        }
        if self.pending.is_empty() { Ok(Some(list)) } else { Err(SyntaxError::Incomplete) }
    }

    /// Whether the last thing read, before blanks, was `;` or `&`.
    fn ended_item(&self) -> bool {
        let before = self.text[..self.at].iter().rev().find(|byte| !matches!(byte, b' ' | b'\t'));
        matches!(before, Some(b';' | b'&'))
    }

    /// Where reading stands, in bytes.
    pub fn position(&self) -> usize {
        self.at
    }

    pub(super) fn peek(&self) -> Option<u8> {
        self.text.get(self.at).copied()
    }

    pub(super) fn looking_at(&self, text: &[u8]) -> bool {
        self.text[self.at..].starts_with(text)
    }

    pub(super) fn accept(&mut self, text: &[u8]) -> bool {
        let found = self.looking_at(text);
        if found {
            self.at += text.len();
        }
        found
    }

    pub(super) fn wrong(&self, what: impl Into<String>) -> SyntaxError {
        SyntaxError::Wrong(1 + self.text[..self.at].iter().filter(|byte| **byte == b'\n').count(), what.into())
    }

    pub(super) fn unexpected(&self) -> SyntaxError {
        if self.at == self.text.len() {
            return SyntaxError::Incomplete;
        }
        let rest = &self.text[self.at..];
        let shown = match rest[0] {
            b'\n' => "newline".into(),
            b';' | b'&' | b'|' if rest.get(1) == Some(&rest[0]) => String::from_utf8_lossy(&rest[..2]),
            b';' | b'&' | b'|' | b'(' | b')' | b'<' | b'>' => String::from_utf8_lossy(&rest[..1]),
            _ => {
                let end = rest.iter().position(|byte| b" \t\n;&|()<>".contains(byte)).unwrap_or(rest.len());
                String::from_utf8_lossy(&rest[..end])
            }
        };
        self.wrong(format!("syntax error: {shown} unexpected"))
    }

    /// Guards a level of nesting.
    pub(super) fn nested<T>(&mut self, read: impl FnOnce(&mut Self) -> Parsed<T>) -> Parsed<T> {
        if self.depth >= MAX_DEPTH {
            return Err(self.wrong("syntax error: nested too deeply"));
        }
        self.depth += 1;
        let result = read(self);
        self.depth -= 1;
        result
    }

    /// Skips blanks, continued lines and a comment.
    pub(super) fn skip_blanks(&mut self) {
        loop {
            match self.peek() {
                Some(b' ' | b'\t') => self.at += 1,
                Some(b'\\') if self.text.get(self.at + 1) == Some(&b'\n') => self.at += 2,
                Some(b'#') => {
                    while self.peek().is_some_and(|byte| byte != b'\n') {
                        self.at += 1;
                    }
                }
                _ => return,
            }
        }
    }

    pub(super) fn skip_newlines(&mut self) -> Parsed<()> {
        loop {
            self.skip_blanks();
            if self.peek() != Some(b'\n') {
                return Ok(());
            }
            self.newline()?;
        }
    }

    /// Passes a newline, after which the here-documents of its line begin.
    fn newline(&mut self) -> Parsed<()> {
        self.at += 1;
        for here in std::mem::take(&mut self.pending) {
            let mut body = Bytes::new();
            loop {
                if self.at >= self.text.len() {
                    return Err(SyntaxError::Incomplete);
                }
                let end = self.text[self.at..].iter().position(|byte| *byte == b'\n').map(|length| self.at + length);
                let mut line = &self.text[self.at..end.unwrap_or(self.text.len())];
                if here.strip_tabs {
                    line = &line[line.iter().take_while(|byte| **byte == b'\t').count()..];
                }
                self.at = end.map_or(self.text.len(), |end| end + 1);
                if line == here.end {
                    break;
                }
                body.extend_from_slice(line);
                body.push(b'\n');
            }
            let word = if here.quoted { Word(vec![Part::Quoted(body)]) } else { Parser::new(&body).here_document()? };
            let _ = here.body.set(word); // set once, here
        }
        Ok(())
    }

    /// The reserved word that stands here, if one does.
    pub(super) fn reserved(&self) -> Option<&'static [u8]> {
        let rest = &self.text[self.at..];
        let end = rest.iter().position(|byte| b" \t\n;&|()<>".contains(byte)).unwrap_or(rest.len());
        RESERVED.into_iter().find(|word| *word == &rest[..end])
    }

    pub(super) fn accept_reserved(&mut self, word: &[u8]) -> bool {
        self.skip_blanks();
        let found = self.reserved() == Some(word);
        if found {
            self.at += word.len();
        }
        found
    }

    pub(super) fn expect_reserved(&mut self, word: &[u8]) -> Parsed<()> {
        if self.accept_reserved(word) { Ok(()) } else { Err(self.unexpected()) }
    }

    /// A list up to a closing word or bracket, which is left; at least one command.
    pub(super) fn list(&mut self) -> Parsed<List> {
        let list = self.list_or_nothing()?;
        if list.is_empty() { Err(self.unexpected()) } else { Ok(list) }
    }

    pub(super) fn list_or_nothing(&mut self) -> Parsed<List> {
        self.nested(|parser| {
            let mut list = List::new();
            loop {
                parser.skip_newlines()?;
                let closing = match parser.reserved() {
                    Some(word) => !matches!(word, b"!" | b"{" | b"if" | b"while" | b"until" | b"for" | b"case" | b"in"),
                    None => matches!(parser.peek(), None | Some(b')')) || parser.looking_at(b";;"),
                };
                if closing {
                    return Ok(list);
                }
                list.push(parser.item()?);
                parser.skip_blanks();
                let separated = matches!(parser.peek(), None | Some(b'\n' | b')')) || parser.looking_at(b";;");
                if !separated && !parser.ended_item() {
                    return Err(parser.unexpected());
                }
            }
        })
    }

    fn item(&mut self) -> Parsed<Item> {
        let start = self.at;
        let first = self.pipeline()?;
        let mut rest = Vec::new();
        loop {
            self.skip_blanks();
            let and = self.looking_at(b"&&");
            if !and && !self.looking_at(b"||") {
                break;
            }
            self.at += 2;
            self.skip_newlines()?;
            rest.push((and, self.pipeline()?));
        }
        let text = self.text[start..self.at].trim_ascii().to_vec();
        let background = self.peek() == Some(b'&');
        if background || self.peek() == Some(b';') && !self.looking_at(b";;") {
            self.at += 1;
        }
        Ok(Item { first, rest, background, text })
    }

    fn pipeline(&mut self) -> Parsed<Pipeline> {
        self.skip_blanks();
        let start = self.at;
        let mut negated = false;
        while self.accept_reserved(b"!") {
            negated = !negated;
        }
        let mut commands = vec![self.command()?];
        loop {
            self.skip_blanks();
            if self.peek() != Some(b'|') || self.looking_at(b"||") {
                break;
            }
            self.at += 1;
            self.skip_newlines()?;
            commands.push(self.command()?);
        }
        Ok(Pipeline { negated, commands, text: self.text[start..self.at].trim_ascii().to_vec() })
    }

    pub(super) fn redirect(&mut self) -> Parsed<Option<Redirect>> {
        let digits = self.text[self.at..].iter().take_while(|byte| byte.is_ascii_digit()).count();
        let operator = self.text.get(self.at + digits).copied();
        if !matches!(operator, Some(b'<' | b'>')) {
            return Ok(None);
        }
        let number = str::from_utf8(&self.text[self.at..self.at + digits]).unwrap_or_default().parse::<i32>();
        self.at += digits;
        let fd = match number {
            Ok(fd) => fd,
            Err(_) if digits > 0 => return Err(self.wrong("syntax error: bad file descriptor")),
            Err(_) => i32::from(operator == Some(b'>')),
        };
        const OPERATORS: [&[u8]; 9] = [b"<<-", b"<<", b"<&", b"<>", b"<", b">>", b">&", b">|", b">"];
        let operator =
            OPERATORS.into_iter().find(|operator| self.looking_at(operator)).ok_or_else(|| self.unexpected())?;
        self.at += operator.len();
        self.skip_blanks();
        let start = self.at;
        let word = self.word()?.ok_or_else(|| self.unexpected())?;
        let kind = match operator {
            b"<" => RedirectKind::Read(word),
            b">" => RedirectKind::Write(word),
            b">|" => RedirectKind::Clobber(word),
            b">>" => RedirectKind::Append(word),
            b"<>" => RedirectKind::ReadWrite(word),
            b"<&" | b">&" => RedirectKind::Duplicate(word),
            _ => {
                let source = &self.text[start..self.at];
                let body = Rc::new(OnceCell::new());
                self.pending.push(PendingHere {
                    end: source.iter().copied().filter(|byte| !b"\\'\"".contains(byte)).collect(),
                    quoted: source.iter().any(|byte| b"\\'\"".contains(byte)),
                    strip_tabs: operator == b"<<-",
                    body: Rc::clone(&body),
                });
                RedirectKind::Here(body)
            }
        };
        Ok(Some(Redirect { fd, kind }))
    }
}
