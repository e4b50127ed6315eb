//! Proofs and secrets: pure functions of bytes, keys and the time. Nothing here reads a database or a request.

pub mod challenge;
pub mod jwk;
pub mod jws;
pub mod possession;
pub mod rotation;
pub mod seal;
pub mod shadow;
pub mod strict_json;
pub mod token;
