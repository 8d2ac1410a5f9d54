//! conductorfile: the language of image recipes, as a pure parser.
//!
//! [`parse`] turns the text of a Conductorfile into numbered [`Step`]s, following the Dockerfile reference for the
//! instructions it knows: comments, line continuation, exec (JSON) and shell forms, quoting in `ENV` and `LABEL`. Variables
//! stay as written; [`expand`] replaces them once the environment is known. Nothing here touches a file.

use crate::words::{pairs, split_words};
use std::fmt;

/// An instruction and the line (from 1) that it begins on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// The first line of the instruction.
    pub line: usize,
    /// The instruction.
    pub instruction: Instruction,
}

/// One instruction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Instruction {
    /// `FROM image` or `FROM scratch`.
    From(String),
    /// `COPY [--from=NAME] [--chmod=MODE] source... destination`.
    Copy {
        /// The image or named context to copy from; the recipe's own folder if absent.
        from: Option<String>,
        /// The mode of what is copied, instead of the source's.
        chmod: Option<u16>,
        /// What to copy: at least one.
        sources: Vec<String>,
        /// Where to.
        destination: String,
    },
    /// `ENV name=value...`.
    Env(Vec<(String, String)>),
    /// `LABEL name=value...`.
    Label(Vec<(String, String)>),
    /// `WORKDIR path`.
    Workdir(String),
    /// `USER user[:group]`.
    User(String),
    /// `EXPOSE port[/protocol]...`.
    Expose(Vec<String>),
    /// `CMD`.
    Cmd(Form),
    /// `ENTRYPOINT`.
    Entrypoint(Form),
}

/// The two ways to write a command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Form {
    /// A JSON array: the words as they are.
    Exec(Vec<String>),
    /// Anything else: a line for `/bin/sh -c`.
    Shell(String),
}

impl Form {
    /// The words to execute.
    pub fn words(&self) -> Vec<String> {
        match self {
            Self::Exec(words) => words.clone(),
            Self::Shell(line) => vec!["/bin/sh".into(), "-c".into(), line.clone()],
        }
    }
}

/// What is wrong with a Conductorfile, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SyntaxError {
    /// The line, from 1.
    pub line: usize,
    /// The trouble.
    pub message: String,
}

impl fmt::Display for SyntaxError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.line, self.message)
    }
}

/// Parses a whole Conductorfile. The first instruction is a `FROM`, and the only one.
///
/// # Errors
/// The first line that is wrong.
pub fn parse(text: &str) -> Result<Vec<Step>, SyntaxError> {
    let mut steps: Vec<Step> = Vec::new();
    for (line, logical) in logical_lines(text) {
        let fail = |message: String| SyntaxError { line, message };
        let instruction = parse_instruction(&logical).map_err(fail)?;
        let is_from = matches!(instruction, Instruction::From(_));
        if steps.is_empty() && !is_from {
            return Err(fail("the first instruction must be FROM".into()));
        }
        if !steps.is_empty() && is_from {
            return Err(fail("only one FROM is supported".into()));
        }
        steps.push(Step { line, instruction });
    }
    if steps.is_empty() {
        return Err(SyntaxError { line: 1, message: "no FROM".into() });
    }
    Ok(steps)
}

/// Joins continued lines and drops comments and empty lines, also those inside a continuation.
fn logical_lines(text: &str) -> Vec<(usize, String)> {
    let mut lines = Vec::new();
    let mut open: Option<(usize, String)> = None;
    for (i, line) in text.lines().enumerate() {
        let trimmed = line.trim();
        if trimmed.is_empty() || trimmed.starts_with('#') {
            continue;
        }
        let (start, mut joined) = open.take().unwrap_or((i + 1, String::new()));
        match line.trim_end().strip_suffix('\\') {
            Some(continued) => {
                joined.push_str(continued);
                open = Some((start, joined));
            }
            None => {
                joined.push_str(line);
                lines.push((start, joined.trim().to_string()));
            }
        }
    }
    lines.extend(open.map(|(start, joined)| (start, joined.trim().to_string())));
    lines.retain(|(_, line)| !line.is_empty());
    lines
}

