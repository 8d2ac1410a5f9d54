//! A signal's `siginfo_t` as strace(1) shows it.

use crate::decode::pointer;
use crate::flags;

/// `si_code` of `SIGCHLD`, from 1.
const CHILD: [&str; 6] = ["CLD_EXITED", "CLD_KILLED", "CLD_DUMPED", "CLD_TRAPPED", "CLD_STOPPED", "CLD_CONTINUED"];
/// Of `SIGSEGV`.
const SEGV: [&str; 2] = ["SEGV_MAPERR", "SEGV_ACCERR"];

/// `{si_signo=SIGCHLD, si_code=..., ...}`.
pub fn show(info: &[u8; 128]) -> String {
    let int = |at: usize| i32::from_le_bytes([info[at], info[at + 1], info[at + 2], info[at + 3]]);
    let (number, code) = (int(0), int(8));
    let name = flags::signal(number.unsigned_abs().into());
    let named = |names: &[&'static str]| {
        let index = usize::try_from(code - 1).ok();
        index.and_then(|index| names.get(index).copied())
    };
    let text = match code {
        0 => Some("SI_USER"),
        -1 => Some("SI_QUEUE"),
        -6 => Some("SI_TKILL"),
        0x80 => Some("SI_KERNEL"),
        _ if number == libc::SIGCHLD => named(&CHILD),
        _ if number == libc::SIGSEGV => named(&SEGV),
        _ => None,
    };
    let code_text = text.map_or_else(|| code.to_string(), ToOwned::to_owned);
    let head = format!("si_signo={name}, si_code={code_text}");
    let sender = format!("si_pid={}, si_uid={}", int(16), int(20));
    let rest = match (number, code) {
        (_, 0x80) => String::new(),
        (libc::SIGCHLD, 1..) => {
            let status = int(24);
            let shown = if code == 1 { status.to_string() } else { flags::signal(status.unsigned_abs().into()) };
            let ticks = |at: usize| i64::from(int(at));
            format!(", {sender}, si_status={shown}, si_utime={}, si_stime={}", ticks(32), ticks(40))
        }
        (libc::SIGSEGV | libc::SIGBUS | libc::SIGILL | libc::SIGFPE | libc::SIGTRAP, 1..) => {
            let address = u64::from(int(16) as u32) | u64::from(int(20) as u32) << 32;
            format!(", si_addr={}", pointer(address))
        }
        _ => format!(", {sender}"),
    };
    format!("{{{head}{rest}}}")
}
