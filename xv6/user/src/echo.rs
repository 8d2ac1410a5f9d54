//! What `echo` prints: the program and the shell's builtin share it. Options as in coreutils: `-n`, `-e`, `-E`, also joined.

use crate::text::unescape;

/// The output for the arguments given, without the command's name.
pub fn compose(arguments: &[Vec<u8>]) -> Vec<u8> {
    let (mut newline, mut escapes) = (true, false);
    let mut rest = arguments;
    while let Some((first, others)) = rest.split_first() {
        let is_option = first.len() > 1 && first[0] == b'-' && first[1..].iter().all(|letter| b"neE".contains(letter));
        if !is_option {
            break;
        }
        for letter in &first[1..] {
            match letter {
                b'n' => newline = false,
                letter => escapes = *letter == b'e',
            }
        }
        rest = others;
    }
    let mut text = rest.join(&b' ');
    if escapes {
        let (plain, ended) = unescape(&text, true);
        text = plain;
        newline &= !ended;
    }
    if newline {
        text.push(b'\n');
    }
    text
}

#[cfg(test)]
mod tests {
    #[test]
    fn options_join_and_end_at_the_first_word() {
        let echo = |words: &[&str]| {
            let words: Vec<Vec<u8>> = words.iter().map(|word| word.as_bytes().to_vec()).collect();
            String::from_utf8(super::compose(&words)).expect("the tests print ASCII")
        };
        assert_eq!(echo(&["a", "-n"]), "a -n\n");
        assert_eq!(echo(&["-ne", r"a\tb"]), "a\tb");
        assert_eq!(echo(&["-e", r"a\cb"]), "a");
        assert_eq!(echo(&["-x", r"\t"]), "-x \\t\n");
        assert_eq!(echo(&[]), "\n");
    }
}
