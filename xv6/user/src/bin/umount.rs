//! umount: detaches mounts, the last one given by a folder or a device.

use std::process::ExitCode;

use rustix::mount::{UnmountFlags, unmount};
use user::{About, Args, Failure, Out, mounts};

fn main() -> ExitCode {
    user::run("umount", "umount [-flR] FOLDER|DEVICE... | umount -a", body)
}

fn body(args: &mut Args, _: &mut Out) -> Result<u8, Failure> {
    let mut flags = UnmountFlags::empty();
    let (mut all, mut recursive) = (false, false);
    while let Some(option) = args.option() {
        match option.as_str() {
            "l" | "--lazy" => flags |= UnmountFlags::DETACH,
            "f" | "--force" => flags |= UnmountFlags::FORCE,
            "R" | "--recursive" => recursive = true,
            "a" | "--all" => all = true,
            "n" | "v" => {}
            _ => args.usage_error(),
        }
    }
    let operands = args.operands();
    if operands.is_empty() != all {
        args.usage_error();
    }
    let table = mounts::all().unwrap_or_default();
    let mut targets = Vec::new();
    if all {
        let kept = ["/", "/proc", "/dev", "/sys"];
        targets.extend(
            table.iter().rev().map(|mount| mount.target.clone()).filter(|target| !kept.contains(&target.as_str())),
        );
    }
    for operand in operands {
        let name = operand.to_string_lossy().into_owned();
        let by_device = table.iter().rev().find(|mount| mount.source == name && name.starts_with('/'));
        let target = by_device.map_or(name, |mount| mount.target.clone());
        if recursive {
            let inside = format!("{}/", target.trim_end_matches('/'));
            targets
                .extend(table.iter().rev().map(|mount| mount.target.clone()).filter(|path| path.starts_with(&inside)));
        }
        targets.push(target);
    }
    let mut status = 0;
    for target in targets {
        if let Err(failure) = unmount(target.as_str(), flags).about(&target) {
            user::warn(&failure);
            status = 32; // umount(8)'s status for a failed one
        }
    }
    Ok(status)
}
