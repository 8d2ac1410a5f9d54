//! symbols: code addresses of the kernel, made readable.
//!
//! [`Symbols`] reads the kernel's ELF file with `object` and its line tables with `addr2line`; [`Symbols::annotate`] rewrites
//! a panic report so that every code address is followed by its function, file and line. Inlined functions get their own
//! lines, innermost first, as in a native backtrace.

use crate::failure::Failure;
use addr2line::Loader;
use object::{Object, ObjectSection, SectionKind};
use std::ops::Range;
use std::path::Path;

/// The kernel's code addresses and what they mean.
pub struct Symbols {
    code: Vec<Range<u64>>,
    loader: Loader,
}

impl Symbols {
    /// Reads `kernel`.
    ///
    /// # Errors
    /// `Setup` when the file cannot be read or is no ELF file. A file without line tables is fine: functions are named then.
    pub fn load(kernel: &Path) -> Result<Self, Failure> {
        let broken =
            |e: &dyn std::fmt::Display| Failure::setup(format_args!("read symbols of {}", kernel.display()), e);
        let bytes = std::fs::read(kernel).map_err(|e| broken(&e))?;
        let elf = object::File::parse(&*bytes).map_err(|e| broken(&e))?;
        let code = elf
            .sections()
            .filter(|s| s.kind() == SectionKind::Text)
            .map(|s| s.address()..s.address() + s.size())
            .collect();
        Ok(Self { code, loader: Loader::new(kernel).map_err(|e| broken(&e))? })
    }

    /// `function at file:line` of the code at `address`, innermost inlined function first; empty when it is no code.
    pub fn places(&self, address: u64) -> Vec<String> {
        if !self.code.iter().any(|range| range.contains(&address)) {
            return Vec::new();
        }
        let mut places = self.frames(address).unwrap_or_default();
        if places.is_empty() {
            let name = self.loader.find_symbol(address);
            places.extend(name.map(|name| addr2line::demangle_auto(name.into(), None).into_owned()));
        }
        places
    }

    fn frames(&self, address: u64) -> Option<Vec<String>> {
        let mut frames = self.loader.find_frames(address).ok()?;
        let mut places = Vec::new();
        while let Ok(Some(frame)) = frames.next() {
            let name = frame.function.as_ref().and_then(|f| f.demangle().ok().map(|name| name.into_owned()));
            let place = frame.location.as_ref().and_then(|l| Some(format!("{}:{}", shorten(l.file?), l.line?)));
            match (name, place) {
                (Some(name), Some(place)) => places.push(format!("{name} at {place}")),
                (Some(one), None) | (None, Some(one)) => places.push(one),
                (None, None) => {}
            }
        }
        Some(places)
    }

    /// Rewrites `report`: a line `  at ADDRESS`, a return address, becomes the places of its call.
    pub fn resolve(&self, report: &str) -> String {
        let mut out = String::new();
        for line in report.lines().map(str::trim_end) {
            let address = line.strip_prefix("  at 0x").and_then(|digits| u64::from_str_radix(digits, 16).ok());
            let places = address.map(|address| self.places(address.wrapping_sub(1))).unwrap_or_default();
            if places.is_empty() {
                out.push_str(&format!("{line}\n"));
            }
            for place in places {
                out.push_str(&format!("  {place}\n"));
            }
        }
        out
    }

    /// Rewrites `report`: a line with code addresses is followed by the places of each.
    ///
    /// A return address points behind its call, so the byte before it is looked up, unless the line names it `rip`.
    pub fn annotate(&self, report: &str) -> String {
        let mut out = String::new();
        for line in report.lines() {
            out.push_str(line.trim_end());
            out.push('\n');
            for address in addresses(line) {
                let exact = line.contains("rip") || line.contains("RIP");
                for place in self.places(if exact { address } else { address.wrapping_sub(1) }) {
                    out.push_str(&format!("      {address:#x}: {place}\n"));
                }
            }
        }
        out
    }
}

/// The hexadecimal numbers in `line` that are long enough to be kernel addresses.
fn addresses(line: &str) -> Vec<u64> {
    line.split(|c: char| !c.is_ascii_alphanumeric())
        .map(|word| word.strip_prefix("0x").unwrap_or(word))
        .filter(|word| (8..=16).contains(&word.len()))
        .filter_map(|word| u64::from_str_radix(word, 16).ok())
        .collect()
}

/// A source path relative to the checkout or to the crate registry.
fn shorten(file: &str) -> &str {
    for mark in ["/xv6/", "/registry/src/", "/library/"] {
        if let Some(at) = file.rfind(mark) {
            return &file[at + 1..];
        }
    }
    file
}

#[cfg(test)]
mod tests {
    use super::{Symbols, addresses, shorten};

    #[test]
    fn addresses_are_found_with_and_without_prefix() {
        assert_eq!(
            addresses("  #1 0xffffffff80100234 rsp=ffffffff80200000 n=12"),
            [0xffff_ffff_8010_0234, 0xffff_ffff_8020_0000]
        );
    }

    #[test]
    fn our_own_code_is_symbolised() {
        let symbols =
            Symbols::load(&std::env::current_exe().expect("the test's path")).expect("the test is an ELF file");
        // Where the test binary lies in memory is unknown, so walk its file: some function of ours must be there.
        let range = symbols.code.iter().max_by_key(|r| r.end - r.start).expect("a code section");
        let ours = range.clone().step_by(64).any(|a| symbols.places(a).iter().any(|p| p.contains("harness")));
        assert!(ours, "no function of this crate among the symbols");
    }

    #[test]
    fn paths_lose_their_machine() {
        assert_eq!(shorten("/home/a/xv6/kernel/src/main.rs"), "xv6/kernel/src/main.rs");
        assert_eq!(shorten("src/main.rs"), "src/main.rs");
    }
}
