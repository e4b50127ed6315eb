//! `POST /v1/tenants/{tenant}/clients`.

use axum::{extract::State, http::StatusCode, response::Response};

use crate::{
    app::AppState,
    auth::{client::Written, rights::need},
    http::{
        access::Lasting,
        error::{ApiError, Problem},
        once::{IdempotencyKey, Once},
        request_id::RequestId,
    },
    routes::tenants::{
        acting,
        clients::{Made, ensure_grantable},
    },
    service::clients::{self, MOST},
};

/// Register an OAuth client.
///
/// Its metadata has the names and values of RFC 7591. A client that proves itself by a secret gets one, which is shown this once.
#[utoipa::path(
    post,
    path = "/v1/tenants/{tenant}/clients",
    tag = "clients",
    params(("tenant" = String, Path, description = "The tenant's name."), IdempotencyKey),
    request_body = Written,
    responses(
        (status = 201, description = "The client.", body = Made),
        (status = 409, description = "There are a hundred (`too_many_clients`).", body = Problem, content_type = "application/problem+json"),
    ),
    security(("api_key" = ["clients:write"]), ("session" = []))
)]
pub async fn create(
    State(state): State<AppState>,
    RequestId(request_id): RequestId,
    Lasting(access): Lasting<need::ClientsWrite>,
    Once { body: written, claim }: Once<Written>,
) -> Result<Response, ApiError> {
    let by = acting(&access, &request_id)?;
    let metadata = written.check()?;
    ensure_grantable(&access, &metadata)?;
    let mut tx = state.database.tenant(access.tenant).await?;
    let registered = clients::register(&mut tx, metadata, by, state.clock.now()).await?;
    let (client, secret) = registered.ok_or_else(|| ApiError::Conflict {
        code: "too_many_clients",
        message: format!("{MOST} clients are registered; delete one first"),
    })?;
    let made = Made::new(client, secret.as_ref());
    claim.commit(tx, StatusCode::CREATED, &made).await
}
