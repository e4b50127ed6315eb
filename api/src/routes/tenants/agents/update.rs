//! `PATCH /v1/tenants/{tenant}/agents/{agent}`.

use axum::{
    extract::{Path, State},
    response::Response,
};
use serde::Deserialize;
use utoipa::ToSchema;

use crate::{
    app::AppState,
    auth::{oversight::Relation, rights::need},
    http::{
        access::In,
        error::{ApiError, Problem},
        etag::{self, IfMatch, IfMatchHeader},
        json::Json,
        parse,
        request_id::RequestId,
    },
    routes::tenants::{
        acting,
        agents::{Agent, enter},
    },
    service::agents,
};

/// What is to be changed of an agent (RFC 7396); what is not named stays.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = AgentChange)]
pub struct Change {
    /// What people are to call it: 1 to 100 characters, none of them a control character.
    #[schema(example = "scout", min_length = 1, max_length = 100)]
    name: Option<String>,
}

/// Change an agent.
///
/// Needs the relation `delegate` or `owner` to the agent besides the right.
#[utoipa::path(
    patch,
    path = "/v1/tenants/{tenant}/agents/{agent}",
    tag = "agents",
    params(
        ("tenant" = String, Path, description = "The tenant's name."),
        ("agent" = String, Path, format = "uuid", description = "The agent."),
        IfMatchHeader
    ),
    request_body = Change,
    responses(
        (status = 200, description = "The agent as it is now.", body = Agent, headers(("ETag" = String, description = "Its version, for `If-Match`."))),
        (status = 412, description = "It was changed since (`precondition_failed`).", body = Problem, content_type = "application/problem+json"),
    ),
    security(("api_key" = ["agents:write"]), ("session" = []))
)]
pub async fn update(
    State(state): State<AppState>,
    RequestId(request_id): RequestId,
    access: In<need::AgentsWrite>,
    path: Path<(String, String)>,
    version: IfMatch,
    Json(change): Json<Change>,
) -> Result<Response, ApiError> {
    let Path((_, agent)) = path;
    let id = parse::id("agent", &agent)?;
    let name = change
        .name
        .as_deref()
        .map(|name| parse::name("name", name))
        .transpose()?;
    let by = acting(&access, &request_id)?;
    let overseen = enter(&state, &access, id, Relation::Delegate).await?;
    version.check(&Agent::from(overseen.agent.clone()))?;
    let agent = match name {
        Some(name) => agents::rename(overseen, name, by, state.clock.now()).await?,
        None => overseen.agent,
    };
    etag::tagged(&Agent::from(agent))
}
