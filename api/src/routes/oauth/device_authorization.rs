//! `POST /oauth/device_authorization`: a client on a device without a browser asks to be let in (RFC 8628, section 3.1).

use axum::{
    extract::{Request, State},
    http::HeaderMap,
};
use jiff::SignedDuration;
use serde::Serialize;
use utoipa::ToSchema;

use crate::{
    app::AppState,
    auth::{
        authorization::{RESOURCE, asked_scopes, names_resource},
        client::values::GrantType,
        opaque::Opaque,
        random::random,
        user_code,
    },
    http::error::Problem,
    routes::oauth::{
        client,
        error::{ErrorBody, OAuthError},
        form,
    },
    store::{
        StoreError,
        devices::{self, Device},
    },
};

/// How long a device waits.
const PATIENCE: SignedDuration = SignedDuration::from_mins(10);

/// How long it is to wait between two questions, in seconds.
const PAUSE: i32 = 5;

/// How often codes are made until there are some that no other device has.
const TRIES: u32 = 8;

/// What the endpoint reads, as a form, with what proves the client.
#[derive(Debug, ToSchema)]
#[schema(as = DeviceAuthorization)]
#[expect(dead_code, reason = "it describes the form, whose members are read one by one")]
pub struct Asked {
    /// What is asked for; without, all rights that the client is registered for.
    #[schema(example = "runs:read")]
    scope: Option<String>,
    /// What the client calls itself by, unless the `Authorization` header or an assertion says it.
    client_id: Option<String>,
    /// The issuer (RFC 8707).
    #[schema(example = "https://pinfold.example")]
    resource: Option<String>,
}

/// What the device shows, and what it asks with (section 3.2).
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = DeviceAuthorizationAnswer)]
pub struct Answer {
    /// What the device asks the token endpoint with.
    device_code: String,
    /// What the person types.
    #[schema(example = "WDJB-MJHT")]
    user_code: String,
    /// Where.
    #[schema(example = "https://pinfold.example/device")]
    verification_uri: String,
    /// The same with the code in it, for a picture to scan.
    #[schema(example = "https://pinfold.example/device?user_code=WDJB-MJHT")]
    verification_uri_complete: String,
    /// How long the device may wait, in seconds.
    #[schema(example = 600)]
    expires_in: i64,
    /// How long it is to wait between two questions, in seconds.
    #[schema(example = 5)]
    interval: i32,
}

/// Ask to be let in from another device.
#[utoipa::path(
    post,
    path = "/oauth/device_authorization",
    tag = "tokens",
    request_body(content = Asked, content_type = "application/x-www-form-urlencoded"),
    responses(
        (status = 200, description = "What to show and to ask with.", body = Answer),
        (status = 400, description = "RFC 6749, section 5.2.", body = ErrorBody),
        (status = 401, description = "The client is not proved (`invalid_client`).", body = ErrorBody),
        (status = 413, description = "The form is too large.", body = ErrorBody),
        (status = 429, description = "Too many requests; come again after `Retry-After` seconds.", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "Come again.", body = ErrorBody),
    ),
    security(())
)]
pub async fn begin(
    State(state): State<AppState>,
    headers: HeaderMap,
    request: Request,
) -> Result<axum::Json<Answer>, OAuthError> {
    let now = state.clock.now();
    let form = form::read(request, &state).await?;
    let proved = client::proved(&state, &headers, &form, now).await?;
    let metadata = &proved.client.metadata;
    if !metadata.grant_types.contains(&GrantType::DeviceCode) {
        return Err(OAuthError::new(
            "unauthorized_client",
            "the client is not registered for urn:ietf:params:oauth:grant-type:device_code; name it in its grant_types",
        ));
    }
    let scopes = asked_scopes(form.get("scope").map(String::as_str), metadata)
        .map_err(|message| OAuthError::new("invalid_scope", message))?;
    form::for_us(&form, RESOURCE, &state.issuer)?;
    names_resource(&proved.client.client_id, &form, &state.issuer)
        .map_err(|message| OAuthError::new("invalid_target", message))?;
    let device = Device {
        client_id: proved.client.client_id.clone(),
        scopes,
        created_at: now,
        expires_at: now + PATIENCE,
    };
    let (device_code, user_code) = stored(&state, &device).await?;
    let place = format!("{}/device", state.issuer);
    Ok(axum::Json(Answer {
        device_code,
        verification_uri_complete: format!("{place}?user_code={user_code}"),
        user_code,
        verification_uri: place,
        expires_in: PATIENCE.as_secs(),
        interval: PAUSE,
    }))
}

/// The codes under which the device waits.
async fn stored(state: &AppState, device: &Device) -> Result<(String, String), StoreError> {
    for _ in 0..TRIES {
        let secret = Opaque::new(random()?);
        let Some(typed) = user_code::written(random()?) else {
            continue;
        };
        let hash = user_code::hash(&typed);
        if devices::insert(state.database.pool(), &secret.hash(), &hash, device, PAUSE).await? {
            return Ok((secret.text(), typed));
        }
    }
    Err(StoreError::Row("oauth_devices"))
}
