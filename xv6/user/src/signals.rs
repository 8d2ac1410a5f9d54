//! Signal names and numbers, as kill(1) and the shell's `trap` and `kill` spell them. Linux x86_64's numbers, signal(7).

/// Names without `SIG`, in the order of their numbers from 1.
const NAMES: [&str; 31] = [
    "HUP", "INT", "QUIT", "ILL", "TRAP", "ABRT", "BUS", "FPE", "KILL", "USR1", "SEGV", "USR2", "PIPE", "ALRM", "TERM",
    "STKFLT", "CHLD", "CONT", "STOP", "TSTP", "TTIN", "TTOU", "URG", "XCPU", "XFSZ", "VTALRM", "PROF", "WINCH", "POLL",
    "PWR", "SYS",
];

/// What the shell says of a process that a signal ended, as strsignal(3).
const TEXTS: [&str; 31] = [
    "Hangup",
    "Interrupt",
    "Quit",
    "Illegal instruction",
    "Trace/breakpoint trap",
    "Aborted",
    "Bus error",
    "Floating point exception",
    "Killed",
    "User defined signal 1",
    "Segmentation fault",
    "User defined signal 2",
    "Broken pipe",
    "Alarm clock",
    "Terminated",
    "Stack fault",
    "Child exited",
    "Continued",
    "Stopped (signal)",
    "Stopped",
    "Stopped (tty input)",
    "Stopped (tty output)",
    "Urgent I/O condition",
    "CPU time limit exceeded",
    "File size limit exceeded",
    "Virtual timer expired",
    "Profiling timer expired",
    "Window changed",
    "I/O possible",
    "Power failure",
    "Bad system call",
];

/// All names with their numbers, for `kill -l`.
pub fn all() -> impl Iterator<Item = (i32, &'static str)> {
    (1..).zip(NAMES)
}

/// The name of `number` without `SIG`.
pub fn name(number: i32) -> Option<&'static str> {
    usize::try_from(number).ok().and_then(|n| NAMES.get(n.checked_sub(1)?).copied())
}

/// What happened to a process that signal `number` ended or stopped.
pub fn text(number: i32) -> String {
    match usize::try_from(number).ok().and_then(|n| TEXTS.get(n.checked_sub(1)?)) {
        Some(text) => (*text).to_owned(),
        None => format!("Signal {number}"),
    }
}

/// The number that `word` means: a number, `TERM`, `SIGTERM` in any case; 0 and `EXIT` are 0.
pub fn parse(word: &str) -> Option<i32> {
    if let Ok(number) = word.parse::<i32>() {
        return (0..=64).contains(&number).then_some(number);
    }
    let upper = word.to_ascii_uppercase();
    let bare = upper.strip_prefix("SIG").unwrap_or(&upper);
    match bare {
        "EXIT" => Some(0),
        "IO" => Some(29),
        "IOT" => Some(6),
        "CLD" => Some(17),
        _ => all().find(|(_, name)| *name == bare).map(|(number, _)| number),
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn names_and_numbers_agree() {
        assert_eq!(super::parse("SIGterm"), Some(15));
        assert_eq!(super::parse("9"), Some(9));
        assert_eq!(super::name(9), Some("KILL"));
        assert_eq!(super::name(0), None);
        assert_eq!(super::parse("nosuch"), None);
    }
}
