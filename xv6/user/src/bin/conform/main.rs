//! conform: the same checks on Linux and on this kernel, one line each: `AREA.CHECK<TAB>RESULT`.
//!
//! A result is what a program sees, made the same everywhere: values and errno names, no pids, times, inode numbers or addresses. The
//! checks make the bare system calls (`sys.rs`), since a library in between has fallbacks and caches of its own, and each lives in a
//! process and a folder of its own (`runner.rs`). The text of a line is made by `line.rs`; `child.rs` is for checks of several
//! processes; `areas/` has the checks by area.
//!
//! Three kinds of checks: plain ones run as an ordinary user, also when root starts them; `root` ones need what Docker leaves to root in a
//! container; `admin` ones need CAP_SYS_ADMIN and a mount namespace of their own. One that cannot run says `skipped: CAUSE`.
//! The test `harness/tests/conform.rs` compares.

mod areas;
mod child;
mod helper;
mod line;
mod runner;
mod sys;

use std::io::Write;
use std::process::ExitCode;

use areas::AREAS;
use runner::{Check, Runner};
use user::{About, Args, Failure, Out};

const USAGE: &str = "conform [--list] [--in DIR] [--here] [AREA[.CHECK]...]";

fn main() -> ExitCode {
    // The copy that checks execute has another name, and never runs checks itself.
    if std::env::current_exe().is_ok_and(|path| path.file_name() != Some("conform".as_ref())) {
        return helper::run(std::env::args().skip_while(|word| word != "--helper").skip(1));
    }
    user::run("conform", USAGE, body)
}

fn body(args: &mut Args, out: &mut Out) -> Result<u8, Failure> {
    let (mut list, mut here, mut folder) = (false, false, std::env::temp_dir());
    while let Some(option) = args.option() {
        match option.as_str() {
            "--list" => list = true,
            "--in" => folder = args.value().into(),
            "--here" => here = true,
            _ => args.usage_error(),
        }
    }
    let wanted: Vec<String> = args.operands().iter().map(|word| word.to_string_lossy().into_owned()).collect();
    let mut checks = select(&wanted)?;
    // Each result is written at once, so that what happens next cannot take it away.
    if list {
        for (name, _) in checks {
            writeln!(out, "{name}").about("standard output")?;
        }
        return Ok(0);
    }
    let runner = Runner::new(&folder, here)?;
    for (name, check) in checks.drain(..) {
        let result = runner.run(check)?;
        writeln!(out, "{name}\t{result}").about("standard output")?;
        out.flush().about("standard output")?;
    }
    runner.finish()?;
    Ok(0)
}

/// The checks that `wanted` names, all if it is empty; a word that names none is an error.
fn select(wanted: &[String]) -> Result<Vec<(String, &'static Check)>, Failure> {
    let all = AREAS.iter().flat_map(|area| area.checks.iter().map(|check| (area.name, check)));
    let all: Vec<_> = all.map(|(area, check)| (area, format!("{area}.{}", check.name), check)).collect();
    if let Some(word) = wanted.iter().find(|word| !all.iter().any(|(area, name, _)| word == area || *word == name)) {
        return Err(Failure::new(format!("{word}: no such area or check")));
    }
    let chosen =
        all.into_iter().filter(|(area, name, _)| wanted.is_empty() || wanted.iter().any(|w| w == area || w == name));
    Ok(chosen.map(|(_, name, check)| (name, check)).collect())
}
