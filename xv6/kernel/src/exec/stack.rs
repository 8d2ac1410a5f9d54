//! The first stack of a program: strings, auxiliary vector, environment and argument pointers, argument count, as the ABI lays them out
//! (System V ABI AMD64, "Initial Stack and Register State"; getauxval(3)).
//!
//! ```text
//!   top     8 zero bytes, path, environment strings, argument strings, platform, 16 random bytes
//!           auxiliary vector, NULL, environment pointers, NULL, argument pointers
//!   sp ->   argument count
//! ```

use alloc::vec::Vec;
use core::ops::Range;

/// The auxiliary vector's entries that depend on the program and its caller; the others are constants or found here.
#[derive(Clone, Copy, Default, Debug)]
pub struct Facts {
    /// Address of the program headers.
    pub headers: usize,
    /// How many.
    pub header_count: usize,
    /// Where the interpreter was loaded, or 0.
    pub base: usize,
    /// The program's entry point (not the interpreter's).
    pub entry: usize,
    /// Real and effective user and group.
    pub ids: [u32; 4],
    /// Set-id execution: the C library must not trust the environment.
    pub secure: bool,
    /// For stack protectors.
    pub random: [u8; 16],
}

/// A finished stack: `bytes` go to `sp..top`.
pub struct Stack {
    /// The content.
    pub bytes: Vec<u8>,
    /// The first stack pointer.
    pub sp: usize,
    /// Where the argument strings are.
    pub arguments: Range<usize>,
    /// Where the environment strings are.
    pub environment: Range<usize>,
    /// Where the auxiliary vector is, its end included.
    pub auxiliary: Range<usize>,
}

/// Features that every x86-64 has (CPUID leaf 1, EDX): FPU, TSC, MSR, PAE, CX8, CMOV, MMX, FXSR, SSE, SSE2. Programs ask CPUID for more.
const HWCAP: usize = 0x0780_8171;
/// The least stack for a signal handler (`AT_MINSIGSTKSZ`).
const MIN_SIGNAL_STACK: usize = 2048;
/// Clock ticks a second in times(2) and /proc.
const TICKS: usize = 100;

/// Bytes that strings and pointers need, an upper bound.
pub fn size(path: &[u8], argv: &[Vec<u8>], envp: &[Vec<u8>]) -> usize {
    let strings: usize = argv.iter().chain(envp).map(|text| text.len() + 1 + 8).sum();
    strings + path.len() + 640
}

/// Lays out a stack that ends at `top` (page-aligned).
pub fn build(top: usize, path: &[u8], argv: &[Vec<u8>], envp: &[Vec<u8>], facts: &Facts) -> Stack {
    // From the top down, collected in ascending pieces: first the string part, whose length fixes all addresses.
    let length = |texts: &[Vec<u8>]| texts.iter().map(|text| text.len() + 1).sum::<usize>();
    let path_at = top - 8 - (path.len() + 1);
    let environment = path_at - length(envp)..path_at;
    let arguments = environment.start - length(argv)..environment.start;
    let platform_at = arguments.start - 8;
    let random_at = platform_at - 16;
    let auxiliary = [
        (51, MIN_SIGNAL_STACK),
        (16, HWCAP),
        (6, hal::frame::SIZE),
        (17, TICKS),
        (3, facts.headers),
        (4, super::elf::PROGRAM_HEADER),
        (5, facts.header_count),
        (7, facts.base),
        (8, 0),
        (9, facts.entry),
        (11, facts.ids[0] as usize),
        (12, facts.ids[1] as usize),
        (13, facts.ids[2] as usize),
        (14, facts.ids[3] as usize),
        (23, usize::from(facts.secure)),
        (25, random_at),
        (26, 0),
        (31, path_at),
        (15, platform_at),
        (0, 0),
    ];
    let before = 1 + argv.len() + 1 + envp.len() + 1;
    let words = before + 2 * auxiliary.len();
    let sp = (random_at - words * 8) & !15;
    let auxiliary_at = sp + before * 8..sp + words * 8;
    let mut bytes = Vec::with_capacity(top - sp);
    let mut word = |value: usize| bytes.extend_from_slice(&value.to_le_bytes());
    word(argv.len());
    for (texts, start) in [(argv, arguments.start), (envp, environment.start)] {
        let mut at = start;
        for text in texts {
            word(at);
            at += text.len() + 1;
        }
        word(0);
    }
    for (kind, value) in auxiliary {
        word(kind);
        word(value);
    }
    bytes.resize(random_at - sp, 0);
    bytes.extend_from_slice(&facts.random);
    bytes.extend_from_slice(b"x86_64\0\0");
    for text in argv.iter().chain(envp) {
        bytes.extend_from_slice(text);
        bytes.push(0);
    }
    bytes.extend_from_slice(path);
    bytes.extend_from_slice(&[0; 9]);
    Stack { bytes, sp, arguments, environment, auxiliary: auxiliary_at }
}

#[cfg(test)]
mod tests {
    use super::{Facts, build, size};
    use alloc::vec::Vec;

    #[test]
    fn the_layout_is_the_abi_s() {
        let (argv, envp) = ([b"ls".to_vec(), b"-l".to_vec()], [b"A=1".to_vec()]);
        let top = 0x8000;
        let stack = build(top, b"/bin/ls", &argv, &envp, &Facts { entry: 0x1234, ..Facts::default() });
        assert_eq!(stack.sp % 16, 0);
        assert_eq!(stack.sp + stack.bytes.len(), top);
        assert!(stack.bytes.len() <= size(b"/bin/ls", &argv, &envp));
        let word = |at: usize| {
            let bytes: [u8; 8] = stack.bytes[at - stack.sp..][..8].try_into().expect("eight bytes");
            u64::from_le_bytes(bytes) as usize
        };
        let text =
            |at: usize| stack.bytes[at - stack.sp..].iter().copied().take_while(|&byte| byte != 0).collect::<Vec<u8>>();
        assert_eq!(word(stack.sp), 2);
        assert_eq!(text(word(stack.sp + 8)), b"ls");
        assert_eq!(text(word(stack.sp + 16)), b"-l");
        assert_eq!(word(stack.sp + 24), 0);
        assert_eq!(text(word(stack.sp + 32)), b"A=1");
        assert_eq!(word(stack.sp + 40), 0);
        let mut at = stack.sp + 48;
        let mut path = 0;
        while word(at) != 0 {
            match word(at) {
                9 => assert_eq!(word(at + 8), 0x1234),
                31 => path = word(at + 8),
                _ => {}
            }
            at += 16;
        }
        assert_eq!(text(path), b"/bin/ls");
        assert_eq!(&stack.bytes[stack.arguments.start - stack.sp..stack.arguments.end - stack.sp], b"ls\0-l\0");
    }
}
