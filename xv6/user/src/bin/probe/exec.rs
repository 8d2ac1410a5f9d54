//! Damaged programs: a real one is cut, its headers are changed by seeded dice, and each result is executed in a child that may break; then
//! `#!` lines of every bad kind. What execve(2) refuses it must refuse with one of its errors; what it accepts may crash, no more.
//!
//! Key type: [`Plan`]. The damage depends on the seed and the number of the run only. The children are nobody (uid 65534). Neighbour:
//! `fuzz` has the dice.

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Read, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::errno;
use super::fuzz::Dice;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::pipe::{PipeFlags, pipe_with};
use rustix::process::{Pid, PidfdFlags, Signal, WaitOptions, WaitStatus};
use user::raw::{Forked, fork};
use user::{About, Failure, Out};

/// What a refusal may say: the file is no program (`ENOEXEC`, `EINVAL`), its segments do not fit (`ENOMEM`, `EFAULT`), or the interpreter that
/// it names now cannot be had.
const REFUSALS: [&str; 9] =
    ["ENOEXEC", "EINVAL", "ENOMEM", "EFAULT", "ENOENT", "EACCES", "ENOTDIR", "ENAMETOOLONG", "ELIBBAD"];

/// Bytes of the file header and of a program header.
const HEADER: usize = 64;
const ENTRY: usize = 56;
/// Where the fields of both are, and their sizes: of the file, all that a loader reads; of a program header, all.
const FILE_FIELDS: [(usize, usize); 9] = [(4, 1), (5, 1), (6, 1), (16, 2), (18, 2), (24, 8), (32, 8), (54, 2), (56, 2)];
const ENTRY_FIELDS: [(usize, usize); 8] = [(0, 4), (4, 4), (8, 8), (16, 8), (24, 8), (32, 8), (40, 8), (48, 8)];

/// Values near the edges of pages, of address spaces and of number types.
const VALUES: [u64; 24] = [
    0,
    1,
    2,
    3,
    6,
    0x7f,
    0xfff,
    0x1000,
    0xffff,
    0x1_0000,
    0x40_0000,
    0x7fff_ffff,
    0xffff_ffff,
    0x7000_0000_0000,
    0x7fff_ffff_f000,
    0x8000_0000_0000,
    0xffff_8000_0000_0000,
    0xffff_ffff_8000_0000,
    1 << 62,
    i64::MAX as u64,
    1 << 63,
    u64::MAX - 0xfff,
    u64::MAX - 1,
    u64::MAX,
];

/// What the command line asks for.
pub struct Plan {
    runs: u64,
    seed: u64,
    program: PathBuf,
}

impl Plan {
    /// Reads the options; `None` if one is wrong.
    pub fn read(options: &[&str]) -> Option<Plan> {
        let mut plan = Plan { runs: 300, seed: 1, program: "/bin/true".into() };
        let mut words = options.iter();
        while let Some(word) = words.next() {
            match *word {
                "--runs" => plan.runs = words.next()?.parse().ok()?,
                "--seed" => plan.seed = words.next()?.parse().ok()?,
                "--program" => plan.program = words.next()?.into(),
                _ => return None,
            }
        }
        Some(plan)
    }
}

/// How an execution went: `ran`, `killed`, `hung`, or the errno of the refusal.
fn execute(file: &Path) -> Result<String, Failure> {
    let mut command = Command::new(file);
    command.uid(65_534).gid(65_534).current_dir("/");
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    let (reader, writer) = pipe_with(PipeFlags::CLOEXEC).about("pipe")?;
    let child = match fork().about("fork")? {
        Forked::Child => {
            drop(reader);
            // It comes back only when it was refused.
            let name = errno::name(&command.exec());
            let _ = rustix::io::write(&writer, name.as_bytes());
            std::process::exit(127);
        }
        Forked::Parent(child) => child,
    };
    drop(writer);
    let mut refusal = String::new();
    fs::File::from(reader).read_to_string(&mut refusal)?;
    let ended = end_of(child)?;
    if !refusal.is_empty() {
        return Ok(refusal);
    }
    Ok(match ended {
        None => "hung",
        Some(status) if status.signaled() => "killed",
        Some(_) => "ran",
    }
    .to_owned())
}

/// How long a program may run.
const LIMIT: Timespec = Timespec { tv_sec: 0, tv_nsec: 100_000_000 };

/// How a child ended; `None` if it had to be killed.
fn end_of(child: Pid) -> Result<Option<WaitStatus>, Failure> {
    let descriptor = rustix::process::pidfd_open(child, PidfdFlags::empty()).about("pidfd_open")?;
    let ended = loop {
        match poll(&mut [PollFd::new(&descriptor, PollFlags::IN)], Some(&LIMIT)) {
            Ok(count) => break count > 0,
            Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error).about("poll"),
        }
    };
    if !ended {
        rustix::process::kill_process(child, Signal::KILL).about("kill")?;
    }
    let status = rustix::process::waitpid(Some(child), WaitOptions::empty()).about("wait")?;
    Ok(status.map(|(_, status)| status).filter(|_| ended))
}

/// Writes a program.
fn program(path: &Path, content: &[u8]) -> io::Result<()> {
    let _ = fs::remove_file(path);
    fs::OpenOptions::new().write(true).create_new(true).mode(0o755).open(path)?.write_all(content)
}

