//! `conductor logs`: what a container's init wrote, both streams as they came.

use crate::args::Logs;
use crate::error::{Context, Result};
use crate::store;
use std::fs::File;

/// Runs the verb.
pub fn run(args: &Logs) -> Result<u8> {
    let path = store::folder(&store::find(&args.container)?.config.id).join("log");
    let mut log = File::open(&path).at(&path)?;
    std::io::copy(&mut log, &mut std::io::stdout()).at(&path)?;
    Ok(0)
}
