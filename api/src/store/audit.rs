//! What was done. A row is written in the transaction of what it tells of.

use std::{fmt, slice};

use domain::{AgentId, ClientId, GrantId, OverseerId, RunId};
use jiff::Timestamp;
use jiff_sqlx::ToSqlx as _;
use serde_json::Value;
use uuid::Uuid;

use crate::store::{Scope, StoreError};

/// Who did something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Actor {
    /// An agent.
    Agent(AgentId),
    /// An OAuth client that acts on its own.
    Client(ClientId),
    /// An OAuth client, for the person who let it.
    Grant(GrantId),
    /// A user of the cluster, by its own means; nobody said which if nothing.
    Kubernetes(Option<Uuid>),
    /// A person.
    Overseer(OverseerId),
    /// What runs in a sandbox.
    Run(RunId),
    /// The platform.
    System,
}

impl fmt::Display for Actor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Agent(id) => write!(f, "agent/{id}"),
            Self::Client(id) => write!(f, "client/{id}"),
            Self::Grant(id) => write!(f, "grant/{id}"),
            Self::Kubernetes(Some(id)) => write!(f, "kubernetes/{id}"),
            Self::Kubernetes(None) => f.write_str("kubernetes"),
            Self::Overseer(id) => write!(f, "overseer/{id}"),
            Self::Run(id) => write!(f, "run/{id}"),
            Self::System => f.write_str("system"),
        }
    }
}

/// Something that was done.
#[derive(Debug, Clone)]
pub struct Event<'a> {
    /// When.
    pub at: Timestamp,
    /// By whom.
    pub actor: Actor,
    /// What: the kind of thing and the verb, `agent.register`.
    pub action: &'static str,
    /// To what.
    pub target: Uuid,
    /// In which request.
    pub request_id: &'a str,
    /// What else there is to say; opaque ids only.
    pub detail: Value,
}

/// Adds a row: to the tenant's events, or to those of accounts if the transaction is no tenant's.
pub async fn append(tx: &mut impl Scope, event: &Event<'_>) -> Result<(), StoreError> {
    append_all(tx, slice::from_ref(event)).await
}

/// Adds rows, in their order.
pub async fn append_all(tx: &mut impl Scope, events: &[Event<'_>]) -> Result<(), StoreError> {
    let mut columns = Columns::default();
    for event in events {
        columns.push(event);
    }
    let tenant = tx.tenant();
    sqlx::query!(
        r#"
        WITH event AS (
            INSERT INTO audit_events (tenant_id, at, actor_kind, actor_id, action, target_id, request_id, detail)
            SELECT $1, e.at, e.actor_kind, e.actor_id, e.action, e.target_id, e.request_id, e.detail
            FROM UNNEST($2::timestamptz[], $3::text[], $4::uuid[], $5::text[], $6::uuid[], $7::text[], $8::jsonb[])
                WITH ORDINALITY AS e (at, actor_kind, actor_id, action, target_id, request_id, detail, place)
            ORDER BY e.place
            RETURNING id
        )
        INSERT INTO audit_unsealed (tenant_id, event_id, others)
        SELECT $1, min(id), (array_agg(id ORDER BY id))[2:] FROM event HAVING count(*) > 0
        "#,
        tenant.map(|id| id.uuid()),
        &columns.at as _,
        &columns.actor_kind as _,
        &columns.actor_id as _,
        &columns.action as _,
        &columns.target_id,
        &columns.request_id as _,
        &columns.detail,
    )
    .execute(tx.connection())
    .await
    .map_err(|source| StoreError::new("store audit events", source))?;
    Ok(())
}

/// Events, a member at a time.
#[derive(Debug, Default)]
struct Columns<'a> {
    at: Vec<jiff_sqlx::Timestamp>,
    actor_kind: Vec<&'static str>,
    actor_id: Vec<Option<Uuid>>,
    action: Vec<&'static str>,
    target_id: Vec<Uuid>,
    request_id: Vec<&'a str>,
    detail: Vec<Value>,
}

impl<'a> Columns<'a> {
    fn push(&mut self, event: &Event<'a>) {
        let (kind, actor) = match event.actor {
            Actor::Agent(id) => ("agent", Some(id.uuid())),
            Actor::Client(id) => ("client", Some(id.uuid())),
            Actor::Grant(id) => ("grant", Some(id.uuid())),
            Actor::Kubernetes(id) => ("kubernetes", id),
            Actor::Overseer(id) => ("overseer", Some(id.uuid())),
            Actor::Run(id) => ("run", Some(id.uuid())),
            Actor::System => ("system", None),
        };
        self.at.push(event.at.to_sqlx());
        self.actor_kind.push(kind);
        self.actor_id.push(actor);
        self.action.push(event.action);
        self.target_id.push(event.target);
        self.request_id.push(event.request_id);
        self.detail.push(event.detail.clone());
    }
}
