//! top: shows the busiest processes, again and again.

use std::collections::HashMap;
use std::fs;
use std::io::Write;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use user::names::Names;
use user::{About, Args, Failure, Out, procfs, text};

fn main() -> ExitCode {
    user::run("top", "top [-b] [-d SECONDS] [-n COUNT]", body)
}

fn body(args: &mut Args, out: &mut Out) -> Result<u8, Failure> {
    let screen = rustix::termios::isatty(rustix::stdio::stdout());
    let (mut batch, mut delay, mut count) = (!screen, 2.0, u64::MAX);
    while let Some(option) = args.option() {
        match option.as_str() {
            "b" => batch = true,
            "d" => delay = args.number::<f64>(),
            "n" => count = args.number(),
            _ => args.usage_error(),
        }
    }
    let [] = args.exactly();
    let Ok(delay) = Duration::try_from_secs_f64(delay) else { args.usage_error() };
    let users = Names::users();
    let mut before: HashMap<i32, u64> =
        procfs::all().about("/proc")?.iter().map(|process| (process.pid, process.ticks)).collect();
    let mut since = Instant::now();
    for round in 0..count {
        // The first picture comes soon; a rate needs some time all the same.
        std::thread::sleep(if round == 0 { delay.min(Duration::from_millis(200)) } else { delay });
        let processes = procfs::all().about("/proc")?;
        let ticks = since.elapsed().as_secs_f64() * 100.0;
        since = Instant::now();
        let picture = picture(&processes, &before, ticks, &users)?;
        if batch {
            out.write_all(picture.as_bytes())?;
            out.write_all(b"\n")?;
        } else {
            let rows = rustix::termios::tcgetwinsize(rustix::stdio::stdout())
                .map_or(24, |size| usize::from(size.ws_row).max(2));
            let shown: Vec<&str> = picture.lines().take(rows - 1).collect();
            writeln!(out, "\x1b[H\x1b[2J{}", shown.join("\n"))?;
        }
        out.flush()?;
        before = processes.iter().map(|process| (process.pid, process.ticks)).collect();
    }
    Ok(0)
}

fn picture(
    processes: &[procfs::Process],
    before: &HashMap<i32, u64>,
    ticks: f64,
    users: &Names,
) -> Result<String, Failure> {
    let info = fs::read_to_string("/proc/meminfo").about("/proc/meminfo")?;
    let load = fs::read_to_string("/proc/loadavg").about("/proc/loadavg")?;
    let load: Vec<&str> = load.split_ascii_whitespace().take(3).collect();
    let uptime = procfs::uptime().about("/proc/uptime")? as u64;
    let (total, free) = (procfs::meminfo(&info, "MemTotal"), procfs::meminfo(&info, "MemFree"));
    let cached = procfs::meminfo(&info, "Cached") + procfs::meminfo(&info, "Buffers");
    let running = processes.iter().filter(|process| process.state == 'R').count();
    let mut lines = format!(
        "up {}:{:02}:{:02}, load average: {}\nTasks: {} total, {running} running\nMem: {total}K total, {free}K free, {cached}K buff/cache\n\n",
        uptime / 3600,
        uptime / 60 % 60,
        uptime % 60,
        load.join(" "),
        processes.len(),
    );
    let used = |process: &procfs::Process| process.ticks.saturating_sub(before.get(&process.pid).copied().unwrap_or(0));
    let mut order: Vec<&procfs::Process> = processes.iter().collect();
    order.sort_by_key(|process| (std::cmp::Reverse(used(process)), process.pid));
    let mut rows = vec![["PID", "USER", "S", "%CPU", "RSS", "TIME", "COMMAND"].map(str::to_owned).to_vec()];
    for process in order {
        let seconds = process.ticks / 100;
        rows.push(vec![
            process.pid.to_string(),
            users.of(process.uid),
            process.state.to_string(),
            format!("{:.1}", used(process) as f64 * 100.0 / ticks.max(1.0)),
            format!("{}K", process.rss * 4),
            format!("{}:{:02}.{:02}", seconds / 60, seconds % 60, process.ticks % 100),
            process.command.clone(),
        ]);
    }
    lines += &text::table(&rows, &[0, 3, 4, 5]);
    Ok(lines)
}
