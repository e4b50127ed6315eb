//! What people let OAuth clients do: from the answer to a request for authorization (RFC 6749, section 4.1) to the tokens that come of it,
//! and to their end, which is all of theirs at once.

use domain::{ConsentId, GrantId, OverseerId, TenantId};
use jiff::{SignedDuration, Timestamp};
use serde_json::json;

use crate::{
    auth::{
        authorization::Request,
        client::values::Scope,
        opaque::{Opaque, sha256},
        pkce,
        random::random,
        rights::Role,
    },
    store::{
        Database, StoreError, TenantTransaction, assertions,
        audit::{self, Actor, Event},
        authorization_requests,
        clients::Named,
        codes::{self, Code},
        consents::{self, Consent, NewConsent},
        devices,
        grants::{self, Grant},
        refresh_tokens,
        sessions::Session,
    },
};

pub mod made;
pub mod tokens;

#[cfg(test)]
mod tests;

/// How long a code is good (RFC 6749, section 4.1.2, demands ten minutes at most).
pub const CODE: SignedDuration = SignedDuration::from_secs(60);

/// How long an authorization lasts, however it is used.
pub const LIFETIME: SignedDuration = SignedDuration::from_hours(24 * 90);

/// Who lets whom do what.
#[derive(Debug, Clone, Copy)]
pub struct Allowed<'a> {
    /// The client.
    pub client: &'a Named,
    /// For what, as far as the person may.
    pub scopes: &'a [Scope],
    /// The person.
    pub session: &'a Session,
    /// For which tenant.
    pub tenant: TenantId,
    /// What the person is there.
    pub role: Role,
    /// The request's id.
    pub request_id: &'a str,
}

/// What of the asked a role gives: nobody lets a client do what they may not.
pub fn given(asked: &[Scope], role: Role) -> Vec<Scope> {
    let gives = |scope: &Scope| match scope {
        Scope::OpenId => true,
        Scope::Right(right) => role.gives(*right),
    };
    asked.iter().copied().filter(gives).collect()
}

/// When a person said yes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answered {
    /// On the page.
    Now,
    /// Before, by this consent.
    Before(ConsentId),
}

/// What a person is shown of a client. Of one that has changed since they are asked again.
pub fn shown(client: &Named) -> [u8; 32] {
    let metadata = &client.metadata;
    let told = json!([
        client.client_id,
        metadata.name,
        metadata.redirect_uris,
        metadata.auth_method.as_str()
    ]);
    sha256(told.to_string().as_bytes())
}

/// What a person agreed to before that covers this request, if they need not be asked: what is on everybody's machine is anybody's, so a
/// program there is asked about each time (RFC 8252, section 8.6).
pub fn covering<'a>(consents: &'a [Consent], asked: &Request, client: &Named) -> Option<&'a Consent> {
    let shown = shown(client);
    let covers = |consent: &&Consent| {
        consent.shown == shown && asked.scopes().iter().all(|scope| consent.scopes.contains(scope))
    };
    let mut all = consents.iter().filter(covers);
    // For which tenant nobody says but the person, unless there is one.
    let only = all.next().filter(|_| all.next().is_none());
    only.filter(|_| asked.redirect_uri.starts_with("https://"))
}

/// A person allows what a client asked for by their browser. The code that the client is brought; nothing if another answer came first.
pub async fn allow(
    database: &Database,
    hash: &[u8; 32],
    asked: &Request,
    allowed: Allowed<'_>,
    by: Answered,
    now: Timestamp,
) -> Result<Option<String>, StoreError> {
    let mut tx = database.tenant(allowed.tenant).await?;
    if !authorization_requests::answer(&mut tx, hash, now).await? {
        return Ok(None);
    }
    // What was taken back meanwhile is not agreed to.
    if let Answered::Before(consent) = by
        && !consents::hold(&mut tx, consent).await?
    {
        return Ok(None);
    }
    let grant = create(&mut tx, allowed, by, now).await?;
    let secret = Opaque::new(random()?);
    let code = Code {
        grant: grant.id,
        client_id: grant.client_id,
        redirect_uri: asked.redirect_uri.clone(),
        // It was read before it was stored.
        code_challenge: pkce::challenge(&asked.code_challenge).unwrap_or_default(),
        dpop_jkt: asked.dpop_jkt.clone(),
        nonce: asked.nonce.clone(),
        expires_at: now + CODE,
    };
    codes::insert(&mut tx, &secret.hash(), &code).await?;
    tx.commit().await?;
    Ok(Some(secret.text()))
}

