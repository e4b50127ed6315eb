//! `PATCH /v1/tenants/{tenant}/templates/{template}`.

use axum::{
    extract::{Path, State},
    response::Response,
};
use crds::sandbox_template::SandboxTemplate;
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
        request_id::RequestId,
    },
    routes::tenants::{
        resources::{self, Asked},
        templates::{Shape, Template},
    },
};

/// What is to be changed of a template (RFC 7396): members of the template. What is not named stays; null takes away.
#[derive(Debug, serde::Deserialize, ToSchema)]
#[schema(as = TemplateChange, value_type = Object, example = json!({"image": "registry.example.com/data:1.5", "workdir": null}))]
pub struct Change(Map<String, Value>);

/// Change a template.
///
/// Runs that have a pod keep what they have. One that comes with the platform is not the tenant's to change (404).
#[utoipa::path(
    patch,
    path = "/v1/tenants/{tenant}/templates/{template}",
    tag = "templates",
    params(
        ("tenant" = String, Path, description = "The tenant's name."),
        ("template" = String, Path, description = "The template's name."),
        IfMatchHeader
    ),
    request_body = Change,
    responses(
        (status = 200, description = "The template as it is now.", body = Template, headers(("ETag" = String, description = "Its version, for `If-Match`."))),
        (status = 412, description = "It was changed since (`precondition_failed`).", body = Problem, content_type = "application/problem+json"),
    ),
    security(("api_key" = ["templates:write"]), ("session" = []))
)]
pub async fn update(
    State(state): State<AppState>,
    RequestId(request_id): RequestId,
    access: In<need::TemplatesWrite>,
    path: Path<(String, String)>,
    version: IfMatch,
    Json(Change(change)): Json<Change>,
) -> Result<Response, ApiError> {
    let Path((_, name)) = path;
    let asked = Asked {
        action: "template.update",
        kind: "template",
        name: &name,
        request_id: &request_id,
    };
    let seen = |there: &SandboxTemplate| Template::own(there.clone());
    let changed = |there| changed(there, &change);
    let template = resources::change(&state, &access, asked, &version, seen, changed).await?;
    etag::tagged(&Template::own(template))
}

/// What becomes of the version that was read.
fn changed(there: SandboxTemplate, change: &Map<String, Value>) -> Result<SandboxTemplate, ApiError> {
    if change.contains_key("name") {
        return Err(ApiError::invalid("name", "a template keeps its name; make another"));
    }
    let shape = merged(&Shape::of(there.clone()), change)?;
    Ok(SandboxTemplate {
        spec: shape.resource()?.spec,
        ..there
    })
}
