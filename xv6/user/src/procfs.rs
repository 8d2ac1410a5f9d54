//! Processes as `/proc` shows them, for `ps`, `top` and `probe`. Format: proc_pid_stat(5).

use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;

/// One process.
#[derive(Clone, Debug)]
pub struct Process {
    /// Its pid in the reader's namespace.
    pub pid: i32,
    /// The executable's name, at most 15 bytes.
    pub comm: String,
    /// `R`, `S`, `D`, `T`, `Z`, ...
    pub state: char,
    /// Its parent; 0 if that is outside the reader's namespace.
    pub ppid: i32,
    /// Process group.
    pub pgrp: i32,
    /// Session.
    pub session: i32,
    /// Controlling terminal's device number, 0 for none.
    pub tty: u32,
    /// Foreground group of that terminal.
    pub foreground: i32,
    /// User and system time in ticks of 10 ms.
    pub ticks: u64,
    /// Number of threads.
    pub threads: u64,
    /// Start after boot, in ticks of 10 ms.
    pub start: u64,
    /// Virtual size in bytes.
    pub vsize: u64,
    /// Resident pages of 4 KiB.
    pub rss: u64,
    /// Nice value.
    pub nice: i64,
    /// Effective user.
    pub uid: u32,
    /// The command line with spaces between arguments; `[comm]` when it has none.
    pub command: String,
}

/// Every process the caller sees, by pid.
pub fn all() -> io::Result<Vec<Process>> {
    let mut processes = Vec::new();
    for entry in fs::read_dir("/proc")? {
        let name = entry?.file_name();
        if let Some(pid) = name.to_str().and_then(|name| name.parse().ok()) {
            // One that ends meanwhile is simply not listed.
            if let Ok(process) = read(pid) {
                processes.push(process);
            }
        }
    }
    processes.sort_by_key(|process| process.pid);
    Ok(processes)
}

/// The process `pid`; `NotFound` if there is none.
pub fn read(pid: i32) -> io::Result<Process> {
    let folder = format!("/proc/{pid}");
    let uid = fs::metadata(&folder)?.uid();
    let stat = String::from_utf8_lossy(&fs::read(format!("{folder}/stat"))?).into_owned();
    let cmdline = fs::read(format!("{folder}/cmdline")).unwrap_or_default();
    parse(pid, uid, &stat, &cmdline).ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, "malformed stat"))
}

fn parse(pid: i32, uid: u32, stat: &str, cmdline: &[u8]) -> Option<Process> {
    // The name may hold spaces and brackets; what follows the last one is numbers.
    let (open, close) = (stat.find('(')?, stat.rfind(')')?);
    let comm = stat.get(open + 1..close)?.to_owned();
    let fields: Vec<&str> = stat.get(close + 1..)?.split_ascii_whitespace().collect();
    // `index` counts from the state, which proc(5) calls field 3.
    let signed = |index: usize| fields.get(index).and_then(|field| field.parse::<i64>().ok()).unwrap_or(0);
    let natural = |index: usize| fields.get(index).and_then(|field| field.parse::<u64>().ok()).unwrap_or(0);
    let small = |index: usize| i32::try_from(signed(index)).unwrap_or(0);
    let words: Vec<_> = cmdline.split(|byte| *byte == 0).map(String::from_utf8_lossy).collect();
    let command = words.join(" ").trim_end().to_owned();
    Some(Process {
        pid,
        state: fields.first()?.chars().next()?,
        ppid: small(1),
        pgrp: small(2),
        session: small(3),
        tty: u32::try_from(natural(4)).unwrap_or(0),
        foreground: small(5),
        ticks: natural(11) + natural(12),
        nice: signed(16),
        threads: natural(17),
        start: natural(19),
        vsize: natural(20),
        rss: natural(21),
        uid,
        command: if command.is_empty() { format!("[{comm}]") } else { command },
        comm,
    })
}

/// Seconds since boot, `/proc/uptime`.
pub fn uptime() -> io::Result<f64> {
    let text = fs::read_to_string("/proc/uptime")?;
    let first = text.split_ascii_whitespace().next().and_then(|field| field.parse().ok());
    first.ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, "malformed uptime"))
}

/// The value in KiB of `key` in the text of `/proc/meminfo`; 0 if it is missing.
pub fn meminfo(text: &str, key: &str) -> u64 {
    let line = text.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix(':'));
    line.and_then(|rest| rest.trim().trim_end_matches(" kB").parse().ok()).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_name_with_brackets_and_spaces_does_not_confuse() {
        let stat = "7 (a) b) S 1 7 7 1025 7 0 0 0 0 0 3 4 0 0 20 0 1 0 99 4096 2 0";
        let process = super::parse(7, 0, stat, b"/bin/a\0-x\0").expect("a whole line");
        assert_eq!((process.comm.as_str(), process.state, process.ppid, process.ticks), ("a) b", 'S', 1, 7));
        assert_eq!((process.start, process.vsize, process.rss), (99, 4096, 2));
        assert_eq!(process.command, "/bin/a -x");
    }
}
