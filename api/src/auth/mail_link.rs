//! The secret of a link that is sent by mail.
//!
//! It is made of the link's id and a code under a key of ours, so neither the database nor a job holds it; the worker that
//! sends the mail makes it, as often as it has to.

use aws_lc_rs::{constant_time, hmac};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use uuid::Uuid;

use crate::auth::jws;

/// The purpose of the key.
pub const KEY: &str = "mail link";

const LENGTH: usize = 16 + 32;

/// What a link is good for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// To open an account.
    SignUp,
    /// To choose another password.
    PasswordReset,
    /// To join a tenant.
    Invitation,
}

impl Purpose {
    /// As it is stored.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::SignUp => "sign_up",
            Self::PasswordReset => "password_reset",
            Self::Invitation => "invitation",
        }
    }
}

/// The secret of a link.
pub fn mint(key: &hmac::Key, purpose: Purpose, id: Uuid) -> String {
    let mut bytes = Vec::with_capacity(LENGTH);
    bytes.extend(id.as_bytes());
    bytes.extend(code(key, purpose, id).as_ref());
    URL_SAFE_NO_PAD.encode(bytes)
}

/// The id of a link by its secret; nothing if it is not ours, or is for something else.
pub fn read(key: &hmac::Key, purpose: Purpose, text: &str) -> Option<Uuid> {
    if text.len() > LENGTH * 2 {
        return None;
    }
    let bytes: [u8; LENGTH] = jws::decode(text)?.try_into().ok()?;
    let (id, given) = bytes.split_first_chunk::<16>()?;
    let id = Uuid::from_bytes(*id);
    constant_time::verify_slices_are_equal(code(key, purpose, id).as_ref(), given).ok()?;
    Some(id)
}

fn code(key: &hmac::Key, purpose: Purpose, id: Uuid) -> hmac::Tag {
    let mut context = hmac::Context::with_key(key);
    context.update(purpose.as_str().as_bytes());
    context.update(&[0]);
    context.update(id.as_bytes());
    context.sign()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn is_good_for_one_thing_and_ours() {
        let key = hmac::Key::new(hmac::HMAC_SHA256, &[3; 32]);
        let other = hmac::Key::new(hmac::HMAC_SHA256, &[4; 32]);
        let id = Uuid::from_u128(5);
        let text = mint(&key, Purpose::SignUp, id);
        assert_eq!(read(&key, Purpose::SignUp, &text), Some(id));
        assert_eq!(read(&key, Purpose::PasswordReset, &text), None);
        assert_eq!(read(&key, Purpose::Invitation, &text), None);
        assert_eq!(read(&other, Purpose::SignUp, &text), None);
        for place in 0..text.len() {
            let mut changed = text.clone();
            changed.replace_range(place..=place, "~");
            assert_eq!(read(&key, Purpose::SignUp, &changed), None, "{place}");
            assert_eq!(read(&key, Purpose::SignUp, &text[..place]), None, "{place}");
        }
        assert_eq!(read(&key, Purpose::SignUp, &"A".repeat(100_000)), None);
    }
}
