//! The token of an OAuth client that acts on its own, in the tenant that registered it (RFC 6749, section 4.4).

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use jiff::Timestamp;
use resource_server::check::Binding;
use resource_server::jwk;
use serde_json::{Value, json};

use crate::{
    auth::{
        client::{
            Keys,
            values::{AuthMethod, GrantType, Scope},
        },
        jwk_set,
        rights::Right,
        token::{ClientToken, Who},
    },
    service::{
        client_proof::{self, Proved},
        replay::Record,
        standing::Standing,
        tokens::{self, Issued, Maker, RIGHTS, Said},
    },
    store::{
        StoreError,
        audit::Actor,
        clients::{Named, Registration},
    },
};

/// What is asked for.
#[derive(Debug)]
pub struct Asked<'a> {
    /// Who asks.
    pub client: &'a Proved,
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

/// Whether what proved a client still does: the secret is good, or the key among those that are registered. Of those that the client publishes
/// itself, it is the client's to say, with the next assertion.
fn proves(client: &Named, fingerprint: &str, now: Timestamp) -> bool {
    match &client.metadata.keys {
        Keys::None => client
            .secrets(now)
            .any(|hash| client_proof::of_secret(&hash) == fingerprint),
        Keys::Set(set) => {
            let all = set.get("keys").and_then(Value::as_array).into_iter().flatten();
            let mut known = all.filter_map(Value::as_object).filter_map(jwk_set::elliptic);
            known.any(|(_, key)| jwk::thumbprint(&key) == fingerprint)
        }
        Keys::Uri(_) => client.metadata.auth_method == AuthMethod::PrivateKeyJwt,
    }
}

/// Whether a client still is who its token says, by what still proves it, and may still do all that the token says: otherwise it asks
/// for another.
pub async fn stands(standing: &Standing, token: &ClientToken, now: Timestamp) -> Result<bool, StoreError> {
    let client = standing.find_client(&token.client_id).await?;
    Ok(client.is_some_and(|client| {
        let grantable = grantable(&client.metadata.scopes);
        let is_the_same = |known: &Registration| known.id == token.client && known.tenant == token.tenant;
        client.registered.as_ref().is_some_and(is_the_same)
            && (token.bound || !client.metadata.dpop_bound)
            && proves(&client, &token.secret, now)
            && client.metadata.grant_types.contains(&GrantType::ClientCredentials)
            && token.scopes.iter().all(|scope| grantable.contains(&scope.as_str()))
    }))
}

/// Issues a token to a client that is proved. The issue is recorded before the token leaves.
pub async fn issue(maker: Maker<'_>, asked: Asked<'_>, now: Timestamp, random: [u8; 16]) -> Result<Issued, Refused> {
    let client = &asked.client.client;
    let metadata = &client.metadata;
    // On its own a client acts in the tenant that registered it.
    let Some(Registration { tenant, id, .. }) = client.registered else {
        return Err(Refused::Grant);
    };
    // RFC 6749, section 4.4: for confidential clients only, whatever is registered.
    if !metadata.grant_types.contains(&GrantType::ClientCredentials) || metadata.auth_method == AuthMethod::None {
        return Err(Refused::Grant);
    }
    if metadata.dpop_bound && asked.binding.is_none() {
        return Err(Refused::Unbound);
    }
    let grantable = grantable(&metadata.scopes);
    // What is asked for and cannot be given is an error: a client that is on its own has nobody who would see that it got less.
    let beyond = |name: &&str| !grantable.contains(name);
    if asked.scopes.iter().flatten().any(beyond) {
        return Err(tokens::Refused::Scope.into());
    }
    let scope = tokens::granted(grantable, asked.scopes.as_deref())?;
    let signing = maker.signing(metadata.access_token_algorithm, now)?;
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
        subject: client.client_id.clone(),
        client_id: client.client_id.clone(),
        tenant,
        jti,
        scope,
        jkt,
        until: None,
        who: Who::Client {
            pinfold_client: id.to_string(),
            pinfold_secret: asked.client.by.fingerprint(),
        },
    };
    Ok(maker.issued(&signing, said, now)?)
}

#[cfg(test)]
mod tests;
