//! The stand-in owner of an agent that registered itself.

use aws_lc_rs::hmac;
use domain::OverseerId;

/// The same key has the same stand-in, and nobody without the secret can tell which.
pub fn owner(secret: &hmac::Key, thumbprint: &str) -> OverseerId {
    let tag = hmac::sign(secret, thumbprint.as_bytes());
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&tag.as_ref()[..16]);
    // A UUID of our own making (RFC 9562, section 5.8).
    OverseerId::of_uuid(uuid::Builder::from_custom_bytes(bytes).into_uuid())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn depends_on_the_key_and_on_the_secret() {
        let secret = |byte| hmac::Key::new(hmac::HMAC_SHA256, &[byte; 32]);
        assert_eq!(owner(&secret(1), "a"), owner(&secret(1), "a"));
        assert_ne!(owner(&secret(1), "a"), owner(&secret(1), "b"));
        assert_ne!(owner(&secret(1), "a"), owner(&secret(2), "a"));
        assert_eq!(owner(&secret(1), "a").uuid().get_version_num(), 8);
    }
}
