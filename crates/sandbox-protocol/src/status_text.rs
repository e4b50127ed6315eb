//! A stream's tail as text that a Kubernetes status can hold and a terminal can show.

use crate::StreamTail;

/// The end of an output stream, as text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StatusText {
    /// Valid UTF-8 without NUL; other control characters as the program wrote them.
    pub text: String,
    /// Whether the stream carried more than the text shows.
    pub truncated: bool,
    /// All bytes that the stream carried.
    pub total_bytes: u64,
}

/// Turns a tail into text: what is not UTF-8, and NUL, becomes U+FFFD; so does a character whose front was cut off.
pub fn status_text(stream: &StreamTail) -> StatusText {
    let truncated = stream.total_bytes > stream.tail.len() as u64;
    let cut = if truncated { cut_character(&stream.tail) } else { 0 };
    let mut text = String::new();
    if cut > 0 {
        text.push(char::REPLACEMENT_CHARACTER);
    }
    text.push_str(&String::from_utf8_lossy(&stream.tail[cut..]).replace('\0', "\u{fffd}"));
    StatusText {
        text,
        truncated,
        total_bytes: stream.total_bytes,
    }
}

/// Bytes in front that continue a character which began before the tail: at most three.
fn cut_character(tail: &[u8]) -> usize {
    tail.iter()
        .take(3)
        .take_while(|byte| **byte & 0b1100_0000 == 0b1000_0000)
        .count()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn text(tail: &[u8], total_bytes: u64) -> StatusText {
        status_text(&StreamTail {
            tail: tail.to_vec(),
            total_bytes,
        })
    }

    #[test]
    fn plain_text_stays_with_its_control_characters() {
        let shown = text(b"\x1b[31mred\x1b[0m\r\n\x07\tend", 19);
        assert_eq!(shown.text, "\x1b[31mred\x1b[0m\r\n\x07\tend");
        assert_eq!((shown.truncated, shown.total_bytes), (false, 19));
    }

    #[test]
    fn nul_and_invalid_bytes_are_replaced() {
        assert_eq!(text(b"a\0b\xff\xfec", 6).text, "a\u{fffd}b\u{fffd}\u{fffd}c");
        assert_eq!(text(&[0xed, 0xa0, 0x80], 3).text, "\u{fffd}\u{fffd}\u{fffd}");
    }

    #[test]
    fn a_character_cut_by_the_tail_is_one_replacement() {
        let whole = "🦀x".as_bytes();
        for cut in 1..4 {
            let shown = text(&whole[cut..], whole.len() as u64);
            assert_eq!(shown.text, "\u{fffd}x", "{cut}");
            assert!(shown.truncated);
        }
        assert_eq!(text(&whole[4..], whole.len() as u64).text, "x");
        assert_eq!(text(&whole[..3], 3).text, "\u{fffd}");
    }

    #[test]
    fn nothing_is_nothing() {
        assert_eq!(
            text(b"", 0),
            StatusText {
                text: String::new(),
                truncated: false,
                total_bytes: 0
            }
        );
        assert!(text(b"", 5).truncated);
    }

    proptest! {
        #[test]
        fn never_panics_never_holds_nul(tail in prop::collection::vec(any::<u8>(), 0..100), before in 0..10_u64) {
            let shown = text(&tail, tail.len() as u64 + before);
            prop_assert!(!shown.text.contains('\0'));
            prop_assert_eq!(shown.truncated, before > 0);
        }

        #[test]
        fn whole_text_is_unchanged(whole in "\\PC{0,50}") {
            prop_assert_eq!(text(whole.as_bytes(), whole.len() as u64).text, whole);
        }
    }
}
