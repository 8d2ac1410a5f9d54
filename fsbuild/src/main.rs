//! fsbuild's command line: `root` and `images` make disks; `check`, `ls` and `extract` look into either kind.
//!
//! Exit status: 0, 1 for a failure or problems found (one line each on stderr), 2 for a bad command line.

use clap::{Parser, Subcommand};
use fsbuild::oci::Layout;
use fsbuild::tree::{Entry, Modes, Node, Tree, join, normalize};
use fsbuild::{Context, Error, Result, import, is_fat32, recipe, root, volume};
use std::io::{Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// Packs the guest's disks, and checks, lists and extracts them.
#[derive(Debug, Parser)]
#[command(name = "fsbuild", version)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Make a root disk (xv6fs) from folders
    Root {
        /// The disk to write
        out: PathBuf,
        /// A folder to put on it, at / or at another place: DIR or PREFIX=DIR (repeatable)
        #[arg(long = "add", value_name = "[PREFIX=]DIR", required = true)]
        add: Vec<String>,
        /// The disk's size in MiB
        #[arg(long, default_value_t = 1024)]
        size: u64,
    },
    /// Make an image volume (an OCI layout on FAT32) from Conductorfiles and imported images
    Images {
        /// The volume to write
        out: PathBuf,
        /// A folder of folders with a Conductorfile each
        #[arg(long, value_name = "DIR")]
        recipes: Option<PathBuf>,
        /// A folder that COPY --from=NAME can name (repeatable)
        #[arg(long, value_name = "NAME=DIR", value_parser = pair)]
        context: Vec<(String, PathBuf)>,
        /// An image: a folder, a docker export or save tar, or an OCI layout (repeatable)
        #[arg(long, value_name = "NAME=PATH", value_parser = pair)]
        image: Vec<(String, PathBuf)>,
    },
    /// Check a disk of either kind
    Check {
        /// The disk
        disk: PathBuf,
    },
    /// List a disk of either kind
    Ls {
        /// The disk
        disk: PathBuf,
        /// Where to begin (an image's name, on an image volume)
        #[arg(default_value = "")]
        path: String,
    },
    /// Extract from a disk of either kind into a folder
    Extract {
        /// The disk
        disk: PathBuf,
        /// The folder to make
        to: PathBuf,
        /// Where to begin (an image's name, on an image volume)
        #[arg(default_value = "")]
        path: String,
    },
}

/// Parses `NAME=PATH`.
fn pair(text: &str) -> std::result::Result<(String, PathBuf), String> {
    match text.split_once('=') {
        Some((name, path)) if !name.is_empty() && !path.is_empty() => Ok((name.into(), path.into())),
        _ => Err("expected NAME=PATH".into()),
    }
}

fn main() -> ExitCode {
    match run(Cli::parse().command) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("fsbuild: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(command: Command) -> Result<ExitCode> {
    match command {
        Command::Root { out, add, size } => {
            let mut tree = Tree::default();
            for add in &add {
                let (prefix, dir) = add.split_once('=').unwrap_or(("", add));
                tree.add_host(Path::new(dir), &normalize(prefix), Modes::Unshared)?;
            }
            root::write(&tree, &out, size << 20)?;
        }
        Command::Images { out, recipes, context, image } => {
            let mut layout = Layout::default();
            for (name, path) in &image {
                import::import(&mut layout, name, path)?;
            }
            if let Some(dir) = recipes {
                recipe::build_all(&mut layout, &dir, &context.into_iter().collect())?;
            }
            volume::write(&layout, &out)?;
        }
        Command::Check { disk } => return check(&disk),
        Command::Ls { disk, path } => {
            let list: String = open(&disk, &path)?.entries().map(|(path, entry)| line(path, entry) + "\n").collect();
            // A reader that has seen enough (`| head`) is no failure.
            let _ = std::io::stdout().write_all(list.as_bytes());
        }
        Command::Extract { disk, to, path } => extract(&open(&disk, &path)?, &to)?,
    }
    Ok(ExitCode::SUCCESS)
}

fn is_image_volume(disk: &Path) -> Result<bool> {
    let mut start = Vec::new();
    std::fs::File::open(disk).about(disk.display())?.take(512).read_to_end(&mut start).about(disk.display())?;
    Ok(is_fat32(&start))
}

fn check(disk: &Path) -> Result<ExitCode> {
    let problems = if is_image_volume(disk)? { volume::check(disk)? } else { root::check(disk)?.problems };
    for problem in &problems {
        eprintln!("{}: {problem}", disk.display());
    }
    Ok(if problems.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// What is on `disk`: the files of an xv6fs, those of one image, or the images by name.
fn open(disk: &Path, path: &str) -> Result<Tree> {
    if !is_image_volume(disk)? {
        return root::read(disk, path);
    }
    let layout = volume::read(disk)?;
    if !path.is_empty() {
        return recipe::flatten(&layout, path);
    }
    let mut tree = Tree::default();
    for (name, bytes) in layout.files()? {
        tree.put(&name, Entry::file(bytes, 0o644))?;
    }
    for name in layout.images.keys() {
        tree.put(
            &join("images", &name.replace('/', "_")),
            Entry { node: Node::Symlink(name.clone()), ..Entry::dir() },
        )?;
    }
    Ok(tree)
}

/// One line in the manner of `ls -l`.
fn line(path: &str, entry: &Entry) -> String {
    let (kind, size, target) = match &entry.node {
        Node::Dir => ('d', 0, String::new()),
        Node::File(bytes) => ('-', bytes.len(), String::new()),
        Node::Symlink(target) => ('l', target.len(), format!(" -> {target}")),
        Node::CharDevice(major, minor) => ('c', 0, format!(" ({major}, {minor})")),
        Node::BlockDevice(major, minor) => ('b', 0, format!(" ({major}, {minor})")),
        Node::Fifo => ('p', 0, String::new()),
    };
    let mut bits = String::from(kind);
    for shift in [6, 3, 0] {
        for (bit, letter) in [(4, 'r'), (2, 'w'), (1, 'x')] {
            bits.push(if entry.mode >> shift & bit == 0 { '-' } else { letter });
        }
    }
    format!("{bits} {:>4} {:>4} {size:>9} /{path}{target}", entry.uid, entry.gid)
}

fn extract(tree: &Tree, to: &Path) -> Result<()> {
    std::fs::create_dir_all(to).about(to.display())?;
    for (path, entry) in tree.entries() {
        let file = to.join(path);
        match &entry.node {
            Node::Dir => std::fs::create_dir_all(&file).about(file.display())?,
            Node::File(bytes) => {
                std::fs::write(&file, bytes).about(file.display())?;
                let mode = std::fs::Permissions::from_mode(entry.mode.into());
                std::fs::set_permissions(&file, mode).about(file.display())?;
            }
            Node::Symlink(target) => std::os::unix::fs::symlink(target, &file).about(file.display())?,
            Node::CharDevice(..) | Node::BlockDevice(..) | Node::Fifo => {
                let cause = Error::new(file.display(), "a device or FIFO is not extracted");
                eprintln!("fsbuild: {cause}");
            }
        }
    }
    Ok(())
}
