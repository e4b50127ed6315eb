//! `GET /v1/me/identities`.

use axum::extract::State;
use serde::Serialize;
use utoipa::ToSchema;

use crate::{
    app::AppState,
    http::{caller::Person, error::ApiError},
    routes::me::identities::Identity,
    store::identities,
};

/// A person's identities.
#[derive(Debug, Serialize, ToSchema)]
pub struct Identities {
    /// The oldest first.
    identities: Vec<Identity>,
}

/// List by what names issuers outside know me.
#[utoipa::path(
    get,
    path = "/v1/me/identities",
    tag = "people",
    responses((status = 200, description = "The identities.", body = Identities)),
    security(("session" = []))
)]
pub async fn list(State(state): State<AppState>, Person(login): Person) -> Result<axum::Json<Identities>, ApiError> {
    let mut tx = state.database.platform().await?;
    let found = identities::list(&mut tx, login.overseer(), false).await?;
    let identities = found.into_iter().map(Identity::from).collect();
    Ok(axum::Json(Identities { identities }))
}
