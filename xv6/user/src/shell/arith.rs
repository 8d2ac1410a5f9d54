//! Arithmetic, `$((...))`: 64-bit integers, C's operators with their precedence, assignment to variables. XCU 2.6.4.
//!
//! Key types: [`Variables`], which the shell implements, and [`evaluate`]. Results wrap; only division by zero is an error.

/// The variables an expression reads and sets.
pub trait Variables {
    /// The value of `name`, or `None` if it is unset.
    fn get(&self, name: &[u8]) -> Option<Vec<u8>>;
    /// Sets `name`; the error text says why not.
    fn set(&mut self, name: &[u8], value: i64) -> Result<(), String>;
}

/// The value of `text`; the error is a line for the user.
pub fn evaluate(text: &[u8], variables: &mut dyn Variables) -> Result<i64, String> {
    let mut expression = Expression { text, at: 0, variables, depth: 0 };
    expression.skip();
    if expression.at == text.len() {
        return Ok(0);
    }
    let value = expression.comma(true)?;
    if expression.at == text.len() { Ok(value) } else { Err(expression.wrong()) }
}

/// Binary operators by precedence, the loosest first; longer ones stand before their beginnings.
const LEVELS: [&[&[u8]]; 10] = [
    &[b"||"],
    &[b"&&"],
    &[b"|"],
    &[b"^"],
    &[b"&"],
    &[b"==", b"!="],
    &[b"<=", b">=", b"<", b">"],
    &[b"<<", b">>"],
    &[b"+", b"-"],
    &[b"*", b"/", b"%"],
];

const ASSIGNMENTS: [&[u8]; 11] = [b"=", b"+=", b"-=", b"*=", b"/=", b"%=", b"<<=", b">>=", b"&=", b"^=", b"|="];

struct Expression<'a> {
    text: &'a [u8],
    at: usize,
    variables: &'a mut dyn Variables,
    depth: usize,
}

/// How deep brackets and operators may nest.
const MAX_DEPTH: usize = 500;

impl Expression<'_> {
    fn wrong(&self) -> String {
        format!("arithmetic expression: syntax error in \"{}\"", String::from_utf8_lossy(self.text))
    }

    fn skip(&mut self) {
        while self.text.get(self.at).is_some_and(u8::is_ascii_whitespace) {
            self.at += 1;
        }
    }

    fn accept(&mut self, operator: &[u8]) -> bool {
        let found = self.text[self.at..].starts_with(operator);
        if found {
            self.at += operator.len();
            self.skip();
        }
        found
    }

    /// `live` is false in the branch of `?:`, `&&` or `||` that is not taken: nothing is assigned there, no division fails.
    fn comma(&mut self, live: bool) -> Result<i64, String> {
        let mut value = self.assignment(live)?;
        while self.accept(b",") {
            value = self.assignment(live)?;
        }
        Ok(value)
    }

    fn assignment(&mut self, live: bool) -> Result<i64, String> {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return Err("arithmetic expression: nested too deeply".to_owned());
        }
        let start = self.at;
        let name = self.name();
        let value = match ASSIGNMENTS.into_iter().find(|operator| !name.is_empty() && self.at_assignment(operator)) {
            Some(operator) => {
                self.accept(operator);
                let right = self.assignment(live)?;
                let value = match operator {
                    b"=" => right,
                    _ => apply(&operator[..operator.len() - 1], self.value(&name)?, right, live)?,
                };
                if live {
                    self.variables.set(&name, value)?;
                }
                Ok(value)
            }
            None => {
                self.at = start;
                self.conditional(live)
            }
        };
        self.depth -= 1;
        value
    }

    fn at_assignment(&self, operator: &[u8]) -> bool {
        let rest = &self.text[self.at..];
        rest.starts_with(operator) && !(operator == b"=" && rest.get(1) == Some(&b'='))
    }

    fn conditional(&mut self, live: bool) -> Result<i64, String> {
        let condition = self.binary(0, live)?;
        if !self.accept(b"?") {
            return Ok(condition);
        }
        let yes = self.comma(live && condition != 0)?;
        if !self.accept(b":") {
            return Err(self.wrong());
        }
        let no = self.assignment(live && condition == 0)?;
        Ok(if condition != 0 { yes } else { no })
    }

    fn binary(&mut self, level: usize, live: bool) -> Result<i64, String> {
        let Some(operators) = LEVELS.get(level) else { return self.unary(live) };
        let mut left = self.binary(level + 1, live)?;
        while let Some(operator) = operators.iter().find(|operator| self.at_operator(operator)) {
            self.accept(operator);
            let right_live = match *operator {
                b"&&" => live && left != 0,
                b"||" => live && left == 0,
                _ => live,
            };
            let right = self.binary(level + 1, right_live)?;
            left = apply(operator, left, right, live)?;
        }
        Ok(left)
    }

    /// Whether `operator` stands here and is not the beginning of a longer one.
    fn at_operator(&self, operator: &[u8]) -> bool {
        let rest = &self.text[self.at..];
        if !rest.starts_with(operator) {
            return false;
        }
        let next = rest.get(operator.len());
        match operator {
            b"|" | b"&" | b"<" | b">" => next != Some(&operator[0]) && next != Some(&b'='),
            b"+" | b"-" | b"*" | b"/" | b"%" | b"^" | b"<<" | b">>" => next != Some(&b'='),
            _ => true,
        }
    }

    fn unary(&mut self, live: bool) -> Result<i64, String> {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return Err("arithmetic expression: nested too deeply".to_owned());
        }
        let value = if self.accept(b"-") {
            self.unary(live)?.wrapping_neg()
        } else if self.accept(b"+") {
            self.unary(live)?
        } else if self.accept(b"!") {
            i64::from(self.unary(live)? == 0)
        } else if self.accept(b"~") {
            !self.unary(live)?
        } else if self.accept(b"(") {
            let value = self.comma(live)?;
            if !self.accept(b")") {
                return Err(self.wrong());
            }
            value
        } else {
            self.primary()?
        };
        self.depth -= 1;
        Ok(value)
    }

    fn primary(&mut self) -> Result<i64, String> {
        let name = self.name();
        if !name.is_empty() {
            return self.value(&name);
        }
        let length = self.text[self.at..].iter().take_while(|byte| byte.is_ascii_alphanumeric()).count();
        let value = number(&self.text[self.at..self.at + length]).ok_or_else(|| self.wrong())?;
        self.at += length;
        self.skip();
        Ok(value)
    }

    fn name(&mut self) -> Vec<u8> {
        let rest = &self.text[self.at..];
        if rest.first().is_none_or(u8::is_ascii_digit) {
            return Vec::new();
        }
        let length = rest.iter().take_while(|byte| byte.is_ascii_alphanumeric() || **byte == b'_').count();
        let name = rest[..length].to_vec();
        self.at += length;
        if length > 0 {
            self.skip();
        }
        name
    }

    fn value(&self, name: &[u8]) -> Result<i64, String> {
        let text = self.variables.get(name).unwrap_or_default();
        let text = text.trim_ascii();
        let (digits, negative) = match text.strip_prefix(b"-") {
            Some(digits) => (digits, true),
            None => (text, false),
        };
        match number(digits) {
            _ if text.is_empty() => Ok(0),
            Some(value) if negative => Ok(value.wrapping_neg()),
            Some(value) => Ok(value),
            None => Err(format!("arithmetic expression: bad number \"{}\"", String::from_utf8_lossy(text))),
        }
    }
}

