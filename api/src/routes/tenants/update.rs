//! `PATCH /v1/tenants/{tenant}`.

use axum::{extract::State, response::Response};
use serde::Deserialize;
use serde_json::{Map, Value};
use utoipa::ToSchema;

use crate::{
    app::AppState,
    auth::rights::need,
    http::{
        access::In,
        error::{ApiError, Problem},
        etag::{self, IfMatch, IfMatchHeader},
        json::Json,
        merge::merged,
        parse,
        request_id::RequestId,
    },
    routes::tenants::{Tenant, acting},
    service::tenants,
};

/// What is to be changed of a tenant (RFC 7396): `display_name`, 1 to 100 characters; null takes it away. Name and plan are not for changing.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(as = TenantChange, value_type = Object, example = json!({"display_name": "Acme Research"}))]
pub struct Change(Map<String, Value>);

/// Change a tenant.
#[utoipa::path(
    patch,
    path = "/v1/tenants/{tenant}",
    tag = "tenants",
    params(("tenant" = String, Path, description = "The tenant's name."), IfMatchHeader),
    request_body = Change,
    responses(
        (status = 200, description = "The tenant as it is now.", body = Tenant, headers(("ETag" = String, description = "Its version, for `If-Match`."))),
        (status = 412, description = "It was changed since (`precondition_failed`).", body = Problem, content_type = "application/problem+json"),
    ),
    security(("api_key" = ["tenant:write"]), ("session" = []))
)]
pub async fn update(
    State(state): State<AppState>,
    RequestId(request_id): RequestId,
    access: In<need::TenantWrite>,
    version: IfMatch,
    Json(Change(change)): Json<Change>,
) -> Result<Response, ApiError> {
    let by = acting(&access, &request_id)?;
    let mut tx = state.database.tenant(access.tenant).await?;
    let there = tenants::lock(&mut tx).await?;
    let writable = Tenant::from(there.clone()).writable();
    version.check(&writable)?;
    let wanted = merged(&writable, &change)?;
    if let Some(name) = &wanted.display_name {
        parse::name("display_name", name)?;
    }
    let tenant = tenants::rename(&mut tx, there, wanted.display_name, by, state.clock.now()).await?;
    tx.commit().await?;
    let tenant = Tenant::from(tenant);
    etag::tagged_for(&tenant, &tenant.writable())
}

#[cfg(test)]
mod tests;
