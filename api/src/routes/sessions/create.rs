//! `POST /v1/sessions`: a person logs in.

use axum::{
    extract::State,
    http::{HeaderMap, StatusCode},
    response::IntoResponse,
};
use serde::Deserialize;
use utoipa::ToSchema;

use crate::{
    app::AppState,
    http::{
        cookies::Cookie,
        error::{ApiError, LoginRefused, Problem},
        json::Json,
        parse,
        passkey::PasskeyRequest,
        request_id::RequestId,
    },
    routes::sessions::{self, NewSession},
    service::login::{self, Attempt, Refused},
};

/// The longest that a code is written.
const CODE: usize = 64;

/// What a person shows.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = LoginRequest)]
pub struct Credentials {
    /// The address of the account.
    #[schema(example = "ada@example.com", format = "email", max_length = 254)]
    pub(in crate::routes) email: String,
    /// The password.
    #[schema(example = "a long password of your own", format = Password, max_length = 1024)]
    password: String,
    /// Where the person has a second factor: six digits of the authenticator, or a recovery code.
    #[schema(example = "123456", max_length = 64)]
    code: Option<String>,
}

impl std::fmt::Debug for Credentials {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Credentials").finish_non_exhaustive()
    }
}

/// Log in.
///
/// The answer sets a cookie (`__Host-pinfold-session`), which later requests send back; those that change something send
/// `csrf_token` as `X-CSRF-Token` besides. An unknown address, a wrong password and a blocked account are answered alike, and
/// every answer takes at least the same time.
#[utoipa::path(
    post,
    path = "/v1/sessions",
    tag = "people",
    request_body = Credentials,
    responses(
        (status = 201, description = "Logged in.", body = NewSession),
        (status = 401, description = "The address or the password is wrong (`invalid_credentials`), a code or a passkey is needed besides (`second_factor_required`; with passkeys, `passkey` is what to ask the browser for), or the code is another or was used (`invalid_code`).", body = Problem, content_type = "application/problem+json"),
    ),
    security(())
)]
pub async fn create(
    State(state): State<AppState>,
    RequestId(request_id): RequestId,
    headers: HeaderMap,
    Json(shown): Json<Credentials>,
) -> Result<impl IntoResponse, ApiError> {
    // The time of an answer does not tell what was compared.
    let floor = tokio::time::sleep(state.accounts.login);
    let answer = attempt(&state, &request_id, &headers, shown).await;
    floor.await;
    answer
}

async fn attempt(
    state: &AppState,
    request_id: &str,
    headers: &HeaderMap,
    shown: Credentials,
) -> Result<impl IntoResponse + use<>, ApiError> {
    let email = parse::email(&shown.email)?;
    if shown.code.as_ref().is_some_and(|code| code.len() > CODE) {
        return Err(ApiError::invalid("code", "write the six digits, or a recovery code"));
    }
    let attempt = Attempt {
        email: &email,
        password: shown.password,
        code: shown.code.as_deref(),
        device: state.cookies.read(headers, Cookie::Device),
    };
    let entry = sessions::entry(state, headers, "password", request_id);
    let done = login::login(sessions::judge(state), attempt, entry, state.clock.now())
        .await
        .map_err(|why| refused(state, why))?;
    let body = sessions::logged_in(state, &done.opened, &done.device);
    Ok((StatusCode::CREATED, body))
}

fn refused(state: &AppState, why: Refused) -> ApiError {
    match why {
        Refused::Credentials => ApiError::Login(LoginRefused::Credentials),
        Refused::SecondFactor(asked) => {
            let party = state.relying_party.as_deref();
            let passkey = asked
                .zip(party)
                .map(|(asked, party)| PasskeyRequest::new(&asked, party));
            ApiError::Login(LoginRefused::SecondFactor(passkey.map(Box::new)))
        }
        Refused::Code => ApiError::Login(LoginRefused::Code),
        Refused::TooOften(error) => error.into(),
        Refused::Hashing(error) => error.into(),
        Refused::Store(error) => error.into(),
    }
}
