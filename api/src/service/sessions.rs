//! Logins of people.

use domain::{OverseerId, PasskeyId, SessionId};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use crate::{
    auth::{opaque::Opaque, random::random},
    store::{
        Database, Scope, StoreError,
        audit::{self, Actor, Event},
        sessions::{self, Session},
    },
};

/// The longest name of a program that is kept.
const USER_AGENT: usize = 200;

/// A login that was just made, with what its cookie holds.
#[derive(Debug, Clone)]
pub struct Opened {
    /// The session.
    pub session: Session,
    /// The cookie.
    pub token: Opaque,
}

/// A second factor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Factor {
    /// Six digits of an authenticator.
    Code,
    /// A recovery code.
    RecoveryCode,
    /// A passkey.
    Passkey(PasskeyId),
}

impl Factor {
    /// As the audit tells of it.
    fn told(self) -> Value {
        match self {
            Self::Code => json!("code"),
            Self::RecoveryCode => json!("recovery_code"),
            Self::Passkey(id) => json!({"passkey": id.to_string()}),
        }
    }
}

/// How and from where somebody logs in.
#[derive(Debug, Clone, Copy)]
pub struct Entry<'a> {
    /// The program, as it names itself.
    pub user_agent: &'a str,
    /// How the person was proved.
    pub method: &'static str,
    /// What was shown besides.
    pub factor: Option<Factor>,
    /// How long the login lasts.
    pub lifetime: SignedDuration,
    /// The request's id.
    pub request_id: &'a str,
}

/// Opens a session, always a new one: what a browser brought along is never taken over.
pub async fn open(
    tx: &mut impl Scope,
    overseer: OverseerId,
    entry: Entry<'_>,
    now: Timestamp,
) -> Result<Opened, StoreError> {
    let token = Opaque::new(random()?);
    let session = Session {
        id: SessionId::new(now, random()?),
        overseer,
        user_agent: entry.user_agent.chars().take(USER_AGENT).collect(),
        created_at: now,
        seen_at: now,
        expires_at: now.checked_add(entry.lifetime).unwrap_or(Timestamp::MAX),
    };
    sessions::insert(tx, &session, &token.hash()).await?;
    let event = Event {
        at: now,
        actor: Actor::Overseer(overseer),
        action: "session.create",
        target: session.id.uuid(),
        request_id: entry.request_id,
        detail: match entry.factor {
            None => json!({"method": entry.method}),
            Some(factor) => json!({"method": entry.method, "factor": factor.told()}),
        },
    };
    audit::append(tx, &event).await?;
    Ok(Opened { session, token })
}

/// Ends a session of a person; false if there is none of this id.
pub async fn end(
    database: &Database,
    overseer: OverseerId,
    id: SessionId,
    request_id: &str,
    now: Timestamp,
) -> Result<bool, StoreError> {
    let mut tx = database.platform().await?;
    if !sessions::delete(&mut tx, overseer, id).await? {
        return Ok(false);
    }
    let event = Event {
        at: now,
        actor: Actor::Overseer(overseer),
        action: "session.revoke",
        target: id.uuid(),
        request_id,
        detail: json!({}),
    };
    audit::append(&mut tx, &event).await?;
    tx.commit().await?;
    Ok(true)
}
