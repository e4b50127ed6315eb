//! The tokens of an authorization: for a code, and for a refresh token (RFC 6749, sections 4.1.3 and 6).

use std::sync::Arc;

use domain::GrantId;
use jiff::{SignedDuration, Timestamp};

use super::{Because, end, made::Made};
use resource_server::check::Binding;

use crate::{
    auth::{
        client::values::{AuthMethod, GrantType, Scope},
        id_token::{self, IdClaims, Times},
        opaque::Opaque,
        pkce,
        random::random,
        signing,
    },
    service::{
        client_proof::Proved,
        keyring::SigningKey,
        tokens::{self, Issued, Maker},
    },
    store::{
        StoreError, TenantTransaction,
        audit::Actor,
        clients::Named,
        codes::{self, Code},
        devices::{self, Found},
        grants::{self, Grant},
        refresh_tokens::{self, RefreshToken},
    },
};

/// How long a refresh token is good that is not used.
pub const IDLE: SignedDuration = SignedDuration::from_hours(24 * 30);

/// By what scanners of source code find one.
const PREFIX: &str = "pfr_";

/// A code that a client brings.
#[derive(Debug)]
pub struct Brought<'a> {
    /// The client.
    pub client: &'a Proved,
    /// The code.
    pub code: &'a str,
    /// What it was made from that the request named (RFC 7636).
    pub verifier: &'a str,
    /// Where the browser brought the code, if the client says so.
    pub redirect_uri: Option<&'a str>,
    /// The key that the tokens are to be bound to.
    pub binding: Option<Binding>,
    /// The request's id.
    pub request_id: &'a str,
}

/// A refresh token that a client shows.
#[derive(Debug)]
pub struct Refreshing<'a> {
    /// The client.
    pub client: &'a Proved,
    /// The token.
    pub token: &'a str,
    /// What the new token is to be good for; all that the authorization gives, if nothing is named.
    pub scopes: Option<Vec<&'a str>>,
    /// The key that the token is to be bound to.
    pub binding: Option<Binding>,
    /// The request's id.
    pub request_id: &'a str,
}

/// A device that asks whether it is let in.
#[derive(Debug)]
pub struct Asking<'a> {
    /// The client on it.
    pub client: &'a Proved,
    /// What it was given.
    pub device_code: &'a str,
    /// The key that the tokens are to be bound to.
    pub binding: Option<Binding>,
    /// The request's id.
    pub request_id: &'a str,
}

/// The tokens.
#[derive(Debug)]
pub struct Tokens {
    /// The access token.
    pub issued: Issued,
    /// Who the person is, if the client asked for that.
    pub id_token: Option<String>,
    /// What another is got by; none if the client is not registered for that, or keeps the one that it has.
    pub refresh_token: Option<String>,
}

impl From<Issued> for Tokens {
    /// Of whoever gets nothing besides.
    fn from(issued: Issued) -> Self {
        Self {
            issued,
            id_token: None,
            refresh_token: None,
        }
    }
}

