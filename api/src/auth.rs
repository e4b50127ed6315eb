//! Proofs, secrets and rights: pure functions of bytes, keys and the time. Nothing here reads a database or a request.

pub use resource_server::{coded, epoch, jws, strict_json};

pub mod api_key;
pub mod authorization;
pub mod chain;
pub mod challenge;
pub mod client;
pub mod csrf;
pub mod device;
pub mod hex;
pub mod id_token;
pub mod jwk;
pub mod jwk_set;
pub mod legacy;
pub mod mail_link;
pub mod opaque;
pub mod oversight;
pub mod password;
pub mod pkce;
pub mod possession;
pub mod public_address;
pub mod random;
pub mod rights;
pub mod rotation;
pub mod seal;
pub mod shadow;
pub mod signing;
pub mod token;
pub mod totp;
pub mod typed_code;
pub mod user_code;
pub mod vouched;
pub mod webauthn;
pub mod workload;

#[cfg(test)]
mod wycheproof;
