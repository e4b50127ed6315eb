//! `GET /v1/me/passkeys`.

use axum::extract::State;
use serde::Serialize;
use utoipa::ToSchema;

use crate::{
    app::AppState,
    http::{caller::Person, error::ApiError},
    routes::me::passkeys::Passkey,
    store::passkeys,
};

/// A person's passkeys.
#[derive(Debug, Serialize, ToSchema)]
pub struct Passkeys {
    /// The oldest first.
    passkeys: Vec<Passkey>,
}

/// List my passkeys.
#[utoipa::path(
    get,
    path = "/v1/me/passkeys",
    tag = "people",
    responses((status = 200, description = "The passkeys.", body = Passkeys)),
    security(("session" = []))
)]
pub async fn list(State(state): State<AppState>, Person(login): Person) -> Result<axum::Json<Passkeys>, ApiError> {
    let mut tx = state.database.platform().await?;
    let found = passkeys::list(&mut tx, login.overseer()).await?;
    let passkeys = found.into_iter().map(Passkey::from).collect();
    Ok(axum::Json(Passkeys { passkeys }))
}
