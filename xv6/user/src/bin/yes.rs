//! yes: prints a line for ever.

use std::io::Write;
use std::process::ExitCode;

fn main() -> ExitCode {
    user::run("yes", "yes [TEXT...]", |args, out| {
        let words: Vec<String> = args.operands().iter().map(|word| word.to_string_lossy().into_owned()).collect();
        let line = if words.is_empty() { "y\n".to_owned() } else { words.join(" ") + "\n" };
        let block = line.repeat(8192_usize.div_ceil(line.len()));
        loop {
            out.write_all(block.as_bytes())?;
        }
    })
}
