//! Sizes with suffixes: `4k`, `10M`, `1G` to bytes, and bytes to `1.5K` for `-h`. Powers of 1024, as coreutils.

/// Bytes meant by `text`: digits and an optional suffix `b` (512), `k`, `M`, `G`, `T` (any case, `iB` or `B` allowed after it).
pub fn parse(text: &str) -> Option<u64> {
    let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let number: u64 = text[..end].parse().ok()?;
    let unit = match &text[end..] {
        "" | "c" => 1,
        "b" => 512,
        suffix => match suffix.strip_suffix("iB").or_else(|| suffix.strip_suffix('B')).unwrap_or(suffix) {
            "k" | "K" => 1 << 10,
            "m" | "M" => 1 << 20,
            "g" | "G" => 1 << 30,
            "t" | "T" => 1 << 40,
            _ => return None,
        },
    };
    number.checked_mul(unit)
}

/// `bytes` in at most four characters, rounded up: `512`, `1.5K`, `20M`.
pub fn human(bytes: u64) -> String {
    if bytes < 1024 {
        return bytes.to_string();
    }
    let mut scale = 1024_u64;
    for (index, suffix) in ["K", "M", "G", "T", "P"].into_iter().enumerate() {
        let tenths = u128::from(bytes).saturating_mul(10).div_ceil(u128::from(scale));
        if tenths < 100 {
            return format!("{}.{}{suffix}", tenths / 10, tenths % 10);
        }
        let whole = bytes.div_ceil(scale);
        if whole < 1024 || index == 4 {
            return format!("{whole}{suffix}");
        }
        scale <<= 10;
    }
    bytes.to_string()
}

#[cfg(test)]
mod tests {
    use super::{human, parse};

    #[test]
    fn sizes_round_up_as_coreutils_does() {
        assert_eq!(human(1023), "1023");
        assert_eq!(human(1024), "1.0K");
        assert_eq!(human(1025), "1.1K");
        assert_eq!(human(10 * 1024 + 1), "11K");
        assert_eq!(human(1 << 20), "1.0M");
        assert_eq!(human(1023 * 1024 + 1), "1.0M");
    }

    #[test]
    fn suffixes_are_powers_of_1024() {
        assert_eq!(parse("4k"), Some(4096));
        assert_eq!(parse("1M"), Some(1 << 20));
        assert_eq!(parse("2GiB"), Some(2 << 30));
        assert_eq!(parse("x"), None);
        assert_eq!(parse("99999999999G"), None);
    }
}
