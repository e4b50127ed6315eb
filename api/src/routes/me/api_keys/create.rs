//! `POST /v1/me/api-keys`.

use axum::{extract::State, http::StatusCode, response::Response};

use crate::{
    app::AppState,
    auth::{api_key::Kind, rights::Right},
    http::{
        caller::Person,
        error::{ApiError, Problem},
        once::{IdempotencyKey, Once},
        request_id::RequestId,
    },
    routes::tenants::api_keys::{Made, Wanted, too_many},
    service::api_keys::{self, NewKey},
};

/// Make an API key of mine.
///
/// It acts for you in all your tenants, as far as your role there and its scopes go. The key itself is shown this once.
#[utoipa::path(
    post,
    path = "/v1/me/api-keys",
    tag = "people",
    params(IdempotencyKey),
    request_body = Wanted,
    responses(
        (status = 201, description = "The key.", body = Made),
        (status = 409, description = "A hundred are in force (`too_many_keys`).", body = Problem, content_type = "application/problem+json"),
    ),
    security(("session" = []))
)]
pub async fn create(
    State(state): State<AppState>,
    RequestId(request_id): RequestId,
    Person(login): Person,
    Once { body: wanted, claim }: Once<Wanted>,
) -> Result<Response, ApiError> {
    let now = state.clock.now();
    let checked = wanted.check(&[Kind::Personal], &Right::ALL, now)?;
    let new = NewKey {
        kind: checked.kind,
        name: &checked.name,
        scopes: checked.scopes,
        expires_at: checked.expires_at,
        overseer: login.overseer(),
        request_id: &request_id,
    };
    let mut tx = state.database.platform().await?;
    let (secret, key) = api_keys::create(&mut tx, new, now).await?.ok_or_else(too_many)?;
    claim.commit(tx, StatusCode::CREATED, &Made::new(&secret, key)).await
}
