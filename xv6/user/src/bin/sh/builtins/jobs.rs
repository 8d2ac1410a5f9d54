//! Builtins about processes: `jobs`, `fg`, `bg`, `wait`, `kill`, `trap`, `times`, `ulimit`.

use rustix::process::{Resource, Rlimit, Signal};

use user::shell::syntax::Bytes;
use user::signals;

use super::{print, quote, refuse};
use crate::jobs::State;
use crate::shell::{Run, Shell};

pub fn list(shell: &mut Shell, words: &[Bytes]) -> Run {
    while let Ok(true) = shell.jobs.reap(false) {}
    let pids = words.get(1).is_some_and(|word| word == b"-p");
    let current = shell.jobs.current();
    let mut text = String::new();
    for job in shell.jobs.list() {
        if pids {
            text +=
                &job.processes.iter().take(1).map(|(pid, _)| format!("{}\n", pid.as_raw_nonzero())).collect::<String>();
        } else {
            text += &(job.line(current == Some(job.number)) + "\n");
        }
    }
    let done: Vec<usize> = shell.jobs.list().iter().filter(|job| job.is_done()).map(|job| job.number).collect();
    let status = print(shell, text.as_bytes())?;
    for number in done {
        shell.jobs.remove(number);
    }
    Ok(status)
}

/// `fg` and `bg`.
pub fn resume(shell: &mut Shell, words: &[Bytes]) -> Run {
    if !shell.options.monitor {
        return refuse(shell, words, "no job control", 1);
    }
    let foreground = words[0] == b"fg";
    let word = words.get(1).cloned().unwrap_or_else(|| b"%%".to_vec());
    let Some(job) = shell.jobs.find(&word) else {
        return refuse(shell, words, &format!("{}: no such job", String::from_utf8_lossy(&word)), 1);
    };
    let (number, group, text) = (job.number, job.group, job.text.clone());
    for (_, state) in &mut job.processes {
        if matches!(state, State::Stopped(_)) {
            *state = State::Running;
        }
    }
    job.background = !foreground;
    job.told = false;
    let shown = String::from_utf8_lossy(&text).into_owned();
    print(shell, if foreground { format!("{shown}\n") } else { format!("[{number}] {shown}\n") }.as_bytes())?;
    let Some(group) = group else { return Ok(1) };
    if foreground {
        shell.jobs.give_terminal(group);
    }
    if let Err(error) = rustix::process::kill_process_group(group, Signal::CONT) {
        return refuse(shell, words, &user::fail::why(&error.into()), 1);
    }
    if foreground { shell.wait_foreground(number) } else { Ok(0) }
}

pub fn wait(shell: &mut Shell, words: &[Bytes]) -> Run {
    if words.len() == 1 {
        while shell.jobs.list().iter().any(|job| job.state() == State::Running) {
            if let Some(status) = wait_once(shell)? {
                return Ok(status);
            }
        }
        let done: Vec<usize> = shell.jobs.list().iter().filter(|job| job.is_done()).map(|job| job.number).collect();
        for number in done {
            shell.jobs.remove(number);
        }
        return Ok(0);
    }
    let mut status = 0;
    for word in &words[1..] {
        status = loop {
            match shell.jobs.find(word) {
                None => break 127,
                Some(job) if job.state() == State::Running => {
                    if let Some(status) = wait_once(shell)? {
                        return Ok(status);
                    }
                }
                Some(job) => {
                    let (number, state, done) = (job.number, job.state(), job.is_done());
                    if done {
                        shell.jobs.remove(number);
                    }
                    break state.status();
                }
            }
        };
    }
    Ok(status)
}

/// Waits for a change; a status if a trapped signal ended the waiting.
fn wait_once(shell: &mut Shell) -> Result<Option<i32>, crate::shell::Flow> {
    let arrived = match shell.arrived_signal() {
        Some(signal) => Some(signal),
        None => match shell.jobs.reap(true) {
            Err(rustix::io::Errno::INTR) => shell.arrived_signal(),
            _ => None,
        },
    };
    let Some(signal) = arrived else { return Ok(None) };
    shell.run_traps()?;
    Ok(Some(128 + signal))
}

