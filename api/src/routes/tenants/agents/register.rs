//! `POST /v1/tenants/{tenant}/agents`: a person registers an agent.

use axum::{extract::State, http::StatusCode, response::Response};

use crate::{
    app::AppState,
    auth::{random::random, rights::need},
    http::{
        access::Lasting,
        error::{ApiError, Problem},
        once::{IdempotencyKey, Once},
        request_id::RequestId,
    },
    routes::agents::register::{Registered, Registration, key_used},
    service::registration::{self, Request},
};

/// Register an agent of a tenant.
///
/// The body is the one that an agent registers itself with: the key's signature shows that whoever sends it has the key. You are
/// the agent's owner. It gets tokens like any other, and may start and read runs in the tenant.
#[utoipa::path(
    post,
    path = "/v1/tenants/{tenant}/agents",
    tag = "tenants",
    params(("tenant" = String, Path, description = "The tenant's name."), IdempotencyKey),
    request_body = Registration,
    responses(
        (status = 201, description = "The agent is registered.", body = Registered),
        (status = 409, description = "The key is an agent's already, or was revoked (`key_used`).", body = Problem, content_type = "application/problem+json"),
    ),
    security(("api_key" = ["agents:write"]), ("session" = []))
)]
pub async fn register(
    State(state): State<AppState>,
    RequestId(request_id): RequestId,
    Lasting(access): Lasting<need::AgentsWrite>,
    Once { body: asked, claim }: Once<Registration>,
) -> Result<Response, ApiError> {
    let now = state.clock.now();
    let owner = access.caller.overseer()?;
    let public_key = asked.check(&state.issuer, now)?;
    let request = Request {
        name: asked.name(),
        public_key,
        request_id: &request_id,
    };
    let made = registration::register_for(&state.database, access.tenant, owner, request, now, random()?).await?;
    let (tx, made) = made.ok_or_else(key_used)?;
    claim.commit(tx, StatusCode::CREATED, &Registered::from(made)).await
}
