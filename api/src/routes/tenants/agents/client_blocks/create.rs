//! `POST /v1/tenants/{tenant}/agents/{agent}/client-blocks`.

use axum::{
    extract::{Path, State},
    http::StatusCode,
    response::Response,
};

use crate::{
    app::AppState,
    auth::{oversight::Relation, rights::need},
    http::{
        access::In,
        error::{ApiError, Problem},
        once::{IdempotencyKey, Once},
        parse,
        request_id::RequestId,
    },
    routes::{
        me::client_blocks::{ClientBlock, ClientToBlock, already, too_many},
        tenants::{acting, agents::enter},
    },
    service::client_blocks::{self, MOST},
    store::client_blocks::{self as store, Block},
};

/// Block an OAuth client for an agent.
///
/// What the agent does for people whom that client acts for ends with the next request, and it begins nothing more for them. Needs the
/// relation `owner`.
#[utoipa::path(
    post,
    path = "/v1/tenants/{tenant}/agents/{agent}/client-blocks",
    tag = "agents",
    params(
        ("tenant" = String, Path, description = "The tenant's name."),
        ("agent" = String, Path, format = "uuid", description = "The agent."),
        IdempotencyKey
    ),
    request_body = ClientToBlock,
    responses(
        (status = 201, description = "It is blocked.", body = ClientBlock),
        (status = 409, description = "It is blocked already (`already_blocked`), or a thousand are (`too_many_blocks`).", body = Problem, content_type = "application/problem+json"),
    ),
    security(("api_key" = ["agents:write"]), ("session" = []))
)]
pub async fn create(
    State(state): State<AppState>,
    RequestId(request_id): RequestId,
    access: In<need::AgentsWrite>,
    path: Path<(String, String)>,
    Once { body, claim }: Once<ClientToBlock>,
) -> Result<Response, ApiError> {
    let Path((_, agent)) = path;
    let client_id = body.check()?;
    let (id, now) = (parse::id("agent", &agent)?, state.clock.now());
    let by = acting(&access, &request_id)?;
    let mut tx = enter(&state, &access, id, Relation::Owner).await?.tx;
    if store::of_agent(&mut tx, id).await?.len() >= MOST {
        return Err(too_many());
    }
    if !client_blocks::block_for_agent(&mut tx, &client_id, id, by, now).await? {
        return Err(already());
    }
    let block = ClientBlock::from(Block {
        client_id,
        created_at: now,
    });
    claim.commit(tx, StatusCode::CREATED, &block).await
}
