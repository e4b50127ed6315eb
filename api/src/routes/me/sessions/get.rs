//! `GET /v1/me/sessions/{session}`.

use axum::extract::{Path, State};
use domain::SessionId;

use crate::{
    app::AppState,
    http::{caller::Person, error::ApiError, parse},
    routes::me::sessions::Session,
    store::sessions,
};

/// See a login of mine.
#[utoipa::path(
    get,
    path = "/v1/me/sessions/{session}",
    tag = "people",
    params(("session" = String, Path, format = "uuid", description = "The login.")),
    responses((status = 200, description = "The login.", body = Session)),
    security(("session" = []))
)]
pub async fn get(
    State(state): State<AppState>,
    Person(login): Person,
    Path(session): Path<String>,
) -> Result<axum::Json<Session>, ApiError> {
    let id: SessionId = parse::id("session", &session)?;
    let all = sessions::list(state.database.pool(), login.overseer(), state.clock.now()).await?;
    let found = all
        .into_iter()
        .find(|session| session.id == id)
        .ok_or(ApiError::NotFound)?;
    let own = login.session().ok().map(|session| session.id);
    Ok(axum::Json(Session::of(found, own)))
}
