//! One file per verb.

pub mod exec;
pub mod images;
pub mod init;
pub mod inspect;
pub mod logs;
pub mod ps;
pub mod rm;
pub mod run;
pub mod stop;

use crate::error::{Failure, Result};

/// Does `act` for each of `keys`, printing each that went well and every failure but the last, which is returned.
fn for_each(keys: &[String], act: impl Fn(&str) -> Result<()>) -> Result<u8> {
    let mut failed: Option<Failure> = None;
    for key in keys {
        match act(key) {
            Ok(()) => println!("{key}"),
            Err(failure) => {
                if let Some(earlier) = failed.replace(failure) {
                    eprintln!("conductor: {earlier}");
                }
            }
        }
    }
    failed.map_or(Ok(0), Err)
}
