//! `/login` and `/logout`.

use axum::{
    extract::State,
    http::HeaderMap,
    response::{IntoResponse as _, Response},
};
use minijinja::context;
use serde::Deserialize;

use super::{POLICY, Way, consent, cookies_of, page_that_leads, see_other};
use crate::{
    app::AppState,
    http::{
        caller::OwnSession,
        error::{ApiError, LoginRefused},
        form::Form,
        json::{self, Json},
        query::Query,
        request_id::RequestId,
    },
    routes::sessions::{
        create::{self, Credentials},
        delete, passkey,
    },
};

/// The form.
pub async fn show(State(state): State<AppState>, Query(way): Query<Way>) -> Response {
    form(&state, &way, None, None).await
}

/// A person logs in.
pub async fn send(
    State(state): State<AppState>,
    request_id: RequestId,
    Query(way): Query<Way>,
    headers: HeaderMap,
    given: Result<Form<Credentials>, ApiError>,
) -> Response {
    let given = match given {
        Ok(Form(given)) => given,
        Err(error) => return form(&state, &way, None, Some(&error)).await,
    };
    let (email, again) = (given.email.clone(), state.clone());
    match create::create(State(state), request_id, headers, Json(given)).await {
        Ok(answer) => see_other(&way.place(), cookies_of(&answer.into_response())),
        Err(error) => form(&again, &way, Some(&email), Some(&error)).await,
    }
}

/// The fields of a passkey in use.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fields {
    /// What `toJSON` of the browser's credential gives.
    credential: String,
}

/// A person who has shown the password shows a passkey.
pub async fn send_passkey(
    State(state): State<AppState>,
    request_id: RequestId,
    Query(way): Query<Way>,
    headers: HeaderMap,
    given: Result<Form<Fields>, ApiError>,
) -> Response {
    let shown = given.and_then(|Form(fields)| json::read(fields.credential.as_bytes()));
    let again = state.clone();
    let done = match shown {
        Ok(shown) => passkey::create(State(state), request_id, headers, Json(shown)).await,
        Err(error) => Err(error),
    };
    match done {
        Ok(answer) => see_other(&way.place(), cookies_of(&answer.into_response())),
        Err(error) => form(&again, &way, None, Some(&error)).await,
    }
}

async fn form(state: &AppState, way: &Way, email: Option<&str>, refused: Option<&ApiError>) -> Response {
    let (needs_code, passkey) = match refused {
        Some(ApiError::Login(LoginRefused::SecondFactor(passkey))) => (true, passkey.as_deref()),
        Some(ApiError::Login(LoginRefused::Code)) => (true, None),
        _ => (false, None),
    };
    // Text and numbers always serialise.
    let passkey = passkey.map(|request| serde_json::to_string(request).unwrap_or_default());
    let own = context! { way => way.query(), email, needs_code, passkey };
    // Whoever agreed before is led on to the client at once.
    let policy = match way.request() {
        Some(request) => consent::policy_of(state, request).await,
        None => None,
    };
    let policy = policy.as_deref().unwrap_or(POLICY);
    page_that_leads("login.html", "Log in", refused, own, policy)
}

/// A person logs out.
pub async fn leave(state: State<AppState>, request_id: RequestId, session: Result<OwnSession, ApiError>) -> Response {
    let left = match session {
        Ok(session) => delete::delete(state, request_id, session).await,
        // Whoever is logged out already has what they wanted.
        Err(ApiError::Unauthenticated { .. }) => return see_other("/login", Vec::new()),
        Err(error) => return error.into_response(),
    };
    match left {
        Ok(answer) => see_other("/login", cookies_of(&answer.into_response())),
        Err(error) => error.into_response(),
    }
}
