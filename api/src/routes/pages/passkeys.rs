//! Passkeys on `/account`. What a script asks the browser for stands on the page, and comes back in a field of a form: nothing is
//! fetched.

use axum::{
    extract::{Path, State},
    response::{IntoResponse as _, Response},
};
use minijinja::context;
use serde::Deserialize;

use super::{account, message, page, see_other};
use crate::{
    app::AppState,
    http::{
        caller::{Login, Person},
        error::ApiError,
        form::Form,
        json,
        once::Once,
        request_id::RequestId,
    },
    routes::me::{
        passkeys::{
            challenge,
            create::{self, Wanted},
            remove::{self, Removal},
        },
        password,
    },
};

const TITLE: &str = "Add a passkey";

/// The fields of a new passkey.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fields {
    name: String,
    /// What `toJSON` of the browser's credential gives.
    credential: String,
    current_password: Option<String>,
}

impl std::fmt::Debug for Fields {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Fields").finish_non_exhaustive()
    }
}

/// Asks for a name and, by a script, the browser for a passkey.
pub async fn begin(State(state): State<AppState>, person: Result<Person, ApiError>) -> Response {
    match person {
        Ok(Person(login)) => asked(&state, login, None).await,
        Err(error) => refused(error),
    }
}

/// The passkey is the person's.
pub async fn create(
    State(state): State<AppState>,
    RequestId(request_id): RequestId,
    person: Result<Person, ApiError>,
    given: Result<Form<Fields>, ApiError>,
) -> Response {
    let login = match person {
        Ok(Person(login)) => login,
        Err(error) => return refused(error),
    };
    let made = async {
        let Form(given) = given?;
        let wanted = Wanted {
            name: given.name,
            credential: json::read(given.credential.as_bytes())?,
            current_password: given.current_password,
        };
        let (tx, made) = create::make(&state, &request_id, &login, wanted).await?;
        tx.commit().await?;
        Ok::<_, ApiError>(made)
    };
    match made.await {
        Ok(made) => match made.recovery_codes {
            Some(codes) => page("recovery_codes.html", "Keep these codes", None, context! { codes }),
            None => see_other("/account", Vec::new()),
        },
        Err(error) => asked(&state, login, Some(error)).await,
    }
}

/// A passkey is taken away.
pub async fn remove(
    State(state): State<AppState>,
    request_id: RequestId,
    person: Result<Person, ApiError>,
    passkey: Path<String>,
    given: Result<Form<Removal>, ApiError>,
) -> Response {
    let login = match person {
        Ok(Person(login)) => login,
        Err(error) => return refused(error),
    };
    let removed = async {
        let Form(given) = given?;
        remove::remove(
            State(state.clone()),
            request_id,
            Person(login.clone()),
            passkey,
            Once::unnamed(given),
        )
        .await
    };
    match removed.await {
        Ok(_) => message(
            "The passkey is gone",
            "It proves nothing any more.",
            Some(("/account", "My account")),
        ),
        Err(error) => account::refused(&state, &login, &error).await,
    }
}

/// The page that asks; each time for another challenge, since what was answered is used up.
async fn asked(state: &AppState, login: Login, why: Option<ApiError>) -> Response {
    let csrf = account::token(state, &login);
    let has_password = match password::has_password(state, &login).await {
        Ok(has_password) => has_password,
        Err(error) => return error.into_response(),
    };
    let creation = async {
        let (tx, creation) = challenge::ask(state, &login).await?;
        tx.commit().await?;
        Ok::<_, ApiError>(creation)
    };
    match creation.await {
        Ok(creation) => {
            // Text and numbers always serialise.
            let options = serde_json::to_string(&creation).unwrap_or_default();
            page(
                "passkey.html",
                TITLE,
                why.as_ref(),
                context! { options, csrf, has_password },
            )
        }
        Err(error) => page(
            "message.html",
            TITLE,
            Some(&error),
            context! { link => "/account", link_text => "My account" },
        ),
    }
}

fn refused(error: ApiError) -> Response {
    match error {
        ApiError::Unauthenticated { .. } => see_other("/login", Vec::new()),
        error => error.into_response(),
    }
}