/// Why there are none.
#[derive(Debug, thiserror::Error)]
pub enum Refused {
    /// What was shown is not good.
    #[error("what was shown is not good")]
    Unproven,
    /// What was to be exchanged is not good.
    #[error("what was to be exchanged is not good")]
    Subject,
    /// It was shown before, and everything that came of it has ended.
    #[error("what was shown counts once, and was shown before")]
    Reused,
    /// The client is not registered for this grant.
    #[error("the client is not registered for it")]
    Grant,
    /// The person has not let the device in (RFC 8628, section 3.5).
    #[error("the device is not let in: {0:?}")]
    Waiting(devices::Found),
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

/// Judges a code and issues tokens. It is spent, and the issue recorded, before they leave.
pub async fn redeem(maker: Maker<'_>, brought: Brought<'_>, now: Timestamp) -> Result<Tokens, Refused> {
    let client = &brought.client.client;
    may(brought.client, GrantType::AuthorizationCode, brought.binding.is_some())?;
    let signing = Signing::of(maker, client, now)?;
    let hash = Opaque::parse(brought.code).ok_or(Refused::Unproven)?.hash();
    let jkt = spent(maker, brought.binding, now).await?;
    let mut tx = maker.database.platform().await?;
    let code = match codes::spend(&mut tx, &hash, &client.client_id, now).await? {
        Some(codes::Found::First(code)) => code,
        Some(codes::Found::Again(grant)) => {
            drop(tx);
            return reused(maker, grant, brought.request_id, now).await;
        }
        None => return Err(Refused::Unproven),
    };
    let grant = grants::find_in(&mut tx, code.grant).await?;
    let Some(grant) = grant else {
        tx.commit().await?;
        return Err(Refused::Unproven);
    };
    let mut tx = tx.go_on_in(grant.tenant).await?;
    if !is_good(&code, brought.verifier, brought.redirect_uri, jkt.as_deref(), now) {
        // A code that was tried with something else is in somebody else's hands.
        let by = Actor::Grant(grant.id);
        end(&mut tx, grant.id, Because::Misused, by, brought.request_id, now).await?;
        tx.commit().await?;
        return Err(Refused::Unproven);
    }
    let made = Made::of(&grant, GrantType::AuthorizationCode, &grant.scopes, brought.request_id);
    let beside = Beside {
        signing,
        jkt,
        nonce: code.nonce,
    };
    first(maker, tx, brought.client, made, beside, now).await
}

/// Answers a device that asks whether it is let in. It is told once, and the issue recorded, before the tokens leave.
pub async fn of_device(maker: Maker<'_>, asking: Asking<'_>, now: Timestamp) -> Result<Tokens, Refused> {
    let client = &asking.client.client;
    may(asking.client, GrantType::DeviceCode, asking.binding.is_some())?;
    let signing = Signing::of(maker, client, now)?;
    let hash = Opaque::parse(asking.device_code).ok_or(Refused::Unproven)?.hash();
    let jkt = spent(maker, asking.binding, now).await?;
    let mut tx = maker.database.platform().await?;
    let found = devices::ask(&mut tx, &hash, &client.client_id, now).await?;
    let grant = match found.ok_or(Refused::Unproven)? {
        Found::First(grant) => grant,
        Found::Again(grant) => {
            drop(tx);
            return reused(maker, grant, asking.request_id, now).await;
        }
        other => {
            tx.commit().await?;
            return Err(Refused::Waiting(other));
        }
    };
    let Some(grant) = grants::find_in(&mut tx, grant).await? else {
        return Err(Refused::Unproven);
    };
    let tx = tx.go_on_in(grant.tenant).await?;
    let made = Made::of(&grant, GrantType::DeviceCode, &grant.scopes, asking.request_id);
    let beside = Beside {
        signing,
        jkt,
        nonce: None,
    };
    first(maker, tx, asking.client, made, beside, now).await
}

/// Judges a refresh token and issues another access token. One of a client that keeps no secret and shows no key counts once.
pub async fn refresh(maker: Maker<'_>, asked: Refreshing<'_>, now: Timestamp) -> Result<Tokens, Refused> {
    let client = &asked.client.client;
    may(asked.client, GrantType::RefreshToken, asked.binding.is_some())?;
    let signing = maker.signing(client.metadata.access_token_algorithm, now)?;
    let hash = hash(asked.token).ok_or(Refused::Unproven)?;
    let pool = maker.database.pool();
    let known = refresh_tokens::find(pool, &hash).await?;
    let known = known
        .filter(|known| known.client_id == client.client_id)
        .ok_or(Refused::Unproven)?;
    if known.spent {
        return reused(maker, known.grant, asked.request_id, now).await;
    }
    let shown = asked.binding.as_ref().map(|binding| &binding.jkt);
    if now >= known.expires_at || (known.dpop_jkt.is_some() && known.dpop_jkt.as_ref() != shown) {
        return Err(Refused::Unproven);
    }
    let grant = grants::find(pool, known.grant).await?;
    let grant = grant.filter(|grant| now < grant.expires_at).ok_or(Refused::Unproven)?;
    let scopes = narrowed(&grant, asked.scopes.as_deref())?;
    // What the client may no longer ask for it does not get.
    let scopes: Vec<Scope> = scopes
        .into_iter()
        .filter(|scope| client.metadata.scopes.contains(scope))
        .collect();
    if scopes.is_empty() {
        return Err(tokens::Refused::Scope.into());
    }
    let jkt = spent(maker, asked.binding, now).await?;
    let mut tx = maker.database.tenant(grant.tenant).await?;
    let rotates = client.metadata.auth_method == AuthMethod::None && known.dpop_jkt.is_none();
    let first = if rotates {
        refresh_tokens::spend(&mut tx, &hash, now).await?
    } else {
        refresh_tokens::keep(&mut tx, &hash, until(&grant, now)).await?
    };
    if !first {
        drop(tx);
        return reused(maker, grant.id, asked.request_id, now).await;
    }
    let refresh_token = if rotates {
        Some(keep(&mut tx, asked.client, &grant, jkt.clone(), now).await?)
    } else {
        None
    };
    let made = Made::of(&grant, GrantType::RefreshToken, &scopes, asked.request_id);
    let jti = made.record(&mut tx, now).await?;
    tx.commit().await?;
    Ok(Tokens {
        issued: made.issued(maker, &signing, jti, jkt, now)?,
        id_token: None,
        refresh_token,
    })
}

/// What a refresh token is stored as.
pub fn hash(token: &str) -> Option<[u8; 32]> {
    Some(Opaque::parse(token.strip_prefix(PREFIX)?)?.hash())
}

/// Whether a client gets anything at all in this way.
pub fn may(client: &Proved, grant: GrantType, bound: bool) -> Result<(), Refused> {
    let metadata = &client.client.metadata;
    if !metadata.grant_types.contains(&grant) {
        return Err(Refused::Grant);
    }
    if metadata.dpop_bound && !bound {
        return Err(Refused::Unbound);
    }
    Ok(())
}

/// Uses the proof of possession up: before anything else that counts once.
pub async fn spent(maker: Maker<'_>, binding: Option<Binding>, now: Timestamp) -> Result<Option<String>, Refused> {
    match binding {
        None => Ok(None),
        Some(binding) => {
            let spent = maker.replay.bind(binding, None, now).await?;
            Ok(Some(spent.map_err(tokens::Refused::Proof)?))
        }
    }
}

fn is_good(code: &Code, verifier: &str, redirect_uri: Option<&str>, jkt: Option<&str>, now: Timestamp) -> bool {
    now < code.expires_at
        && redirect_uri.is_none_or(|uri| uri == code.redirect_uri)
        && pkce::is_of(&code.code_challenge, verifier)
        && (code.dpop_jkt.is_none() || code.dpop_jkt.as_deref() == jkt)
}

/// What was shown again: all that came of it ends.
async fn reused(maker: Maker<'_>, grant: GrantId, request_id: &str, now: Timestamp) -> Result<Tokens, Refused> {
    let tenant = grants::tenant(maker.database.pool(), grant).await?;
    if let Some(tenant) = tenant {
        let mut tx = maker.database.tenant(tenant).await?;
        end(&mut tx, grant, Because::Reused, Actor::Grant(grant), request_id, now).await?;
        tx.commit().await?;
    }
    Err(Refused::Reused)
}

fn until(grant: &Grant, now: Timestamp) -> Timestamp {
    grant.expires_at.min(now + IDLE)
}

/// Makes a refresh token. One of a client that proves nothing is bound to the key that it showed (RFC 9449, section 5).
async fn keep(
    tx: &mut TenantTransaction,
    client: &Proved,
    grant: &Grant,
    jkt: Option<String>,
    now: Timestamp,
) -> Result<String, StoreError> {
    let secret = Opaque::new(random()?);
    let is_public = client.client.metadata.auth_method == AuthMethod::None;
    let token = RefreshToken {
        grant: grant.id,
        client_id: grant.client_id.clone(),
        dpop_jkt: jkt.filter(|_| is_public),
        expires_at: until(grant, now),
        spent: false,
    };
    refresh_tokens::insert(tx, &secret.hash(), &token, now).await?;
    Ok(format!("{PREFIX}{}", secret.text()))
}

/// What of an authorization is asked for, which it must give (RFC 6749, section 6).
pub fn narrowed(grant: &Grant, asked: Option<&[&str]>) -> Result<Vec<Scope>, tokens::Refused> {
    let Some(asked) = asked else {
        return Ok(grant.scopes.clone());
    };
    let given = |name: &&str| grant.scopes.iter().any(|scope| scope.as_str() == *name);
    if !asked.iter().all(given) {
        return Err(tokens::Refused::Scope);
    }
    let wanted = |scope: &&Scope| asked.contains(&scope.as_str());
    Ok(grant.scopes.iter().filter(wanted).copied().collect())
}

/// The first tokens of an authorization.
async fn first(
    maker: Maker<'_>,
    mut tx: TenantTransaction,
    client: &Proved,
    made: Made<'_>,
    beside: Beside,
    now: Timestamp,
) -> Result<Tokens, Refused> {
    let is_refreshed = client.client.metadata.grant_types.contains(&GrantType::RefreshToken);
    let refresh_token = if is_refreshed {
        Some(keep(&mut tx, client, made.grant, beside.jkt.clone(), now).await?)
    } else {
        None
    };
    let jti = made.record(&mut tx, now).await?;
    tx.commit().await?;
    let is_known = made.scopes.contains(&Scope::OpenId);
    let grant = made.grant;
    let signing = beside.signing;
    let issued = made.issued(maker, &signing.access_token, jti, beside.jkt, now)?;
    let id_token = if is_known {
        let times = Times {
            now,
            until: issued.expires_at,
            authenticated_at: grant.authenticated_at,
        };
        let (sub, aud) = (grant.overseer.to_string(), grant.client_id.clone());
        let claims = IdClaims::new(maker.issuer, sub, aud, times, beside.nonce);
        let key = &signing.id_token;
        let signed = signing::sign(id_token::TYPE, &key.id, &key.pair, &claims).map_err(tokens::Refused::from)?;
        Some(signed)
    } else {
        None
    };
    Ok(Tokens {
        issued,
        id_token,
        refresh_token,
    })
}

/// What the first tokens are made with besides.
#[derive(Debug)]
struct Beside {
    /// What they are signed with.
    signing: Signing,
    /// The key that they are bound to.
    jkt: Option<String>,
    /// What the client sent with its request.
    nonce: Option<String>,
}

/// What the tokens for a client are signed with: asked for before anything is used up.
#[derive(Debug)]
struct Signing {
    access_token: Arc<SigningKey>,
    id_token: Arc<SigningKey>,
}

impl Signing {
    fn of(maker: Maker<'_>, client: &Named, now: Timestamp) -> Result<Self, Refused> {
        Ok(Self {
            access_token: maker.signing(client.metadata.access_token_algorithm, now)?,
            id_token: maker.signing(client.metadata.id_token_algorithm, now)?,
        })
    }
}
