//! What shows that a request with a session's cookie comes from our own page or from a program that asked for it.

use aws_lc_rs::{constant_time, hmac};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};

use crate::auth::jws;

/// The purpose of the key.
pub const KEY: &str = "csrf";

/// The token of a session.
pub fn mint(key: &hmac::Key, session_hash: &[u8; 32]) -> String {
    URL_SAFE_NO_PAD.encode(hmac::sign(key, session_hash))
}

/// Whether a token is this session's.
pub fn is_of(key: &hmac::Key, session_hash: &[u8; 32], token: &str) -> bool {
    let wanted = hmac::sign(key, session_hash);
    token.len() == 43
        && jws::decode(token)
            .is_some_and(|given| constant_time::verify_slices_are_equal(&given, wanted.as_ref()).is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn is_one_sessions() {
        let key = hmac::Key::new(hmac::HMAC_SHA256, &[3; 32]);
        let token = mint(&key, &[1; 32]);
        assert!(is_of(&key, &[1; 32], &token));
        assert!(!is_of(&key, &[2; 32], &token));
        assert!(!is_of(&hmac::Key::new(hmac::HMAC_SHA256, &[4; 32]), &[1; 32], &token));
        for bad in ["", &token[1..], &format!("{token}A"), &format!("{token}=")] {
            assert!(!is_of(&key, &[1; 32], bad), "{bad}");
        }
    }
}
