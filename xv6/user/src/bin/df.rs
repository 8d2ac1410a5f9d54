//! df: shows how full file systems are.

use std::io::Write;
use std::process::ExitCode;

use user::mounts::{self, Mount};
use user::{About, Args, Failure, Out, size, text};

fn main() -> ExitCode {
    user::run("df", "df [-aihkPT] [FILE...]", body)
}

fn body(args: &mut Args, out: &mut Out) -> Result<u8, Failure> {
    let (mut all, mut inodes, mut human, mut kinds) = (false, false, false, false);
    while let Some(option) = args.option() {
        match option.as_str() {
            "a" => all = true,
            "i" => inodes = true,
            "h" => human = true,
            "k" | "P" => {}
            "T" => kinds = true,
            _ => args.usage_error(),
        }
    }
    let operands = args.operands();
    let table = mounts::all().about("/proc/self/mounts")?;
    let mut chosen: Vec<Mount> = Vec::new();
    for operand in &operands {
        let path = std::fs::canonicalize(operand).about(operand)?;
        // Of mounts on top of each other the last one is seen.
        let holds = |mount: &&Mount| path.starts_with(&mount.target);
        let best = table.iter().rev().filter(holds).max_by_key(|mount| mount.target.len());
        chosen.extend(best.cloned());
    }
    if operands.is_empty() {
        chosen = table;
    }
    let blocks = if human { "Size" } else { "1K-blocks" };
    let heads = if inodes { ["Inodes", "IUsed", "IFree", "IUse%"] } else { [blocks, "Used", "Available", "Use%"] };
    let mut rows = vec![row("Filesystem", "Type", kinds, &heads.map(str::to_owned), "Mounted on")];
    for mount in chosen {
        let Ok(stat) = rustix::fs::statvfs(mount.target.as_str()) else { continue };
        if stat.f_blocks == 0 && !all && operands.is_empty() {
            continue;
        }
        let show = |blocks: u64| match (inodes, human) {
            (true, _) => blocks.to_string(),
            (false, true) => size::human(blocks.saturating_mul(stat.f_frsize)),
            (false, false) => (blocks.saturating_mul(stat.f_frsize) / 1024).to_string(),
        };
        let (total, free, available) = if inodes {
            (stat.f_files, stat.f_ffree, stat.f_ffree)
        } else {
            (stat.f_blocks, stat.f_bfree, stat.f_bavail)
        };
        let used = total.saturating_sub(free);
        let whole = used + available;
        let percent = if whole == 0 { "-".to_owned() } else { format!("{}%", (used * 100).div_ceil(whole)) };
        rows.push(row(
            &mount.source,
            &mount.kind,
            kinds,
            &[show(total), show(used), show(available), percent],
            &mount.target,
        ));
    }
    let first = 1 + usize::from(kinds);
    let right: Vec<usize> = (first..first + 4).collect();
    out.write_all(text::table(&rows, &right).as_bytes())?;
    Ok(0)
}

fn row(source: &str, kind: &str, kinds: bool, numbers: &[String; 4], target: &str) -> Vec<String> {
    let mut row = vec![source.to_owned()];
    if kinds {
        row.push(kind.to_owned());
    }
    row.extend_from_slice(numbers);
    row.push(target.to_owned());
    row
}
