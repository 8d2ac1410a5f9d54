//! stty: shows or sets the terminal's modes. Knows `sane`, `raw`, `cooked`, `size`, `rows N`, `cols N` and the flags of its table.

use std::io::Write;
use std::process::ExitCode;

use rustix::termios::{
    InputModes, LocalModes, OptionalActions, OutputModes, SpecialCodeIndex, Termios, tcgetattr, tcgetwinsize,
    tcsetattr, tcsetwinsize,
};
use user::{About, Args, Failure, Out};

fn main() -> ExitCode {
    user::run("stty", "stty [-a] [-F TERMINAL] [sane|raw|cooked|size|rows N|cols N|[-]FLAG]...", body)
}

const LOCAL: [(&str, LocalModes); 6] = [
    ("isig", LocalModes::ISIG),
    ("icanon", LocalModes::ICANON),
    ("echo", LocalModes::ECHO),
    ("echoe", LocalModes::ECHOE),
    ("iexten", LocalModes::IEXTEN),
    ("tostop", LocalModes::TOSTOP),
];
const INPUT: [(&str, InputModes); 4] = [
    ("icrnl", InputModes::ICRNL),
    ("ixon", InputModes::IXON),
    ("inlcr", InputModes::INLCR),
    ("igncr", InputModes::IGNCR),
];
const OUTPUT: [(&str, OutputModes); 2] = [("opost", OutputModes::OPOST), ("onlcr", OutputModes::ONLCR)];

fn body(args: &mut Args, out: &mut Out) -> Result<u8, Failure> {
    let mut words = Vec::new();
    let mut terminal = None;
    // `-echo` is a setting, not an option.
    while let Some(word) = args.take() {
        match word.to_str().unwrap_or_default() {
            "-a" => {}
            "--help" => args.usage_error(),
            "-F" => {
                let Some(name) = args.take() else { args.usage_error() };
                terminal = Some(std::fs::OpenOptions::new().read(true).write(true).open(&name).about(&name)?);
            }
            word => words.push(word.to_owned()),
        }
    }
    let terminal = match terminal {
        Some(file) => file.into(),
        None => rustix::io::dup(rustix::stdio::stdin()).about("standard input")?,
    };
    let mut modes = tcgetattr(&terminal).about("standard input")?;
    let mut size = tcgetwinsize(&terminal).about("standard input")?;
    if words.is_empty() {
        let mark = |on: bool| if on { "" } else { "-" };
        let mut shown = vec![format!("rows {}; columns {};", size.ws_row, size.ws_col)];
        shown.extend(LOCAL.iter().map(|(name, bit)| format!("{}{name}", mark(modes.local_modes.contains(*bit)))));
        shown.extend(INPUT.iter().map(|(name, bit)| format!("{}{name}", mark(modes.input_modes.contains(*bit)))));
        shown.extend(OUTPUT.iter().map(|(name, bit)| format!("{}{name}", mark(modes.output_modes.contains(*bit)))));
        writeln!(out, "{}", shown.join(" "))?;
        return Ok(0);
    }
    let mut words = words.into_iter();
    let (mut new_modes, mut new_size) = (false, false);
    while let Some(word) = words.next() {
        match word.as_str() {
            "size" => writeln!(out, "{} {}", size.ws_row, size.ws_col)?,
            "rows" | "cols" | "columns" => {
                let Some(number) = words.next().and_then(|word| word.parse().ok()) else { args.usage_error() };
                *(if word == "rows" { &mut size.ws_row } else { &mut size.ws_col }) = number;
                new_size = true;
            }
            word => {
                if !apply(&mut modes, word) {
                    args.usage_error();
                }
                new_modes = true;
            }
        }
    }
    if new_modes {
        tcsetattr(&terminal, OptionalActions::Drain, &modes).about("standard input")?;
    }
    if new_size {
        tcsetwinsize(&terminal, size).about("standard input")?;
    }
    Ok(0)
}

/// Applies one setting; `false` if there is none of that name.
fn apply(modes: &mut Termios, word: &str) -> bool {
    match word {
        "raw" | "-cooked" => modes.make_raw(),
        "sane" | "cooked" | "-raw" => {
            modes.local_modes |= LocalModes::ISIG
                | LocalModes::ICANON
                | LocalModes::ECHO
                | LocalModes::ECHOE
                | LocalModes::ECHOK
                | LocalModes::IEXTEN;
            modes.input_modes |= InputModes::ICRNL | InputModes::IXON | InputModes::BRKINT;
            modes.input_modes -= InputModes::INLCR | InputModes::IGNCR;
            modes.output_modes |= OutputModes::OPOST | OutputModes::ONLCR;
            modes.special_codes[SpecialCodeIndex::VMIN] = 1;
            modes.special_codes[SpecialCodeIndex::VTIME] = 0;
        }
        word => {
            let (on, name) = word.strip_prefix('-').map_or((true, word), |name| (false, name));
            if let Some((_, bit)) = LOCAL.iter().find(|(known, _)| *known == name) {
                modes.local_modes.set(*bit, on);
            } else if let Some((_, bit)) = INPUT.iter().find(|(known, _)| *known == name) {
                modes.input_modes.set(*bit, on);
            } else if let Some((_, bit)) = OUTPUT.iter().find(|(known, _)| *known == name) {
                modes.output_modes.set(*bit, on);
            } else {
                return false;
            }
        }
    }
    true
}
