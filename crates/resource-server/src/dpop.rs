//! The proof that whoever sends a request holds a key (RFC 9449): a JWT of their own for this one request.

use aws_lc_rs::digest::{SHA256, digest};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Map, Value};
use url::Url;

use crate::{jwk, jws};

/// The `typ` of a proof (section 4.2).
pub const TYPE: &str = "dpop+jwt";

/// The algorithms that proofs are signed with. RFC 9864 gives to what RFC 8037 calls `EdDSA` with this curve the name `Ed25519`; clients send
/// either.
pub const ALGORITHMS: [&str; 3] = ["ES256", "EdDSA", "Ed25519"];

/// How far from now a proof may have been made (section 11.1), either way: it is remembered until it is older.
pub const WINDOW: SignedDuration = SignedDuration::from_mins(5);

/// The longest proof that is looked at.
const LONGEST: usize = 4 * 1024;

/// The longest name of a proof.
const LONGEST_ID: usize = 256;

/// What a proof must be for.
#[derive(Debug, Clone, Copy)]
pub struct Wanted<'a> {
    /// The method of the request.
    pub method: &'a str,
    /// Where it was sent to, without query and fragment.
    pub uri: &'a Url,
    /// The access token that came with it, if one did.
    pub access_token: Option<&'a str>,
    /// Now.
    pub now: Timestamp,
}

/// A proof that was judged good, but for what only its readers together know: whether it was used before, and whether its nonce is theirs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Proof {
    /// The thumbprint of the key (RFC 7638), which a token names as `jkt`.
    pub thumbprint: String,
    /// What is to be remembered of it: SHA-256 over the thumbprint and the proof's own name. Never over the signature, of which there may be
    /// several.
    pub digest: [u8; 32],
    /// The nonce that it names.
    pub nonce: Option<String>,
    /// When it was made.
    pub issued_at: Timestamp,
}

impl Proof {
    /// When it is refused for its age, and need no longer be remembered.
    pub fn forget_at(&self) -> Timestamp {
        self.issued_at.checked_add(WINDOW).unwrap_or(Timestamp::MAX)
    }
}

/// What is wrong with a proof.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Flaw {
    /// It is no JWT that would ever be a proof.
    #[error("it is no compact JWS of at most 4 KiB with each member once")]
    Malformed,
    /// It is some other JWT.
    #[error("its typ is not dpop+jwt")]
    Type,
    /// Its key is none that is used here.
    #[error("its jwk is no public key of P-256 or Ed25519")]
    Key,
    /// It is not signed by its key.
    #[error("its signature is not its jwk's, with ES256, EdDSA or Ed25519")]
    Signature,
    /// It has no name.
    #[error("its jti is no text of 1 to 256 bytes")]
    Id,
    /// It is for a request of another method.
    #[error("its htm is not the request's method")]
    Method,
    /// It is for another place.
    #[error("its htu is not the address of the request")]
    Uri,
    /// It is old, or its maker's clock is wrong.
    #[error("its iat, or its exp or nbf, is not within five minutes of now")]
    Time,
    /// It is for another token.
    #[error("its ath is not the hash of the access token")]
    AccessToken,
    /// Its nonce is no text.
    #[error("its nonce is no text")]
    Nonce,
}

/// Judges a proof (section 4.3). Work that costs comes last.
pub fn judge(text: &str, wanted: Wanted<'_>) -> Result<Proof, Flaw> {
    if text.len() > LONGEST {
        return Err(Flaw::Malformed);
    }
    let parsed = jws::parse(text).ok_or(Flaw::Malformed)?;
    if !parsed.is_of_type(TYPE) {
        return Err(Flaw::Type);
    }
    let key = parsed.embedded_key().and_then(jwk::elliptic).ok_or(Flaw::Key)?;
    let claims = parsed.unproven().ok_or(Flaw::Malformed)?;
    let id = text_of(&claims, "jti").filter(|id| (1..=LONGEST_ID).contains(&id.len()));
    let id = id.ok_or(Flaw::Id)?;
    if text_of(&claims, "htm") != Some(wanted.method) {
        return Err(Flaw::Method);
    }
    if !text_of(&claims, "htu").is_some_and(|place| is_place(place, wanted.uri)) {
        return Err(Flaw::Uri);
    }
    let issued_at = made_at(&claims, wanted.now).ok_or(Flaw::Time)?;
    if let Some(token) = wanted.access_token
        && text_of(&claims, "ath") != Some(&hash_of(token))
    {
        return Err(Flaw::AccessToken);
    }
    let nonce = match claims.get("nonce") {
        None => None,
        Some(Value::String(nonce)) => Some(nonce.clone()),
        Some(_) => return Err(Flaw::Nonce),
    };
    if parsed.verify(TYPE, &key).is_none() {
        return Err(Flaw::Signature);
    }
    let thumbprint = jwk::thumbprint(&key);
    Ok(Proof {
        digest: name(&thumbprint, id),
        thumbprint,
        nonce,
        issued_at,
    })
}

/// The `ath` of an access token (section 4.2).
pub fn hash_of(access_token: &str) -> String {
    URL_SAFE_NO_PAD.encode(digest(&SHA256, access_token.as_bytes()))
}

fn name(thumbprint: &str, id: &str) -> [u8; 32] {
    let text = format!("{thumbprint}\0{id}");
    let mut bytes = [0; 32];
    bytes.copy_from_slice(digest(&SHA256, text.as_bytes()).as_ref());
    bytes
}

fn text_of<'a>(claims: &'a Map<String, Value>, name: &str) -> Option<&'a str> {
    claims.get(name).and_then(Value::as_str)
}

/// Whether it is the same place after the normalisation of RFC 3986, sections 6.2.2 and 6.2.3: scheme and host without case, no default port,
/// no dot segments. Query and fragment are not looked at (section 4.3). What only browsers read as an address is none.
fn is_place(text: &str, wanted: &Url) -> bool {
    let Some((_, rest)) = text.split_once("://") else {
        return false;
    };
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    if !text.bytes().all(|b| b.is_ascii_graphic() && b != b'\\') || authority.contains(['@', '%']) {
        return false;
    }
    let Ok(mut place) = Url::parse(text) else {
        return false;
    };
    place.set_query(None);
    place.set_fragment(None);
    place == *wanted
}

/// When the proof was made, if that is near enough and it is in force.
fn made_at(claims: &Map<String, Value>, now: Timestamp) -> Option<Timestamp> {
    let moment = |claim: &Value| Timestamp::from_second(claim.as_i64()?).ok();
    let issued_at = moment(claims.get("iat")?)?;
    if now.duration_since(issued_at).abs() > WINDOW {
        return None;
    }
    let ended = match claims.get("exp") {
        Some(claim) => now >= moment(claim)?,
        None => false,
    };
    let early = match claims.get("nbf") {
        Some(claim) => moment(claim)?.duration_since(now) > WINDOW,
        None => false,
    };
    (!ended && !early).then_some(issued_at)
}

#[cfg(test)]
mod tests;
