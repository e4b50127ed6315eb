//! Writes changes that were seen into the audit: each into the chain of its tenant, once it is known who made it.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use domain::TenantId;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use telemetry::logging::chain;
use tracing::warn;
use uuid::Uuid;

use crate::{
    cluster::Places,
    service::namespaces,
    store::{
        AnyTransaction, Database, Scope as _, StoreError,
        audit::{self, Actor, Event},
        cluster_changes::{self as changes, Change, Gap, Request},
    },
};

/// Changes that are read at once.
const MOST: i64 = 500;

/// How long the cluster has to say who made a change. Its API server sends such words in batches, by default every 30 seconds.
const PATIENCE: SignedDuration = SignedDuration::from_secs(60);

/// Ids of users by their names.
type Users = HashMap<String, Uuid>;

/// A change, and who asked for it, if that is known.
pub type Due = (Change, Option<Request>);

/// Changes that can be written down: of which is known who made them, or of which nobody will say.
pub async fn due(database: &Database, is_told: bool, now: Timestamp) -> Result<Vec<Due>, StoreError> {
    let seen_before = if is_told { now - PATIENCE } else { now };
    changes::due(database.pool(), seen_before, MOST).await
}

/// Writes changes down, each once, however many processes do.
pub async fn settle(database: &Database, places: &Places, due: Vec<Due>) -> Result<usize, StoreError> {
    let mut of_chain: BTreeMap<Option<TenantId>, Vec<Due>> = BTreeMap::new();
    let mut whose = Whose::new(database, places);
    for one in due {
        let tenant = whose.is(&one.0).await?;
        of_chain.entry(tenant).or_default().push(one);
    }
    let mut written = 0;
    for (tenant, due) in of_chain {
        match settle_chain(database, tenant, due).await {
            Ok(count) => written += count,
            // The others go on.
            Err(error) => warn!(
                tenant = tenant.map(tracing::field::display),
                error = chain(&error),
                "changes of resources are not in the audit yet; it is tried again"
            ),
        }
    }
    Ok(written)
}

async fn settle_chain(database: &Database, tenant: Option<TenantId>, due: Vec<Due>) -> Result<usize, StoreError> {
    // Not within the transaction: others may be naming the same users for other tenants.
    let mut users = Users::new();
    for by in due.iter().filter_map(|(_, request)| request.as_ref()?.by.as_ref()) {
        for name in by.acting_as.iter().chain([&by.user]) {
            if !users.contains_key(name) {
                users.insert(name.clone(), changes::user(database.pool(), name).await?);
            }
        }
    }
    let mut written = 0;
    let mut tx = database.any(tenant).await?;
    for (change, request) in due {
        if changes::take(&mut tx, &change).await? {
            written += write(&mut tx, &change, request.as_ref(), &users).await?;
        }
    }
    tx.commit().await?;
    Ok(written)
}

/// Says in the audit of every tenant that there was a time in which nobody watched, and in that of the platform.
pub async fn settle_gaps(
    database: &Database,
    places: &Places,
    gaps: Vec<Gap>,
    now: Timestamp,
) -> Result<(), StoreError> {
    if gaps.is_empty() {
        return Ok(());
    }
    let mut whose = Whose::new(database, places);
    let mut tenants = BTreeSet::new();
    for place in places.values() {
        if whose.stands_for(place.account, place.uid).await? {
            tenants.insert(place.account);
        }
    }
    for gap in gaps {
        let mut tx = database.platform().await?;
        if !changes::take_gap(&mut tx, &gap).await? {
            continue;
        }
        audit::append(&mut tx, &missed(&gap, Uuid::nil(), now)).await?;
        let mut tenants = tenants.iter();
        let Some(first) = tenants.next() else {
            tx.commit().await?;
            continue;
        };
        let mut tx = tx.go_on_in(*first).await?;
        audit::append(&mut tx, &missed(&gap, first.uuid(), now)).await?;
        for tenant in tenants {
            tx = tx.go_on_in(*tenant).await?;
            audit::append(&mut tx, &missed(&gap, tenant.uuid(), now)).await?;
        }
        tx.commit().await?;
    }
    Ok(())
}

