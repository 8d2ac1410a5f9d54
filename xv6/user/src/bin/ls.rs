//! ls: lists folders.

use std::ffi::{OsStr, OsString};
use std::fs::{self, Metadata};
use std::io::Write;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use user::clock::Civil;
use user::names::Names;
use user::{About, Args, Failure, Out, mode, size, text};

fn main() -> ExitCode {
    user::run("ls", "ls [-1AaCdFhiLlnpRrSst] [FILE...]", body)
}

#[derive(Default)]
struct Options {
    all: bool,
    almost_all: bool,
    folder_itself: bool,
    long: bool,
    recursive: bool,
    human: bool,
    inode: bool,
    blocks: bool,
    numeric: bool,
    follow: bool,
    reverse: bool,
    by_time: bool,
    by_size: bool,
    classify: bool,
    slash: bool,
    columns: bool,
}

struct Entry {
    name: OsString,
    path: PathBuf,
    meta: Metadata,
}

struct Listing {
    options: Options,
    users: Names,
    groups: Names,
    failed: bool,
}

fn body(args: &mut Args, out: &mut Out) -> Result<u8, Failure> {
    let mut options = Options { columns: rustix::termios::isatty(rustix::stdio::stdout()), ..Options::default() };
    while let Some(option) = args.option() {
        match option.as_str() {
            "1" => options.columns = false,
            "C" => options.columns = true,
            "a" => options.all = true,
            "A" => options.almost_all = true,
            "d" => options.folder_itself = true,
            "F" => options.classify = true,
            "p" => options.slash = true,
            "h" => options.human = true,
            "i" => options.inode = true,
            "s" => options.blocks = true,
            "L" => options.follow = true,
            "l" => options.long = true,
            "n" => (options.long, options.numeric) = (true, true),
            "R" => options.recursive = true,
            "r" => options.reverse = true,
            "S" => options.by_size = true,
            "t" => options.by_time = true,
            "--color" => drop(args.optional_value()),
            _ => args.usage_error(),
        }
    }
    let mut operands = args.operands();
    if operands.is_empty() {
        operands.push(".".into());
    }
    let names = |load: fn() -> Names| if options.long && !options.numeric { load() } else { Names::default() };
    let (users, groups) = (names(Names::users), names(Names::groups));
    let mut listing = Listing { options, users, groups, failed: false };
    listing.operands(operands, out)?;
    Ok(u8::from(listing.failed) * 2)
}

impl Listing {
    fn operands(&mut self, operands: Vec<OsString>, out: &mut Out) -> Result<(), Failure> {
        let several = operands.len() > 1;
        let (mut files, mut folders) = (Vec::new(), Vec::new());
        for name in operands {
            let path = PathBuf::from(&name);
            // A link on the command line is followed, except with -l or -d.
            let followed = !self.options.long && !self.options.folder_itself || self.options.follow;
            let meta = if followed {
                fs::metadata(&path).or_else(|_| fs::symlink_metadata(&path))
            } else {
                fs::symlink_metadata(&path)
            };
            match meta.about(&name) {
                Err(failure) => self.complain(&failure),
                Ok(meta) => {
                    let target = if meta.is_dir() && !self.options.folder_itself { &mut folders } else { &mut files };
                    target.push(Entry { name, path, meta });
                }
            }
        }
        self.sort(&mut files);
        self.sort(&mut folders);
        self.print(&files, false, out)?;
        for (index, folder) in folders.iter().enumerate() {
            if index > 0 || !files.is_empty() {
                writeln!(out)?;
            }
            self.folder(&folder.path, several || self.options.recursive, out)?;
        }
        Ok(())
    }

    fn complain(&mut self, failure: &Failure) {
        user::warn(failure);
        self.failed = true;
    }

    fn folder(&mut self, path: &Path, titled: bool, out: &mut Out) -> Result<(), Failure> {
        let entries = match fs::read_dir(path).and_then(Iterator::collect::<Result<Vec<_>, _>>).about(path) {
            Ok(entries) => entries,
            Err(failure) => {
                self.complain(&failure);
                return Ok(());
            }
        };
        let mut names: Vec<OsString> = entries.iter().map(fs::DirEntry::file_name).collect();
        if self.options.all {
            names.extend([".".into(), "..".into()]);
        } else if !self.options.almost_all {
            names.retain(|name| !name.as_bytes().starts_with(b"."));
        }
        let mut list = Vec::new();
        for name in names {
            let path = path.join(&name);
            let meta = if self.options.follow { fs::metadata(&path) } else { fs::symlink_metadata(&path) };
            match meta.about(&path) {
                Ok(meta) => list.push(Entry { name, path, meta }),
                Err(failure) => self.complain(&failure),
            }
        }
        self.sort(&mut list);
        if titled {
            writeln!(out, "{}:", path.display())?;
        }
        self.print(&list, true, out)?;
        if self.options.recursive {
            for entry in list.iter().filter(|entry| entry.meta.is_dir() && entry.name != "." && entry.name != "..") {
                writeln!(out)?;
                self.folder(&entry.path, true, out)?;
            }
        }
        Ok(())
    }

