//! `/device`: a person lets in a client on another device (RFC 8628, section 3.3).

use std::sync::Arc;

use axum::{
    extract::State,
    response::{IntoResponse as _, Response},
};
use jiff::Timestamp;
use minijinja::context;
use serde::Deserialize;

use super::{
    account,
    choice::{self, Decision},
    message, page, see_other,
};
use crate::{
    app::AppState,
    auth::user_code,
    http::{
        caller::{Login, Person},
        error::ApiError,
        form::Form,
        query::Query,
        request_id::RequestId,
    },
    service::grants::{self, Allowed},
    store::{
        client_blocks,
        clients::Named,
        devices::{self, Device},
        tenants::{self, Seat},
    },
};

const TITLE: &str = "Let a device in";

/// What a link may bring along.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Brought {
    user_code: Option<String>,
}

/// The code that the person typed.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Typed {
    user_code: String,
}

/// The fields of the answer.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fields {
    user_code: String,
    /// For which tenant.
    tenant: Option<String>,
    decision: Decision,
}

/// A device that waits, and the client on it.
struct Waiting {
    hash: [u8; 32],
    user_code: String,
    device: Device,
    client: Arc<Named>,
}

async fn waiting(state: &AppState, typed: String, now: Timestamp) -> Result<Waiting, ApiError> {
    let ended = || ApiError::invalid("user_code", "no device waits with this code: look at what it shows");
    let hash = user_code::hash(&typed);
    let device = devices::find(state.database.pool(), &hash, now)
        .await?
        .ok_or_else(ended)?;
    let client = state.standing.find_client(&device.client_id).await?.ok_or_else(ended)?;
    Ok(Waiting {
        hash,
        user_code: typed,
        device,
        client,
    })
}

/// The form for the code.
pub async fn show(
    State(state): State<AppState>,
    person: Result<Person, ApiError>,
    brought: Result<Query<Brought>, ApiError>,
) -> Response {
    let user_code = brought.ok().and_then(|Query(brought)| brought.user_code);
    match person {
        Ok(Person(login)) => form(&state, &login, user_code.as_deref(), None),
        Err(error) => refused(error),
    }
}

/// The device that waits with the code, and what it asks for.
pub async fn look(
    State(state): State<AppState>,
    person: Result<Person, ApiError>,
    given: Result<Form<Typed>, ApiError>,
) -> Response {
    let login = match person {
        Ok(Person(login)) => login,
        Err(error) => return refused(error),
    };
    let now = state.clock.now();
    let seen = async {
        let Form(typed) = given?;
        let waiting = waiting(&state, typed.user_code, now).await?;
        let seats = tenants::of_overseer(state.database.pool(), login.overseer()).await?;
        Ok(asked(&state, &login, &waiting, &seats, None, now))
    };
    match seen.await {
        Ok(answer) => answer,
        Err(error) => form(&state, &login, None, Some(&error)),
    }
}

/// What the person says, once.
pub async fn answer(
    State(state): State<AppState>,
    RequestId(request_id): RequestId,
    person: Result<Person, ApiError>,
    given: Result<Form<Fields>, ApiError>,
) -> Response {
    let login = match person {
        Ok(Person(login)) => login,
        Err(error) => return refused(error),
    };
    let now = state.clock.now();
    let said = async {
        let Form(fields) = given?;
        let waiting = waiting(&state, fields.user_code, now).await?;
        if fields.decision == Decision::Deny {
            return denied(&state, &waiting, now).await;
        }
        let pool = state.database.pool();
        let seats = tenants::of_overseer(pool, login.overseer()).await?;
        let seat = match choice::chosen(&seats, fields.tenant.as_deref(), &waiting.device.scopes) {
            Ok(seat) => seat,
            Err(error) => return Ok(asked(&state, &login, &waiting, &seats, Some(&error), now)),
        };
        if client_blocks::is_blocked(pool, login.overseer(), &waiting.client.client_id).await? {
            return Err(ApiError::invalid("user_code", "you have blocked this client"));
        }
        let allowed = Allowed {
            client: &waiting.client,
            scopes: &grants::given(&waiting.device.scopes, seat.role),
            session: login.session()?,
            tenant: seat.tenant,
            role: seat.role,
            request_id: &request_id,
        };
        if !grants::allow_device(&state.database, &waiting.hash, allowed, now).await? {
            return Err(answered());
        }
        Ok(message(
            "The device is let in",
            "It goes on by itself in a moment.",
            Some(("/account", "My account")),
        ))
    };
    match said.await {
        Ok(answer) => answer,
        Err(error) => form(&state, &login, None, Some(&error)),
    }
}

async fn denied(state: &AppState, waiting: &Waiting, now: Timestamp) -> Result<Response, ApiError> {
    let mut tx = state.database.platform().await?;
    if !devices::answer(&mut tx, &waiting.hash, None, now).await? {
        return Err(answered());
    }
    tx.commit().await?;
    Ok(message(
        "The device is not let in",
        "It is told so.",
        Some(("/account", "My account")),
    ))
}

fn answered() -> ApiError {
    ApiError::invalid("user_code", "it was answered before")
}

fn asked(
    state: &AppState,
    login: &Login,
    waiting: &Waiting,
    seats: &[Seat],
    refused: Option<&ApiError>,
    now: Timestamp,
) -> Response {
    let minutes = match now.duration_since(waiting.device.created_at).as_mins() {
        0 => "less than a minute".to_owned(),
        1 => "a minute".to_owned(),
        minutes => format!("{minutes} minutes"),
    };
    let own = context! {
        client => waiting.client.metadata.name.clone(),
        origin => choice::origin(&waiting.client),
        minutes,
        user_code => waiting.user_code.clone(),
        choice => choice::of(&waiting.device.scopes, seats),
        csrf => account::token(state, login),
    };
    page("device.html", TITLE, refused, own)
}

fn form(state: &AppState, login: &Login, user_code: Option<&str>, refused: Option<&ApiError>) -> Response {
    page(
        "device.html",
        TITLE,
        refused,
        context! { user_code, csrf => account::token(state, login) },
    )
}

fn refused(error: ApiError) -> Response {
    match error {
        ApiError::Unauthenticated { .. } => see_other("/login?next=device", Vec::new()),
        error => error.into_response(),
    }
}
