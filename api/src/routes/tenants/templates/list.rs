//! `GET /v1/tenants/{tenant}/templates`.

use std::collections::BTreeMap;

use axum::extract::State;
use kube::ResourceExt as _;
use serde::Serialize;
use utoipa::ToSchema;

use crate::{
    app::AppState,
    auth::rights::need,
    http::{access::In, error::ApiError},
    routes::tenants::{resources, templates::Template},
};

/// Templates.
#[derive(Debug, Serialize, ToSchema)]
pub struct Templates {
    /// The templates, by name.
    templates: Vec<Template>,
}

/// List templates.
///
/// All that runs of the tenant may name: its own, and those that come with the platform. One of its own stands in for one of
/// the platform's of the same name.
#[utoipa::path(
    get,
    path = "/v1/tenants/{tenant}/templates",
    tag = "templates",
    params(("tenant" = String, Path, description = "The tenant's name.")),
    responses((status = 200, description = "The templates.", body = Templates)),
    security(("access_token" = ["templates:read"]), ("api_key" = ["templates:read"]), ("session" = []))
)]
pub async fn list(
    State(state): State<AppState>,
    access: In<need::TemplatesRead>,
) -> Result<axum::Json<Templates>, ApiError> {
    let (cluster, namespace) = resources::place(&state, &access).await?;
    let (built_in, own) = tokio::try_join!(
        cluster.list_templates(cluster.built_in()),
        cluster.list_templates(&namespace)
    )?;
    let built_in = built_in.into_iter().map(|template| (template, true));
    let all = built_in.chain(own.into_iter().map(|template| (template, false)));
    // What comes later stands in for what came before.
    let by_name: BTreeMap<String, Template> = all
        .map(|(template, built_in)| (template.name_any(), Template::of(template, built_in)))
        .collect();
    Ok(axum::Json(Templates {
        templates: by_name.into_values().collect(),
    }))
}
