//! Whoever brings a key signs with it, so that nobody brings another's.

use aws_lc_rs::signature::{ED25519, UnparsedPublicKey};
use jiff::{SignedDuration, Timestamp};
use resource_server::ed25519::{field, is_of_small_order};

use crate::auth::jws;

/// What the signed bytes of an agent's registration begin with.
pub const REGISTRATION_TAG: &str = "pinfold-agent-registration-v1";

/// What the signed bytes of an agent's further key begin with.
pub const KEY_TAG: &str = "pinfold-agent-key-v1";

/// How far the agent's clock may be off, both ways.
pub const WINDOW: SignedDuration = SignedDuration::from_secs(300);

/// A key with a signature by it, as they are sent.
#[derive(Debug, Clone, Copy)]
pub struct Proof<'a> {
    /// 32 bytes in base64url.
    pub public_key: &'a str,
    /// The seconds of the agent's clock.
    pub signed_at: i64,
    /// 64 bytes in base64url.
    pub signature: &'a str,
}

/// What of a proof is wrong.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{field}: {message}")]
pub struct ProofError {
    /// The member at fault.
    pub field: &'static str,
    /// What is wrong with it and what to write instead.
    pub message: String,
}

impl Proof<'_> {
    /// The key, if the signature is its own over `fixed` (the tag first) and then the values of `members`, in this order and
    /// joined by zero bytes, which none of them may hold.
    pub fn check(
        &self,
        fixed: &[&str],
        members: &[(&'static str, &str)],
        now: Timestamp,
    ) -> Result<[u8; 32], ProofError> {
        let wrong = |field, message: String| ProofError { field, message };
        let public_key = jws::decode(self.public_key)
            .and_then(|bytes| bytes.try_into().ok())
            .ok_or_else(|| wrong("public_key", "write 32 bytes in base64url without padding".to_owned()))?;
        if !is_recent(self.signed_at, now) {
            let message = format!(
                "is not within {} seconds of this service's clock, which says {}",
                WINDOW.as_secs(),
                now.as_second()
            );
            return Err(wrong("signed_at", message));
        }
        let signature = signature(self.signature)?;
        let values: Vec<&str> = fixed
            .iter()
            .copied()
            .chain(members.iter().map(|(_, value)| *value))
            .collect();
        if verify(&public_key, &signed_bytes(&values), &signature) {
            return Ok(public_key);
        }
        let names: Vec<String> = fixed
            .iter()
            .map(|text| format!("{text:?}"))
            .chain(members.iter().map(|(name, _)| (*name).to_owned()))
            .collect();
        let message = format!("is not this key's over {}, joined by zero bytes", names.join(", "));
        Err(wrong("signature", message))
    }
}

/// A signature as it is sent: 64 bytes in base64url.
pub fn signature(text: &str) -> Result<Vec<u8>, ProofError> {
    jws::decode(text)
        .filter(|bytes| bytes.len() == 64)
        .ok_or_else(|| ProofError {
            field: "signature",
            message: "write 64 bytes in base64url without padding".to_owned(),
        })
}

/// What is signed: the parts with a zero byte between them.
pub fn signed_bytes(parts: &[&str]) -> Vec<u8> {
    parts.join("\0").into_bytes()
}

/// Whether the agent's clock is near enough.
fn is_recent(at: i64, now: Timestamp) -> bool {
    let off = now.as_second().abs_diff(at);
    off <= WINDOW.unsigned_abs().as_secs()
}

/// Whether the signature is the key's. Points of small order are no key: with them a signature fits many messages.
pub fn verify(public_key: &[u8; 32], message: &[u8], signature: &[u8]) -> bool {
    !is_of_small_order(public_key)
        && UnparsedPublicKey::new(&ED25519, public_key)
            .verify(message, signature)
            .is_ok()
}

/// A key that is nobody's, to spend the same time on an agent that does not exist: the base point (RFC 8032, section 5.1).
pub const NOBODYS: [u8; 32] = field(0x58, 0x66, 0x66);

#[cfg(test)]
mod tests {
    use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair as _};
    use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};

    use super::*;
    use crate::auth::challenge;

    /// The vectors of docs/auth.md, by the key of RFC 8032, section 7.1, test 1.
    #[test]
    fn the_documentation_has_what_is_signed_with_its_signature() {
        const SEED: &str = "nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A";
        const KEY: &str = "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo";
        const ISSUER: &str = "https://pinfold.example";
        const AGENT: &str = "0198c5b4-5a0e-7000-8000-00000000000a";
        let page = include_str!("../../../docs/auth.md");
        assert!(page.contains(SEED) && page.contains(KEY));
        let pair = Ed25519KeyPair::from_seed_unchecked(&jws::decode(SEED).unwrap()).unwrap();
        assert_eq!(jws::decode(KEY).unwrap(), pair.public_key().as_ref());
        let all = [
            signed_bytes(&[REGISTRATION_TAG, ISSUER, KEY, "1800000000", "scout"]),
            signed_bytes(&[KEY_TAG, ISSUER, AGENT, KEY, "1800000000"]),
            signed_bytes(&[
                challenge::TAG,
                ISSUER,
                AGENT,
                "0198c5b4-5a0e-7000-8000-00000000000b",
                "q1pC0u7oT0m5dQ0gq2m8d3l6Zz7cV4nB1xYkR9sWtEo",
                "1800000060",
            ]),
        ];
        for bytes in all {
            let signature = URL_SAFE_NO_PAD.encode(pair.sign(&bytes));
            let text = String::from_utf8(bytes).unwrap().replace('\0', "\u{2400}");
            assert!(
                page.contains(&format!("\n{text}\n{signature}\n")),
                "{text}\n{signature}"
            );
        }
    }

    #[test]
    fn the_clock_may_be_off_by_the_window() {
        let now = Timestamp::from_second(1_800_000_000).unwrap();
        let offs = [-301, -300, 0, 300, 301].map(|off| is_recent(1_800_000_000 + off, now));
        assert_eq!(offs, [false, true, true, true, false]);
        assert!(!is_recent(i64::MIN, now) && !is_recent(i64::MAX, now));
    }

    #[test]
    fn a_signature_is_the_keys_for_the_message() {
        let pair = Ed25519KeyPair::from_seed_unchecked(&[5; 32]).unwrap();
        let key: [u8; 32] = pair.public_key().as_ref().try_into().unwrap();
        let signature = pair.sign(b"message");
        assert!(verify(&key, b"message", signature.as_ref()));
        assert!(!verify(&key, b"massage", signature.as_ref()));
        assert!(!verify(&[9; 32], b"message", signature.as_ref()));
        assert!(!verify(&key, b"message", &signature.as_ref()[1..]));
    }

    /// With the point (0, 1) the signature (R = (0, 1), S = 0) fits every message.
    #[test]
    fn points_of_small_order_are_no_keys() {
        let mut key = [0; 32];
        key[0] = 1;
        let mut signature = [0; 64];
        signature[0] = 1;
        assert!(!verify(&key, b"anything", &signature));
        key[31] = 0x80;
        assert!(!verify(&key, b"anything", &signature));
    }
}
