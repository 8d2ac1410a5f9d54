//! timeout: runs a command and ends it when it takes too long; the status is then 124.

use std::process::{Command, ExitCode};
use std::time::{Duration, Instant};

use rustix::process::Pid;
use user::{About, Args, Failure, Out, run_command, signals};

fn main() -> ExitCode {
    user::run("timeout", "timeout [-s SIGNAL] [-k SECONDS] SECONDS COMMAND [ARGUMENT...]", |args, out| {
        body(args, out).map_err(|failure| if failure.status() == 1 { failure.with_status(125) } else { failure })
    })
}

fn body(args: &mut Args, _: &mut Out) -> Result<u8, Failure> {
    args.stop_at_operand();
    let (mut signal, mut kill_after) = (libc::SIGTERM, None);
    while let Some(option) = args.option() {
        match option.as_str() {
            "s" => match signals::parse(&args.text()) {
                Some(number) => signal = number,
                None => args.usage_error(),
            },
            "k" => {
                let text = args.text();
                kill_after = Some(seconds(args, &text));
            }
            _ => args.usage_error(),
        }
    }
    let words = args.some();
    let limit = seconds(args, &words[0].to_string_lossy());
    let Some(name) = words.get(1) else { args.usage_error() };
    let mut child = Command::new(name).args(&words[2..]).spawn().map_err(|error| run_command::failure(name, &error))?;
    let pid = i32::try_from(child.id()).ok().and_then(Pid::from_raw).ok_or_else(|| Failure::new("bad pid"))?;
    let descriptor = rustix::process::pidfd_open(pid, rustix::process::PidfdFlags::empty()).about("pidfd_open")?;
    let mut late = false;
    for (after, signal) in [(Some(limit), signal), (kill_after, libc::SIGKILL)] {
        if let Some(after) = after.filter(|after| !after.is_zero())
            && !ends_within(&descriptor, after)?
        {
            late = true;
            user::kill::send(pid.as_raw_nonzero().get(), signal).about("kill")?;
            // A stopped command sees the signal only when it runs on.
            let _ = user::kill::send(pid.as_raw_nonzero().get(), libc::SIGCONT);
        }
    }
    use std::os::unix::process::ExitStatusExt;
    let status = child.wait().about("wait")?;
    let code = status.code().or_else(|| status.signal().map(|signal| 128 + signal)).unwrap_or(1);
    Ok(if late && status.signal() != Some(libc::SIGKILL) { 124 } else { u8::try_from(code & 0xff).unwrap_or(1) })
}

fn seconds(args: &Args, text: &str) -> Duration {
    match text.trim_end_matches('s').parse().ok().and_then(|number| Duration::try_from_secs_f64(number).ok()) {
        Some(duration) => duration,
        None => args.usage_error(),
    }
}

/// Whether the process ends before `limit` has passed.
fn ends_within(process: &std::os::fd::OwnedFd, limit: Duration) -> Result<bool, Failure> {
    use rustix::event::{PollFd, PollFlags, Timespec, poll};
    let end = Instant::now() + limit;
    loop {
        let left = end.saturating_duration_since(Instant::now());
        let left = Timespec {
            tv_sec: i64::try_from(left.as_secs()).unwrap_or(i64::MAX),
            tv_nsec: i64::from(left.subsec_nanos()),
        };
        match poll(&mut [PollFd::new(process, PollFlags::IN)], Some(&left)) {
            Ok(0) => return Ok(false),
            Ok(_) => return Ok(true),
            Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error).about("poll"),
        }
    }
}
