//! `POST /v1/tenants/{tenant}/templates`.

use axum::{extract::State, http::StatusCode, response::Response};
use kube::ResourceExt as _;

use crate::{
    app::AppState,
    auth::rights::need,
    http::{
        access::In,
        error::{ApiError, Problem},
        once::{IdempotencyKey, Once},
        request_id::RequestId,
    },
    routes::tenants::{
        resources::{self, Asked},
        templates::{Shape, Template},
    },
};

/// Make a template.
///
/// It may have the name of one that comes with the platform: runs of the tenant get this one then.
#[utoipa::path(
    post,
    path = "/v1/tenants/{tenant}/templates",
    tag = "templates",
    params(("tenant" = String, Path, description = "The tenant's name."), IdempotencyKey),
    request_body = Shape,
    responses(
        (status = 201, description = "The template.", body = Template),
        (status = 409, description = "The name is taken (`name_taken`), there is no room for more templates (`quota_exceeded`), or the tenant's namespace is not there yet (`tenant_not_ready`).", body = Problem, content_type = "application/problem+json"),
    ),
    security(("api_key" = ["templates:write"]), ("session" = []))
)]
pub async fn create(
    State(state): State<AppState>,
    RequestId(request_id): RequestId,
    access: In<need::TemplatesWrite>,
    Once { body: new, mut claim }: Once<Shape>,
) -> Result<Response, ApiError> {
    let wanted = new.resource()?;
    let name = wanted.name_any();
    let asked = Asked {
        action: "template.create",
        kind: "template",
        name: &name,
        request_id: &request_id,
    };
    let made = resources::make(&state, &access, &mut claim, &wanted, asked).await?;
    let tx = state.database.platform().await?;
    claim.commit(tx, StatusCode::CREATED, &Template::own(made)).await
}
