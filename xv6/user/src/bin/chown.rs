//! chown: changes owners and groups.

use std::os::unix::fs::{chown, lchown};
use std::path::Path;
use std::process::ExitCode;

use user::names::Names;
use user::{About, Args, Failure, Out, walk};

fn main() -> ExitCode {
    user::run("chown", "chown [-Rfhv] [OWNER][:GROUP] FILE...", body)
}

fn body(args: &mut Args, _: &mut Out) -> Result<u8, Failure> {
    let (mut recursive, mut follow) = (false, true);
    while let Some(option) = args.option() {
        match option.as_str() {
            "R" | "--recursive" => recursive = true,
            "h" | "--no-dereference" => follow = false,
            "f" | "v" => {}
            _ => args.usage_error(),
        }
    }
    let mut files = args.some();
    let owner = files.remove(0).to_string_lossy().into_owned();
    if files.is_empty() {
        args.usage_error();
    }
    let (user, group) = owner.split_once(':').unwrap_or((&owner, ""));
    let id = |names: Names, word: &str| match word {
        "" => Ok(None),
        word => names.id(word).map(Some).ok_or_else(|| Failure::new(format!("{word}: no such user or group"))),
    };
    let (user, group) = (id(Names::users(), user)?, id(Names::groups(), group)?);
    let mut failed = false;
    for file in files {
        change(Path::new(&file), (user, group), follow && !recursive, recursive, &mut failed);
    }
    Ok(u8::from(failed))
}

fn change(path: &Path, owner: (Option<u32>, Option<u32>), follow: bool, recursive: bool, failed: &mut bool) {
    let changed = if follow { chown(path, owner.0, owner.1) } else { lchown(path, owner.0, owner.1) };
    let mut children = Vec::new();
    let result = changed.about(path).and_then(|()| {
        if recursive && path.is_dir() && !path.is_symlink() {
            children = walk::children(path).about(path)?;
        }
        Ok(())
    });
    if let Err(failure) = result {
        user::warn(&failure);
        *failed = true;
    }
    for child in children {
        change(&child, owner, false, true, failed);
    }
}
