//! `GET /v1/tenants/{tenant}/members`.

use axum::extract::State;
use domain::OverseerId;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::{
    app::AppState,
    auth::rights::need,
    http::{access::In, error::ApiError, parse, query::Query},
    routes::tenants::members::{self, Member},
    store::memberships,
};

/// Which members.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct Which {
    /// How many at most, 1 to 500. Default: 100.
    #[param(minimum = 1, maximum = 500)]
    limit: Option<u32>,
    /// What the page before gave as `next_page_token`.
    page_token: Option<String>,
    /// Only who is this: `owner`, `admin`, `developer`, `billing` or `viewer`.
    role: Option<String>,
}

/// A tenant's members.
#[derive(Debug, Serialize, ToSchema)]
pub struct Members {
    /// By id, which is: whose account is the oldest first.
    members: Vec<Member>,
    /// What asks for the next page; none on the last.
    next_page_token: Option<String>,
}

/// List a tenant's members.
#[utoipa::path(
    get,
    path = "/v1/tenants/{tenant}/members",
    tag = "tenants",
    params(("tenant" = String, Path, description = "The tenant's name."), Which),
    responses((status = 200, description = "The members.", body = Members)),
    security(("api_key" = ["members:read"]), ("session" = []))
)]
pub async fn list(
    State(state): State<AppState>,
    access: In<need::MembersRead>,
    Query(which): Query<Which>,
) -> Result<axum::Json<Members>, ApiError> {
    let after = parse::page_token::<OverseerId>(which.page_token.as_deref())?;
    let role = which.role.as_deref().map(members::role).transpose()?;
    let mut tx = state.database.tenant(access.tenant).await?;
    let mut found = memberships::list(&mut tx).await?;
    found.retain(|member| role.is_none_or(|role| member.role == role));
    let (found, next_page_token) = parse::page(
        found,
        which.limit,
        after.as_ref(),
        |m| m.overseer,
        |m| m.overseer.to_string(),
    )?;
    Ok(axum::Json(Members {
        members: found.into_iter().map(Member::from).collect(),
        next_page_token,
    }))
}
