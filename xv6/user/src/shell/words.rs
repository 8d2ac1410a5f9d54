//! Reads words: quotes, `$name`, `${...}`, `$(...)`, backquotes, `$((...))`, `~`. The other half of [`Parser`].

use std::rc::Rc;

use super::parser::{Parsed, Parser, SyntaxError};
use super::syntax::{Bytes, List, Operation, Part, Word};

/// What ends the text being read.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Until {
    /// A blank or an operator.
    Token,
    /// `}`, where quotes have their meaning.
    Brace,
    /// `}`, within double quotes.
    QuotedBrace,
    /// `"`.
    DoubleQuote,
    /// The end of the text: a here-document.
    End,
    /// `))`.
    Arithmetic,
}

impl Until {
    /// Whether text read until this is as if in double quotes.
    fn is_quoted(self) -> bool {
        !matches!(self, Self::Token | Self::Brace)
    }
}

/// Joins neighbouring text of one kind.
fn push_text(parts: &mut Vec<Part>, quoted: bool, byte: u8) {
    match (parts.last_mut(), quoted) {
        (Some(Part::Quoted(text)), true) | (Some(Part::Literal(text)), false) => text.push(byte),
        (_, true) => parts.push(Part::Quoted(vec![byte])),
        (_, false) => parts.push(Part::Literal(vec![byte])),
    }
}

fn is_name_start(byte: u8) -> bool {
    byte.is_ascii_alphabetic() || byte == b'_'
}

