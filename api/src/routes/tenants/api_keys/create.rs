//! `POST /v1/tenants/{tenant}/api-keys`.

use axum::{extract::State, http::StatusCode, response::Response};

use crate::{
    app::AppState,
    auth::{api_key::Kind, rights::need},
    http::{
        access::Lasting,
        error::{ApiError, Problem},
        once::{IdempotencyKey, Once},
        request_id::RequestId,
    },
    routes::tenants::api_keys::{Made, Wanted, too_many},
    service::api_keys::{self, NewKey},
};

/// Make an API key of a tenant.
///
/// It acts for the tenant as far as its scopes go, whoever made it. The key itself is shown this once.
#[utoipa::path(
    post,
    path = "/v1/tenants/{tenant}/api-keys",
    tag = "tenants",
    params(("tenant" = String, Path, description = "The tenant's name."), IdempotencyKey),
    request_body = Wanted,
    responses(
        (status = 201, description = "The key.", body = Made),
        (status = 409, description = "A hundred are in force (`too_many_keys`).", body = Problem, content_type = "application/problem+json"),
    ),
    security(("api_key" = ["keys:write"]), ("session" = []))
)]
pub async fn create(
    State(state): State<AppState>,
    RequestId(request_id): RequestId,
    Lasting(access): Lasting<need::KeysWrite>,
    Once { body: wanted, claim }: Once<Wanted>,
) -> Result<Response, ApiError> {
    let now = state.clock.now();
    let overseer = access.caller.overseer()?;
    let checked = wanted.check(&[Kind::Tenant, Kind::E2b], &access.rights(), now)?;
    let new = NewKey {
        kind: checked.kind,
        name: &checked.name,
        scopes: checked.scopes,
        expires_at: checked.expires_at,
        overseer,
        request_id: &request_id,
    };
    let mut tx = state.database.tenant(access.tenant).await?;
    let (secret, key) = api_keys::create(&mut tx, new, now).await?.ok_or_else(too_many)?;
    claim.commit(tx, StatusCode::CREATED, &Made::new(&secret, key)).await
}