    fn sort(&self, entries: &mut [Entry]) {
        entries.sort_by(|one, other| one.name.cmp(&other.name));
        if self.options.by_time {
            entries.sort_by_key(|entry| std::cmp::Reverse((entry.meta.mtime(), entry.meta.mtime_nsec())));
        }
        if self.options.by_size {
            entries.sort_by_key(|entry| std::cmp::Reverse(entry.meta.len()));
        }
        if self.options.reverse {
            entries.reverse();
        }
    }

    fn print(&self, entries: &[Entry], in_folder: bool, out: &mut Out) -> Result<(), Failure> {
        if in_folder && (self.options.long || self.options.blocks) {
            let blocks: u64 = entries.iter().map(|entry| entry.meta.blocks()).sum();
            writeln!(out, "total {}", self.blocks(blocks))?;
        }
        if self.options.long {
            let rows: Vec<Vec<String>> = entries.iter().map(|entry| self.long(entry)).collect();
            let numbers = usize::from(self.options.inode) + usize::from(self.options.blocks);
            let right: Vec<usize> = (0..numbers).chain([numbers + 1, numbers + 4]).collect();
            out.write_all(text::table(&rows, &right).as_bytes())?;
            return Ok(());
        }
        let cells: Vec<Vec<u8>> = entries.iter().map(|entry| self.short(entry)).collect();
        if self.options.columns {
            return columns(&cells, out);
        }
        for cell in cells {
            out.write_all(&cell)?;
            out.write_all(b"\n")?;
        }
        Ok(())
    }

    fn blocks(&self, blocks: u64) -> String {
        if self.options.human { size::human(blocks * 512) } else { (blocks / 2).to_string() }
    }

    fn short(&self, entry: &Entry) -> Vec<u8> {
        let mut cell = Vec::new();
        if self.options.inode {
            cell.extend(format!("{} ", entry.meta.ino()).into_bytes());
        }
        if self.options.blocks {
            cell.extend(format!("{} ", self.blocks(entry.meta.blocks())).into_bytes());
        }
        cell.extend_from_slice(entry.name.as_bytes());
        cell.extend_from_slice(self.mark(&entry.meta).as_bytes());
        cell
    }

    fn mark(&self, meta: &Metadata) -> &'static str {
        let kind = meta.file_type();
        match () {
            () if kind.is_dir() && (self.options.classify || self.options.slash) => "/",
            () if !self.options.classify => "",
            () if kind.is_symlink() => "@",
            () if kind.is_fifo() => "|",
            () if kind.is_socket() => "=",
            () if kind.is_file() && meta.mode() & 0o111 != 0 => "*",
            () => "",
        }
    }

    fn long(&self, entry: &Entry) -> Vec<String> {
        let meta = &entry.meta;
        let mut row = Vec::new();
        if self.options.inode {
            row.push(meta.ino().to_string());
        }
        if self.options.blocks {
            row.push(self.blocks(meta.blocks()));
        }
        let device = meta.file_type().is_char_device() || meta.file_type().is_block_device();
        let length = if device {
            format!("{}, {:3}", rustix::fs::major(meta.rdev()), rustix::fs::minor(meta.rdev()))
        } else if self.options.human {
            size::human(meta.len())
        } else {
            meta.len().to_string()
        };
        let mut name = entry.name.to_string_lossy().into_owned();
        if meta.is_symlink()
            && let Ok(target) = fs::read_link(&entry.path)
        {
            name += &format!(" -> {}", target.display());
        } else {
            name += self.mark(meta);
        }
        row.extend([
            mode::listing(meta.mode()),
            meta.nlink().to_string(),
            self.users.of(meta.uid()),
            self.groups.of(meta.gid()),
            length,
            Civil::from_epoch(meta.mtime()).listing(meta.mtime()),
            name,
        ]);
        row
    }
}

/// As many columns as the terminal is wide, filled downwards.
fn columns(cells: &[Vec<u8>], out: &mut Out) -> Result<(), Failure> {
    let terminal = rustix::termios::tcgetwinsize(rustix::stdio::stdout()).map_or(80, |size| usize::from(size.ws_col));
    let terminal = if terminal == 0 { 80 } else { terminal };
    let length = |cell: &Vec<u8>| OsStr::from_bytes(cell).to_string_lossy().chars().count();
    let width = cells.iter().map(length).max().unwrap_or(0) + 2;
    let count = (terminal / width).max(1);
    let height = cells.len().div_ceil(count);
    for row in 0..height {
        let line: Vec<&Vec<u8>> = cells.iter().skip(row).step_by(height).collect();
        for (index, cell) in line.iter().enumerate() {
            out.write_all(cell)?;
            if index + 1 < line.len() {
                out.write_all(" ".repeat(width - length(cell)).as_bytes())?;
            }
        }
        out.write_all(b"\n")?;
    }
    Ok(())
}