impl Parser<'_> {
    /// A variable's name; empty if none stands here.
    pub(super) fn name(&mut self) -> Bytes {
        let rest = &self.text[self.at..];
        let length = match rest.first() {
            Some(first) if is_name_start(*first) => {
                rest.iter().take_while(|byte| byte.is_ascii_alphanumeric() || **byte == b'_').count()
            }
            _ => 0,
        };
        self.at += length;
        rest[..length].to_vec()
    }

    /// `NAME=value`, if that stands here.
    pub(super) fn assignment(&mut self) -> Parsed<Option<(Bytes, Word)>> {
        let start = self.at;
        let name = self.name();
        if name.is_empty() || !self.accept(b"=") {
            self.at = start;
            return Ok(None);
        }
        let mut word = Word(self.parts(Until::Token)?);
        expand_tildes(&mut word, true);
        Ok(Some((name, word)))
    }

    /// A word; `None` at a blank, an operator or the end.
    pub(super) fn word(&mut self) -> Parsed<Option<Word>> {
        let mut word = Word(self.parts(Until::Token)?);
        expand_tildes(&mut word, false);
        Ok((!word.0.is_empty()).then_some(word))
    }

    /// The whole text as the body of a here-document.
    pub(super) fn here_document(&mut self) -> Parsed<Word> {
        Ok(Word(self.parts(Until::End)?))
    }

    fn parts(&mut self, until: Until) -> Parsed<Vec<Part>> {
        self.nested(|parser| parser.parts_inner(until))
    }

    fn parts_inner(&mut self, until: Until) -> Parsed<Vec<Part>> {
        let mut parts = Vec::new();
        let mut brackets = 0_u32; // open in an arithmetic expression
        loop {
            let Some(byte) = self.peek() else {
                return if matches!(until, Until::Token | Until::End) {
                    Ok(parts)
                } else {
                    Err(SyntaxError::Incomplete)
                };
            };
            match (until, byte) {
                (Until::Token, b' ' | b'\t' | b'\n' | b';' | b'&' | b'|' | b'<' | b'>' | b'(' | b')')
                | (Until::Brace | Until::QuotedBrace, b'}')
                | (Until::DoubleQuote, b'"') => return Ok(parts),
                (Until::Arithmetic, b'(') => brackets += 1,
                (Until::Arithmetic, b')') if brackets == 0 => return Ok(parts),
                (Until::Arithmetic, b')') => brackets -= 1,
                _ => {}
            }
            match byte {
                b'\\' => self.backslash(until, &mut parts)?,
                b'\'' if !until.is_quoted() => self.single_quotes(&mut parts)?,
                b'"' if !matches!(until, Until::DoubleQuote | Until::End | Until::Arithmetic) => {
                    self.at += 1;
                    if until == Until::QuotedBrace {
                        continue; // quotes within "${x:-...}" change nothing
                    }
                    let mut inner = self.parts(Until::DoubleQuote)?;
                    self.at += 1;
                    if inner.is_empty() {
                        inner.push(Part::Quoted(Bytes::new()));
                    }
                    parts.append(&mut inner);
                }
                b'$' => self.dollar(until.is_quoted(), &mut parts)?,
                b'`' => self.backquotes(until.is_quoted(), &mut parts)?,
                _ => {
                    self.at += 1;
                    push_text(&mut parts, until.is_quoted(), byte);
                }
            }
        }
    }

    fn backslash(&mut self, until: Until, parts: &mut Vec<Part>) -> Parsed<()> {
        let Some(next) = self.text.get(self.at + 1).copied() else {
            if until != Until::End {
                return Err(SyntaxError::Incomplete);
            }
            self.at += 1;
            push_text(parts, true, b'\\');
            return Ok(());
        };
        self.at += 2;
        let special = match until {
            Until::Token | Until::Brace => true,
            Until::End | Until::Arithmetic => b"$`\\\n".contains(&next),
            Until::DoubleQuote => b"$`\"\\\n".contains(&next),
            Until::QuotedBrace => b"$`\"\\\n}".contains(&next),
        };
        if !special {
            push_text(parts, true, b'\\');
        }
        if !(special && next == b'\n') {
            push_text(parts, true, next);
        }
        Ok(())
    }

    fn single_quotes(&mut self, parts: &mut Vec<Part>) -> Parsed<()> {
        let rest = &self.text[self.at + 1..];
        let length = rest.iter().position(|byte| *byte == b'\'').ok_or(SyntaxError::Incomplete)?;
        parts.push(Part::Quoted(rest[..length].to_vec()));
        self.at += length + 2;
        Ok(())
    }

    /// `$` and what follows.
    fn dollar(&mut self, quoted: bool, parts: &mut Vec<Part>) -> Parsed<()> {
        self.at += 1;
        match self.peek() {
            Some(b'{') => {
                self.at += 1;
                parts.push(self.braces(quoted)?);
            }
            Some(b'(') => parts.push(self.parentheses(quoted)?),
            Some(byte) if is_name_start(byte) => {
                let name = self.name();
                parts.push(Part::Parameter(name, Operation::Value, quoted));
            }
            Some(byte) if byte.is_ascii_digit() || b"@*#?-$!".contains(&byte) => {
                self.at += 1;
                parts.push(Part::Parameter(vec![byte], Operation::Value, quoted));
            }
            _ => push_text(parts, quoted, b'$'),
        }
        Ok(())
    }

    /// `$(` list `)` or `$((` expression `))`, from the first bracket.
    fn parentheses(&mut self, quoted: bool) -> Parsed<Part> {
        let start = self.at;
        if self.accept(b"((") {
            let inner = self.parts(Until::Arithmetic)?;
            if self.accept(b"))") {
                return Ok(Part::Arithmetic(Word(inner), quoted));
            }
            self.at = start; // `$((a); b)`: a subshell first in a substitution
        }
        self.at += 1;
        let list = self.substitution_list()?;
        if !self.accept(b")") {
            return Err(if self.at == self.text.len() {
                SyntaxError::Incomplete
            } else {
                self.wrong("syntax error: ) expected")
            });
        }
        Ok(Part::Command(Rc::new(list), quoted))
    }

    /// The commands of `$(...)`, which may be none.
    fn substitution_list(&mut self) -> Parsed<List> {
        self.skip_blanks();
        if self.peek() == Some(b')') { Ok(List::new()) } else { self.list() }
    }

    fn backquotes(&mut self, quoted: bool, parts: &mut Vec<Part>) -> Parsed<()> {
        self.at += 1;
        let mut script = Bytes::new();
        loop {
            let byte = self.peek().ok_or(SyntaxError::Incomplete)?;
            self.at += 1;
            match (byte, self.peek()) {
                (b'`', _) => break,
                (b'\\', Some(next)) if b"$`\\".contains(&next) || quoted && next == b'"' => {
                    script.push(next);
                    self.at += 1;
                }
                _ => script.push(byte),
            }
        }
        let mut inner = Parser::new(&script);
        let mut list = List::new();
        while let Some(mut line) = inner.next_command()? {
            list.append(&mut line);
        }
        parts.push(Part::Command(Rc::new(list), quoted));
        Ok(())
    }

    /// `${` ... `}`, from after the brace.
    fn braces(&mut self, quoted: bool) -> Parsed<Part> {
        let bad = |parser: &Self| {
            if parser.at == parser.text.len() { SyntaxError::Incomplete } else { parser.wrong("bad substitution") }
        };
        let length = self.peek() == Some(b'#')
            && !matches!(self.text.get(self.at + 1), Some(b'}' | b'#' | b'%' | b':' | b'-' | b'=' | b'?' | b'+'));
        if length {
            self.at += 1;
        }
        let mut name = self.name();
        if name.is_empty() {
            match self.peek() {
                Some(byte) if byte.is_ascii_digit() => {
                    while let Some(digit) = self.peek().filter(u8::is_ascii_digit) {
                        name.push(digit);
                        self.at += 1;
                    }
                }
                Some(byte) if b"@*#?-$!".contains(&byte) => {
                    name.push(byte);
                    self.at += 1;
                }
                _ => return Err(bad(self)),
            }
        }
        let until = if quoted { Until::QuotedBrace } else { Until::Brace };
        let operation = if length {
            Operation::Length
        } else if self.peek() == Some(b'}') {
            Operation::Value
        } else if self.peek().is_some_and(|byte| b"#%".contains(&byte)) {
            let end = self.peek().unwrap_or_default();
            self.at += 1;
            let longest = self.accept(&[end]);
            // A pattern's quotes have their meaning even within double quotes.
            let mut word = Word(self.parts(Until::Brace)?);
            expand_tildes(&mut word, false);
            Operation::Remove(end, longest, word)
        } else {
            let colon = self.accept(b":");
            let operator = self.peek().filter(|byte| b"-=?+".contains(byte)).ok_or_else(|| bad(self))?;
            self.at += 1;
            let mut word = Word(self.parts(until)?);
            if !quoted {
                expand_tildes(&mut word, false);
            }
            Operation::Substitute(operator, colon, word)
        };
        if !self.accept(b"}") {
            return Err(bad(self));
        }
        Ok(Part::Parameter(name, operation, quoted))
    }
}

