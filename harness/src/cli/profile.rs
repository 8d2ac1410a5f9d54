//! `harness profile`: where the time of one command goes, by sampling.
//!
//! The machine is stopped every millisecond or so and asked where each CPU is. What comes out is a flat table: the share of
//! samples by kernel function, user mode and idleness as lines of their own. Sampling slows the guest but does not
//! tilt the shares, since the clock that decides when is the host's.

use crate::cli::MachineOptions;
use crate::cli::relay::{LineEnds, outcome, show};
use clap::Args;
use harness::{Failure, Line, Symbols, Tee, spawn};
use std::collections::BTreeMap;
use std::time::Duration;

/// The time between two samples, at least.
const INTERVAL: Duration = Duration::from_millis(1);

/// Options of `profile`.
#[derive(Debug, Args)]
pub struct Options {
    #[command(flatten)]
    machine: MachineOptions,
    /// How many lines to print
    #[arg(long, value_name = "N", default_value_t = 30)]
    lines: usize,
    /// The command and its arguments
    #[arg(last = true, required = true)]
    command: Vec<String>,
}

/// Boots, runs the command under observation, prints its output and then the table on standard error.
///
/// # Errors
/// What went wrong with the build or the machine.
pub fn run(options: &Options) -> Result<u8, Failure> {
    let machine = options.machine.machine("profile")?.option("env.TERM=dumb").command(options.command.iter().cloned());
    let symbols = Symbols::load(&machine.kernel)?;
    let process = spawn(&machine)?;
    let sharing = |e| Failure::setup("share the console's stream", e);
    let console = Tee::new(process.console.try_clone().map_err(sharing)?, &process.wire, Line::Console);
    let mut lines = LineEnds::default();
    let printing = console.drain(move |piece| show(&lines.undo(piece)));
    let serial = Tee::new(process.serial.try_clone().map_err(sharing)?, &process.wire, Line::Serial);
    serial.drain(|_| {});
    let mut counts: BTreeMap<String, u64> = BTreeMap::new();
    let mut names: BTreeMap<u64, String> = BTreeMap::new();
    while process.wire.wait(INTERVAL, |heard| heard.ended().then_some(())).is_none() {
        // A machine that is just ending does not answer.
        for cpu in process.sample().unwrap_or_default() {
            let name = match cpu {
                None => "(idle)",
                Some(address) if address >> 63 == 0 => "(user mode)",
                Some(address) => names.entry(address).or_insert_with(|| function(&symbols, address)),
            };
            *counts.entry(name.to_string()).or_default() += 1;
        }
    }
    let _ = printing.join();
    eprint!("{}", table(&counts, options.lines));
    outcome(&machine, &process)
}

/// The function at `address`, the innermost inlined one, without its place.
fn function(symbols: &Symbols, address: u64) -> String {
    let places = symbols.places(address);
    let place = places.first().map_or("(unknown)", String::as_str);
    place.split(" at ").next().unwrap_or(place).to_string()
}

fn table(counts: &BTreeMap<String, u64>, lines: usize) -> String {
    let total: u64 = counts.values().sum::<u64>().max(1);
    let mut rows: Vec<(&String, &u64)> = counts.iter().collect();
    rows.sort_by(|a, b| b.1.cmp(a.1).then(a.0.cmp(b.0)));
    let mut out = format!("{:>8} {:>7}  of {total} samples\n", "samples", "share");
    for (name, count) in rows.into_iter().take(lines) {
        out.push_str(&format!("{count:>8} {:>6.1}%  {name}\n", *count as f64 * 100.0 / total as f64));
    }
    out
}

#[cfg(test)]
mod tests {
    use super::table;

    #[test]
    fn the_largest_share_comes_first() {
        let counts = [("a", 1), ("b", 3)].map(|(name, count)| (name.to_string(), count)).into();
        assert_eq!(table(&counts, 1), " samples   share  of 4 samples\n       3   75.0%  b\n");
    }
}
