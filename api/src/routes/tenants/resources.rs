//! What all routes do that read and write a tenant's resources in the cluster.

use serde::Serialize;
use serde_json::json;

use crate::{
    app::AppState,
    auth::rights::Needs,
    cluster::{Cluster, ClusterError, Kind, Namespace, OnBehalf, is_ending, uid},
    http::{access::In, error::ApiError, etag::IfMatch, once::Claim},
    service::{cluster_changes, namespaces},
    store::{
        TenantTransaction,
        audit::{self, Event},
        cluster_changes as changes,
    },
};

/// The cluster, and the tenant's namespace in it.
pub async fn place<'a, R: Needs>(state: &'a AppState, access: &In<R>) -> Result<(&'a Cluster, Namespace), ApiError> {
    let cluster = state.cluster()?;
    let namespace = namespaces::find(&state.database, cluster, access.tenant).await?;
    Ok((cluster, namespace))
}

/// Something that a caller asks of a resource.
#[derive(Debug, Clone, Copy)]
pub struct Asked<'a> {
    /// What, as the audit log names it.
    pub action: &'static str,
    /// What kind of resource, as the audit log names it.
    pub kind: &'static str,
    /// Its name.
    pub name: &'a str,
    /// In which request.
    pub request_id: &'a str,
}

/// Writes down what is asked, before the cluster is asked: nothing is done that nobody wrote down.
pub async fn record<R: Needs>(state: &AppState, access: &In<R>, asked: Asked<'_>) -> Result<(), ApiError> {
    let tx = state.database.tenant(access.tenant).await?;
    record_in(tx, state, access, asked).await
}

/// Deletes a resource of the tenant's, by `delete`. That it was asked for here is written down with it: a deletion leaves no mark on what
/// is gone.
pub async fn delete<R: Needs, K: Kind, T>(
    state: &AppState,
    access: &In<R>,
    asked: Asked<'_>,
    resource: &K,
    delete: impl Future<Output = Result<T, ClusterError>> + Send,
) -> Result<T, ApiError> {
    let uid = uid(resource)?;
    let mut tx = state.database.tenant(access.tenant).await?;
    // One whose end somebody asked for already ends by that.
    if !is_ending(resource) {
        cluster_changes::note_own_deletion(&mut tx, uid, asked.request_id, state.clock.now()).await?;
    }
    record_in(tx, state, access, asked).await?;
    match delete.await {
        Err(error) if error.is_certain() => {
            changes::unask(state.database.pool(), uid).await?;
            Err(error.into())
        }
        other => Ok(other?),
    }
}

async fn record_in<R: Needs>(
    mut tx: TenantTransaction,
    state: &AppState,
    access: &In<R>,
    asked: Asked<'_>,
) -> Result<(), ApiError> {
    let event = Event {
        at: state.clock.now(),
        actor: access.caller.actor(),
        action: asked.action,
        target: access.tenant.uuid(),
        request_id: asked.request_id,
        detail: json!({asked.kind: asked.name}),
    };
    audit::append(&mut tx, &event).await?;
    Ok(tx.commit().await?)
}

/// Makes a resource of the tenant's: once, however often the request is sent with the same key.
pub async fn make<R: Needs, K: Kind>(
    state: &AppState,
    access: &In<R>,
    claim: &mut Claim,
    wanted: &K,
    asked: Asked<'_>,
) -> Result<K, ApiError> {
    let (cluster, namespace) = place(state, access).await?;
    let first_request = claim.request_id().unwrap_or(asked.request_id).to_owned();
    let principal = access.caller.actor().to_string();
    let by = OnBehalf {
        principal: &principal,
        request_id: &first_request,
    };
    if claim.was_done() {
        // It was made, whatever became of it since: it is not made anew.
        return cluster.get(&namespace, asked.name).await?.ok_or(ApiError::NotFound);
    }
    if !claim.is_again() {
        record(state, access, asked).await?;
    }
    claim.begin();
    let made = if claim.is_again() {
        // Whoever was at it before may have made it, and did not come to say so.
        cluster.create_unless_made(&namespace, wanted, by).await
    } else {
        cluster.create(&namespace, wanted, by).await
    };
    let made = made.inspect_err(|error| {
        if error.is_certain() {
            claim.refused();
        }
    })?;
    claim.done().await?;
    Ok(made)
}

/// How often a change is made anew that somebody else's change came before.
const TRIES: u32 = 3;

/// Changes a resource of the tenant's, if what clients see of it is still what `version` says. Writes of its status do not
/// count.
pub async fn change<R: Needs, K: Kind, T: Serialize>(
    state: &AppState,
    access: &In<R>,
    asked: Asked<'_>,
    version: &IfMatch,
    seen: impl Fn(&K) -> T,
    changed: impl Fn(K) -> Result<K, ApiError>,
) -> Result<K, ApiError> {
    let (cluster, namespace) = place(state, access).await?;
    ensure_name(asked.name)?;
    for attempt in 1..=TRIES {
        let there: K = cluster.get(&namespace, asked.name).await?.ok_or(ApiError::NotFound)?;
        version.check(&seen(&there))?;
        let changed = changed(there)?;
        if attempt == 1 {
            record(state, access, asked).await?;
        }
        match cluster.replace(&namespace, &changed).await {
            Err(error) if error.code() == Some(409) => {}
            replaced => return Ok(replaced?),
        }
    }
    Err(ApiError::Changed)
}

/// What cannot be a name is nobody's; in a path it would be something else.
pub fn ensure_name(name: &str) -> Result<(), ApiError> {
    let in_names = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-' || b == b'.';
    if name.is_empty() || !name.bytes().all(in_names) {
        return Err(ApiError::NotFound);
    }
    Ok(())
}