pub fn kill(shell: &mut Shell, words: &[Bytes]) -> Run {
    let text = |word: &Bytes| String::from_utf8_lossy(word).into_owned();
    let mut signal = libc::SIGTERM;
    let mut rest = &words[1..];
    if let Some(first) = rest.first().map(text).filter(|first| first.starts_with('-') && first.len() > 1) {
        rest = &rest[1..];
        let name = match first.as_str() {
            "-l" => {
                let names: Vec<String> = match rest.first().and_then(|word| text(word).parse::<i32>().ok()) {
                    Some(number) => vec![signals::name(number & 127).unwrap_or("?").to_owned()],
                    None => signals::all().map(|(number, name)| format!("{number} {name}")).collect(),
                };
                return print(shell, (names.join("\n") + "\n").as_bytes());
            }
            "-s" | "-n" => {
                let name = rest.first().map(text).unwrap_or_default();
                rest = rest.get(1..).unwrap_or_default();
                name
            }
            "--" => "TERM".to_owned(),
            other => other[1..].to_owned(),
        };
        match signals::parse(&name) {
            Some(number) => signal = number,
            None => return refuse(shell, words, &format!("{name}: unknown signal"), 2),
        }
        if rest.first().is_some_and(|word| word == b"--") {
            rest = &rest[1..];
        }
    }
    if rest.is_empty() {
        return refuse(shell, words, "usage: kill [-SIGNAL] PID|%JOB... | kill -l", 2);
    }
    let mut status = 0;
    for word in rest {
        let target = if word.starts_with(b"%") {
            shell.jobs.find(word).and_then(|job| match job.group {
                Some(group) => Some(-group.as_raw_nonzero().get()),
                None => job.processes.first().map(|(pid, _)| pid.as_raw_nonzero().get()),
            })
        } else {
            text(word).parse().ok()
        };
        let Some(target) = target else {
            status = refuse(shell, words, &format!("{}: no such process", text(word)), 1)?;
            continue;
        };
        if let Err(error) = user::kill::send(target, signal) {
            status = refuse(shell, words, &format!("{}: {}", text(word), user::fail::why(&error)), 1)?;
        } else if word.starts_with(b"%")
            && !matches!(signal, libc::SIGSTOP | libc::SIGTSTP | libc::SIGTTIN | libc::SIGTTOU)
        {
            // A stopped job sees the signal only when it runs on.
            let _ = user::kill::send(target, libc::SIGCONT);
        }
    }
    Ok(status)
}

pub fn trap(shell: &mut Shell, words: &[Bytes]) -> Run {
    let rest = if words.get(1).is_some_and(|word| word == b"--") { &words[2..] } else { &words[1..] };
    let Some(first) = rest.first() else {
        let mut text = Bytes::new();
        for (signal, command) in shell.traps.iter() {
            let name = if signal == 0 { "EXIT" } else { signals::name(signal).unwrap_or("?") };
            text.extend([b"trap -- ", quote(command).as_slice(), b" ", name.as_bytes(), b"\n"].concat());
        }
        return print(shell, &text);
    };
    // A number first, or a lone signal, resets.
    let resets = rest.len() == 1 || first.iter().all(u8::is_ascii_digit) && !first.is_empty();
    let (command, names) =
        if resets { (None, rest) } else { (Some(first.clone()).filter(|text| text != b"-"), &rest[1..]) };
    let mut status = 0;
    for name in names {
        let shown = String::from_utf8_lossy(name);
        let interactive = shell.options.interactive;
        match signals::parse(&shown) {
            None => status = refuse(shell, words, &format!("{shown}: bad trap"), 1)?,
            Some(signal) => {
                if let Err(error) = shell.traps.set(signal, command.clone(), interactive) {
                    status = refuse(shell, words, &format!("{shown}: {}", user::fail::why(&error)), 1)?;
                }
            }
        }
    }
    Ok(status)
}

pub fn times(shell: &mut Shell, _: &[Bytes]) -> Run {
    let own = user::procfs::read(i32::try_from(std::process::id()).unwrap_or(0)).map_or(0, |process| process.ticks);
    print(shell, format!("{}m{}.{:02}s\n", own / 6000, own / 100 % 60, own % 100).as_bytes())
}

pub fn limit(shell: &mut Shell, words: &[Bytes]) -> Run {
    let (resource, unit) = match words.get(1).map(Vec::as_slice) {
        Some(b"-c") => (Resource::Core, 512),
        Some(b"-n") => (Resource::Nofile, 1),
        Some(b"-s") => (Resource::Stack, 1024),
        Some(b"-u") => (Resource::Nproc, 1),
        Some(b"-v") => (Resource::As, 1024),
        None | Some(b"-f") => (Resource::Fsize, 512),
        Some(_) => return refuse(shell, words, "usage: ulimit [-cfnsuv] [LIMIT|unlimited]", 2),
    };
    let Some(value) = words.get(2) else {
        let current = rustix::process::getrlimit(resource).current;
        return print(
            shell,
            current.map_or("unlimited\n".to_owned(), |value| format!("{}\n", value / unit)).as_bytes(),
        );
    };
    let value = String::from_utf8_lossy(value).into_owned();
    let limit = match value.as_str() {
        "unlimited" => None,
        text => match text.parse::<u64>().ok().and_then(|number| number.checked_mul(unit)) {
            Some(limit) => Some(limit),
            None => return refuse(shell, words, &format!("{text}: bad number"), 2),
        },
    };
    match rustix::process::setrlimit(resource, Rlimit { current: limit, maximum: limit }) {
        Ok(()) => Ok(0),
        Err(error) => refuse(shell, words, &user::fail::why(&error.into()), 1),
    }
}
