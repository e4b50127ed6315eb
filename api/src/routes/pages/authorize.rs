//! `/oauth/authorize`: where a client sends a browser to (RFC 6749, section 4.1.1). Nobody is asked anything here: a request is checked and
//! kept, and the person sees it on the page of consents.

use axum::{
    extract::{Request, State},
    http::Uri,
    response::{IntoResponse as _, Response},
};
use jiff::SignedDuration;
use minijinja::context;

use super::{page, see_other};
use crate::{
    app::AppState,
    auth::{
        authorization::{self, Back, Flaw, Parameters, RESOURCE},
        opaque::Opaque,
        random::random,
    },
    http::{error::ApiError, json},
    routes::oauth::{
        form::{self, Twice},
        par::URN,
    },
    store::{
        StoreError,
        authorization_requests::{self, Stored},
    },
};

/// How long a person may take to answer.
const PATIENCE: SignedDuration = SignedDuration::from_mins(10);

/// With the parameters in a link.
pub async fn by_query(State(state): State<AppState>, uri: Uri) -> Response {
    let read = form::parameters(uri.query().unwrap_or_default().as_bytes());
    answered(&state, read).await
}

/// With the parameters in a form.
pub async fn by_form(State(state): State<AppState>, request: Request) -> Response {
    match json::body(request, &state).await {
        Ok(bytes) => answered(&state, form::parameters(&bytes)).await,
        Err(error) => told(&error),
    }
}

/// Why a request is not put to anybody.
enum Refused {
    /// The person is told.
    Here(ApiError),
    /// The client is told.
    Back(Back),
}

impl From<StoreError> for Refused {
    fn from(error: StoreError) -> Self {
        Self::Here(error.into())
    }
}

async fn answered(state: &AppState, read: Result<Parameters, Twice>) -> Response {
    match kept(state, read).await {
        Ok(name) => see_other(&format!("/consent?request={}", name.text()), Vec::new()),
        Err(Refused::Here(error)) => told(&error),
        Err(Refused::Back(back)) => sent_back(state, &back),
    }
}

/// The name of the request, which is kept until the person has answered.
async fn kept(state: &AppState, read: Result<Parameters, Twice>) -> Result<Opaque, Refused> {
    let here = |field: &str, message: &str| Refused::Here(ApiError::invalid(field, message.to_owned()));
    let parameters = read.map_err(|Twice(name)| match name.as_str() {
        RESOURCE => here(RESOURCE, "ask for one at a time"),
        name => here(name, "send it once"),
    })?;
    let client_id = parameters
        .get("client_id")
        .ok_or_else(|| here("client_id", "it is missing"))?;
    let client = state.standing.find_client(client_id).await?;
    let client = client.ok_or_else(|| here("client_id", "no client calls itself so"))?;
    let now = state.clock.now();
    let until = now + PATIENCE;
    if let Some(uri) = parameters.get("request_uri") {
        let name = uri.strip_prefix(URN).and_then(Opaque::parse);
        let name = name.ok_or_else(|| here("request_uri", "write what /oauth/par gave"))?;
        let pool = state.database.pool();
        let pushed = authorization_requests::find(pool, &name.hash(), now).await?;
        let Some(pushed) = pushed.filter(|pushed| pushed.client_id == client.client_id) else {
            return Err(here(
                "request_uri",
                "it has ended, was answered, or is another client's: begin again at the client",
            ));
        };
        let until = pushed.created_at + PATIENCE;
        authorization_requests::open(pool, &name.hash(), until).await?;
        return Ok(name);
    }
    let asked = authorization::check(&parameters, &client.metadata, &state.issuer).map_err(|flaw| match flaw {
        Flaw::Here(message) => here(
            "redirect_uri",
            message.strip_prefix("redirect_uri: ").unwrap_or(&message),
        ),
        // To a client that nobody here knows this is no way to have us send browsers to wherever it says (RFC 9700, section 4.11.2).
        Flaw::Back(back) if client.voucher().is_none() => here(back.code, &back.description),
        Flaw::Back(back) => Refused::Back(back),
    })?;
    let name = Opaque::new(random().map_err(StoreError::from)?);
    let stored = Stored {
        client_id: client.client_id.clone(),
        asked,
        created_at: now,
        expires_at: until,
    };
    authorization_requests::insert(state.database.pool(), &name.hash(), &stored).await?;
    Ok(name)
}

/// Sends the browser back to the client with an error.
pub(super) fn sent_back(state: &AppState, back: &Back) -> Response {
    match back.place(&state.issuer) {
        Some(place) => see_other(&place, Vec::new()),
        None => ApiError::Internal("a client has no place".to_owned()).into_response(),
    }
}

/// Tells the person, and nobody else.
pub(super) fn told(error: &ApiError) -> Response {
    let message =
        "The program that sent you here asked for something that cannot be answered. Nothing was given to it.";
    page(
        "message.html",
        "This cannot be answered",
        Some(error),
        context! { message },
    )
}
