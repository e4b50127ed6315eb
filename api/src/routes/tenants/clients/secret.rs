//! `POST /v1/tenants/{tenant}/clients/{client}/secret`.

use axum::{
    extract::{Path, State},
    http::StatusCode,
    response::Response,
};
use jiff::SignedDuration;
use serde::Deserialize;
use utoipa::ToSchema;

use crate::{
    app::AppState,
    auth::rights::need,
    http::{
        access::Lasting,
        error::{ApiError, Problem},
        once::{IdempotencyKey, Once},
        parse,
        request_id::RequestId,
    },
    routes::tenants::{
        acting,
        clients::{Made, hold},
    },
    service::clients,
};

/// For how long the secret before may be kept, in seconds: a week.
const LONGEST: u32 = 7 * 24 * 60 * 60;

/// How a secret takes the place of another.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = NewClientSecret)]
pub struct Wanted {
    /// For how many seconds the secret before is good as well, so that the client can change over. One that leaked gets none. Default: 0.
    #[serde(default)]
    #[schema(example = 3600, minimum = 0, maximum = 604_800)]
    previous_expires_in: u32,
}

/// Make another secret of an OAuth client.
///
/// It is shown this once. Needs every right that the client may ask for.
#[utoipa::path(
    post,
    path = "/v1/tenants/{tenant}/clients/{client}/secret",
    tag = "clients",
    params(
        ("tenant" = String, Path, description = "The tenant's name."),
        ("client" = String, Path, format = "uuid", description = "The client's id."),
        IdempotencyKey
    ),
    request_body = Wanted,
    responses(
        (status = 201, description = "The client with its secret.", body = Made),
        (status = 409, description = "The client proves itself otherwise (`no_client_secret`).", body = Problem, content_type = "application/problem+json"),
    ),
    security(("api_key" = ["clients:write"]), ("session" = []))
)]
pub async fn renew(
    State(state): State<AppState>,
    RequestId(request_id): RequestId,
    Lasting(access): Lasting<need::ClientsWrite>,
    path: Path<(String, String)>,
    Once { body: wanted, claim }: Once<Wanted>,
) -> Result<Response, ApiError> {
    let Path((_, client)) = path;
    let id = parse::id("client", &client)?;
    let by = acting(&access, &request_id)?;
    if wanted.previous_expires_in > LONGEST {
        return Err(ApiError::invalid(
            "previous_expires_in",
            format!("write 0 to {LONGEST}"),
        ));
    }
    let keep = SignedDuration::from_secs(wanted.previous_expires_in.into());
    let (mut tx, client) = hold(&state, &access, id).await?;
    if !client.metadata.auth_method.has_secret() {
        return Err(ApiError::Conflict {
            code: "no_client_secret",
            message: format!(
                "the client proves itself by {}; change its token_endpoint_auth_method first",
                client.metadata.auth_method.as_str()
            ),
        });
    }
    let (client, secret) = clients::renew_secret(&mut tx, client, keep, by, state.clock.now()).await?;
    let made = Made::new(client, Some(&secret));
    claim.commit(tx, StatusCode::CREATED, &made).await
}