fn missed(gap: &Gap, target: Uuid, at: Timestamp) -> Event<'static> {
    Event {
        at,
        actor: Actor::System,
        action: "cluster.gap",
        target,
        request_id: "",
        detail: json!({"kind": gap.kind, "after_version": gap.after, "version": gap.version}),
    }
}

/// Adds the row of a change; what this service asked for has one.
async fn write(
    tx: &mut AnyTransaction,
    change: &Change,
    request: Option<&Request>,
    users: &Users,
) -> Result<usize, StoreError> {
    let action = action(change)?;
    let mut detail = json!({
        change.kind.as_str(): change.name,
        "resource_version": change.version,
        "generation": change.generation,
    });
    if change.was_missed {
        detail["was_missed"] = Value::Bool(true);
    }
    if let (None, Some(namespace)) = (tx.tenant(), &change.namespace) {
        detail["namespace"] = json!(namespace);
    }
    let user = match request {
        None => None,
        Some(Request { by: None, .. }) => return Ok(0),
        Some(Request { by: Some(by), .. }) => {
            if let Some(other) = by.acting_as.as_ref().and_then(|name| users.get(name)) {
                detail["acting_as"] = json!(other.to_string());
            }
            users.get(&by.user).copied()
        }
    };
    let event = Event {
        at: request.map_or(change.seen_at, |request| request.at),
        actor: Actor::Kubernetes(user),
        action,
        target: change.resource,
        request_id: request.map_or("", |request| &request.request_id),
        detail,
    };
    audit::append(tx, &event).await?;
    Ok(1)
}

fn action(change: &Change) -> Result<&'static str, StoreError> {
    Ok(match (change.kind.as_str(), change.verb.as_str()) {
        ("agent", "create") => "agent.create",
        ("agent", "update") => "agent.update",
        ("agent", "delete") => "agent.delete",
        ("run", "create") => "run.create",
        ("run", "update") => "run.update",
        ("run", "delete") => "run.delete",
        ("template", "create") => "template.create",
        ("template", "update") => "template.update",
        ("template", "delete") => "template.delete",
        ("tenant", "create") => "tenant.create",
        ("tenant", "update") => "tenant.update",
        ("tenant", "delete") => "tenant.delete",
        _ => return Err(StoreError::Row("cluster_changes")),
    })
}

/// Whose resources are.
struct Whose<'a> {
    database: &'a Database,
    places: &'a Places,
    known: HashMap<(TenantId, Uuid), bool>,
}

impl<'a> Whose<'a> {
    fn new(database: &'a Database, places: &'a Places) -> Self {
        Self {
            database,
            places,
            known: HashMap::new(),
        }
    }

    /// The tenant whose a change's resource is; nobody's, if its Tenant is no row's.
    async fn is(&mut self, change: &Change) -> Result<Option<TenantId>, StoreError> {
        let found = match &change.namespace {
            None => change.account.map(|account| (account, change.resource)),
            // What was there before the Tenant was another's of that name, as far as can be told.
            Some(namespace) => self
                .places
                .get(namespace)
                .filter(|place| place.made_at <= change.made_at)
                .map(|place| (place.account, place.uid)),
        };
        match found {
            Some((account, uid)) if self.stands_for(account, uid).await? => Ok(Some(account)),
            _ => Ok(None),
        }
    }

    /// Whether the row of a tenant knows this very Tenant; also if the tenant has ended since.
    async fn stands_for(&mut self, account: TenantId, uid: Uuid) -> Result<bool, StoreError> {
        if let Some(known) = self.known.get(&(account, uid)) {
            return Ok(*known);
        }
        let stands = namespaces::row_of(self.database, account, uid).await?.is_some();
        self.known.insert((account, uid), stands);
        Ok(stands)
    }
}
