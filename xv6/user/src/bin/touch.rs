//! touch: makes files, or sets their times.

use std::fs::OpenOptions;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::process::ExitCode;

use rustix::fs::{Timespec, UTIME_NOW};
use user::{About, Args, Failure, Out, walk};

fn main() -> ExitCode {
    user::run("touch", "touch [-achm] [-d @SECONDS | -r FILE] FILE...", body)
}

fn body(args: &mut Args, _: &mut Out) -> Result<u8, Failure> {
    let (mut create, mut follow, mut access, mut modification) = (true, true, false, false);
    let now = Timespec { tv_sec: 0, tv_nsec: UTIME_NOW };
    let mut times = (now, now);
    while let Some(option) = args.option() {
        match option.as_str() {
            "a" => access = true,
            "m" => modification = true,
            "c" => create = false,
            "h" => (follow, create) = (false, false),
            "d" => {
                let text = args.text();
                let Some(seconds) = text.strip_prefix('@').and_then(|digits| digits.parse().ok()) else {
                    args.usage_error()
                };
                let time = Timespec { tv_sec: seconds, tv_nsec: 0 };
                times = (time, time);
            }
            "r" => {
                let file = args.value();
                let meta = std::fs::metadata(&file).about(&file)?;
                times = (
                    Timespec { tv_sec: meta.atime(), tv_nsec: meta.atime_nsec() },
                    Timespec { tv_sec: meta.mtime(), tv_nsec: meta.mtime_nsec() },
                );
            }
            _ => args.usage_error(),
        }
    }
    if !access && !modification {
        (access, modification) = (true, true);
    }
    let mut status = 0;
    for file in args.some() {
        let path = Path::new(&file);
        let mut done = walk::set_times(path, access.then_some(times.0), modification.then_some(times.1), follow);
        if done.as_ref().is_err_and(|error| error.kind() == std::io::ErrorKind::NotFound) {
            if !create {
                continue;
            }
            let made = OpenOptions::new().create(true).append(true).open(path);
            done = made
                .and_then(|_| walk::set_times(path, access.then_some(times.0), modification.then_some(times.1), true));
        }
        if let Err(failure) = done.about(path) {
            user::warn(&failure);
            status = 1;
        }
    }
    Ok(status)
}