/// A constant: decimal, `0` octal, `0x` hexadecimal.
fn number(digits: &[u8]) -> Option<i64> {
    let text = str::from_utf8(digits).ok()?;
    let (radix, text) = match text.as_bytes() {
        [b'0', b'x' | b'X', ..] => (16, &text[2..]),
        [b'0', _, ..] => (8, &text[1..]),
        _ => (10, text),
    };
    if text.starts_with(['+', '-']) {
        return None;
    }
    i64::from_str_radix(text, radix).ok().or_else(|| u64::from_str_radix(text, radix).ok().map(u64::cast_signed))
}

fn apply(operator: &[u8], left: i64, right: i64, live: bool) -> Result<i64, String> {
    Ok(match operator {
        b"||" => i64::from(left != 0 || right != 0),
        b"&&" => i64::from(left != 0 && right != 0),
        b"|" => left | right,
        b"^" => left ^ right,
        b"&" => left & right,
        b"==" => i64::from(left == right),
        b"!=" => i64::from(left != right),
        b"<=" => i64::from(left <= right),
        b">=" => i64::from(left >= right),
        b"<" => i64::from(left < right),
        b">" => i64::from(left > right),
        b"<<" => left.wrapping_shl((right & 63) as u32),
        b">>" => left.wrapping_shr((right & 63) as u32),
        b"+" => left.wrapping_add(right),
        b"-" => left.wrapping_sub(right),
        b"*" => left.wrapping_mul(right),
        b"/" | b"%" if right == 0 => {
            if live {
                return Err("arithmetic expression: division by zero".to_owned());
            }
            0
        }
        b"/" => left.wrapping_div(right),
        _ => left.wrapping_rem(right),
    })
}

#[cfg(test)]
mod tests {
    use super::{Variables, evaluate};
    use std::collections::HashMap;

    impl Variables for HashMap<Vec<u8>, i64> {
        fn get(&self, name: &[u8]) -> Option<Vec<u8>> {
            HashMap::get(self, name).map(|value| value.to_string().into_bytes())
        }

        fn set(&mut self, name: &[u8], value: i64) -> Result<(), String> {
            self.insert(name.to_vec(), value);
            Ok(())
        }
    }

    #[test]
    fn operators_have_cs_precedence() {
        let mut variables = HashMap::from([(b"x".to_vec(), 5)]);
        for (text, value) in [
            ("1 + 2 * 3", 7),
            ("(1+2)*3", 9),
            ("-7 / 2", -3),
            ("7 % 3", 1),
            ("1 << 4 | 1", 17),
            ("1 < 2 && 2 < 1", 0),
            ("x > 3 ? x : 0", 5),
            ("x += 2", 7),
            ("x", 7),
            ("y = x - 1, y * 2", 12),
            ("0x10 + 010", 24),
            ("!0 + ~0", 0),
            ("0 && 1/0", 0),
            ("unset", 0),
            ("10 - 3 - 2", 5),
            ("1 == 1 != 0", 1),
            ("5 & 3 ^ 1", 0),
        ] {
            assert_eq!(evaluate(text.as_bytes(), &mut variables), Ok(value), "{text}");
        }
    }

    #[test]
    fn errors_are_lines() {
        let mut variables = HashMap::new();
        for text in ["1 +", "1/0", "(1", "1 2", "08", "9x"] {
            assert!(evaluate(text.as_bytes(), &mut variables).is_err(), "{text}");
        }
        let deep = "(".repeat(100_000);
        assert!(evaluate(deep.as_bytes(), &mut variables).is_err());
    }
}
