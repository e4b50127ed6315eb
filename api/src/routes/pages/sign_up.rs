//! `/sign-up`: a link by mail, and with it an account.

use axum::{
    extract::State,
    http::HeaderMap,
    response::{IntoResponse as _, Response},
};
use minijinja::context;

use super::{cookies_of, message, page, see_other};
use crate::{
    app::AppState,
    http::{error::ApiError, form::Form, json::Json, request_id::RequestId},
    routes::sign_ups::{
        begin::{self, Applicant},
        complete::{self, Account},
    },
};

/// The form for the address.
pub async fn show() -> Response {
    page("sign_up.html", "Open an account", None, context! {})
}

/// A link is sent.
pub async fn send(state: State<AppState>, given: Result<Form<Applicant>, ApiError>) -> Response {
    let done = match given {
        Ok(Form(given)) => begin::begin(state, Json(given)).await,
        Err(error) => Err(error),
    };
    match done {
        Ok(_) => message(
            "Look into your mail",
            "If the address has no account yet, a link to open one is on its way; otherwise a word of that.",
            None,
        ),
        Err(error) => page("sign_up.html", "Open an account", Some(&error), context! {}),
    }
}

/// The form for whoever has a link.
pub async fn show_complete() -> Response {
    page("sign_up_complete.html", "Open an account", None, context! {})
}

/// The account is opened.
pub async fn complete(
    state: State<AppState>,
    request_id: RequestId,
    headers: HeaderMap,
    given: Result<Form<Account>, ApiError>,
) -> Response {
    let again = |token: Option<&str>, name: Option<&str>, error: &ApiError| {
        let own = context! { token, name };
        page("sign_up_complete.html", "Open an account", Some(error), own)
    };
    let given = match given {
        Ok(Form(given)) => given,
        Err(error) => return again(None, None, &error),
    };
    let (token, name) = (given.token.clone(), given.name.clone());
    match complete::complete(state, request_id, headers, Json(given)).await {
        Ok(answer) => see_other("/account", cookies_of(&answer.into_response())),
        Err(error) => again(Some(&token), Some(&name), &error),
    }
}
