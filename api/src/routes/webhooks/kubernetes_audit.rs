//! `POST /webhooks/kubernetes-audit`: who asked for what, as the cluster's own audit says.

use axum::{
    extract::{FromRequestParts, State},
    http::{StatusCode, request::Parts},
};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use url::form_urlencoded;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::{
    app::AppState,
    auth::opaque::sha256,
    http::{error::ApiError, json::Json, presented},
    store::cluster_changes::{self, By, DELETION, Request},
};

/// How large a body may be. With the settings of docs/audit.md an API server sends 10 MiB at once; a batch that is refused is not sent
/// again.
pub const LIMIT: usize = 16 * 1024 * 1024;

/// The longest name that is kept whole.
const LONGEST: usize = 512;

/// What an API server sends (`audit.k8s.io/v1` `EventList`): what is not named here is not read.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[schema(as = KubernetesAuditEvents, example = json!({"kind": "EventList", "apiVersion": "audit.k8s.io/v1", "items": []}))]
pub struct EventList {
    /// The events.
    items: Vec<Event>,
}

/// Something that was asked of the cluster. What is missing, or is not what it should be, makes an event one of nothing: the others count.
#[derive(Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", default)]
#[schema(as = KubernetesAuditEvent)]
pub struct Event {
    /// The request's id.
    #[serde(rename = "auditID")]
    audit_id: String,
    /// How far it was: only `ResponseComplete` counts.
    stage: String,
    /// What was asked.
    verb: String,
    /// Of which address; one that only tries (`dryRun`) does nothing.
    #[serde(rename = "requestURI")]
    request_uri: String,
    /// Who asked.
    user: User,
    /// As whom.
    #[serde(skip_serializing_if = "Option::is_none")]
    impersonated_user: Option<User>,
    /// Of what.
    #[serde(skip_serializing_if = "Option::is_none")]
    object_ref: Option<ObjectRef>,
    /// What came of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    response_status: Option<ResponseStatus>,
    /// What was sent, at the level `RequestResponse`.
    #[serde(skip_serializing_if = "Value::is_null")]
    #[schema(value_type = Option<Object>)]
    request_object: Value,
    /// The answer, at the level `RequestResponse`.
    #[serde(skip_serializing_if = "Option::is_none")]
    response_object: Option<Answer>,
    /// When (RFC 3339).
    #[schema(example = "2027-01-15T08:00:00.000000Z")]
    request_received_timestamp: String,
}

/// A user of the cluster.
#[derive(Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(default)]
#[schema(as = KubernetesUser)]
pub struct User {
    /// The name.
    username: String,
}

/// A kind of thing.
#[derive(Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", default)]
#[schema(as = KubernetesObjectReference)]
pub struct ObjectRef {
    /// Its group.
    api_group: String,
    /// A part of it: only `scale` changes what it is a part of.
    subresource: String,
}

/// What came of a request.
#[derive(Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(default)]
#[schema(as = KubernetesResponseStatus)]
pub struct ResponseStatus {
    /// The HTTP status.
    code: u16,
}

/// An answer, as far as it is read: an object, a list of them, or a status that names one.
#[derive(Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", default)]
#[schema(as = KubernetesAnswer)]
pub struct Answer {
    /// An object's.
    metadata: Named,
    /// A status's.
    #[serde(skip_serializing_if = "Option::is_none")]
    details: Option<Named>,
    /// A list's.
    #[schema(no_recursion)]
    items: Vec<Self>,
}

/// What names an object.
#[derive(Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", default)]
#[schema(as = KubernetesObjectName)]
pub struct Named {
    /// Its UID.
    #[serde(skip_serializing_if = "Option::is_none")]
    uid: Option<String>,
    /// Its version.
    #[serde(skip_serializing_if = "Option::is_none")]
    resource_version: Option<String>,
}

