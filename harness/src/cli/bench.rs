//! `harness bench`: the guest's numbers, in one run, as multiples of one unit.
//!
//! The unit is fork + exec + wait of `true`: ratios to it travel between machines, times do not. The harness measures the
//! boot (best of several); `probe bench` measures the rest inside the guest and prints `name<TAB>nanoseconds` lines.

use crate::cli::MachineOptions;
use clap::Args;
use harness::{Failure, Guest};
use std::time::Duration;

/// The name of the unit among the measurements of `probe bench`.
const UNIT: &str = "fork+exec";

/// Time for all measurements in the guest.
const LIMIT: Duration = Duration::from_secs(300);

/// Options of `bench`.
#[derive(Debug, Args)]
pub struct Options {
    #[command(flatten)]
    machine: MachineOptions,
    /// How many boots the fastest one is taken from
    #[arg(long, value_name = "N", default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..))]
    boots: u32,
}

/// Measures and prints the table.
///
/// # Errors
/// What went wrong with the build or a machine, or a line of `probe bench` that is none.
pub fn run(options: &Options) -> Result<u8, Failure> {
    let machine = options.machine.machine("bench")?.option("env.TERM=dumb");
    let mut guest = Guest::boot(&machine)?;
    let mut boot = guest.booted_in();
    for _ in 1..options.boots {
        drop(guest);
        guest = Guest::boot(&machine)?;
        boot = boot.min(guest.booted_in());
    }
    let output = guest.run_within("probe bench", LIMIT)?;
    if output.status != 0 {
        return Err(Failure::setup("probe bench", format_args!("status {}\n{}", output.status, output.text)));
    }
    let mut rows = vec![("boot to prompt".to_string(), boot.as_secs_f64() * 1e9)];
    for line in output.text.lines().filter(|line| !line.trim().is_empty()) {
        rows.push(
            measurement(line).ok_or_else(|| Failure::setup("probe bench", format_args!("no measurement: {line:?}")))?,
        );
    }
    let unit = rows.iter().find(|(name, _)| name.starts_with(UNIT)).map(|(_, time)| *time);
    let unit = unit.ok_or_else(|| Failure::setup("probe bench", format_args!("does not measure {UNIT}")))?;
    print!("{}", table(&rows, unit));
    Ok(0)
}

/// Reads `name<TAB>nanoseconds`.
fn measurement(line: &str) -> Option<(String, f64)> {
    let (name, time) = line.split_once('\t')?;
    Some((name.to_string(), time.trim().parse().ok().filter(|time: &f64| time.is_finite())?))
}

fn table(rows: &[(String, f64)], unit: f64) -> String {
    let mut out = format!("{:<36} {:>12} {:>14}\n", "", "time", "fork+exec+wait");
    for (name, time) in rows {
        out.push_str(&format!("{name:<36} {:>12} {:>14.3}\n", readable(*time), time / unit));
    }
    out
}

/// A time in the unit that suits it.
fn readable(nanoseconds: f64) -> String {
    match nanoseconds {
        n if n < 1e3 => format!("{n:.0} ns"),
        n if n < 1e6 => format!("{:.2} µs", n / 1e3),
        n if n < 1e9 => format!("{:.2} ms", n / 1e6),
        n => format!("{:.2} s", n / 1e9),
    }
}

#[cfg(test)]
mod tests {
    use super::{measurement, table};

    #[test]
    fn the_table_is_in_units() {
        assert_eq!(measurement("x y\t12.5"), Some(("x y".into(), 12.5)));
        assert_eq!(measurement("x y 12"), None);
        let table = table(&[("fork+exec+wait of true".into(), 2e6), ("null system call".into(), 500.0)], 2e6);
        let rows: Vec<Vec<&str>> = table.lines().map(|line| line.split_whitespace().collect()).collect();
        assert_eq!(rows[1][3..], ["2.00", "ms", "1.000"]);
        assert_eq!(rows[2][3..], ["500", "ns", "0.000"]);
    }
}
