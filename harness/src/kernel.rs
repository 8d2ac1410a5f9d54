//! kernel: which build of the kernel a machine boots.
//!
//! Both are optimised and made from the same sources, each under its own profile of the workspace's manifest and with its own file, so
//! that neither makes the other build again.

use crate::failure::Failure;

/// A build of the kernel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kernel {
    /// What users run.
    Usual,
    /// The one that checks itself: the order of its locks, its assertions, its arithmetic. A finding is a panic.
    Checked,
}

impl Kernel {
    /// The one that the environment variable `XV6_KERNEL` names (`usual`, `checked`); the usual one when it is unset.
    ///
    /// # Errors
    /// `Setup` when it names another.
    pub fn chosen() -> Result<Self, Failure> {
        match std::env::var("XV6_KERNEL") {
            Ok(name) => Self::named(&name),
            Err(_) => Ok(Self::Usual),
        }
    }

    fn named(name: &str) -> Result<Self, Failure> {
        match name {
            "" | "usual" => Ok(Self::Usual),
            "checked" => Ok(Self::Checked),
            _ => Err(Failure::setup(format_args!("XV6_KERNEL={name}"), "neither usual nor checked")),
        }
    }

    /// The profile it is built with.
    pub fn profile(self) -> &'static str {
        match self {
            Self::Usual => "kernel",
            Self::Checked => "checked",
        }
    }

    /// Its file's name in the build folder.
    pub fn file(self) -> &'static str {
        match self {
            Self::Usual => "xv6",
            Self::Checked => "xv6-checked",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Kernel;

    #[test]
    fn the_environment_names_one() {
        assert_eq!(Kernel::named("").expect("a default"), Kernel::Usual);
        assert_eq!(Kernel::named("checked").expect("a kernel"), Kernel::Checked);
        assert!(Kernel::named("chekced").is_err());
    }
}
