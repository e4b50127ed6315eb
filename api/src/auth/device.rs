//! A cookie that shows that somebody logged in from here before. It is no proof of who asks: it only lets the owner in
//! while strangers, who have none, are held up.

use aws_lc_rs::{constant_time, hmac};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use domain::OverseerId;

use crate::auth::jws;

/// The purpose of the key.
pub const KEY: &str = "device";

const LENGTH: usize = 16 + 16 + 32;

/// The cookie's name of its own: what is counted when somebody guesses with a stolen cookie.
pub type Name = [u8; 16];

/// A new cookie for a person.
pub fn mint(key: &hmac::Key, overseer: OverseerId, name: Name) -> String {
    let mut bytes = Vec::with_capacity(LENGTH);
    bytes.extend(overseer.as_bytes());
    bytes.extend(name);
    let code = hmac::sign(key, &bytes);
    bytes.extend(code.as_ref());
    URL_SAFE_NO_PAD.encode(bytes)
}

/// The cookie's name, if it is ours and this person's.
pub fn read(key: &hmac::Key, overseer: OverseerId, text: &str) -> Option<Name> {
    if text.len() > LENGTH * 2 {
        return None;
    }
    let bytes: [u8; LENGTH] = jws::decode(text)?.try_into().ok()?;
    let (body, given) = bytes.split_at_checked(32)?;
    constant_time::verify_slices_are_equal(hmac::sign(key, body).as_ref(), given).ok()?;
    let name = body.strip_prefix(overseer.as_bytes())?;
    name.try_into().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn is_one_persons() {
        let key = hmac::Key::new(hmac::HMAC_SHA256, &[3; 32]);
        let (ada, bob) = (OverseerId::from_u128(1), OverseerId::from_u128(2));
        let cookie = mint(&key, ada, [9; 16]);
        assert_eq!(read(&key, ada, &cookie), Some([9; 16]));
        assert_eq!(read(&key, bob, &cookie), None);
        assert_eq!(read(&hmac::Key::new(hmac::HMAC_SHA256, &[4; 32]), ada, &cookie), None);
        assert_eq!(read(&key, ada, &cookie[1..]), None);
        assert_eq!(read(&key, ada, ""), None);
    }
}
