//! Secrets of our own at rest: sealed under keys that are derived from one master key, each for one purpose.

use std::fmt;

use aws_lc_rs::{
    aead::{AES_256_GCM, Aad, NONCE_LEN, Nonce, RandomizedNonceKey},
    hkdf::{HKDF_SHA256, KeyType, Salt},
    hmac,
};

/// The key that all others are derived from. It is in no database and in no log. While it is being replaced there is the one before it, too:
/// nothing is sealed or signed with that, and what was is still known.
#[derive(Clone)]
pub struct MasterKey {
    current: [u8; 32],
    previous: Option<[u8; 32]>,
}

impl fmt::Debug for MasterKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("MasterKey(..)")
    }
}

/// Something sealed does not open: it was changed, belongs to another place, or was sealed under another master key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("what was sealed does not open under this master key")]
pub struct NotOurs;

struct Length(usize);

impl KeyType for Length {
    fn len(&self) -> usize {
        self.0
    }
}

impl MasterKey {
    /// The key with these bytes.
    pub fn new(bytes: [u8; 32]) -> Self {
        Self {
            current: bytes,
            previous: None,
        }
    }

    /// The same in the place of another.
    #[must_use]
    pub fn after(self, previous: Option<[u8; 32]>) -> Self {
        Self { previous, ..self }
    }

    /// The one before, if there is one.
    pub fn previous(&self) -> Option<Self> {
        self.previous.map(Self::new)
    }

    /// A key for one purpose (RFC 5869).
    pub fn derive(&self, purpose: &str) -> [u8; 32] {
        let mut key = [0; 32];
        let info = [b"pinfold/", purpose.as_bytes()];
        let expanded = Salt::new(HKDF_SHA256, &[])
            .extract(&self.current)
            .expand(&info, Length(key.len()))
            .and_then(|okm| okm.fill(&mut key));
        // Fails only beyond 255 blocks of output, and this is one.
        debug_assert!(expanded.is_ok());
        key
    }

    /// A key for message authentication for one purpose.
    pub fn mac(&self, purpose: &str) -> hmac::Key {
        hmac::Key::new(hmac::HMAC_SHA256, &self.derive(purpose))
    }

    /// Seals a secret. `place` says where it is kept: what is sealed for one place does not open at another.
    pub fn seal(&self, purpose: &str, place: &str, secret: &[u8]) -> Result<Vec<u8>, NotOurs> {
        let mut text = secret.to_vec();
        let nonce = self
            .cipher(purpose)?
            .seal_in_place_append_tag(Aad::from(place.as_bytes()), &mut text)
            .map_err(|_| NotOurs)?;
        let mut sealed = nonce.as_ref().to_vec();
        sealed.append(&mut text);
        Ok(sealed)
    }

    /// Opens what [`MasterKey::seal`] gave, or gave under the key before.
    pub fn open(&self, purpose: &str, place: &str, sealed: &[u8]) -> Result<Vec<u8>, NotOurs> {
        let opened = self.open_alone(purpose, place, sealed);
        opened.or_else(|_| self.previous().ok_or(NotOurs)?.open_alone(purpose, place, sealed))
    }

    /// What was sealed under the key before, sealed under this one; nothing if it is under this one already.
    pub fn reseal(&self, purpose: &str, place: &str, sealed: &[u8]) -> Result<Option<Vec<u8>>, NotOurs> {
        if self.open_alone(purpose, place, sealed).is_ok() {
            return Ok(None);
        }
        let secret = self.open(purpose, place, sealed)?;
        self.seal(purpose, place, &secret).map(Some)
    }

    fn open_alone(&self, purpose: &str, place: &str, sealed: &[u8]) -> Result<Vec<u8>, NotOurs> {
        let (nonce, text) = sealed.split_at_checked(NONCE_LEN).ok_or(NotOurs)?;
        let nonce = Nonce::try_assume_unique_for_key(nonce).map_err(|_| NotOurs)?;
        let mut text = text.to_vec();
        let opened = self
            .cipher(purpose)?
            .open_in_place(nonce, Aad::from(place.as_bytes()), &mut text)
            .map_err(|_| NotOurs)?;
        Ok(opened.to_vec())
    }

    fn cipher(&self, purpose: &str) -> Result<RandomizedNonceKey, NotOurs> {
        RandomizedNonceKey::new(&AES_256_GCM, &self.derive(purpose)).map_err(|_| NotOurs)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn opens_where_it_was_sealed_and_nowhere_else() {
        let key = MasterKey::new([1; 32]);
        let sealed = key.seal("signing key", "k1", b"secret").unwrap();
        assert_eq!(key.open("signing key", "k1", &sealed).unwrap(), b"secret");
        assert_eq!(key.open("signing key", "k2", &sealed), Err(NotOurs));
        assert_eq!(key.open("totp", "k1", &sealed), Err(NotOurs));
        assert_eq!(MasterKey::new([2; 32]).open("signing key", "k1", &sealed), Err(NotOurs));
        for place in 0..sealed.len() {
            let mut changed = sealed.clone();
            changed[place] ^= 1;
            assert_eq!(key.open("signing key", "k1", &changed), Err(NotOurs), "{place}");
        }
        for length in 0..sealed.len() {
            assert_eq!(
                key.open("signing key", "k1", &sealed[..length]),
                Err(NotOurs),
                "{length}"
            );
        }
    }

    #[test]
    fn a_new_key_opens_what_the_one_before_sealed_and_seals_it_anew() {
        let old = MasterKey::new([1; 32]);
        let sealed = old.seal("a", "b", b"secret").unwrap();
        let new = MasterKey::new([2; 32]).after(Some([1; 32]));
        assert_eq!(new.open("a", "b", &sealed).unwrap(), b"secret");
        let anew = new
            .reseal("a", "b", &sealed)
            .unwrap()
            .expect("it was under the old one");
        let alone = MasterKey::new([2; 32]);
        assert_eq!(alone.open("a", "b", &anew).unwrap(), b"secret");
        assert_eq!(new.reseal("a", "b", &anew), Ok(None));
        assert_eq!(new.reseal("a", "c", &sealed), Err(NotOurs));
        assert_eq!(alone.reseal("a", "b", &sealed), Err(NotOurs));
    }

    #[test]
    fn the_same_secret_is_never_sealed_alike() {
        let key = MasterKey::new([1; 32]);
        assert_ne!(key.seal("a", "b", b"secret"), key.seal("a", "b", b"secret"));
    }

    #[test]
    fn says_nothing_of_itself() {
        assert_eq!(format!("{:?}", MasterKey::new([1; 32])), "MasterKey(..)");
    }
}