/// A person lets a client in that waits on another device; false if somebody answered before.
pub async fn allow_device(
    database: &Database,
    user_code_hash: &[u8; 32],
    allowed: Allowed<'_>,
    now: Timestamp,
) -> Result<bool, StoreError> {
    let mut tx = database.tenant(allowed.tenant).await?;
    let grant = create(&mut tx, allowed, Answered::Now, now).await?;
    if !devices::answer(&mut tx, user_code_hash, Some(grant.id), now).await? {
        return Ok(false);
    }
    tx.commit().await?;
    Ok(true)
}

/// Makes an authorization, and remembers what the person agreed to.
async fn create(
    tx: &mut TenantTransaction,
    allowed: Allowed<'_>,
    by: Answered,
    now: Timestamp,
) -> Result<Grant, StoreError> {
    let Allowed { client, session, .. } = allowed;
    if by == Answered::Now {
        let consent = NewConsent {
            id: ConsentId::new(now, random()?),
            overseer: session.overseer,
            client_id: &client.client_id,
            scopes: allowed.scopes,
            shown: &shown(client),
            at: now,
        };
        consents::put(tx, &consent).await?;
    }
    let grant = Grant {
        id: GrantId::new(now, random()?),
        tenant: allowed.tenant,
        overseer: session.overseer,
        client_id: client.client_id.clone(),
        scopes: allowed.scopes.to_vec(),
        authenticated_at: session.created_at,
        expires_at: now + LIFETIME,
        actors: Vec::new(),
    };
    grants::insert(tx, &grant, None, now).await?;
    let event = Event {
        at: now,
        actor: Actor::Overseer(session.overseer),
        action: "grant.create",
        target: grant.id.uuid(),
        request_id: allowed.request_id,
        detail: json!({"client_id": client.client_id, "scope": Scope::joined(&grant.scopes)}),
    };
    audit::append(tx, &event).await?;
    Ok(grant)
}

/// Why an authorization ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Because {
    /// Something was shown again that counts once: somebody else has it.
    Reused,
    /// The client brought a code that is not good for it.
    Misused,
    /// The client gives it back (RFC 7009).
    Returned,
    /// The person takes it back.
    Withdrawn,
}

impl Because {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Reused => "reused",
            Self::Misused => "misused",
            Self::Returned => "returned",
            Self::Withdrawn => "withdrawn",
        }
    }
}

/// Ends an authorization, and with it every token that came of it; false if it has ended.
pub async fn end(
    tx: &mut TenantTransaction,
    id: GrantId,
    because: Because,
    by: Actor,
    request_id: &str,
    now: Timestamp,
) -> Result<bool, StoreError> {
    if !grants::revoke(tx, id, now).await? {
        return Ok(false);
    }
    record(tx, id, because, by, request_id, now).await?;
    Ok(true)
}

/// A person takes back what they agreed to, with all authorizations of that client in that tenant; false if there is no such consent.
pub async fn withdraw(
    tx: &mut TenantTransaction,
    overseer: OverseerId,
    id: ConsentId,
    request_id: &str,
    now: Timestamp,
) -> Result<bool, StoreError> {
    let Some(client_id) = consents::delete(tx, overseer, id).await? else {
        return Ok(false);
    };
    let by = Actor::Overseer(overseer);
    for grant in grants::revoke_all(tx, overseer, &client_id, now).await? {
        record(tx, grant, Because::Withdrawn, by, request_id, now).await?;
    }
    let event = Event {
        at: now,
        actor: by,
        action: "consent.withdraw",
        target: id.uuid(),
        request_id,
        detail: json!({"client_id": client_id}),
    };
    audit::append(tx, &event).await?;
    Ok(true)
}

/// Forgets what has ended. A code or a refresh token that is shown again ends what came of it, so it is known for as long as that can last.
pub async fn forget(database: &Database, now: Timestamp) -> Result<(), StoreError> {
    let pool = database.pool();
    assertions::forget(pool, now).await?;
    authorization_requests::forget(pool, now).await?;
    codes::forget(pool, now - LIFETIME).await?;
    // A device that ended a moment ago is still told so.
    devices::forget(pool, now - CODE, now - LIFETIME).await?;
    refresh_tokens::forget(pool, now - LIFETIME).await?;
    grants::forget(pool, now - LIFETIME).await
}

async fn record(
    tx: &mut TenantTransaction,
    id: GrantId,
    because: Because,
    by: Actor,
    request_id: &str,
    at: Timestamp,
) -> Result<(), StoreError> {
    let event = Event {
        at,
        actor: by,
        action: "grant.revoke",
        target: id.uuid(),
        request_id,
        detail: json!({"because": because.as_str()}),
    };
    audit::append(tx, &event).await
}