/// Damages a program: run 0 leaves it whole, the next ones cut each header at its edges, the others change one to four fields.
fn damage(whole: &[u8], run: u64, dice: &mut Dice) -> Vec<u8> {
    let mut bytes = whole.to_vec();
    let headers = usize::from(u16::from_le_bytes([whole[56], whole[57]]));
    let table = HEADER + headers * ENTRY;
    let edges: Vec<usize> = [0, 1, 4, 63].into_iter().chain((HEADER..=table).step_by(ENTRY / 2)).collect();
    match run.checked_sub(1).and_then(|cut| usize::try_from(cut).ok()) {
        None => return bytes,
        Some(cut) if cut < edges.len() => {
            bytes.truncate(edges[cut]);
            return bytes;
        }
        Some(_) => {}
    }
    for _ in 0..=dice.below(4) {
        let (at, size) = if dice.below(4) == 0 {
            dice.pick(&FILE_FIELDS)
        } else {
            let (at, size) = dice.pick(&ENTRY_FIELDS);
            (HEADER + dice.below(headers.max(1)) * ENTRY + at, size)
        };
        let mut old = [0; 8];
        old[..size].copy_from_slice(&bytes[at..at + size]);
        let old = u64::from_le_bytes(old);
        let new = match dice.below(4) {
            0 => dice.roll(),
            1 => old.wrapping_add(dice.pick(&VALUES)),
            2 => old ^ (1 << dice.below(size * 8)),
            _ => dice.pick(&VALUES),
        };
        bytes[at..at + size].copy_from_slice(&new.to_le_bytes()[..size]);
    }
    if dice.below(8) == 0 {
        bytes.truncate(dice.below(whole.len()));
    }
    bytes
}

/// Scripts: a name, the content (`%` is the file's own path), and what comes of it.
const SCRIPTS: [(&str, &str, &str); 14] = [
    ("nothing", "", "ENOEXEC"),
    ("mark only", "#!", "ENOEXEC"),
    ("empty line", "#!\n", "ENOEXEC"),
    ("blank line", "#! \t \n/bin/true", "ENOEXEC"),
    ("no newline", "#!/bin/true", "ran"),
    ("a zero byte ends the line", "#!/bin/true\0\u{1}\u{2}", "ran"),
    ("carriage return", "#!/bin/true\r\n", "ENOENT"),
    ("missing interpreter", "#!/nowhere/sh\n", "ENOENT"),
    ("a folder", "#!/bin\n", "EACCES"),
    ("not executable", "#!/proc/version\n", "EACCES"),
    ("itself", "#!%\n", "ELOOP"),
    ("itself with an argument", "#!% -x\n", "ELOOP"),
    ("binary", "\u{1}\u{2}\u{3}\0\u{4}", "ENOEXEC"),
    ("text", "echo hello\n", "ENOEXEC"),
];

/// Executes the damaged programs and the scripts; 1 if anything came of one that must not.
pub fn run(plan: &Plan, out: &mut Out) -> Result<u8, Failure> {
    let folder = std::env::temp_dir().join(format!("probe-exec.{}", std::process::id()));
    fs::create_dir(&folder).about(&folder)?;
    fs::set_permissions(&folder, fs::Permissions::from_mode(0o755)).about(&folder)?;
    let result =
        programs(plan, &folder.join("program"), out).and_then(|bad| Ok(bad + scripts(&folder.join("script"), out)?));
    fs::remove_dir_all(&folder).about(&folder)?;
    Ok(u8::from(result? > 0))
}

fn programs(plan: &Plan, path: &Path, out: &mut Out) -> Result<usize, Failure> {
    let whole = fs::read(&plan.program).about(&plan.program)?;
    if whole.len() < HEADER + ENTRY || !whole.starts_with(b"\x7fELF") {
        return Err(Failure::new(format!("exec: {} is no ELF program", plan.program.display())));
    }
    let mut counts: BTreeMap<&str, u64> = BTreeMap::new();
    let mut bad = 0;
    for run in 0..plan.runs {
        let mut dice = Dice::new(plan.seed, run);
        program(path, &damage(&whole, run, &mut dice)).about(path)?;
        let result = execute(path)?;
        let class = match result.as_str() {
            "ran" => "ran",
            "killed" => "killed",
            // An entry point moved into a loop: the program's own affair.
            "hung" => "hung",
            errno if run > 0 && REFUSALS.contains(&errno) => "refused",
            other => {
                writeln!(out, "elf\tseed {} run {run}: {other}", plan.seed)?;
                bad += 1;
                "wrong"
            }
        };
        *counts.entry(class).or_default() += 1;
    }
    let counts: Vec<String> = counts.iter().map(|(class, count)| format!("{count} {class}")).collect();
    writeln!(out, "elf\t{} runs: {}", plan.runs, counts.join(", "))?;
    Ok(bad)
}

fn scripts(path: &Path, out: &mut Out) -> Result<usize, Failure> {
    let own = path.to_string_lossy();
    let mut bad = 0;
    let long = [
        ("a path longer than the line", format!("#!/{}\n", "x".repeat(300)), "ENOEXEC"),
        ("an argument longer than the line", format!("#!/bin/true {}\n", "x".repeat(4000)), "ran"),
    ];
    let short = SCRIPTS.iter().map(|(name, text, expected)| (*name, text.replace('%', &own), *expected));
    for (name, text, expected) in short.chain(long) {
        program(path, text.as_bytes()).about(path)?;
        let result = execute(path)?;
        if result != expected {
            writeln!(out, "script\t{name}: {result}, not {expected}")?;
            bad += 1;
        }
    }
    writeln!(out, "script\t{} lines: {bad} wrong", SCRIPTS.len() + 2)?;
    Ok(bad)
}
