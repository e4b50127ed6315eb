//! Compact JWS (RFC 7515) with a detached choice of algorithm: a key says which algorithm it is used with (RFC 8725,
//! section 3.1), and the header may only repeat it.

use aws_lc_rs::signature::{self, RsaPublicKeyComponents, UnparsedPublicKey};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use serde_json::{Map, Value};

use crate::{known::Known, strict_json};

/// The longest token that is looked at.
pub const LONGEST: usize = 8 * 1024;

/// The longest key id that is looked up.
pub const LONGEST_KEY_ID: usize = 128;

/// A public key with the one algorithm it is used with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PublicKey {
    /// Ed25519 (RFC 8037): the 32 bytes of the point.
    Ed25519([u8; 32]),
    /// P-256 with SHA-256 (RFC 7518, section 3.4): the uncompressed point, 65 bytes.
    P256([u8; 65]),
    /// RSA of 2048 to 8192 bits with PKCS #1 v1.5 and SHA-256 (RFC 7518, section 3.3): of issuers outside, and of ID tokens for clients that read no other.
    Rsa {
        /// The modulus, big-endian.
        n: Vec<u8>,
        /// The exponent, big-endian.
        e: Vec<u8>,
    },
}

/// The shortest and the longest modulus, in bytes (RFC 7518, section 3.3: at least 2048 bits).
const MODULUS: std::ops::RangeInclusive<usize> = 256..=1024;

impl PublicKey {
    /// A key of RSA, if its numbers are of lengths that are used.
    pub fn rsa(n: Vec<u8>, e: Vec<u8>) -> Option<Self> {
        let fits = MODULUS.contains(&n.len()) && (1..=4).contains(&e.len());
        fits.then_some(Self::Rsa { n, e })
    }

    /// Whether a header names this key's algorithm. RFC 9864 gives the fully specified name `Ed25519` to what RFC 8037
    /// calls `EdDSA` with this curve; clients send either.
    pub fn goes_with(&self, algorithm: &str) -> bool {
        match self {
            Self::Ed25519(_) => matches!(algorithm, "EdDSA" | "Ed25519"),
            Self::P256(_) => algorithm == "ES256",
            Self::Rsa { .. } => algorithm == "RS256",
        }
    }

    /// Whether this key signed a message.
    pub fn verify(&self, message: &[u8], signature: &[u8]) -> bool {
        match self {
            Self::Ed25519(key) => UnparsedPublicKey::new(&signature::ED25519, key).verify(message, signature),
            Self::P256(key) => {
                UnparsedPublicKey::new(&signature::ECDSA_P256_SHA256_FIXED, key).verify(message, signature)
            }
            Self::Rsa { n, e } => {
                RsaPublicKeyComponents { n, e }.verify(&signature::RSA_PKCS1_2048_8192_SHA256, message, signature)
            }
        }
        .is_ok()
    }
}

/// A token that is well formed. What it says is nobody's word until [`Parsed::verify`] has been asked.
#[derive(Debug)]
pub struct Parsed<'a> {
    header: Map<String, Value>,
    signed: &'a [u8],
    payload: Vec<u8>,
    signature: Vec<u8>,
}

/// Takes a token apart; nothing if it is not a compact JWS that we would ever accept.
pub fn parse(token: &str) -> Option<Parsed<'_>> {
    if token.len() > LONGEST {
        return None;
    }
    let (signed, signature) = token.rsplit_once('.')?;
    let (header, payload) = signed.split_once('.')?;
    // A dot in the payload's place would be a fourth part; base64url has none, so decoding refuses it.
    let header = strict_json::object(&decode(header)?)?;
    // Extensions that must be understood: we understand none (RFC 7515, section 4.1.11).
    if header.contains_key("crit") {
        return None;
    }
    Some(Parsed {
        header,
        signed: signed.as_bytes(),
        payload: decode(payload)?,
        signature: decode(signature)?,
    })
}

impl Parsed<'_> {
    /// The key that the header names. Other ways to name one (`jwk`, `jku`, `x5u`) are for their own readers.
    pub fn key_id(&self) -> Option<&str> {
        let id = self.header.get("kid")?.as_str()?;
        (id.len() <= LONGEST_KEY_ID).then_some(id)
    }

    /// Whether the header goes with this key, and names it by this id or by none.
    pub fn may_be_of(&self, id: &str, key: &PublicKey) -> bool {
        self.names(key) && (self.key_id() == Some(id) || !self.header.contains_key("kid"))
    }

    /// The public key that the header brings along, as only a proof of possession does.
    pub fn embedded_key(&self) -> Option<&Map<String, Value>> {
        self.header.get("jwk")?.as_object()
    }

    /// Whether the header has this `typ`.
    pub fn is_of_type(&self, type_: &str) -> bool {
        self.type_().as_deref() == Some(type_)
    }

    /// The claims, which are nobody's word: for what somebody else is going to judge.
    pub fn unproven(&self) -> Option<Map<String, Value>> {
        strict_json::object(&self.payload)
    }

    /// The issuer that the payload names: whose keys are to judge it, and no more than that.
    pub fn issuer(&self) -> Option<String> {
        match self.unproven()?.remove("iss")? {
            Value::String(issuer) => Some(issuer),
            _ => None,
        }
    }

    /// The claims, if the header has this `typ` and the signature is this key's.
    pub fn verify(&self, type_: &str, key: &PublicKey) -> Option<Map<String, Value>> {
        self.is_of_type(type_).then(|| self.claims(key))?
    }

    /// The same, of a token that is shown again and again.
    pub fn verify_known(&self, type_: &str, key: &PublicKey, known: &Known) -> Option<Map<String, Value>> {
        let is_good = self.is_of_type(type_) && self.names(key) && known.verify(key, self.signed, &self.signature);
        is_good.then(|| strict_json::object(&self.payload))?
    }

    /// The claims of a token of another issuer, which may name no `typ`, or a token's without saying which. What is no
    /// token for an API says so (RFC 8725, section 3.11), and is refused.
    pub fn verify_foreign(&self, key: &PublicKey) -> Option<Map<String, Value>> {
        let fits = match self.header.get("typ") {
            None => true,
            Some(_) => matches!(self.type_()?.as_str(), "jwt" | "at+jwt"),
        };
        fits.then(|| self.claims(key))?
    }

    /// Media types compare without case, and `application/` may be left out (RFC 7515, section 4.1.9).
    fn type_(&self) -> Option<String> {
        let typ = self.header.get("typ")?.as_str()?.to_ascii_lowercase();
        Some(typ.strip_prefix("application/").map(str::to_owned).unwrap_or(typ))
    }

    /// Whether the header names this key's algorithm, and the signature is this key's.
    pub fn is_signed_by(&self, key: &PublicKey) -> bool {
        self.names(key) && key.verify(self.signed, &self.signature)
    }

    fn names(&self, key: &PublicKey) -> bool {
        let algorithm = self.header.get("alg").and_then(Value::as_str);
        algorithm.is_some_and(|name| key.goes_with(name))
    }

    fn claims(&self, key: &PublicKey) -> Option<Map<String, Value>> {
        self.is_signed_by(key).then(|| strict_json::object(&self.payload))?
    }
}

/// Base64url without padding, in its one canonical spelling: the engine refuses padding, white space and trailing bits.
pub fn decode(text: &str) -> Option<Vec<u8>> {
    URL_SAFE_NO_PAD.decode(text).ok()
}

#[cfg(test)]
mod tests;
