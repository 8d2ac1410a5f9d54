//! id: shows the user and groups of this process, or of a user.

use std::io::Write;
use std::process::ExitCode;

use rustix::process::{getegid, geteuid, getgid, getgroups, getuid};
use user::names::Names;
use user::{About, Args, Failure, Out};

fn main() -> ExitCode {
    user::run("id", "id [-u|-g|-G] [-nr] [USER]", body)
}

fn body(args: &mut Args, out: &mut Out) -> Result<u8, Failure> {
    let (mut only, mut named, mut real) = (None, false, false);
    while let Some(option) = args.option() {
        match option.as_str() {
            "u" | "g" | "G" => only = Some(option),
            "n" => named = true,
            "r" => real = true,
            _ => args.usage_error(),
        }
    }
    let (users, groups) = (Names::users(), Names::groups());
    let operands = args.operands();
    let (user, group, all) = match operands.as_slice() {
        [] => {
            let (user, group) = if real { (getuid(), getgid()) } else { (geteuid(), getegid()) };
            let mut all = vec![group.as_raw()];
            all.extend(
                getgroups().about("getgroups")?.iter().map(|group| group.as_raw()).filter(|id| *id != group.as_raw()),
            );
            (user.as_raw(), group.as_raw(), all)
        }
        [name] => {
            let name = name.to_string_lossy();
            let Some(entry) = users.entry(&name) else { return Err(Failure::new(format!("{name}: no such user"))) };
            (entry.id, entry.group, vec![entry.group])
        }
        _ => args.usage_error(),
    };
    let show = |names: &Names, id: u32| if named { names.of(id) } else { id.to_string() };
    match only.as_deref() {
        Some("u") => writeln!(out, "{}", show(&users, user))?,
        Some("g") => writeln!(out, "{}", show(&groups, group))?,
        Some(_) => writeln!(out, "{}", all.iter().map(|id| show(&groups, *id)).collect::<Vec<_>>().join(" "))?,
        None => {
            let with_name =
                |names: &Names, id: u32| names.known(id).map_or(id.to_string(), |name| format!("{id}({name})"));
            let all: Vec<String> = all.iter().map(|id| with_name(&groups, *id)).collect();
            writeln!(
                out,
                "uid={} gid={} groups={}",
                with_name(&users, user),
                with_name(&groups, group),
                all.join(",")
            )?;
        }
    }
    Ok(0)
}
