//! free: shows how much memory is used.

use std::io::Write;
use std::process::ExitCode;

use user::{About, Args, Failure, Out, procfs, size, text};

fn main() -> ExitCode {
    user::run("free", "free [-bkmgh]", body)
}

fn body(args: &mut Args, out: &mut Out) -> Result<u8, Failure> {
    let (mut unit, mut human) = (1024, false);
    while let Some(option) = args.option() {
        match option.as_str() {
            "b" => unit = 1,
            "k" => unit = 1 << 10,
            "m" => unit = 1 << 20,
            "g" => unit = 1 << 30,
            "h" => human = true,
            _ => args.usage_error(),
        }
    }
    let [] = args.exactly();
    let info = std::fs::read_to_string("/proc/meminfo").about("/proc/meminfo")?;
    let bytes = |key: &str| procfs::meminfo(&info, key) * 1024;
    let show = |bytes: u64| if human { size::human(bytes) } else { (bytes / unit).to_string() };
    let (total, free) = (bytes("MemTotal"), bytes("MemFree"));
    let cache = bytes("Buffers") + bytes("Cached") + bytes("SReclaimable");
    let available = if info.contains("MemAvailable") { bytes("MemAvailable") } else { free + cache };
    let used = total.saturating_sub(available.max(free));
    let swap = (bytes("SwapTotal"), bytes("SwapFree"));
    let heads = ["", "total", "used", "free", "shared", "buff/cache", "available"].map(str::to_owned).to_vec();
    let memory =
        ["Mem:".to_owned(), show(total), show(used), show(free), show(bytes("Shmem")), show(cache), show(available)]
            .to_vec();
    let swap = ["Swap:".to_owned(), show(swap.0), show(swap.0.saturating_sub(swap.1)), show(swap.1)].to_vec();
    out.write_all(text::table(&[heads, memory, swap], &[1, 2, 3, 4, 5, 6]).as_bytes())?;
    Ok(0)
}
