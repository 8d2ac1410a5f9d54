//! `trace -c`: calls counted, timed and summed up in strace's table. Times are those on the clock between a call's two stops.

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::time::Duration;

#[derive(Default)]
struct Count {
    calls: u64,
    errors: u64,
    time: Duration,
}

/// Counts by name.
#[derive(Default)]
pub struct Summary(BTreeMap<String, Count>);

impl Summary {
    /// Adds one call.
    pub fn add(&mut self, name: &str, time: Duration, failed: bool) {
        let count = self.0.entry(name.to_owned()).or_default();
        count.calls += 1;
        count.errors += u64::from(failed);
        count.time += time;
    }

    /// Prints the table, the costliest first.
    pub fn print(&self, out: &mut dyn Write) -> io::Result<()> {
        let mut rows: Vec<(&String, &Count)> = self.0.iter().collect();
        rows.sort_by_key(|(_, count)| std::cmp::Reverse(count.time));
        let all: Duration = rows.iter().map(|(_, count)| count.time).sum();
        let line = "------ ----------- ----------- --------- --------- ----------------";
        writeln!(out, "% time     seconds  usecs/call     calls    errors syscall\n{line}")?;
        let mut print = |count: &Count, name: &str| {
            let share = 100.0 * count.time.as_secs_f64() / all.as_secs_f64().max(f64::MIN_POSITIVE);
            let each = count.time.as_micros() / u128::from(count.calls.max(1));
            let errors = if count.errors == 0 { String::new() } else { count.errors.to_string() };
            let seconds = count.time.as_secs_f64();
            writeln!(out, "{share:6.2} {seconds:11.6} {each:11} {:9} {errors:>9} {name}", count.calls)
        };
        let mut total = Count::default();
        for (name, count) in rows {
            print(count, name)?;
            total.calls += count.calls;
            total.errors += count.errors;
            total.time += count.time;
        }
        writeln!(out, "{line}")?;
        let each = total.time.as_micros() / u128::from(total.calls.max(1));
        let errors = if total.errors == 0 { String::new() } else { total.errors.to_string() };
        writeln!(out, "100.00 {:11.6} {each:11} {:9} {errors:>9} total", total.time.as_secs_f64(), total.calls)
    }
}
