//! What a service needs that is called with Pinfold's access tokens: [`check`] reads a token (RFC 9068), judges the proof that whoever shows
//! it holds the key that it is bound to (RFC 9449), with a nonce of the service's, and uses the proof up; then it is known who acts, in which
//! tenant, and for what.
//!
//! Everything but `check` is a function of bytes, keys and the time. Keys, and the store in which a proof counts once for all replicas, are
//! what a service brings along ([`check::Service`]).
//!
//! ```
//! use resource_server::{check::{Refused, ResourceServer, Service}, jws, token::{Denied, Token}};
//!
//! /// Who reads runs, by a token that needs no proof.
//! async fn reader<S: Service>(
//!     server: &ResourceServer<'_, S>,
//!     token: &str,
//!     tenant: domain::TenantId,
//!     now: jiff::Timestamp,
//! ) -> Option<Token> {
//!     let unspent = server.shown(&jws::parse(token)?, None, now)?;
//!     let token = unspent.spend(server.service, now).await.ok()?;
//!     token.allows(tenant, "runs:read").ok()?;
//!     Some(token)
//! }
//! ```

pub mod check;
pub mod coded;
pub mod credential;
pub mod dpop;
pub mod ed25519;
pub mod epoch;
pub mod jwk;
pub mod jws;
pub mod known;
pub mod nonce;
pub mod strict_json;
pub mod token;
