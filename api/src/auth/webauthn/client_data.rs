//! What the browser says (Web Authentication, section 5.8.1): which page asked for what.

use serde_json::Value;

use super::RelyingParty;
use crate::auth::{opaque::Opaque, strict_json};

/// What was asked of an authenticator.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ceremony {
    /// To make a credential.
    Create,
    /// To answer with one.
    Get,
}

impl Ceremony {
    /// As the browser says it.
    const fn type_(self) -> &'static str {
        match self {
            Self::Create => "webauthn.create",
            Self::Get => "webauthn.get",
        }
    }
}

/// The challenge that was answered; nothing, if it was none of ours, for something else, or no page of
/// ours asked. Members that are unknown are passed over, as the section wants it.
pub fn challenge(json: &[u8], ceremony: Ceremony, party: &RelyingParty) -> Option<Opaque> {
    let data = strict_json::object(json)?;
    let text = |name: &str| data.get(name).and_then(Value::as_str);
    // A page in a frame of another site's may be seen by nobody.
    let framed = data.get("crossOrigin").is_some_and(|framed| framed != false) || data.contains_key("topOrigin");
    if text("type") != Some(ceremony.type_()) || framed || !text("origin").is_some_and(|origin| party.has(origin)) {
        return None;
    }
    Opaque::parse(text("challenge")?)
}
