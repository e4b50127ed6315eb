//! Names that people give to things and are shown.

/// The longest name, in characters.
pub const LONGEST: usize = 100;

/// A text that is no name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("write 1 to {LONGEST} characters, no control characters and no space at either end")]
pub struct InvalidDisplayName;

/// Checks a name.
pub fn check(text: &str) -> Result<(), InvalidDisplayName> {
    let length = text.chars().count();
    if !(1..=LONGEST).contains(&length) || text.chars().any(is_deceptive) || text.trim() != text {
        return Err(InvalidDisplayName);
    }
    Ok(())
}

/// What moves or hides what stands beside it: control characters, and those of Unicode for the direction of text.
fn is_deceptive(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_shows_what_it_is() {
        let longest = "é".repeat(LONGEST);
        for good in ["a", "Ada Lovelace", "بنك", &longest] {
            assert_eq!(check(good), Ok(()), "{good:?}");
        }
        let longer = "é".repeat(LONGEST + 1);
        for bad in [
            "",
            " a",
            "a ",
            "a\nb",
            "a\r\nb",
            "\0",
            "a\u{202e}b",
            "a\u{2066}b",
            "a\u{200b}b",
            "\u{feff}a",
            &longer,
        ] {
            assert_eq!(check(bad), Err(InvalidDisplayName), "{bad:?}");
        }
    }
}
