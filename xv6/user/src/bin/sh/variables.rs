//! The shell's variables: values, export and read-only flags, and what `local` puts back.
//!
//! Key types: [`Variables`], [`Variable`].

use std::collections::HashMap;
use std::ffi::CString;
use std::os::unix::ffi::OsStringExt;

use user::shell::syntax::Bytes;

/// A variable; one without a value may still be exported or read-only.
#[derive(Clone, Debug, Default)]
pub struct Variable {
    /// Its value, if it is set.
    pub value: Option<Bytes>,
    /// Passed to commands.
    pub exported: bool,
    /// May not be changed.
    pub readonly: bool,
}

/// All variables, with a frame of saved ones for each running function.
#[derive(Default)]
pub struct Variables {
    map: HashMap<Bytes, Variable>,
    frames: Vec<Vec<(Bytes, Option<Variable>)>>,
}

/// Whether `name` may name a variable.
pub fn is_name(name: &[u8]) -> bool {
    name.first().is_some_and(|byte| byte.is_ascii_alphabetic() || *byte == b'_')
        && name.iter().all(|byte| byte.is_ascii_alphanumeric() || *byte == b'_')
}

impl Variables {
    /// The environment's variables, exported, and the shell's own defaults. `IFS` and `OPTIND` are not taken from the environment (POSIX, Shell
    /// Command Language, "Shell Variables").
    pub fn from_environment() -> Self {
        let mut variables = Self::default();
        for (name, value) in std::env::vars_os() {
            let name = name.into_vec();
            if is_name(&name) {
                let variable = Variable { value: Some(value.into_vec()), exported: true, readonly: false };
                variables.map.insert(name, variable);
            }
        }
        let own = |value: &str| Variable { value: Some(value.into()), ..Variable::default() };
        for (name, value) in [("IFS", " \t\n"), ("OPTIND", "1")] {
            variables.map.insert(name.into(), own(value));
        }
        for (name, value) in [("PS2", "> "), ("PS4", "+ ")] {
            variables.map.entry(name.into()).or_insert_with(|| own(value));
        }
        variables
    }

    /// The value of `name`.
    pub fn get(&self, name: &[u8]) -> Option<&Bytes> {
        self.map.get(name)?.value.as_ref()
    }

    /// Sets `name`; the error says that it is read-only.
    pub fn set(&mut self, name: &[u8], value: impl Into<Bytes>) -> Result<(), String> {
        self.writable(name)?.value = Some(value.into());
        Ok(())
    }

    /// Marks `name` for export.
    pub fn export(&mut self, name: &[u8]) {
        self.map.entry(name.to_vec()).or_default().exported = true;
    }

    /// Forbids changes of `name`.
    pub fn make_readonly(&mut self, name: &[u8]) {
        self.map.entry(name.to_vec()).or_default().readonly = true;
    }

    /// Removes `name`.
    pub fn unset(&mut self, name: &[u8]) -> Result<(), String> {
        if self.map.contains_key(name) {
            self.writable(name)?;
            self.map.remove(name);
        }
        Ok(())
    }

    fn writable(&mut self, name: &[u8]) -> Result<&mut Variable, String> {
        let variable = self.map.entry(name.to_vec()).or_default();
        if variable.readonly {
            return Err(format!("{}: is read only", String::from_utf8_lossy(name)));
        }
        Ok(variable)
    }

    /// Begins a function's (or a temporary assignment's) frame.
    pub fn push_frame(&mut self) {
        self.frames.push(Vec::new());
    }

    /// Ends the frame: everything made local in it gets its old value back.
    pub fn pop_frame(&mut self) {
        for (name, old) in self.frames.pop().unwrap_or_default().into_iter().rev() {
            match old {
                Some(variable) => self.map.insert(name, variable),
                None => self.map.remove(&name),
            };
        }
    }

    /// Remembers `name` for the end of the innermost frame; `false` outside one.
    pub fn make_local(&mut self, name: &[u8]) -> bool {
        let Some(frame) = self.frames.last_mut() else { return false };
        if !frame.iter().any(|(saved, _)| saved == name) {
            frame.push((name.to_vec(), self.map.get(name).cloned()));
        }
        true
    }

    /// All variables by name.
    pub fn sorted(&self) -> Vec<(&Bytes, &Variable)> {
        let mut all: Vec<_> = self.map.iter().collect();
        all.sort_by_key(|(name, _)| *name);
        all
    }

    /// The environment of a command.
    pub fn environment(&self) -> Vec<CString> {
        let exported = self.sorted().into_iter().filter(|(_, variable)| variable.exported);
        let pair = |(name, variable): (&Bytes, &Variable)| {
            let value = variable.value.as_ref()?;
            // A value with a NUL cannot come from anywhere; it would simply not be passed.
            CString::new([name, b"=".as_slice(), value].concat()).ok()
        };
        exported.filter_map(pair).collect()
    }
}