/// Tell who changed what in the cluster.
///
/// An API server of Kubernetes sends its audit here (`--audit-webhook-config-file`), so that the audit names who changed a tenant's
/// resources with kubectl; docs/audit.md says how. It shows the token of the setting `cluster.audit_token`, without which nobody is let
/// in. At most 16 MiB.
#[utoipa::path(
    post,
    path = "/webhooks/kubernetes-audit",
    tag = "audit",
    request_body = EventList,
    responses((status = 204, description = "It is stored.")),
    security(("kubernetes_audit" = []))
)]
pub async fn receive(
    State(state): State<AppState>,
    _: Server,
    Json(list): Json<EventList>,
) -> Result<StatusCode, ApiError> {
    let requests: Vec<Request> = list.items.iter().flat_map(requests).collect();
    if !requests.is_empty() {
        let mut tx = state.database.platform().await?;
        cluster_changes::ask(&mut tx, &requests).await?;
        tx.commit().await?;
    }
    Ok(StatusCode::NO_CONTENT)
}

/// An API server that has shown its token.
#[derive(Debug, Clone, Copy)]
pub struct Server;

impl FromRequestParts<AppState> for Server {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &AppState) -> Result<Self, ApiError> {
        let shown = presented::bearer(&parts.headers)?.ok_or(ApiError::NOBODY)?;
        // Of hashes, so that the time tells nothing of the token.
        if state.cluster_audit == Some(sha256(shown.as_bytes())) {
            return Ok(Self);
        }
        Err(ApiError::REFUSED)
    }
}

/// What an event says of our resources: a change that was made, and which version came of it.
fn requests(event: &Event) -> Vec<Request> {
    let done = event
        .response_status
        .as_ref()
        .is_some_and(|status| (200..300).contains(&status.code));
    let of_ours = event
        .object_ref
        .as_ref()
        .is_some_and(|object| object.api_group == crds::GROUP && ["", "scale"].contains(&object.subresource.as_str()));
    let (Some(answer), Ok(at)) = (
        &event.response_object,
        event.request_received_timestamp.parse::<Timestamp>(),
    ) else {
        return Vec::new();
    };
    if event.stage != "ResponseComplete" || !done || !of_ours || only_tries(event) {
        return Vec::new();
    }
    let made: Vec<(Uuid, u64)> = match event.verb.as_str() {
        "create" | "update" | "patch" => changed(answer).into_iter().collect(),
        // The answer is the object while it is held, and a status with its UID otherwise.
        "delete" => deleted(answer).into_iter().collect(),
        "deletecollection" => answer.items.iter().filter_map(deleted).collect(),
        _ => Vec::new(),
    };
    let request = |(resource, version)| Request {
        resource,
        version,
        by: Some(By {
            user: clean(&event.user.username),
            acting_as: event.impersonated_user.as_ref().map(|user| clean(&user.username)),
        }),
        request_id: clean(&event.audit_id),
        at,
    };
    made.into_iter().map(request).collect()
}

/// Whether a request was made to see what would come of it.
fn only_tries(event: &Event) -> bool {
    let query = event.request_uri.split_once('?').map_or("", |(_, query)| query);
    let by_query = form_urlencoded::parse(query.as_bytes()).any(|(name, value)| name == "dryRun" && !value.is_empty());
    // Of others the object that is sent is the resource, in which anybody may write such a member.
    let is_deletion = event.verb.starts_with("delete");
    let by_body = event.request_object["dryRun"]
        .as_array()
        .is_some_and(|stages| !stages.is_empty());
    by_query || is_deletion && by_body
}

fn changed(answer: &Answer) -> Option<(Uuid, u64)> {
    let Named { uid, resource_version } = &answer.metadata;
    Some((
        Uuid::try_parse(uid.as_deref()?).ok()?,
        resource_version.as_deref()?.parse().ok()?,
    ))
}

fn deleted(answer: &Answer) -> Option<(Uuid, u64)> {
    let named = answer
        .metadata
        .uid
        .as_deref()
        .or_else(|| answer.details.as_ref()?.uid.as_deref())?;
    Some((Uuid::try_parse(named).ok()?, DELETION))
}

/// A text that clients of the cluster may have chosen, as it can be stored.
fn clean(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(LONGEST).collect()
}

#[cfg(test)]
mod tests;
