//! What browsers and authenticators say of passkeys (Web Authentication, Level 3), read and judged.
//!
//! A passkey is a second factor here: it shows that the authenticator is there again that was registered. Who made the
//! authenticator is not asked (section 5.4.7, attestation `none`), so an attestation statement is passed over.

mod authenticator_data;
mod client_data;
mod credential_key;
mod relying_party;

use aws_lc_rs::digest::{SHA256, digest};
use minicbor::Decoder;

pub use client_data::{Ceremony, challenge};
pub use credential_key::ALGORITHMS;
pub use relying_party::RelyingParty;

use self::{authenticator_data::AuthenticatorData, credential_key::CredentialKey};

/// The longest id that an authenticator gives a credential (section 4, "Credential ID").
pub const LONGEST_ID: usize = 1023;

/// The longest key that is stored: an RSA key of 8192 bits, with what names its parts.
pub const LONGEST_KEY: usize = 1100;

/// Why a passkey is not believed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Unbelieved {
    /// The authenticator's data are not of the form of section 6.1.
    #[error("the authenticator's data cannot be read")]
    Data,
    /// They are of a passkey for another service.
    #[error("the passkey is for another service")]
    Elsewhere,
    /// Nobody touched the authenticator.
    #[error("the authenticator says that nobody was there")]
    Absent,
    /// The key is of an algorithm that was not offered, or none.
    #[error("the key is of an algorithm that was not offered")]
    Key,
    /// The signature is another's.
    #[error("the signature is another's")]
    Signature,
    /// The authenticator counts backwards: there are two of it (section 6.1.1).
    #[error("the authenticator's counter went back: there may be a copy of it")]
    Copied,
}

/// A credential that an authenticator has just made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Registered {
    /// The authenticator's name of it.
    pub id: Vec<u8>,
    /// Its public key (`COSE_Key`, RFC 9052, section 7).
    pub key: Vec<u8>,
    /// How often it was used.
    pub counter: u32,
    /// Whether it is kept elsewhere, too.
    pub backed_up: bool,
}

/// What an authenticator said of a credential in use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Asserted {
    /// How often it was used.
    pub counter: u32,
    /// Whether it is kept elsewhere, too.
    pub backed_up: bool,
}

/// Section 7.1: reads a new credential; its challenge was judged before.
pub fn registered(attestation: &[u8], party: &RelyingParty) -> Result<Registered, Unbelieved> {
    let bytes = authenticator_data_of(attestation).ok_or(Unbelieved::Data)?;
    let data = AuthenticatorData::read(bytes, party)?;
    let made = data.credential.ok_or(Unbelieved::Data)?;
    if made.id.is_empty() || made.id.len() > LONGEST_ID {
        return Err(Unbelieved::Data);
    }
    if made.key.len() > LONGEST_KEY || CredentialKey::read(made.key).is_none() {
        return Err(Unbelieved::Key);
    }
    Ok(Registered {
        id: made.id.to_owned(),
        key: made.key.to_owned(),
        counter: data.counter,
        backed_up: data.backed_up,
    })
}

/// The answer of an authenticator to a challenge.
#[derive(Debug, Clone, Copy)]
pub struct Answer<'a> {
    /// The authenticator's data.
    pub authenticator_data: &'a [u8],
    /// What the browser said.
    pub client_data: &'a [u8],
    /// The signature over both.
    pub signature: &'a [u8],
}

/// Section 7.2: judges an answer by a stored key and the last count; its challenge was judged before.
pub fn asserted(answer: Answer<'_>, party: &RelyingParty, key: &[u8], counter: u32) -> Result<Asserted, Unbelieved> {
    let data = AuthenticatorData::read(answer.authenticator_data, party)?;
    let hash = digest(&SHA256, answer.client_data);
    if !signed_by(
        key,
        &[answer.authenticator_data, hash.as_ref()].concat(),
        answer.signature,
    ) {
        return Err(Unbelieved::Signature);
    }
    // Those that do not count say zero each time.
    if (data.counter, counter) != (0, 0) && data.counter <= counter {
        return Err(Unbelieved::Copied);
    }
    Ok(Asserted {
        counter: data.counter,
        backed_up: data.backed_up,
    })
}

/// Whether a stored key signed a message.
pub(super) fn signed_by(key: &[u8], message: &[u8], signature: &[u8]) -> bool {
    CredentialKey::read(key).is_some_and(|key| key.signed(message, signature))
}

/// The authenticator's data in an attestation object (section 6.5), whatever its format.
fn authenticator_data_of(attestation: &[u8]) -> Option<&[u8]> {
    let mut reader = Decoder::new(attestation);
    let mut data = None;
    for _ in 0..reader.map().ok()?? {
        if reader.str().ok()? == "authData" {
            if data.replace(reader.bytes().ok()?).is_some() {
                return None;
            }
        } else {
            reader.skip().ok()?;
        }
    }
    data.filter(|_| reader.position() == attestation.len())
}

#[cfg(test)]
mod tests;
