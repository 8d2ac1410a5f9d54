//! dmesg: prints the kernel's log, from `/dev/kmsg`: one record a read, `PRIORITY,SEQUENCE,MICROSECONDS,FLAGS;TEXT`.

use std::io::Write;
use std::process::ExitCode;

use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;
use user::{About, Args, Failure, Out};

fn main() -> ExitCode {
    user::run("dmesg", "dmesg [-tw]", body)
}

fn body(args: &mut Args, out: &mut Out) -> Result<u8, Failure> {
    let (mut times, mut wait) = (true, false);
    while let Some(option) = args.option() {
        match option.as_str() {
            "t" => times = false,
            "w" => wait = true,
            _ => args.usage_error(),
        }
    }
    let [] = args.exactly();
    let flags = OFlags::RDONLY | OFlags::CLOEXEC | if wait { OFlags::empty() } else { OFlags::NONBLOCK };
    let log = rustix::fs::open("/dev/kmsg", flags, Mode::empty()).about("/dev/kmsg")?;
    let mut record = vec![0; 8192];
    loop {
        match rustix::io::read(&log, &mut *record) {
            Ok(0) | Err(Errno::AGAIN) => return Ok(0),
            Ok(length) => print(&String::from_utf8_lossy(&record[..length]), times, out)?,
            // Records were overwritten before they were read; the next read goes on after them.
            Err(Errno::PIPE | Errno::INTR) => {}
            Err(error) => return Err(error).about("/dev/kmsg"),
        }
        if wait {
            out.flush()?;
        }
    }
}

fn print(record: &str, times: bool, out: &mut Out) -> Result<(), Failure> {
    let (head, text) = record.split_once(';').unwrap_or(("", record));
    let stamp: u64 = head.split(',').nth(2).and_then(|field| field.parse().ok()).unwrap_or(0);
    // Lines that begin with a blank belong to the record, but are for machines.
    for line in text.lines().filter(|line| !line.starts_with(' ')) {
        if times {
            write!(out, "[{:5}.{:06}] ", stamp / 1_000_000, stamp % 1_000_000)?;
        }
        writeln!(out, "{line}")?;
    }
    Ok(())
}
