//! `GET /v1/tenants/{tenant}/audit`.

use axum::extract::State;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::{
    app::AppState,
    auth::rights::need,
    http::{access::In, error::ApiError, parse, query::Query},
    routes::tenants::audit::{self, AuditEvent},
    store::audit_chain::{self, Filter},
};

/// Which events.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct Which {
    /// How many at most, 1 to 500. Default: 100.
    #[param(minimum = 1, maximum = 500)]
    limit: Option<u32>,
    /// What the page before gave as `next_page_token`.
    page_token: Option<String>,
    /// Only this action, as `run.create`.
    action: Option<String>,
    /// Only what this agent or person did.
    actor_id: Option<String>,
    /// Only what was done to this.
    target_id: Option<String>,
}

/// A page of events.
#[derive(Debug, Serialize, ToSchema)]
pub struct AuditEvents {
    /// The events, the newest first.
    events: Vec<AuditEvent>,
    /// What asks for the next page, of older ones; none on the last. New events move nothing.
    next_page_token: Option<String>,
}

/// List what was done in a tenant.
///
/// An event is listed as soon as it has its number, a second or two after it happened.
#[utoipa::path(
    get,
    path = "/v1/tenants/{tenant}/audit",
    tag = "audit",
    params(("tenant" = String, Path, description = "The tenant's name."), Which),
    responses((status = 200, description = "The events.", body = AuditEvents)),
    security(("api_key" = ["audit:read"]), ("session" = []))
)]
pub async fn list(
    State(state): State<AppState>,
    access: In<need::AuditRead>,
    Query(which): Query<Which>,
) -> Result<axum::Json<AuditEvents>, ApiError> {
    let limit = parse::limit(which.limit)?;
    let before = match &which.page_token {
        None => i64::MAX,
        Some(text) => text
            .parse()
            .ok()
            .filter(|number| *number > 0)
            .ok_or_else(|| ApiError::invalid("page_token", "write what the page before gave as next_page_token"))?,
    };
    let mut tx = state.database.tenant(access.tenant).await?;
    let filter = Filter {
        before,
        action: which.action.as_deref(),
        actor: which
            .actor_id
            .as_deref()
            .map(|text| parse::uuid("actor_id", text))
            .transpose()?,
        target: which
            .target_id
            .as_deref()
            .map(|text| parse::uuid("target_id", text))
            .transpose()?,
        // One more than asked for tells whether there is another page.
        most: i64::from(limit) + 1,
    };
    let mut found = audit_chain::newest(&mut tx, filter).await?;
    let limit = usize::try_from(limit).unwrap_or(usize::MAX);
    let more = found.len() > limit;
    found.truncate(limit);
    let users = audit::users(&mut tx, &found).await?;
    let last = found.last().map(|(sequence, _)| sequence.to_string());
    Ok(axum::Json(AuditEvents {
        events: found
            .into_iter()
            .map(|(sequence, event)| AuditEvent::new(sequence, event, &users))
            .collect(),
        next_page_token: last.filter(|_| more),
    }))
}

#[cfg(test)]
mod tests;
