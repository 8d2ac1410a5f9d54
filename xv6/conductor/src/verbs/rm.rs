//! `conductor rm`: removes containers that have ended.

use crate::args::Rm;
use crate::error::{Failure, Result};
use crate::store;
use std::time::Duration;

/// Runs the verb.
pub fn run(args: &Rm) -> Result<u8> {
    super::for_each(&args.containers, |key| {
        let record = store::find(key)?;
        if record.is_running() && !args.force {
            return Err(Failure::new(format!("{key}: the container is running (stop it, or use --force)")));
        }
        super::stop::stop(&record, Duration::ZERO)
    })
}
