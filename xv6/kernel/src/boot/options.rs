//! The kernel command line: `name=value` words for the kernel, and after ` -- ` the arguments for init.
//!
//! ```text
//!   init=PATH loglevel=N quiet debug winsize=ROWSxCOLS root=DISK env.NAME=VALUE ... -- ARG ARG ...
//! ```
//!
//! Values of `env.*` and the arguments are percent-decoded (`%20` is a blank), so that they may hold any byte. Unknown words are ignored.

use alloc::vec::Vec;

/// `quiet`: errors only.
const QUIET: u8 = 4;
/// `debug`: every record.
const EVERYTHING: u8 = 8;

/// What the command line says.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Options<'a> {
    /// The first program.
    pub init: &'a str,
    /// Log records below this level go to the serial line.
    pub log_level: u8,
    /// The console's size.
    pub window: Option<&'a str>,
    /// The root disk (`vda`, `/dev/vda`), or `tmpfs`.
    pub root: &'a str,
    /// init's arguments after its name.
    pub arguments: Vec<Vec<u8>>,
    /// init's environment, `NAME=VALUE`.
    pub environment: Vec<Vec<u8>>,
}

impl<'a> Options<'a> {
    /// Reads a command line.
    pub fn parse(line: &'a str) -> Options<'a> {
        let mut options = Options {
            init: "/sbin/init",
            log_level: hal::log::CONSOLE_LEVEL,
            window: None,
            root: "vda",
            arguments: Vec::new(),
            environment: Vec::new(),
        };
        let mut words = line.split_ascii_whitespace();
        for word in words.by_ref() {
            if word == "--" {
                break;
            }
            match word {
                "quiet" => options.log_level = QUIET,
                "debug" => options.log_level = EVERYTHING,
                _ => {}
            }
            let Some((name, value)) = word.split_once('=') else { continue };
            match name {
                "init" => options.init = value,
                "loglevel" => {
                    options.log_level = value.parse().map_or(options.log_level, |level: u8| level.min(EVERYTHING))
                }
                "winsize" => options.window = Some(value),
                "root" => options.root = value,
                _ => {
                    if let Some(variable) = name.strip_prefix("env.") {
                        let mut entry = variable.as_bytes().to_vec();
                        entry.push(b'=');
                        entry.extend(decode(value));
                        options.environment.push(entry);
                    }
                }
            }
        }
        options.arguments = words.map(decode).collect();
        options
    }
}

/// Replaces `%XX` by the byte; what is no such code stays.
fn decode(text: &str) -> Vec<u8> {
    let mut rest = text.as_bytes();
    let mut bytes = Vec::new();
    while let [first, tail @ ..] = rest {
        let code = match tail {
            [high, low, ..] if *first == b'%' => hex(*high).zip(hex(*low)),
            _ => None,
        };
        (rest, _) = match code {
            Some((high, low)) => (&tail[2..], bytes.push(high << 4 | low)),
            None => (tail, bytes.push(*first)),
        };
    }
    bytes
}

fn hex(digit: u8) -> Option<u8> {
    (digit as char).to_digit(16).map(|value| value as u8)
}

#[cfg(test)]
mod tests {
    use super::Options;

    #[test]
    fn words_arguments_and_codes() {
        let options =
            Options::parse("quiet loglevel=7 env.A=b%20c%3d winsize=24x80 root=/dev/vdb -- echo a%20b 50% -- %zz");
        assert_eq!((options.log_level, options.window, options.root), (7, Some("24x80"), "/dev/vdb"));
        assert_eq!(options.init, "/sbin/init");
        assert_eq!(options.environment, [b"A=b c="]);
        assert_eq!(options.arguments, [&b"echo"[..], b"a b", b"50%", b"--", b"%zz"]);
        assert_eq!(Options::parse("").root, "vda");
        let level = |line| Options::parse(line).log_level;
        assert_eq!(["", "quiet", "debug", "loglevel=99", "debug quiet", "loglevel=x"].map(level), [4, 4, 8, 8, 4, 4]);
    }
}
