//! `/password-reset`: a link by mail, and with it another password.

use axum::{extract::State, response::Response};
use minijinja::context;

use super::{message, page};
use crate::{
    app::AppState,
    http::{error::ApiError, form::Form, json::Json, request_id::RequestId},
    routes::password_resets::{
        ask::{self, Forgetful},
        complete::{self, Reset},
    },
};

const TITLE: &str = "Choose another password";

/// The form for the address.
pub async fn show() -> Response {
    page("password_reset.html", TITLE, None, context! {})
}

/// A link is sent.
pub async fn send(state: State<AppState>, given: Result<Form<Forgetful>, ApiError>) -> Response {
    let done = match given {
        Ok(Form(given)) => ask::ask(state, Json(given)).await,
        Err(error) => Err(error),
    };
    match done {
        Ok(_) => message(
            "Look into your mail",
            "If there is an account with this address, a link is on its way. It is good for an hour.",
            None,
        ),
        Err(error) => page("password_reset.html", TITLE, Some(&error), context! {}),
    }
}

/// The form for whoever has a link.
pub async fn show_complete() -> Response {
    page("password_reset_complete.html", TITLE, None, context! {})
}

/// The password is changed.
pub async fn complete(state: State<AppState>, request_id: RequestId, given: Result<Form<Reset>, ApiError>) -> Response {
    let (token, done) = match given {
        Ok(Form(given)) => (
            Some(given.token.clone()),
            complete::complete(state, request_id, Json(given)).await,
        ),
        Err(error) => (None, Err(error)),
    };
    match done {
        Ok(_) => message(
            "The password is changed",
            "All logins have ended.",
            Some(("/login", "Log in")),
        ),
        Err(error) => page("password_reset_complete.html", TITLE, Some(&error), context! { token }),
    }
}
