//! `conductor ps`: the containers, one a line.

use crate::args::Ps;
use crate::error::Result;
use crate::store;

/// Runs the verb.
pub fn run(args: &Ps) -> Result<u8> {
    let mut records = store::list()?;
    records.retain(|record| args.all || record.is_running());
    if args.quiet {
        records.iter().for_each(|record| println!("{}", record.config.id));
        return Ok(0);
    }
    println!("{:12}  {:16}  {:24}  {:12}  {:>5}  NAME", "CONTAINER ID", "IMAGE", "COMMAND", "STATUS", "PID");
    for record in records {
        let pid = if record.is_running() { record.state.pid.to_string() } else { "-".to_owned() };
        let command = shorten(&record.config.command.argv.join(" "), 24);
        let (config, status) = (&record.config, record.status());
        println!("{}  {:16}  {command:24}  {status:12}  {pid:>5}  {}", config.id, config.image, config.name);
    }
    Ok(0)
}

fn shorten(text: &str, width: usize) -> String {
    if text.chars().count() <= width {
        return text.to_owned();
    }
    text.chars().take(width - 3).chain("...".chars()).collect()
}
