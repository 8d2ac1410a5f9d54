//! Containers, by `conductor`: one that runs a command and is gone, or one that is entered, looked at and stopped.

use std::process::{Command, Stdio};

use super::{Worker, ensure};
use user::{About, Failure};

/// The image, which every volume has.
const IMAGE: &str = "sample";

pub fn round(worker: &mut Worker) -> Result<(), Failure> {
    let name = format!("stress-{}", worker.number);
    if worker.dice.below(2) == 0 {
        let word = worker.dice.roll().to_string();
        return says(&["run", "--rm", IMAGE, "sh", "-c", &format!("echo {word} | cat")], &word);
    }
    conductor(&["run", "-d", "--name", &name, IMAGE, "container_init"])?;
    says(&["exec", &name, "--", "sh", "-c", "echo $(echo inside)"], "inside")?;
    let listed = conductor(&["ps"])?;
    ensure(listed.contains(&name), || format!("ps does not list {name}:\n{listed}"))?;
    conductor(&["stop", "-t", "0", &name])?;
    let listed = conductor(&["ps"])?;
    ensure(!listed.contains(&name), || format!("ps lists {name} after its stop:\n{listed}"))
}

/// Runs `conductor`, which has to succeed and to print `text`.
fn says(words: &[&str], text: &str) -> Result<(), Failure> {
    let printed = conductor(words)?;
    ensure(printed.trim_end() == text, || format!("{words:?} printed {printed:?}"))
}

fn conductor(words: &[&str]) -> Result<String, Failure> {
    let output = Command::new("conductor").args(words).stdin(Stdio::null()).output().about("conductor")?;
    let told = String::from_utf8_lossy(&output.stderr);
    ensure(output.status.success(), || format!("conductor {words:?}: {}: {}", output.status, told.trim_end()))?;
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}
