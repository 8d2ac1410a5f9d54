//! The user a container's process runs as: `name|uid[:group|gid]`, looked up in the container's own files (passwd(5), group(5)).

use crate::error::{Failure, Result};

/// Whom a process runs as.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct User {
    /// User id.
    pub uid: u32,
    /// Group id.
    pub gid: u32,
}

/// The user that `text` means in the calling process's root; the files are read only if it names one.
pub fn find(text: &str) -> Result<User> {
    if text.is_empty() {
        return Ok(User::default());
    }
    let content = |path: &str| std::fs::read_to_string(path).unwrap_or_default();
    resolve(text, &content("/etc/passwd"), &content("/etc/group"))
}

/// Resolves `text` against the contents of `passwd` and `group`.
fn resolve(text: &str, passwd: &str, group: &str) -> Result<User> {
    let (name, group_name) = text.split_once(':').map_or((text, None), |(user, group)| (user, Some(group)));
    let entry = passwd.lines().map(fields).find(|entry| entry[0] == name || (entry[2] == name && !name.is_empty()));
    let number = |text: &str| text.parse::<u32>().ok();
    let user = match (&entry, number(name)) {
        (Some(entry), _) => User { uid: number(entry[2]).unwrap_or(0), gid: number(entry[3]).unwrap_or(0) },
        (None, Some(uid)) => User { uid, gid: 0 },
        (None, None) => return Err(Failure::new(format!("{name}: no such user in the container's /etc/passwd"))),
    };
    let Some(group_name) = group_name else { return Ok(user) };
    let listed = group.lines().map(fields).find(|entry| entry[0] == group_name).and_then(|entry| number(entry[2]));
    match listed.or_else(|| number(group_name)) {
        Some(gid) => Ok(User { gid, ..user }),
        None => Err(Failure::new(format!("{group_name}: no such group in the container's /etc/group"))),
    }
}

/// The first four fields of a line; missing ones are empty.
fn fields(line: &str) -> [&str; 4] {
    let mut parts = line.split(':');
    core::array::from_fn(|_| parts.next().unwrap_or(""))
}

#[cfg(test)]
mod tests {
    use super::{User, resolve};

    const PASSWD: &str = "root:x:0:0::/root:/bin/sh\nbob:x:1000:100::/home/bob:/bin/sh\n";
    const GROUP: &str = "root:x:0:\nwheel:x:10:\n";

    #[test]
    fn users_are_found_by_name_and_number() {
        let user = |text| resolve(text, PASSWD, GROUP).expect("the user resolves");
        assert_eq!(super::find("").expect("root needs no file"), User { uid: 0, gid: 0 });
        assert_eq!(user("bob"), User { uid: 1000, gid: 100 });
        assert_eq!(user("1000"), User { uid: 1000, gid: 100 });
        assert_eq!(user("7"), User { uid: 7, gid: 0 });
        assert_eq!(user("bob:wheel"), User { uid: 1000, gid: 10 });
        assert_eq!(user("7:8"), User { uid: 7, gid: 8 });
    }

    #[test]
    fn unknown_names_are_refused() {
        assert!(resolve("eve", PASSWD, GROUP).is_err());
        assert!(resolve("bob:eve", PASSWD, GROUP).is_err());
    }
}
