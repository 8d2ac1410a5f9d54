//! test: evaluates a condition; called as `[`, its last operand is `]`. The status is 0 if it holds, 1 if not, 2 if it is malformed.

use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt;
use std::process::ExitCode;

use user::Failure;

fn main() -> ExitCode {
    user::run("test", "test CONDITION | [ CONDITION ]", |_, _| {
        let mut words: Vec<Vec<u8>> = std::env::args_os().map(OsString::into_vec).collect();
        let bracket = words.first().is_some_and(|name| name.ends_with(b"["));
        if bracket && words.pop().is_none_or(|last| last != b"]") {
            return Err(Failure::new("missing ]").with_status(2));
        }
        let truth = user::test::evaluate(&words[1..]).map_err(|text| Failure::new(text).with_status(2))?;
        Ok(u8::from(!truth))
    })
}
