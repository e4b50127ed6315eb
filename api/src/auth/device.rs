//! A cookie that shows that somebody logged in from here before. It is no proof of who asks: it only lets the owner in
//! while strangers, who have none, are held up.

use aws_lc_rs::hmac;
use domain::OverseerId;

use crate::auth::coded;

/// The purpose of the key.
pub const KEY: &str = "device";

/// The cookie's name of its own: what is counted when somebody guesses with a stolen cookie.
pub type Name = [u8; 16];

/// A new cookie for a person.
pub fn mint(key: &hmac::Key, overseer: OverseerId, name: Name) -> String {
    coded::mint(key, &[], &[*overseer.as_bytes(), name].concat())
}

/// The cookie's name, if it is ours and this person's.
pub fn read(key: &hmac::Key, overseer: OverseerId, text: &str) -> Option<Name> {
    let body: [u8; 32] = coded::read(key, &[], text)?;
    body.strip_prefix(overseer.as_bytes())?.try_into().ok()
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
