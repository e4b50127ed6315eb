//! Which OAuth client it is that asks (RFC 6749, section 2.3).

use std::fmt;

use aws_lc_rs::constant_time::verify_slices_are_equal;
use jiff::Timestamp;

use crate::{
    auth::{client::values::AuthMethod, opaque::sha256},
    service::standing::Standing,
    store::{StoreError, clients::Named},
};

/// Where a client showed a secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Where {
    /// In the header (RFC 6749, section 2.3.1).
    Header,
    /// In the body.
    Body,
}

/// What a client shows.
pub struct Shown {
    /// What it calls itself by.
    pub client_id: String,
    /// Its secret, and where that stood; none if it shows none.
    pub secret: Option<(String, Where)>,
}

impl fmt::Debug for Shown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shown")
            .field("client_id", &self.client_id)
            .finish_non_exhaustive()
    }
}

/// The client and what the secret is stored as that proves it, if one does. Why not is not told: it would tell which clients there are.
pub async fn prove(
    standing: &Standing,
    shown: &Shown,
    now: Timestamp,
) -> Result<Option<(Named, [u8; 32])>, StoreError> {
    let known = standing.find_client(&shown.client_id).await?;
    let Some((secret, place)) = shown.secret.as_ref().filter(|(secret, _)| !secret.is_empty()) else {
        return Ok(None);
    };
    let given = sha256(secret.as_bytes());
    let method = match place {
        Where::Header => AuthMethod::ClientSecretBasic,
        Where::Body => AuthMethod::ClientSecretPost,
    };
    let proves = |client: &Named| {
        let is = |hash: [u8; 32]| verify_slices_are_equal(&hash, &given).is_ok();
        client.auth_method == method && client.secrets(now).any(is)
    };
    Ok(known.filter(proves).map(|client| (client, given)))
}
