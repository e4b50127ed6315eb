//! What shows that whoever brings a code began its request (RFC 7636), with S256 and nothing else.

use aws_lc_rs::constant_time::verify_slices_are_equal;

use crate::auth::{jws, opaque::sha256};

/// The name of the one method.
pub const METHOD: &str = "S256";

/// The challenge of a request: SHA-256 of the verifier, in base64url (section 4.2).
pub fn challenge(text: &str) -> Option<[u8; 32]> {
    jws::decode(text)?.try_into().ok()
}

/// Whether a verifier, of 43 to 128 unreserved characters (section 4.1), is the one of this challenge.
pub fn is_of(challenge: &[u8; 32], verifier: &str) -> bool {
    let unreserved = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    (43..=128).contains(&verifier.len())
        && verifier.bytes().all(unreserved)
        && verify_slices_are_equal(challenge, &sha256(verifier.as_bytes())).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 7636, appendix B.
    #[test]
    fn the_rfcs_example() {
        let given = challenge("E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM").unwrap();
        assert!(is_of(&given, "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"));
        assert!(!is_of(&given, "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXK"));
    }

    #[test]
    fn a_verifier_has_a_length_and_an_alphabet() {
        for (text, good) in [
            ("a".repeat(42), false),
            ("a".repeat(43), true),
            ("~._-".repeat(32), true),
            ("a".repeat(129), false),
            (format!("{}+", "a".repeat(43)), false),
            (format!("{}ä", "a".repeat(43)), false),
        ] {
            assert_eq!(is_of(&sha256(text.as_bytes()), &text), good, "{text}");
        }
    }

    #[test]
    fn a_challenge_is_a_hash() {
        for bad in [
            "",
            "plain",
            &"a".repeat(42),
            &format!("{}=", "a".repeat(43)),
            &"a".repeat(44),
        ] {
            assert_eq!(challenge(bad), None, "{bad}");
        }
    }
}
