//! artifacts: the guest's files, built when something changed.
//!
//! [`Artifacts::build`] makes kernel, userland, root disk and image volume under `build/`, one builder at a time across
//! processes (a file lock). A stamp over all sources, one for each build of the kernel, makes the usual case, nothing to do, a
//! matter of milliseconds; a second one over the built programs keeps the disks when only the kernel changed.

use crate::cargo::{Order, Program, programs};
use crate::failure::Failure;
use crate::kernel::Kernel;
use crate::stamp::{Inputs, fresh, store};
use crate::volume::{self, Extra};
use crate::workspace;
use std::fs::File;
use std::path::{Path, PathBuf};

/// What the guest is built from, relative to the checkout.
const SOURCES: [&str; 8] =
    ["xv6", "images", "fsbuild", "harness/src", ".cargo", "Cargo.toml", "Cargo.lock", "rust-toolchain.toml"];

/// The files of a built guest.
#[derive(Clone, Debug)]
pub struct Artifacts {
    /// The kernel's ELF file.
    pub kernel: PathBuf,
    /// The root disk.
    pub root: PathBuf,
    /// The image volume.
    pub images: PathBuf,
}

impl Artifacts {
    /// Builds what is not up to date, telling on stderr what it does. The kernel is the one of [`Kernel::chosen`].
    ///
    /// # Errors
    /// `Setup` with the step that failed.
    pub fn build() -> Result<Self, Failure> {
        Self::build_with(Kernel::chosen()?, &[])
    }

    /// [`Artifacts::build`] with this kernel, and `extra` images in the image volume.
    ///
    /// # Errors
    /// `Setup` with the step that failed.
    pub fn build_with(kernel: Kernel, extra: &[Extra]) -> Result<Self, Failure> {
        let build = workspace::build_dir("")?;
        let lock = build.join("lock");
        let locking = |e| Failure::setup(format_args!("lock {}", lock.display()), e);
        let guard = File::create(&lock).map_err(locking)?;
        guard.lock().map_err(locking)?;
        let mut artifacts =
            Self { kernel: build.join(kernel.file()), root: build.join("root.img"), images: build.join("images.img") };
        let mut inputs = Inputs::default();
        for source in SOURCES {
            inputs = inputs.path(&workspace::root().join(source))?;
        }
        let sources = inputs.stamp();
        let stamp_file = build.join(format!("{}.stamp", kernel.file()));
        let complete = [&artifacts.kernel, &artifacts.root, &artifacts.images].iter().all(|file| file.exists());
        if !(complete && fresh(&stamp_file, &sources)) {
            artifacts.make(kernel)?;
            store(&stamp_file, &sources)?;
        }
        if !extra.is_empty() {
            artifacts.images = volume::with_extras(&sources, extra)?;
        }
        Ok(artifacts)
    }

    fn make(&self, kernel: Kernel) -> Result<(), Failure> {
        let order = Order { packages: &["kernel"], target: "x86_64-unknown-none", profile: kernel.profile() };
        let built = programs(&order)?;
        let program =
            built.first().ok_or_else(|| Failure::setup("build the kernel", "package `kernel` has no program"))?;
        link(&program.file, &self.kernel)?;
        let order = Order { packages: &["user", "conductor"], target: "x86_64-unknown-linux-musl", profile: "user" };
        let userland = lay_out(&programs(&order)?)?;
        let mut inputs = Inputs::default().path(&userland)?;
        for source in ["images", "fsbuild", "xv6/xv6fs", "harness/src/volume.rs"] {
            inputs = inputs.path(&workspace::root().join(source))?;
        }
        let stamp = inputs.stamp();
        let stamp_file = workspace::build().join("disks.stamp");
        if !(fresh(&stamp_file, &stamp) && self.root.exists() && self.images.exists()) {
            eprintln!("     Packing {}", volume::shown(&self.root));
            volume::root_disk(&userland, &self.root, volume::ROOT_SIZE)?;
            volume::image_volume(&[], &self.images)?;
            store(&stamp_file, &stamp)?;
        }
        Ok(())
    }
}

/// Puts the programs where the disks take them from: `build/userland/bin`, and `init` in `sbin`.
fn lay_out(programs: &[Program]) -> Result<PathBuf, Failure> {
    let userland = volume::userland();
    let failed = |e| Failure::setup(format_args!("lay out {}", userland.display()), e);
    if userland.exists() {
        std::fs::remove_dir_all(&userland).map_err(failed)?;
    }
    for dir in ["bin", "sbin"] {
        std::fs::create_dir_all(userland.join(dir)).map_err(failed)?;
    }
    for program in programs {
        let dir = if program.name == "init" { "sbin" } else { "bin" };
        link(&program.file, &userland.join(dir).join(&program.name))?;
    }
    // No cargo target can have this name; test(1) looks at the name it is called by.
    if userland.join("bin/test").exists() {
        std::os::unix::fs::symlink("test", userland.join("bin/[")).map_err(failed)?;
    }
    Ok(userland)
}

/// Gives `from` a second name (a copy where links do not reach), replacing what has it.
fn link(from: &Path, to: &Path) -> Result<(), Failure> {
    let _ = std::fs::remove_file(to);
    if std::fs::hard_link(from, to).is_err() {
        std::fs::copy(from, to)
            .map_err(|e| Failure::setup(format_args!("copy {} to {}", from.display(), to.display()), e))?;
    }
    Ok(())
}
