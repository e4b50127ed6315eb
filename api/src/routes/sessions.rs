//! `/v1/sessions`: logging in and out.

use axum::{
    http::{HeaderMap, HeaderName, HeaderValue, header},
    response::{AppendHeaders, IntoResponse},
};
use jiff::SignedDuration;
use serde::Serialize;
use utoipa::ToSchema;

use crate::{
    app::AppState,
    auth::csrf,
    http::cookies::Cookie,
    service::{
        login::Judge,
        second_factor,
        sessions::{Entry, Opened},
        throttle::Trier,
    },
};

pub mod create;
pub mod delete;
pub mod passkey;

#[cfg(test)]
mod tests;

/// How long a browser is known.
const DEVICE: SignedDuration = SignedDuration::from_hours(24 * 365);

/// A login.
#[derive(Debug, Serialize, ToSchema)]
pub struct NewSession {
    /// The session.
    #[schema(example = "0198c5b4-5a0e-7000-8000-00000000000c")]
    id: String,
    /// The person.
    #[schema(example = "0198c5b4-5a0e-7000-8000-00000000000d")]
    overseer_id: String,
    /// What requests that change something send as `X-CSRF-Token`.
    csrf_token: String,
    /// The login's end (RFC 3339).
    #[schema(example = "2027-01-22T08:00:00Z")]
    expires_at: String,
}

/// How and from where somebody logs in.
pub fn entry<'a>(state: &AppState, headers: &'a HeaderMap, method: &'static str, request_id: &'a str) -> Entry<'a> {
    let agent = headers.get(header::USER_AGENT).and_then(|value| value.to_str().ok());
    Entry {
        user_agent: agent.unwrap_or_default(),
        method,
        factor: None,
        lifetime: state.accounts.session,
        request_id,
    }
}

/// What a login is judged with.
pub fn judge(state: &AppState) -> Judge<'_> {
    Judge {
        database: &state.logins,
        hashing: &state.hashing,
        throttle: &state.throttle,
        factors: second_factor::Judge {
            database: &state.logins,
            trier: Trier::Stranger,
            ..state.second_factors()
        },
        device_key: &state.keys.device,
    }
}

/// The answer that logs somebody in: the cookies, and what a program needs besides.
pub fn logged_in(state: &AppState, opened: &Opened, device: &str) -> impl IntoResponse + use<> {
    let cookies = cookies(state, Some(&opened.token.text()), Some(device));
    let body = NewSession {
        id: opened.session.id.to_string(),
        overseer_id: opened.session.overseer.to_string(),
        csrf_token: csrf::mint(&state.keys.csrf, &opened.token.hash()),
        expires_at: opened.session.expires_at.to_string(),
    };
    (AppendHeaders(cookies), axum::Json(body))
}

pub fn cookies(state: &AppState, session: Option<&str>, device: Option<&str>) -> Vec<(HeaderName, HeaderValue)> {
    let mut all = vec![(
        header::SET_COOKIE,
        state.cookies.set(Cookie::Session, session, state.accounts.session),
    )];
    if let Some(device) = device {
        all.push((
            header::SET_COOKIE,
            state.cookies.set(Cookie::Device, Some(device), DEVICE),
        ));
    }
    all
}
