//! uptime: how long the system has been running, and its load.

use std::io::Write;
use std::process::ExitCode;

use user::clock::{self, Civil};
use user::{About, Failure, procfs};

fn main() -> ExitCode {
    user::run("uptime", "uptime", |args, out| {
        let [] = args.exactly();
        let seconds = procfs::uptime().about("/proc/uptime")? as u64;
        let load = std::fs::read_to_string("/proc/loadavg").about("/proc/loadavg")?;
        let load: Vec<&str> = load.split_ascii_whitespace().take(3).collect();
        let now = Civil::from_epoch(clock::now());
        let days = if seconds >= 86_400 { format!("{} days, ", seconds / 86_400) } else { String::new() };
        let (hours, minutes) = (seconds / 3600 % 24, seconds / 60 % 60);
        let clock = format!("{:02}:{:02}:{:02}", now.hour, now.minute, now.second);
        writeln!(out, " {clock} up {days}{hours:2}:{minutes:02},  load average: {}", load.join(", "))?;
        Ok::<u8, Failure>(0)
    })
}