/// Turns `~` and `~user` at the beginning (in an assignment, after each `:` too) into [`Part::Tilde`].
fn expand_tildes(word: &mut Word, assignment: bool) {
    if !word.0.iter().any(|part| matches!(part, Part::Literal(text) if text.contains(&b'~'))) {
        return;
    }
    let mut parts = Vec::new();
    let last = word.0.len().saturating_sub(1);
    for (index, part) in std::mem::take(&mut word.0).into_iter().enumerate() {
        let Part::Literal(text) = part else {
            parts.push(part);
            continue;
        };
        let mut at = 0;
        let mut plain = Bytes::new();
        while at < text.len() {
            let begins = if at == 0 { index == 0 } else { assignment && text[at - 1] == b':' };
            let rest = &text[at..];
            let end = rest.iter().position(|byte| *byte == b'/' || assignment && *byte == b':').unwrap_or(rest.len());
            // A name that runs into a quote or a parameter is no user's name.
            let whole = end < rest.len() || index == last;
            if begins && rest[0] == b'~' && whole {
                if !plain.is_empty() {
                    parts.push(Part::Literal(std::mem::take(&mut plain)));
                }
                parts.push(Part::Tilde(rest[1..end].to_vec()));
                at += end;
            } else {
                plain.push(rest[0]);
                at += 1;
            }
        }
        if !plain.is_empty() {
            parts.push(Part::Literal(plain));
        }
    }
    word.0 = parts;
}