fn parse_instruction(line: &str) -> Result<Instruction, String> {
    let (keyword, rest) = line.split_once(char::is_whitespace).unwrap_or((line, ""));
    let (keyword, rest) = (keyword.to_ascii_uppercase(), rest.trim());
    let needs = |what: &str| if rest.is_empty() { Err(format!("{keyword} needs {what}")) } else { Ok(()) };
    match keyword.as_str() {
        "FROM" => match rest.split_whitespace().collect::<Vec<_>>()[..] {
            [image] => Ok(Instruction::From(image.into())),
            _ => Err("FROM takes one image, or scratch".into()),
        },
        "COPY" => parse_copy(rest),
        "ENV" => needs("name=value").and_then(|()| pairs("ENV", rest)).map(Instruction::Env),
        "LABEL" => needs("name=value").and_then(|()| pairs("LABEL", rest)).map(Instruction::Label),
        "WORKDIR" => needs("a path").map(|()| Instruction::Workdir(rest.into())),
        "USER" => needs("a user").map(|()| Instruction::User(rest.into())),
        "EXPOSE" => needs("a port").map(|()| Instruction::Expose(rest.split_whitespace().map(String::from).collect())),
        "CMD" => needs("a command").map(|()| Instruction::Cmd(parse_form(rest))),
        "ENTRYPOINT" => needs("a command").map(|()| Instruction::Entrypoint(parse_form(rest))),
        "RUN" => Err("RUN is not supported when images are built on the host; COPY what it would make".into()),
        "ADD" | "ARG" | "HEALTHCHECK" | "ONBUILD" | "SHELL" | "STOPSIGNAL" | "VOLUME" | "MAINTAINER" => {
            Err(format!("{keyword} is not supported"))
        }
        _ => Err(format!("unknown instruction {keyword}")),
    }
}

fn parse_form(rest: &str) -> Form {
    // As Docker has it: what looks like an array but is no JSON is a shell line (`[ -e x ] && y`).
    match serde_json::from_str::<Vec<String>>(rest) {
        Ok(words) if !words.is_empty() => Form::Exec(words),
        _ => Form::Shell(rest.into()),
    }
}

fn parse_copy(rest: &str) -> Result<Instruction, String> {
    let (mut from, mut chmod, mut rest) = (None, None, rest);
    while let Some(flag) = rest.strip_prefix("--") {
        let (flag, after) = flag.split_once(char::is_whitespace).unwrap_or((flag, ""));
        match flag.split_once('=') {
            Some(("from", name)) if !name.is_empty() => from = Some(name.to_string()),
            Some(("chmod", mode)) => {
                let bits = u16::from_str_radix(mode, 8).ok().filter(|bits| *bits <= 0o7777);
                chmod = Some(bits.ok_or_else(|| format!("COPY --chmod={mode}: not an octal mode"))?);
            }
            _ => return Err(format!("COPY: unknown option --{flag}")),
        }
        rest = after.trim_start();
    }
    let mut paths = match parse_form(rest) {
        Form::Exec(paths) => paths,
        Form::Shell(line) => split_words(&line)?,
    };
    let destination = paths.pop().filter(|_| !paths.is_empty());
    let destination = destination.ok_or("COPY needs a source and a destination")?;
    Ok(Instruction::Copy { from, chmod, sources: paths, destination })
}

/// Replaces `$name` and `${name}` by what `value` knows; unknown names become empty, `\$` stays a dollar sign.
pub fn expand(text: &str, value: impl Fn(&str) -> Option<String>) -> String {
    let is_name = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let mut out = String::new();
    let mut rest = text;
    while let Some(at) = rest.find('$') {
        let after = &rest[at + 1..];
        if let Some(before) = rest[..at].strip_suffix('\\') {
            out.push_str(before);
            out.push('$');
            rest = after;
            continue;
        }
        out.push_str(&rest[..at]);
        let braced = after.strip_prefix('{').and_then(|inner| inner.split_once('}'));
        let (name, tail) = match braced {
            Some((name, tail)) if !name.is_empty() && name.chars().all(is_name) => (name, tail),
            _ => after.split_at(after.find(|c| !is_name(c)).unwrap_or(after.len())),
        };
        if name.is_empty() {
            out.push('$');
        } else {
            out.push_str(&value(name).unwrap_or_default());
        }
        rest = tail;
    }
    out + rest
}

#[cfg(test)]
#[path = "conductorfile_tests.rs"]
mod tests;
