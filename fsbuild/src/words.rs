//! words: splitting a Conductorfile's argument text into words and `name=value` pairs.

/// Splits at white space. Quotes keep it; a backslash keeps the next character, except inside single quotes.
///
/// # Errors
/// A quote that is not closed.
pub fn split_words(text: &str) -> Result<Vec<String>, String> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut quote: Option<char> = None;
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        match (quote, c) {
            (Some(q), c) if c == q => quote = None,
            (Some('\''), c) => word.get_or_insert_default().push(c),
            (_, '\\') => match (quote, chars.next()) {
                // A dollar sign stays escaped until variables are expanded.
                (_, Some('$')) => word.get_or_insert_default().push_str("\\$"),
                // In double quotes a backslash is special only before a quote or another backslash.
                (Some(_), Some(next)) if !"\"\\".contains(next) => word.get_or_insert_default().extend(['\\', next]),
                (_, Some(next)) => word.get_or_insert_default().push(next),
                (_, None) => word.get_or_insert_default().push('\\'),
            },
            (None, '"' | '\'') => {
                quote = Some(c);
                word.get_or_insert_default();
            }
            (None, c) if c.is_whitespace() => words.extend(word.take()),
            (_, c) => word.get_or_insert_default().push(c),
        }
    }
    match quote {
        Some(q) => Err(format!("a {q} is not closed")),
        None => {
            words.extend(word);
            Ok(words)
        }
    }
}

/// Splits `name=value...`, or the old form `name value`, where the rest of the line is the value.
///
/// # Errors
/// A word without `=` or with an empty name, a quote that is not closed.
pub fn pairs(keyword: &str, text: &str) -> Result<Vec<(String, String)>, String> {
    let first = text.split_whitespace().next().unwrap_or_default();
    if !first.contains('=') {
        return match text.split_once(char::is_whitespace) {
            Some((name, value)) => Ok(vec![(name.into(), value.trim().into())]),
            None => Err(format!("{keyword} needs name=value")),
        };
    }
    split_words(text)?
        .into_iter()
        .map(|word| match word.split_once('=') {
            Some((name, value)) if !name.is_empty() => Ok((name.to_string(), value.to_string())),
            _ => Err(format!("{keyword}: {word:?} is not name=value")),
        })
        .collect()
}
