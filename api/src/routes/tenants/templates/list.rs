//! `GET /v1/tenants/{tenant}/templates`.

use std::collections::BTreeMap;

use axum::extract::State;
use crds::sandbox_template::SandboxTemplate;
use kube::ResourceExt as _;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::{
    app::AppState,
    auth::rights::need,
    http::{access::In, error::ApiError, parse, query::Query},
    routes::tenants::{resources, templates::Template},
};

/// Which templates.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct Which {
    /// How many at most, 1 to 500. Default: 100.
    #[param(minimum = 1, maximum = 500)]
    limit: Option<u32>,
    /// What the page before gave as `next_page_token`.
    page_token: Option<String>,
    /// Only those that come with the platform, or only those of the tenant itself.
    built_in: Option<bool>,
}

/// Templates.
#[derive(Debug, Serialize, ToSchema)]
pub struct Templates {
    /// The templates, by name.
    templates: Vec<Template>,
    /// What asks for the next page; none on the last.
    next_page_token: Option<String>,
}

/// List templates.
///
/// All that runs of the tenant may name: its own, and those that come with the platform. One of its own stands in for one of
/// the platform's of the same name.
#[utoipa::path(
    get,
    path = "/v1/tenants/{tenant}/templates",
    tag = "templates",
    params(("tenant" = String, Path, description = "The tenant's name."), Which),
    responses((status = 200, description = "The templates.", body = Templates)),
    security(("access_token" = ["templates:read"]), ("api_key" = ["templates:read"]), ("session" = []))
)]
pub async fn list(
    State(state): State<AppState>,
    access: In<need::TemplatesRead>,
    Query(which): Query<Which>,
) -> Result<axum::Json<Templates>, ApiError> {
    let (cluster, namespace) = resources::place(&state, &access).await?;
    let (built_in, own) = tokio::try_join!(
        cluster.list_templates(cluster.built_in()),
        cluster.list_templates(&namespace)
    )?;
    let built_in = built_in.into_iter().map(|template| (template, true));
    let all = built_in.chain(own.into_iter().map(|template| (template, false)));
    // What comes later stands in for what came before.
    let by_name: BTreeMap<String, (SandboxTemplate, bool)> = all
        .map(|(template, built_in)| (template.name_any(), (template, built_in)))
        .collect();
    let mut found: Vec<(String, (SandboxTemplate, bool))> = by_name.into_iter().collect();
    found.retain(|(_, (_, built_in))| which.built_in.is_none_or(|wanted| *built_in == wanted));
    let (found, next_page_token) = parse::page(
        found,
        which.limit,
        which.page_token.as_ref(),
        |t| t.0.clone(),
        |t| t.0.clone(),
    )?;
    let templates = found
        .into_iter()
        .map(|(_, (template, built_in))| Template::of(template, built_in));
    Ok(axum::Json(Templates {
        templates: templates.collect(),
        next_page_token,
    }))
}
