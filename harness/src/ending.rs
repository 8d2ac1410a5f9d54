//! ending: what it means that QEMU ended.
//!
//! The guest ends its machine in one of four ways (see the kernel's `power` code): power-off (status 0), an exit status
//! through `isa-debug-exit` (QEMU then exits with `(v << 1) | 1` for `v = status + 1`), a panic (`v` = 127), or a
//! reset, which `-no-reboot` turns into status 0 too. The kernel says on the serial port what it is about to do; a
//! status 0 without such a line is therefore a reset nobody asked for, and a status too large for the device is in that
//! line only.

use crate::wire::Gone;

/// QEMU's status for a kernel panic.
const PANIC_STATUS: i32 = 255;

/// How the kernel's log tells what kept it from starting the first program; an exit follows.
const NO_BOOT: &str = "xv6: cannot boot: ";

/// How the kernel's log announces a wanted end.
const ANNOUNCEMENT: &str = "xv6: exit status ";

/// How a machine ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ending {
    /// Power-off, or an exit with this status.
    Exit(u8),
    /// The kernel could not start the first program: its own words.
    NoBoot(String),
    /// The kernel panicked.
    Panic,
    /// The machine reset itself.
    Reset,
    /// QEMU failed, or was killed: its own words.
    Qemu(String),
}

/// Reads the ending from QEMU's end and the kernel's log.
pub fn decode(gone: &Gone, serial: &[u8]) -> Ending {
    let log = String::from_utf8_lossy(serial);
    let announced = log
        .lines()
        .rev()
        .find_map(|line| line.split_once(ANNOUNCEMENT).and_then(|(_, rest)| rest.trim().parse::<u8>().ok()));
    if let Some((_, cause)) = log.lines().find_map(|line| line.split_once(NO_BOOT)) {
        return Ending::NoBoot(cause.trim().to_string());
    }
    match gone.status.code() {
        Some(0) => match announced {
            Some(status) => Ending::Exit(status),
            None => Ending::Reset,
        },
        Some(PANIC_STATUS) => Ending::Panic,
        Some(code) if code >= 3 && code % 2 == 1 => {
            Ending::Exit(announced.unwrap_or_else(|| u8::try_from((code >> 1) - 1).unwrap_or(u8::MAX)))
        }
        _ if gone.stderr.is_empty() => Ending::Qemu(format!("QEMU ended with {}", gone.status)),
        _ => Ending::Qemu(gone.stderr.lines().last().unwrap_or_default().to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::{Ending, decode};
    use crate::wire::Gone;
    use std::os::unix::process::ExitStatusExt;
    use std::process::ExitStatus;

    fn ended(code: i32, stderr: &str, serial: &str) -> Ending {
        decode(&Gone { status: ExitStatus::from_raw(code << 8), stderr: stderr.into() }, serial.as_bytes())
    }

    #[test]
    fn every_ending_is_told_apart() {
        assert_eq!(ended(0, "", "xv6: exit status 0\n"), Ending::Exit(0));
        assert_eq!(ended(0, "", "xv6: exit status 200\r\n"), Ending::Exit(200));
        let log = "[    0.1] xv6: cannot boot: mounting: EIO\r\nxv6: exit status 1\r\n";
        assert_eq!(ended(5, "", log), Ending::NoBoot("mounting: EIO".into()));
        assert_eq!(ended(0, "", "booting\n"), Ending::Reset);
        assert_eq!(ended(255, "", ""), Ending::Panic);
        assert_eq!(ended((4 << 1) | 1, "", ""), Ending::Exit(3));
        assert_eq!(ended(1, "qemu: bad option\n", ""), Ending::Qemu("qemu: bad option".into()));
    }
}
