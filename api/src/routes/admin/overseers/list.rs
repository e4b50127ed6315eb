//! `GET /v1/admin/overseers`.

use axum::extract::State;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::{
    app::AppState,
    http::{caller::Admin, error::ApiError, parse, query::Query},
    routes::admin::overseers::Overseer,
    store::accounts,
};

/// Which people.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct Which {
    /// How many at most, 1 to 500. Default: 100.
    #[param(minimum = 1, maximum = 500)]
    limit: Option<u32>,
    /// What the page before gave as `next_page_token`.
    page_token: Option<String>,
    /// Only the person with this address.
    email: Option<String>,
}

/// A page of people.
#[derive(Debug, Serialize, ToSchema)]
pub struct Overseers {
    /// The first to come first.
    overseers: Vec<Overseer>,
    /// What asks for the next page; none on the last. People who come in the meantime come at the end.
    next_page_token: Option<String>,
}

/// List people.
///
/// For those who run the platform.
#[utoipa::path(
    get,
    path = "/v1/admin/overseers",
    tag = "admin",
    params(Which),
    responses((status = 200, description = "The people.", body = Overseers)),
    security(("session" = []))
)]
pub async fn list(
    State(state): State<AppState>,
    _: Admin,
    Query(which): Query<Which>,
) -> Result<axum::Json<Overseers>, ApiError> {
    let limit = parse::limit(which.limit)?;
    let after = parse::page_token(which.page_token.as_deref())?;
    let email = which.email.as_deref().map(parse::email).transpose()?;
    let mut found = accounts::list(state.database.pool(), after, email.as_ref(), i64::from(limit) + 1).await?;
    let next_page_token = parse::next_page(&mut found, limit, |person| person.id.to_string());
    Ok(axum::Json(Overseers {
        overseers: found.into_iter().map(Overseer::from).collect(),
        next_page_token,
    }))
}
