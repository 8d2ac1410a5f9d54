//! deadline: the one scale for every time limit of the harness.
//!
//! Limits in code are for a quiet machine. A slow or crowded one sets `XV6_DEADLINE_SCALE` (a factor, 1 when unset) and
//! every limit grows with it; nothing else reads the clock to decide whether something failed.

use std::sync::OnceLock;
use std::time::Duration;

/// How long a boot may take until its first sign of life (the prompt, or the command's end).
pub const BOOT: Duration = Duration::from_secs(30);

/// How long one command may take when the caller names no limit of its own.
pub const COMMAND: Duration = Duration::from_secs(30);

/// How long `harness run` waits for a whole machine when `--timeout` is absent.
pub const RUN: Duration = Duration::from_secs(600);

/// Stretches `limit` by `XV6_DEADLINE_SCALE`.
pub fn scaled(limit: Duration) -> Duration {
    static SCALE: OnceLock<f64> = OnceLock::new();
    let scale = SCALE.get_or_init(|| parse_scale(std::env::var("XV6_DEADLINE_SCALE").ok().as_deref()));
    limit.mul_f64(*scale)
}

/// Reads the scale: anything that is not a positive finite number counts as 1.
fn parse_scale(text: Option<&str>) -> f64 {
    text.and_then(|text| text.parse::<f64>().ok()).filter(|scale| scale.is_finite() && *scale > 0.0).unwrap_or(1.0)
}

#[cfg(test)]
mod tests {
    use super::parse_scale;

    #[test]
    fn a_bad_scale_is_one() {
        assert_eq!(parse_scale(None), 1.0);
        assert_eq!(parse_scale(Some("fast")), 1.0);
        assert_eq!(parse_scale(Some("-2")), 1.0);
        assert_eq!(parse_scale(Some("2.5")), 2.5);
    }
}
