//! The token of an OAuth client that acts on its own, in the tenant that registered it (RFC 6749, section 4.4).

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use jiff::Timestamp;
use serde_json::json;

use crate::{
    auth::{
        client::values::{AuthMethod, GrantType, Scope},
        hex,
        opaque::sha256,
        rights::Right,
        token::{ClientToken, Who},
    },
    service::{
        client_proof::{self, Shown},
        replay::Record,
        standing::Standing,
        tokens::{self, Binding, Issued, Maker, RIGHTS, Said},
    },
    store::{StoreError, audit::Actor, clients::Named},
};

/// What is asked for.
#[derive(Debug)]
pub struct Asked<'a> {
    /// What is known of clients.
    pub standing: &'a Standing,
    /// Who asks.
    pub client: &'a Shown,
    /// The scopes; all that it may have, if none are named.
    pub scopes: Option<Vec<&'a str>>,
    /// The key that the token is to be bound to.
    pub binding: Option<Binding>,
    /// The request's id.
    pub request_id: &'a str,
}

/// Why there is no token.
#[derive(Debug, thiserror::Error)]
pub enum Refused {
    /// Nobody proved which client they are.
    #[error("the client is not proved")]
    Unproven,
    /// The client is not registered for this grant.
    #[error("the client is not registered for client_credentials")]
    Grant,
    /// The client gets bound tokens only.
    #[error("the client is registered for bound tokens")]
    Unbound,
    /// No token is issued.
    #[error(transparent)]
    Token(#[from] tokens::Refused),
}

impl From<StoreError> for Refused {
    fn from(error: StoreError) -> Self {
        Self::Token(error.into())
    }
}

/// What a client may ask for on its own: of what it is registered for, what an agent may have. The rest is for people who consent.
pub fn grantable(scopes: &[Scope]) -> Vec<&'static str> {
    let own = |right: &Right| scopes.contains(&Scope::Right(*right));
    RIGHTS.into_iter().filter(own).map(Right::as_str).collect()
}

/// What a token says of the secret that it was got by: with that secret it ends.
fn fingerprint(secret_hash: &[u8; 32]) -> String {
    hex::encode(&sha256(secret_hash)[..8])
}

/// Whether a client still is who its token says, by a secret that still is good, and may still do all that the token says: otherwise it asks
/// for another.
pub async fn stands(standing: &Standing, token: &ClientToken, now: Timestamp) -> Result<bool, StoreError> {
    let client = standing.find_client(&token.client_id).await?;
    Ok(client.is_some_and(|client| {
        let grantable = grantable(&client.scopes);
        client.id == token.client
            && client.tenant == token.tenant
            && (token.bound || !client.dpop_bound)
            && client.secrets(now).any(|hash| fingerprint(&hash) == token.secret)
            && client.grant_types.contains(&GrantType::ClientCredentials)
            && token.scopes.iter().all(|scope| grantable.contains(&scope.as_str()))
    }))
}

/// Proves a client and issues a token. The issue is recorded before the token leaves.
pub async fn issue(maker: Maker<'_>, asked: Asked<'_>, now: Timestamp, random: [u8; 16]) -> Result<Issued, Refused> {
    let proved = client_proof::prove(asked.standing, asked.client, now).await?;
    let (client, proved_by) = proved.ok_or(Refused::Unproven)?;
    let Named { tenant, id, .. } = client;
    // RFC 6749, section 4.4: for confidential clients only, whatever is registered.
    if !client.grant_types.contains(&GrantType::ClientCredentials) || client.auth_method == AuthMethod::None {
        return Err(Refused::Grant);
    }
    if client.dpop_bound && asked.binding.is_none() {
        return Err(Refused::Unbound);
    }
    let grantable = grantable(&client.scopes);
    // What is asked for and cannot be given is an error: a client that is on its own has nobody who would see that it got less.
    let beyond = |name: &&str| !grantable.contains(name);
    if asked.scopes.iter().flatten().any(beyond) {
        return Err(tokens::Refused::Scope.into());
    }
    let scope = tokens::granted(grantable, asked.scopes.as_deref())?;
    let signing = maker.keyring.signing(now).ok_or(tokens::Refused::NoKey)?;
    let jti = URL_SAFE_NO_PAD.encode(random);
    let record = Record {
        tenant,
        actor: Actor::Client(id),
        target: id.uuid(),
        request_id: asked.request_id.to_owned(),
        detail: json!({"grant": "client_credentials", "scope": scope, "jti": jti}),
    };
    let jkt = maker.record(asked.binding, record, now).await?;
    let said = Said {
        subject: asked.client.client_id.clone(),
        tenant,
        jti,
        scope: scope.clone(),
        jkt,
        who: Who::Client {
            pinfold_client: id.to_string(),
            pinfold_secret: fingerprint(&proved_by),
        },
    };
    let token = maker.sign(&signing, said, now);
    Ok(Issued { token, scope })
}

#[cfg(test)]
mod tests;
