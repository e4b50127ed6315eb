//! `GET /v1/me/sessions`.

use std::cmp::Reverse;

use axum::extract::State;
use domain::SessionId;
use serde::Serialize;
use utoipa::ToSchema;

use crate::{
    app::AppState,
    http::{
        caller::Person,
        error::ApiError,
        parse,
        query::{Paging, Query},
    },
    routes::me::sessions::Session,
    store::sessions,
};

/// The caller's logins.
#[derive(Debug, Serialize, ToSchema)]
pub struct Sessions {
    /// The newest first.
    sessions: Vec<Session>,
    /// What asks for the next page; none on the last.
    next_page_token: Option<String>,
}

/// List my logins.
#[utoipa::path(
    get,
    path = "/v1/me/sessions",
    tag = "people",
    params(Paging),
    responses((status = 200, description = "The logins in force.", body = Sessions)),
    security(("session" = []))
)]
pub async fn list(
    State(state): State<AppState>,
    Person(login): Person,
    Query(which): Query<Paging>,
) -> Result<axum::Json<Sessions>, ApiError> {
    let after = parse::page_token::<SessionId>(which.page_token.as_deref())?.map(Reverse);
    let found = sessions::list(state.database.pool(), login.overseer(), state.clock.now()).await?;
    let (found, next_page_token) = parse::page(
        found,
        which.limit,
        after.as_ref(),
        |s| Reverse(s.id),
        |s| s.id.to_string(),
    )?;
    let own = login.session().ok().map(|session| session.id);
    let sessions = found.into_iter().map(|session| Session::of(session, own)).collect();
    Ok(axum::Json(Sessions {
        sessions,
        next_page_token,
    }))
}
