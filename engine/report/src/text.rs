//! Words, lists and quoting: small things that every view needs.

use std::borrow::Cow;
use std::fmt::{self, Write as _};

/// A word as a shell takes it: as it is where that is safe, else in single quotes.
#[must_use]
pub fn shell_word(word: &str) -> Cow<'_, str> {
    let safe = |byte: u8| byte.is_ascii_alphanumeric() || b"_-./:=@%+,".contains(&byte);
    if !word.is_empty() && word.bytes().all(safe) {
        return Cow::Borrowed(word);
    }
    Cow::Owned(format!("'{}'", word.replace('\'', r"'\''")))
}

/// `1 step`, `2 steps`.
#[must_use]
pub fn count(number: usize, one: &str) -> String {
    let s = if number == 1 { "" } else { "s" };
    format!("{} {one}{s}", thousands(number))
}

/// `100,000`.
#[must_use]
pub fn thousands(number: usize) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (at, digit) in digits.char_indices() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// The first few of many, and how many more there are.
pub fn some_of<T: fmt::Display>(items: impl IntoIterator<Item = T>, most: usize, between: &str) -> String {
    let mut text = String::new();
    let mut left = 0_usize;
    for (at, item) in items.into_iter().enumerate() {
        if at >= most {
            left += 1;
        } else {
            let between = if at == 0 { "" } else { between };
            write!(text, "{between}{item}").expect("writing to a String cannot fail");
        }
    }
    if left > 0 {
        write!(text, "{between}{} more", thousands(left)).expect("writing to a String cannot fail");
    }
    text
}

/// Text of somebody else's on one line, with nothing in it that a terminal obeys.
#[must_use]
pub fn one_line(text: &str) -> Cow<'_, str> {
    let text = text.trim();
    if !text.contains(char::is_control) {
        return Cow::Borrowed(text);
    }
    let lines: Vec<String> = text.lines().map(without_controls).collect();
    Cow::Owned(lines.join(" / "))
}

/// A line that a terminal shows as it is: escapes would recolour it, or overwrite what was said before.
pub(crate) fn without_controls(line: &str) -> String {
    line.trim_end().chars().map(|letter| if letter.is_control() { ' ' } else { letter }).collect()
}

/// The first `most` characters of a text, on one line.
#[must_use]
pub fn shortened(text: &str, most: usize) -> Cow<'_, str> {
    let line = one_line(text);
    match line.char_indices().nth(most) {
        Some((end, _)) => Cow::Owned(format!("{}…", &line[..end])),
        None => line,
    }
}

/// Every line of a text behind the same margin.
pub(crate) fn indented(out: &mut dyn fmt::Write, margin: &str, text: &str) -> fmt::Result {
    for line in text.trim_end().lines() {
        writeln!(out, "{margin}{}", without_controls(line))?;
    }
    Ok(())
}
