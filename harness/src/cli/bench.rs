//! `harness bench`: the guest's numbers, in one run, as times and as multiples of one unit.
//!
//! The unit is fork + exec + wait of `true`: ratios to it travel between machines, times do not. A machine with one CPU and one with two
//! are measured side by side, each row in turn and in several rounds, so that a busy host is unfair to neither; the best counts. `probe bench`
//! measures inside the guest and prints `name<TAB>nanoseconds[<TAB>bytes]` lines; the boot and the console are timed from out here.
//!
//! Between the two stands the control: one CPU of a machine with room for two. QEMU makes a locked instruction a plain one where there can be
//! one CPU only, and calls a function for it otherwise, so the first step is the emulator's price and the second what the kernel adds.

use crate::cli::MachineOptions;
use clap::Args;
use harness::{Failure, Guest, Machine};
use std::time::{Duration, Instant};

/// The unit's name, and how `probe bench` calls it.
const UNIT: &str = "fork+exec+wait";

/// The machines that are measured when `--cpus` names none: CPUs, and room for how many.
const MACHINES: [(u32, u32); 3] = [(1, 1), (1, 2), (2, 2)];

/// Time for one measurement in the guest.
const LIMIT: Duration = Duration::from_secs(120);

/// A file in the guest, and what makes it: a MiB of text, in lines.
const TEXT: &str = ".bench-text";
const MAKE_TEXT: &str = "yes 'All work and no play makes Jack a dull boy.' | head -c 1048576";
const TEXT_BYTES: f64 = 1_048_576.0;

/// Options of `bench`.
#[derive(Debug, Args)]
pub struct Options {
    #[command(flatten)]
    machine: MachineOptions,
    /// How many boots the fastest one is taken from
    #[arg(long, value_name = "N", default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..))]
    boots: u32,
    /// How many times each row is measured; the best counts
    #[arg(long, value_name = "N", default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..))]
    rounds: u32,
}

/// One operation on all machines: what it is called, the bytes it moves if those are the point, and the nanoseconds it took on each.
struct Row {
    name: String,
    bytes: Option<f64>,
    times: Vec<f64>,
}

/// Measures and prints the table.
///
/// # Errors
/// What went wrong with the build or a machine, or a line of `probe bench` that is none.
pub fn run(options: &Options) -> Result<u8, Failure> {
    let machine = options.machine.machine("bench")?.option("env.TERM=dumb");
    let sizes = options.machine.cpus.map_or(MACHINES.to_vec(), |cpus| vec![(cpus, cpus)]);
    let machines: Vec<Machine> = sizes.iter().map(|&(cpus, most)| machine.clone().cpus(cpus).most_cpus(most)).collect();
    let (boot, mut guests) = boots(&machines, options.boots)?;
    let mut rows = vec![boot];
    let keys = guests[0].ok("probe bench --list")?;
    for key in keys.lines().filter_map(|line| line.split('\t').next()) {
        rows.push(best(&mut guests, options.rounds, |guest| inside(guest, key))?);
    }
    for guest in &mut guests {
        guest.ok(&format!("{MAKE_TEXT} > {TEXT}"))?;
    }
    rows.push(best(&mut guests, options.rounds, console)?);
    print!("{}", table(&sizes, &rows)?);
    Ok(0)
}

/// Boots every machine several times: the row, and the last guest of each.
fn boots(machines: &[Machine], count: u32) -> Result<(Row, Vec<Guest>), Failure> {
    let mut guests = Vec::new();
    let mut times = vec![f64::INFINITY; machines.len()];
    for _ in 0..count {
        guests.clear();
        for (machine, best) in machines.iter().zip(&mut times) {
            let guest = Guest::boot(machine)?;
            *best = best.min(nanoseconds(guest.booted_in()));
            guests.push(guest);
        }
    }
    Ok((Row { name: "boot to prompt".into(), bytes: None, times }, guests))
}

/// Measures on every machine in turn, several times.
fn best(
    guests: &mut [Guest],
    rounds: u32,
    mut measure: impl FnMut(&mut Guest) -> Result<Row, Failure>,
) -> Result<Row, Failure> {
    let mut best = Row { name: String::new(), bytes: None, times: vec![f64::INFINITY; guests.len()] };
    for _ in 0..rounds {
        for (guest, time) in guests.iter_mut().zip(&mut best.times) {
            let Row { name, bytes, times } = measure(guest)?;
            *time = times.iter().fold(*time, |a, b| a.min(*b));
            (best.name, best.bytes) = (name, bytes);
        }
    }
    Ok(best)
}

