//! tr: replaces, deletes or squeezes bytes.

use std::io::{Read, Write};
use std::os::unix::ffi::OsStrExt;
use std::process::ExitCode;

use user::shell::pattern;
use user::{About, Args, Failure, Out, text};

fn main() -> ExitCode {
    user::run("tr", "tr [-cds] SET1 [SET2]", body)
}

fn body(args: &mut Args, out: &mut Out) -> Result<u8, Failure> {
    let (mut complement, mut delete, mut squeeze) = (false, false, false);
    args.stop_at_operand();
    while let Some(option) = args.option() {
        match option.as_str() {
            "c" | "C" => complement = true,
            "d" => delete = true,
            "s" => squeeze = true,
            _ => args.usage_error(),
        }
    }
    let operands = args.some();
    let sets: Vec<Vec<u8>> = operands.iter().map(|operand| set(operand.as_bytes())).collect();
    let two = if delete { squeeze } else { !squeeze };
    if sets.len() > 2 || two && sets.len() != 2 || delete && !squeeze && sets.len() != 1 {
        args.usage_error();
    }
    let mut first = sets[0].clone();
    if complement {
        first = (0..=255).filter(|byte| !sets[0].contains(byte)).collect();
    }
    let mut map: [u8; 256] = std::array::from_fn(|byte| u8::try_from(byte).unwrap_or(0));
    if let (false, Some(second)) = (delete, sets.get(1)) {
        let Some(last) = second.last() else { return Err(Failure::new("SET2 must not be empty")) };
        for (index, byte) in first.iter().enumerate() {
            map[usize::from(*byte)] = *second.get(index).unwrap_or(last);
        }
    }
    let squeezed = if squeeze { sets.get(1).unwrap_or(&first).clone() } else { Vec::new() };
    let table = |bytes: &[u8]| {
        std::array::from_fn::<bool, 256, _>(|byte| bytes.iter().any(|known| usize::from(*known) == byte))
    };
    let (deleted, squeezed) = (if delete { table(&first) } else { [false; 256] }, table(&squeezed));
    let mut buffer = vec![0; 1 << 16];
    let mut last = None;
    let mut input = std::io::stdin().lock();
    loop {
        let count = input.read(&mut buffer).about("standard input")?;
        if count == 0 {
            return Ok(0);
        }
        let mut piece = Vec::with_capacity(count);
        for byte in &buffer[..count] {
            if deleted[usize::from(*byte)] {
                continue;
            }
            let byte = map[usize::from(*byte)];
            if last == Some(byte) && squeezed[usize::from(byte)] {
                continue;
            }
            last = Some(byte);
            piece.push(byte);
        }
        out.write_all(&piece)?;
    }
}

/// The bytes of `a-z`, `[:digit:]`, `\n` and so on, in order.
fn set(written: &[u8]) -> Vec<u8> {
    let (plain, _) = text::unescape(written, false);
    let mut bytes = Vec::new();
    let mut at = 0;
    while at < plain.len() {
        let rest = &plain[at..];
        if rest.starts_with(b"[:")
            && let Some(end) = rest.windows(2).position(|pair| pair == b":]")
        {
            let mut ranges = pattern::named(&rest[2..end]).to_vec();
            ranges.sort_unstable();
            bytes.extend(ranges.iter().flat_map(|(low, high)| *low..=*high));
            at += end + 2;
        } else if rest.len() > 2 && rest[1] == b'-' && rest[0] <= rest[2] {
            bytes.extend(rest[0]..=rest[2]);
            at += 3;
        } else {
            bytes.push(rest[0]);
            at += 1;
        }
    }
    bytes
}
