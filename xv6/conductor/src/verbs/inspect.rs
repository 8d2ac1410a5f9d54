//! `conductor inspect`: a container's options and state as JSON.

use crate::args::Inspect;
use crate::error::{Failure, Result};
use crate::store;

/// Runs the verb.
pub fn run(args: &Inspect) -> Result<u8> {
    let record = store::find(&args.container)?;
    let view = serde_json::json!({
        "config": record.config,
        "status": record.status(),
        "pid": if record.is_running() { record.state.pid } else { 0 },
        "exit_status": record.state.exit,
    });
    let text = serde_json::to_string_pretty(&view).map_err(|error| Failure::new(error.to_string()))?;
    println!("{text}");
    Ok(0)
}