/// One measurement of `probe bench`.
fn inside(guest: &mut Guest, key: &str) -> Result<Row, Failure> {
    let output = guest.run_within(&format!("probe bench {key}"), LIMIT)?;
    measurement(output.text.trim_end()).filter(|_| output.status == 0).ok_or_else(|| {
        Failure::setup(format_args!("probe bench {key}"), format_args!("status {}\n{}", output.status, output.text))
    })
}

/// Reads `name<TAB>nanoseconds[<TAB>bytes]`.
fn measurement(line: &str) -> Option<Row> {
    let mut fields = line.split('\t');
    let name = fields.next()?.to_string();
    let mut number = || fields.next().map(|field| field.parse().ok().filter(|n: &f64| n.is_finite()));
    let time = number()??;
    Some(Row { name, bytes: number().flatten(), times: vec![time] })
}

/// The time until all of a MiB of text has come out of the console.
fn console(guest: &mut Guest) -> Result<Row, Failure> {
    let start = Instant::now();
    guest.ok(&format!("cat {TEXT}"))?;
    let times = vec![nanoseconds(start.elapsed())];
    Ok(Row { name: "1 MiB of text to the console".into(), bytes: Some(TEXT_BYTES), times })
}

fn nanoseconds(time: Duration) -> f64 {
    time.as_secs_f64() * 1e9
}

fn table(machines: &[(u32, u32)], rows: &[Row]) -> Result<String, Failure> {
    let unit = rows.iter().find(|row| row.name.starts_with(UNIT));
    let unit = unit.ok_or_else(|| Failure::setup("probe bench", format_args!("does not measure {UNIT}")))?;
    let mut out = format!("{:<34}", format!("units of {UNIT}"));
    for machine in machines {
        let machine = match machine {
            (1, 1) => "1 CPU".into(),
            (cpus, most) if cpus == most => format!("{cpus} CPUs"),
            (cpus, most) => format!("{cpus} of {most} CPUs"),
        };
        out.push_str(&format!("{machine:>14} {:>9}", "units"));
    }
    for row in rows {
        out.push_str(&format!("\n{:<34}", row.name));
        for (time, unit) in row.times.iter().zip(&unit.times) {
            out.push_str(&format!("{:>14} {:>9.3}", readable(*time, row.bytes), time / unit));
        }
    }
    out.push('\n');
    Ok(out)
}

/// A time in the unit that suits it, or how many bytes it is a second.
fn readable(nanoseconds: f64, bytes: Option<f64>) -> String {
    match nanoseconds {
        n if bytes.is_some() => format!("{:.0} MB/s", bytes.unwrap_or_default() / n * 1e3),
        n if n < 1e3 => format!("{n:.0} ns"),
        n if n < 1e6 => format!("{:.2} µs", n / 1e3),
        n if n < 1e9 => format!("{:.2} ms", n / 1e6),
        n => format!("{:.2} s", n / 1e9),
    }
}

#[cfg(test)]
mod tests {
    use super::{Row, measurement, table};

    #[test]
    fn a_measurement_has_a_name_a_time_and_perhaps_bytes() {
        let row = measurement("x y\t12.5").expect("a measurement");
        assert_eq!((row.name.as_str(), row.bytes, row.times), ("x y", None, vec![12.5]));
        assert_eq!(measurement("x\t12\t4096").and_then(|row| row.bytes), Some(4096.0));
        assert!(measurement("x y 12").is_none());
        assert!(measurement("x\tsoon").is_none());
    }

    #[test]
    fn the_table_has_a_column_for_each_machine() {
        let row = |name: &str, bytes, times| Row { name: name.into(), bytes, times };
        let rows = [
            row("fork+exec+wait of true", None, vec![2e6, 4e6]),
            row("null system call", None, vec![500.0, 500.0]),
            row("pipe", Some(1e6), vec![2e6, 1e6]),
        ];
        let table = table(&[(1, 1), (1, 2)], &rows).expect("there is a unit");
        let lines: Vec<Vec<&str>> = table.lines().map(|line| line.split_whitespace().collect()).collect();
        assert_eq!(lines[0][3..], ["1", "CPU", "units", "1", "of", "2", "CPUs", "units"]);
        assert_eq!(lines[1][3..], ["2.00", "ms", "1.000", "4.00", "ms", "1.000"]);
        assert_eq!(lines[2][3..], ["500", "ns", "0.000", "500", "ns", "0.000"]);
        assert_eq!(lines[3][1..], ["500", "MB/s", "1.000", "1000", "MB/s", "0.250"]);
    }
}
