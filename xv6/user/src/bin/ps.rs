//! ps: lists the processes that `/proc` shows. Without options all of them: a system of this size has few.

use std::io::Write;
use std::process::ExitCode;

use user::clock::{self, Civil};
use user::names::Names;
use user::procfs::{self, Process};
use user::{About, Args, Failure, Out, text};

fn main() -> ExitCode {
    user::run("ps", "ps [-Aaefjl] [-o COLUMN,...] [-p PID,...] [aux]", body)
}

/// Columns by name, with their headings, and whether they are aligned to the right.
const COLUMNS: [(&str, &str, bool); 22] = [
    ("pid", "PID", true),
    ("ppid", "PPID", true),
    ("pgid", "PGID", true),
    ("pgrp", "PGRP", true),
    ("sid", "SID", true),
    ("sess", "SESS", true),
    ("uid", "UID", true),
    ("user", "USER", false),
    ("stat", "STAT", false),
    ("state", "S", false),
    ("s", "S", false),
    ("time", "TIME", true),
    ("etime", "ELAPSED", true),
    ("stime", "STIME", false),
    ("tty", "TT", false),
    ("ni", "NI", true),
    ("nlwp", "NLWP", true),
    ("vsz", "VSZ", true),
    ("rss", "RSS", true),
    ("comm", "COMMAND", false),
    ("args", "COMMAND", false),
    ("cmd", "CMD", false),
];

fn body(args: &mut Args, out: &mut Out) -> Result<u8, Failure> {
    let mut columns = vec!["pid", "ppid", "user", "stat", "args"];
    let mut headings: Vec<(String, Option<String>)> = Vec::new();
    let mut pids: Option<Vec<i32>> = None;
    while let Some(option) = args.option() {
        match option.as_str() {
            "A" | "a" | "e" | "x" | "w" => {}
            "f" => columns = vec!["user", "pid", "ppid", "stime", "tty", "time", "args"],
            "j" => columns = vec!["pid", "pgid", "sid", "tty", "time", "args"],
            "l" => columns = vec!["s", "uid", "pid", "ppid", "ni", "vsz", "rss", "tty", "time", "args"],
            "o" => {
                for word in args.text().split([',', ' ']).filter(|word| !word.is_empty()) {
                    let mut halves = word.splitn(2, '=');
                    let name = halves.next().unwrap_or_default().to_owned();
                    headings.push((name, halves.next().map(str::to_owned)));
                }
            }
            "p" => {
                let numbers = args.text().split(',').map(str::parse).collect::<Result<Vec<i32>, _>>();
                match numbers {
                    Ok(numbers) => pids.get_or_insert_default().extend(numbers),
                    Err(_) => args.usage_error(),
                }
            }
            _ => args.usage_error(),
        }
    }
    for operand in args.operands() {
        match operand.to_str() {
            Some("aux" | "au" | "ax" | "a" | "x") => {
                columns = vec!["user", "pid", "vsz", "rss", "tty", "stat", "stime", "time", "args"]
            }
            Some("ef") => columns = vec!["user", "pid", "ppid", "stime", "tty", "time", "args"],
            Some(word) if word.parse::<i32>().is_ok() => pids.get_or_insert_default().extend(word.parse::<i32>()),
            _ => args.usage_error(),
        }
    }
    if headings.is_empty() {
        headings = columns.into_iter().map(|name| (name.to_owned(), None)).collect();
    }
    let mut right = Vec::new();
    let mut titles = Vec::new();
    for (index, (name, heading)) in headings.iter_mut().enumerate() {
        if name == "command" {
            "args".clone_into(name);
        }
        let Some((_, title, number)) = COLUMNS.iter().find(|(known, ..)| known == name) else { args.usage_error() };
        titles.push(heading.clone().unwrap_or_else(|| (*title).to_owned()));
        if *number {
            right.push(index);
        }
    }
    let users = Names::users();
    let booted = clock::now() - procfs::uptime().map_or(0, |uptime| uptime as i64);
    let mut rows = Vec::new();
    if titles.iter().any(|title| !title.is_empty()) {
        rows.push(titles);
    }
    let mut found = 0;
    for process in procfs::all().about("/proc")? {
        if pids.as_ref().is_none_or(|pids| pids.contains(&process.pid)) {
            rows.push(headings.iter().map(|(name, _)| cell(&process, name, &users, booted)).collect());
            found += 1;
        }
    }
    out.write_all(text::table(&rows, &right).as_bytes())?;
    Ok(u8::from(found == 0))
}

fn cell(process: &Process, column: &str, users: &Names, booted: i64) -> String {
    let seconds = i64::try_from(process.ticks / 100).unwrap_or(i64::MAX);
    let started = booted + i64::try_from(process.start / 100).unwrap_or(0);
    match column {
        "pid" => process.pid.to_string(),
        "ppid" => process.ppid.to_string(),
        "pgid" | "pgrp" => process.pgrp.to_string(),
        "sid" | "sess" => process.session.to_string(),
        "uid" => process.uid.to_string(),
        "user" => users.of(process.uid),
        "state" | "s" => process.state.to_string(),
        "stat" => {
            let mut text = process.state.to_string();
            text += if process.nice < 0 {
                "<"
            } else if process.nice > 0 {
                "N"
            } else {
                ""
            };
            text += if process.session == process.pid { "s" } else { "" };
            text += if process.threads > 1 { "l" } else { "" };
            text += if process.foreground == process.pgrp && process.tty != 0 { "+" } else { "" };
            text
        }
        "time" => format!("{:02}:{:02}:{:02}", seconds / 3600, seconds / 60 % 60, seconds % 60),
        "etime" => {
            let age = (clock::now() - started).max(0);
            format!("{:02}:{:02}:{:02}", age / 3600, age / 60 % 60, age % 60)
        }
        "stime" => {
            let civil = Civil::from_epoch(started);
            format!("{:02}:{:02}", civil.hour, civil.minute)
        }
        "tty" => tty(process.tty),
        "ni" => process.nice.to_string(),
        "nlwp" => process.threads.to_string(),
        "vsz" => (process.vsize / 1024).to_string(),
        "rss" => (process.rss * 4).to_string(),
        "comm" => process.comm.clone(),
        _ => process.command.clone(),
    }
}

/// The terminal's name from its device number, tty_nr of proc_pid_stat(5).
fn tty(device: u32) -> String {
    let (major, minor) = (device >> 8 & 0xfff, device & 0xff | device >> 12 & 0xfff00);
    match major {
        0 => "?".to_owned(),
        136..=143 => format!("pts/{}", (major - 136) * 256 + minor),
        229 => format!("hvc{minor}"),
        4 if minor >= 64 => format!("ttyS{}", minor - 64),
        5 if minor == 1 => "console".to_owned(),
        4 => format!("tty{minor}"),
        _ => format!("{major}:{minor}"),
    }
}
