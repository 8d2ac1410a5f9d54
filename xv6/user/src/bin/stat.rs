//! stat: shows what the file system knows about a file, or with `-f` about itself.

use std::fs::{self, Metadata};
use std::io::Write;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::process::ExitCode;

use user::clock::Civil;
use user::names::Names;
use user::{About, Args, Failure, Out, mode};

fn main() -> ExitCode {
    user::run("stat", "stat [-Lf] [-c FORMAT] FILE...", body)
}

fn body(args: &mut Args, out: &mut Out) -> Result<u8, Failure> {
    let (mut follow, mut system, mut format) = (false, false, None);
    while let Some(option) = args.option() {
        match option.as_str() {
            "L" => follow = true,
            "f" => system = true,
            "c" | "--format" => format = Some(args.text()),
            _ => args.usage_error(),
        }
    }
    let mut status = 0;
    for file in args.some() {
        let path = Path::new(&file);
        let shown = if system { file_system(path) } else { one(path, follow, format.as_deref()) };
        match shown {
            Ok(text) => out.write_all(text.as_bytes())?,
            Err(failure) => {
                user::warn(&failure);
                status = 1;
            }
        }
    }
    Ok(status)
}

fn file_system(path: &Path) -> Result<String, Failure> {
    let stat = rustix::fs::statvfs(path).about(path)?;
    let kind = rustix::fs::statfs(path).about(path)?.f_type;
    Ok(format!(
        "  File: \"{}\"\n    ID: {:x} Namelen: {} Type: {kind:x}\nBlock size: {} Fundamental block size: {}\n\
         Blocks: Total: {} Free: {} Available: {}\nInodes: Total: {} Free: {}\n",
        path.display(),
        stat.f_fsid,
        stat.f_namemax,
        stat.f_bsize,
        stat.f_frsize,
        stat.f_blocks,
        stat.f_bfree,
        stat.f_bavail,
        stat.f_files,
        stat.f_ffree
    ))
}

fn one(path: &Path, follow: bool, format: Option<&str>) -> Result<String, Failure> {
    let meta = if follow { fs::metadata(path) } else { fs::symlink_metadata(path) }.about(path)?;
    if let Some(format) = format {
        return Ok(formatted(path, &meta, format) + "\n");
    }
    let name = match fs::read_link(path) {
        Ok(target) if meta.is_symlink() => format!("{} -> {}", path.display(), target.display()),
        _ => path.display().to_string(),
    };
    let device = if matches!(meta.mode() & mode::TYPE_MASK, mode::CHARACTER | mode::BLOCK) {
        format!("    Device type: {},{}", rustix::fs::major(meta.rdev()), rustix::fs::minor(meta.rdev()))
    } else {
        String::new()
    };
    let text = "  Size: %s\tBlocks: %b\tIO Block: %o\t%F\nDevice: %D\tInode: %i\tLinks: %h";
    let rest = "Access: (%a/%A)  Uid: (%u/%U)   Gid: (%g/%G)\nAccess: %x\nModify: %y\nChange: %z\n Birth: %w\n";
    Ok(format!("  File: {name}\n{}{device}\n{}", formatted(path, &meta, text), formatted(path, &meta, rest)))
}

fn kind(meta: &Metadata) -> &'static str {
    match meta.mode() & mode::TYPE_MASK {
        mode::DIRECTORY => "directory",
        mode::SYMLINK => "symbolic link",
        mode::CHARACTER => "character special file",
        mode::BLOCK => "block special file",
        mode::FIFO => "fifo",
        mode::SOCKET => "socket",
        _ if meta.len() == 0 => "regular empty file",
        _ => "regular file",
    }
}

fn time(seconds: i64, nanoseconds: i64) -> String {
    let at = Civil::from_epoch(seconds);
    let (year, month, day) = (at.year, at.month, at.day);
    format!("{year}-{month:02}-{day:02} {:02}:{:02}:{:02}.{nanoseconds:09} +0000", at.hour, at.minute, at.second)
}

fn formatted(path: &Path, meta: &Metadata, format: &str) -> String {
    let mut text = String::new();
    let mut letters = format.chars();
    while let Some(letter) = letters.next() {
        if letter == '\\' {
            match letters.next() {
                Some('n') => text.push('\n'),
                Some('t') => text.push('\t'),
                other => text.extend(other),
            }
            continue;
        }
        if letter != '%' {
            text.push(letter);
            continue;
        }
        text += &match letters.next() {
            Some('a') => format!("{:o}", meta.mode() & 0o7777),
            Some('A') => mode::listing(meta.mode()),
            Some('b') => meta.blocks().to_string(),
            Some('B') => "512".to_owned(),
            Some('d') => meta.dev().to_string(),
            Some('D') => format!("{:x}h/{}d", meta.dev(), meta.dev()),
            Some('f') => format!("{:x}", meta.mode()),
            Some('F') => kind(meta).to_owned(),
            Some('g') => meta.gid().to_string(),
            Some('G') => Names::groups().of(meta.gid()),
            Some('h') => meta.nlink().to_string(),
            Some('i') => meta.ino().to_string(),
            Some('n') => path.display().to_string(),
            Some('N') => format!("'{}'", path.display()),
            Some('o') => meta.blksize().to_string(),
            Some('s') => meta.len().to_string(),
            Some('t') => format!("{:x}", rustix::fs::major(meta.rdev())),
            Some('T') => format!("{:x}", rustix::fs::minor(meta.rdev())),
            Some('u') => meta.uid().to_string(),
            Some('U') => Names::users().of(meta.uid()),
            Some('w') => "-".to_owned(),
            Some('W') => "0".to_owned(),
            Some('x') => time(meta.atime(), meta.atime_nsec()),
            Some('X') => meta.atime().to_string(),
            Some('y') => time(meta.mtime(), meta.mtime_nsec()),
            Some('Y') => meta.mtime().to_string(),
            Some('z') => time(meta.ctime(), meta.ctime_nsec()),
            Some('Z') => meta.ctime().to_string(),
            Some('%') | None => "%".to_owned(),
            Some(_) => "?".to_owned(),
        };
    }
    text
}
