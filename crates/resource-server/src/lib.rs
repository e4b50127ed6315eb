//! What a service needs that is called with access tokens: to read a signed token (RFC 7515, RFC 7519), and to judge the proof that
//! whoever shows it holds the key it is bound to (RFC 9449).
//!
//! Everything here is a function of bytes, keys and the time. What counts once is the caller's to remember: a [`dpop::Proof`] says by
//! which name, and until when.

pub mod dpop;
pub mod ed25519;
pub mod jwk;
pub mod jws;
pub mod strict_json;
