//! drive: one disk of a machine as data: its image file, what becomes of the guest's writes, and what a test adds to it.
//!
//! A test may have every write logged ([`Drive::logged`], read back by `writelog`), or have the disk fail ([`Drive::fault`]):
//! QEMU's `blklogwrites` and `blkdebug` drivers do it. It may be slow ([`Drive::slowed`]): QEMU's I/O
//! throttling does that. [`Drive::option`] is the value of `-drive`.

use std::path::{Path, PathBuf};

/// One disk of a machine.
#[derive(Clone, Debug)]
pub struct Drive {
    /// The raw disk image.
    pub file: PathBuf,
    /// What the guest's writes do to the file.
    pub writes: Writes,
    /// Where every write and flush is logged, if they are.
    pub log: Option<PathBuf>,
    /// Where the disk fails.
    pub faults: Vec<Fault>,
    /// The most that is read in a second, in bytes, if there is a limit.
    pub rate: Option<u32>,
}

/// What becomes of the guest's writes to a drive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Writes {
    /// They are refused.
    Refused,
    /// They last until the machine ends; the file stays as it is.
    Forgotten,
    /// They go to the file.
    Kept,
}

/// Requests that fail with an I/O error, every time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Reads that touch this sector of 512 bytes.
    Read(u64),
    /// Writes that touch this sector. The writes must be [`Writes::Kept`].
    Write(u64),
    /// Flushes. The writes must be [`Writes::Kept`].
    Flush,
}

impl Drive {
    /// A drive without faults or log.
    pub fn new(file: impl Into<PathBuf>, writes: Writes) -> Self {
        Self { file: file.into(), writes, log: None, faults: Vec::new(), rate: None }
    }

    /// Logs every write and flush to `log`, in the order in which they were done. The writes must be [`Writes::Kept`].
    #[must_use]
    pub fn logged(mut self, log: &Path) -> Self {
        self.log = Some(log.to_path_buf());
        self
    }

    /// Has requests fail.
    #[must_use]
    pub fn fault(mut self, fault: Fault) -> Self {
        self.faults.push(fault);
        self
    }

    /// Lets no more than `rate` bytes be read in a second.
    #[must_use]
    pub fn slowed(mut self, rate: u32) -> Self {
        self.rate = Some(rate);
        self
    }

    /// The value of QEMU's `-drive` for the disk with this number. Writes that are forgotten go to the descriptor set of the
    /// same number, which holds an [`crate::overlay`].
    pub fn option(&self, number: usize) -> String {
        let (image, file) = match self.writes {
            Writes::Refused => ("format=raw,readonly=on".to_string(), "file"),
            Writes::Forgotten => {
                (format!("format=qcow2,cache=unsafe,file=/dev/fdset/{number},backing.driver=raw"), "backing.file")
            }
            Writes::Kept => ("format=raw".to_string(), "file"),
        };
        let rate = self.rate.map_or(String::new(), |rate| format!(",throttling.bps-read={rate}"));
        format!("if=none,id=disk{number},{image},{}{rate}", self.storage(file))
    }

    /// The options of the image file, each after `at`.
    fn storage(&self, at: &str) -> String {
        // QEMU's option syntax writes a comma in a value twice.
        let name = |path: &Path| path.display().to_string().replace(',', ",,");
        let file = name(&self.file);
        match (&self.log, self.faults.as_slice()) {
            (None, []) => format!("{at}.driver=file,{at}.filename={file}"),
            (Some(log), _) => {
                let log = name(log);
                format!("{at}.driver=blklogwrites,{at}.file.driver=file,{at}.log.driver=file,")
                    + &format!("{at}.file.filename={file},{at}.log.filename={log}")
            }
            (None, faults) => {
                let mut out = format!("{at}.driver=blkdebug,{at}.image.driver=file,{at}.image.filename={file}");
                for (i, fault) in faults.iter().enumerate() {
                    out.push_str(&fault.option(&format!(",{at}.inject-error.{i}")));
                }
                out
            }
        }
    }
}

impl Fault {
    /// `blkdebug`'s options for it, each with `prefix`. The event `none` means from the beginning.
    fn option(self, prefix: &str) -> String {
        const EIO: u32 = 5;
        let rule = |iotype| format!("{prefix}.event=none{prefix}.iotype={iotype}{prefix}.errno={EIO}");
        match self {
            Self::Read(sector) => format!("{}{prefix}.sector={sector}", rule("read")),
            Self::Write(sector) => format!("{}{prefix}.sector={sector}", rule("write")),
            Self::Flush => rule("flush"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Drive, Fault, Writes};
    use std::path::Path;

    #[test]
    fn a_plain_drive_writes_commas_twice() {
        assert_eq!(
            Drive::new("r,1", Writes::Kept).option(0),
            "if=none,id=disk0,format=raw,file.driver=file,file.filename=r,,1"
        );
    }

    #[test]
    fn forgotten_writes_go_to_an_overlay() {
        let drive = Drive::new("r", Writes::Forgotten).fault(Fault::Read(7)).option(3);
        assert!(drive.starts_with("if=none,id=disk3,format=qcow2,cache=unsafe,file=/dev/fdset/3,"), "{drive}");
        assert!(drive.contains(",backing.driver=raw,backing.file.driver=blkdebug,"), "{drive}");
        assert!(drive.ends_with(",backing.file.inject-error.0.sector=7"), "{drive}");
    }

    #[test]
    fn logs_and_faults_are_drivers_below_the_format() {
        let logged = Drive::new("r", Writes::Kept).logged(Path::new("l,1")).option(0);
        assert!(logged.contains("file.driver=blklogwrites") && logged.contains("file.log.filename=l,,1"), "{logged}");
        let faulty = Drive::new("r", Writes::Kept).fault(Fault::Read(7)).fault(Fault::Flush).option(0);
        assert!(faulty.contains("inject-error.0.sector=7,") && faulty.ends_with("inject-error.1.errno=5"), "{faulty}");
    }
}
