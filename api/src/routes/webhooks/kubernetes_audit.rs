//! `POST /webhooks/kubernetes-audit`: who asked for what, as the cluster's own audit says.

use axum::{
    extract::{FromRequestParts, State},
    http::{HeaderMap, StatusCode, header, request::Parts},
};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::{
    app::AppState,
    auth::opaque::sha256,
    http::{error::ApiError, json::Json},
    store::cluster_changes::{self, By, DELETION, Request},
};

/// How large a body may be: what an API server sends at once, with its `--audit-webhook-batch-max-size` as docs/audit.md sets it.
pub const LIMIT: usize = 8 * 1024 * 1024;

/// The longest name of a user that is kept whole.
const NAME: usize = 512;

/// What an API server sends (`audit.k8s.io/v1` `EventList`): what is not named here is not read.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[schema(as = KubernetesAuditEvents, example = json!({"kind": "EventList", "apiVersion": "audit.k8s.io/v1", "items": []}))]
pub struct EventList {
    /// The events.
    items: Vec<Event>,
}

/// Something that was asked of the cluster.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = KubernetesAuditEvent)]
pub struct Event {
    /// The request's id.
    #[serde(rename = "auditID")]
    audit_id: String,
    /// How far it was: only `ResponseComplete` counts.
    stage: String,
    /// What was asked.
    verb: String,
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
    /// The answer, at the level `RequestResponse`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    response_object: Option<Value>,
    /// When.
    #[schema(value_type = String, example = "2027-01-15T08:00:00.000000Z")]
    request_received_timestamp: Timestamp,
}

/// A user of the cluster.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[schema(as = KubernetesUser)]
pub struct User {
    /// The name.
    #[serde(default)]
    username: String,
}

/// A kind of thing.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = KubernetesObjectReference)]
pub struct ObjectRef {
    /// Its group.
    #[serde(default)]
    api_group: String,
    /// A part of it.
    #[serde(default)]
    subresource: String,
}

/// What came of a request.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[schema(as = KubernetesResponseStatus)]
pub struct ResponseStatus {
    /// The HTTP status.
    #[serde(default)]
    code: u16,
}

/// Tell who changed what in the cluster.
///
/// An API server of Kubernetes sends its audit here (`--audit-webhook-config-file`), so that the audit names who changed a tenant's
/// resources with kubectl; docs/audit.md says how. It shows the token of the setting `cluster.audit_token`, without which nobody is let
/// in. At most 8 MiB.
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
        let shown = token(&parts.headers).ok_or(ApiError::Unauthenticated { invalid_token: false })?;
        // Of hashes, so that the time tells nothing of the token.
        if state.cluster_audit == Some(sha256(shown.as_bytes())) {
            return Ok(Self);
        }
        Err(ApiError::Unauthenticated { invalid_token: true })
    }
}

fn token(headers: &HeaderMap) -> Option<&str> {
    let (scheme, token) = headers.get(header::AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then_some(token.trim())
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
        .is_some_and(|object| object.api_group == crds::GROUP && object.subresource.is_empty());
    let (true, true, "ResponseComplete", Some(answer)) = (done, of_ours, event.stage.as_str(), &event.response_object)
    else {
        return Vec::new();
    };
    let made: Vec<(Uuid, u64)> = match event.verb.as_str() {
        "create" | "update" | "patch" => changed(answer).into_iter().collect(),
        // The answer is the object while it is held, and a status with its UID otherwise.
        "delete" => deleted(answer).into_iter().collect(),
        "deletecollection" => answer["items"]
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(deleted)
            .collect(),
        _ => Vec::new(),
    };
    let request = |(resource, version)| Request {
        resource,
        version,
        by: Some(By {
            user: name(&event.user),
            acting_as: event.impersonated_user.as_ref().map(name),
        }),
        request_id: event.audit_id.chars().take(NAME).collect(),
        at: event.request_received_timestamp,
    };
    made.into_iter().map(request).collect()
}

fn changed(answer: &Value) -> Option<(Uuid, u64)> {
    let meta = &answer["metadata"];
    let version = meta["resourceVersion"].as_str()?.parse().ok()?;
    Some((Uuid::try_parse(meta["uid"].as_str()?).ok()?, version))
}

fn deleted(answer: &Value) -> Option<(Uuid, u64)> {
    let uid = answer["metadata"]["uid"]
        .as_str()
        .or(answer["details"]["uid"].as_str())?;
    Some((Uuid::try_parse(uid).ok()?, DELETION))
}

fn name(user: &User) -> String {
    user.username.chars().take(NAME).collect()
}

#[cfg(test)]
mod tests;
