//! The secret of a link that is sent by mail.
//!
//! It is made of the link's id and a code under a key of ours, so neither the database nor a job holds it; the worker that
//! sends the mail makes it, as often as it has to.

use aws_lc_rs::hmac;
use uuid::Uuid;

use crate::auth::coded;

/// The purpose of the key.
pub const KEY: &str = "mail link";

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

    /// The purpose of this name.
    pub fn parse(text: &str) -> Option<Self> {
        [Self::SignUp, Self::PasswordReset, Self::Invitation]
            .into_iter()
            .find(|purpose| purpose.as_str() == text)
    }

    fn context(self) -> [&'static [u8]; 2] {
        [self.as_str().as_bytes(), &[0]]
    }
}

/// The secret of a link.
pub fn mint(key: &hmac::Key, purpose: Purpose, id: Uuid) -> String {
    coded::mint(key, &purpose.context(), id.as_bytes())
}

/// The id of a link by its secret; nothing if it is not ours, or is for something else.
pub fn read(key: &hmac::Key, purpose: Purpose, text: &str) -> Option<Uuid> {
    coded::read(key, &purpose.context(), text).map(Uuid::from_bytes)
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
