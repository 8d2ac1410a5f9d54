//! The syntax tree of a shell script, as [`super::parser::Parser`] builds it and `sh` walks it.
//!
//! Key types: [`List`] of [`Item`]s, [`Command`], [`Word`] of [`Part`]s, [`Redirect`].

use std::cell::OnceCell;
use std::rc::Rc;

/// Text of the shell: any bytes but NUL.
pub type Bytes = Vec<u8>;

/// Commands one after another.
pub type List = Vec<Item>;

/// One and-or list of a [`List`].
#[derive(Debug)]
pub struct Item {
    /// The first pipeline.
    pub first: Pipeline,
    /// The others; `true` for `&&`, `false` for `||`.
    pub rest: Vec<(bool, Pipeline)>,
    /// Ended by `&`.
    pub background: bool,
    /// The source, for `jobs`.
    pub text: Bytes,
}

/// Commands joined by `|`.
#[derive(Debug)]
pub struct Pipeline {
    /// Begins with `!`.
    pub negated: bool,
    /// At least one.
    pub commands: Vec<Command>,
    /// The source, for `jobs`.
    pub text: Bytes,
}

/// One command.
#[derive(Debug)]
pub enum Command {
    /// `A=1 name argument >file`.
    Simple(Simple),
    /// A compound command with redirections after it.
    Compound(Compound, Vec<Redirect>),
    /// `name() command`.
    Function(Bytes, Rc<Command>),
}

/// A simple command; everything may be empty, not all at once.
#[derive(Debug, Default)]
pub struct Simple {
    /// `NAME=value` before the name, with the line it stands on known to the parser only.
    pub assignments: Vec<(Bytes, Word)>,
    /// The name and its arguments.
    pub words: Vec<Word>,
    /// In order.
    pub redirects: Vec<Redirect>,
}

/// A command made of lists.
#[derive(Debug)]
pub enum Compound {
    /// `{ list; }`
    Brace(List),
    /// `( list )`
    Subshell(List),
    /// `if`: conditions with their bodies, and `else`.
    If(Vec<(List, List)>, Option<List>),
    /// `while` (or `until` if the flag is set): condition and body.
    Loop(bool, List, List),
    /// `for name in words`; without `in`, the positional parameters.
    For(Bytes, Option<Vec<Word>>, List),
    /// `case word in patterns) list;; esac`
    Case(Word, Vec<(Vec<Word>, List)>),
}

/// A redirection.
#[derive(Debug)]
pub struct Redirect {
    /// The descriptor to change.
    pub fd: i32,
    /// What it becomes.
    pub kind: RedirectKind,
}

/// What a descriptor is redirected to.
#[derive(Debug)]
pub enum RedirectKind {
    /// `<`
    Read(Word),
    /// `>` (with `set -C`, only a file that does not exist)
    Write(Word),
    /// `>|`
    Clobber(Word),
    /// `>>`
    Append(Word),
    /// `<>`
    ReadWrite(Word),
    /// `<&` and `>&`: a descriptor's number, or `-` to close.
    Duplicate(Word),
    /// `<<`: the document, filled in when the parser reaches it.
    Here(Rc<OnceCell<Word>>),
}

/// A word before expansion.
#[derive(Clone, Debug, Default)]
pub struct Word(pub Vec<Part>);

/// A piece of a word.
#[derive(Clone, Debug)]
pub enum Part {
    /// Plain text, where `*?[` are patterns.
    Literal(Bytes),
    /// Text from quotes, taken as it is; may be empty, which still makes a field.
    Quoted(Bytes),
    /// `~` or `~user`: the user's name.
    Tilde(Bytes),
    /// `$name`, `${name...}`; the flag says that it stands in double quotes.
    Parameter(Bytes, Operation, bool),
    /// `$(list)`, and whether it stands in double quotes.
    Command(Rc<List>, bool),
    /// `$((word))`, and whether it stands in double quotes.
    Arithmetic(Word, bool),
}

/// What `${name...}` does with the parameter.
#[derive(Clone, Debug)]
pub enum Operation {
    /// Its value.
    Value,
    /// `${#name}`: its length.
    Length,
    /// `-` `=` `?` `+`, whether a colon stands before (an empty value counts as unset), and the word.
    Substitute(u8, bool, Word),
    /// `#` `##` `%` `%%`: which end (`#` or `%`), whether the longest match is removed, the pattern.
    Remove(u8, bool, Word),
}
