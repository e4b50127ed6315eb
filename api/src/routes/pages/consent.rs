//! `/consent`: a person is shown what a client asks for, and allows it or not.

use std::sync::Arc;

use axum::{extract::State, response::Response};
use jiff::{SignedDuration, Timestamp};
use minijinja::context;
use serde::Deserialize;
use url::{Host, Url};

use super::{
    account,
    authorize::{sent_back, told},
    choice::{self, Decision},
    page_that_leads, see_other,
};
use crate::{
    app::AppState,
    auth::{
        authorization::{self, Prompt, Request},
        hex,
        opaque::Opaque,
    },
    http::{
        caller::{Login, Person},
        error::ApiError,
        form::Form,
        query::Query,
        request_id::RequestId,
    },
    service::grants::{self, Allowed, Answered},
    store::{
        authorization_requests::{self, Stored},
        client_blocks,
        clients::Named,
        consents,
        sessions::Session,
        tenants,
        tenants::Seat,
    },
};

/// Which request.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Which {
    request: String,
}

/// The fields of the answer.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fields {
    request: String,
    /// For which tenant.
    tenant: Option<String>,
    /// What was shown of the client.
    shown: Option<String>,
    decision: Decision,
}

/// A request that somebody may answer.
struct Opened {
    name: String,
    hash: [u8; 32],
    stored: Stored,
    client: Arc<Named>,
}

async fn opened(state: &AppState, text: &str, now: Timestamp) -> Result<Opened, ApiError> {
    let ended = || {
        ApiError::invalid(
            "request",
            "it has ended or was answered: begin again at the program that sent you",
        )
    };
    let name = Opaque::parse(text).ok_or_else(ended)?;
    let hash = name.hash();
    let stored = authorization_requests::find(state.database.pool(), &hash, now)
        .await?
        .ok_or_else(ended)?;
    let client = state.standing.find_client(&stored.client_id).await?.ok_or_else(ended)?;
    // What was taken from the client since is not given to it any more.
    if !authorization::still_fits(&stored.asked, &client.metadata) {
        return Err(ended());
    }
    Ok(Opened {
        name: name.text(),
        hash,
        stored,
        client,
    })
}

/// The page; or, if the person agreed to the same before, the way back.
pub async fn show(
    State(state): State<AppState>,
    RequestId(request_id): RequestId,
    person: Result<Person, ApiError>,
    which: Result<Query<Which>, ApiError>,
) -> Response {
    let now = state.clock.now();
    let name = which.map(|Query(which)| which.request);
    entered(&state, person, name, now, async |login, opened| {
        asked(&state, &login, &opened, &request_id, now).await
    })
    .await
}

/// Does something with a request that is there, for who has logged in.
async fn entered(
    state: &AppState,
    person: Result<Person, ApiError>,
    name: Result<String, ApiError>,
    now: Timestamp,
    then: impl AsyncFnOnce(Login, Opened) -> Result<Response, ApiError>,
) -> Response {
    let opened = match name {
        Ok(name) => opened(state, &name, now).await,
        Err(error) => Err(error),
    };
    let done = match (person, opened) {
        (Ok(Person(login)), Ok(opened)) => then(login, opened).await,
        (Err(ApiError::Unauthenticated { .. }), Ok(opened)) => return unknown(state, &opened),
        (Err(ApiError::Unauthenticated { .. }), Err(_)) => return see_other("/login", Vec::new()),
        (_, Err(error)) | (Err(error), _) => Err(error),
    };
    done.unwrap_or_else(|error| told(&error))
}

/// Nobody has logged in, or not lately.
fn unknown(state: &AppState, opened: &Opened) -> Response {
    let asked = &opened.stored.asked;
    if asked.prompt == Prompt::None {
        return refused(state, opened, "login_required", "the person is to log in");
    }
    see_other(&format!("/login?next=consent&request={}", opened.name), Vec::new())
}

async fn asked(
    state: &AppState,
    login: &Login,
    opened: &Opened,
    request_id: &str,
    now: Timestamp,
) -> Result<Response, ApiError> {
    let (session, asked) = (login.session()?, &opened.stored.asked);
    if !is_recent(session, &opened.stored, now) {
        return Ok(unknown(state, opened));
    }
    if let Some(refused) = blocked(state, session, opened).await? {
        return Ok(refused);
    }
    let pool = state.database.pool();
    let seats = tenants::of_overseer(pool, session.overseer).await?;
    let consents = consents::list(pool, session.overseer, Some(&opened.client.client_id), None, 100).await?;
    let seat_of = |consent: &consents::Consent| seats.iter().find(|seat| seat.tenant == consent.tenant);
    let covering = grants::covering(&consents, asked, &opened.client);
    let covering = covering.and_then(|consent| Some((consent.id, seat_of(consent)?)));
    // What the person may no longer do is not let done without a word.
    let wanted = asked.scopes();
    let covering = covering.filter(|(_, seat)| grants::given(&wanted, seat.role) == wanted);
    match (covering, asked.prompt) {
        (Some((consent, seat)), Prompt::AsNeeded | Prompt::None | Prompt::Login) => {
            let by = Answered::Before(consent);
            allowed(state, session, opened, seat, by, request_id, now).await
        }
        (_, Prompt::None) => Ok(refused(state, opened, "consent_required", "the person is to be asked")),
        _ => Ok(form(state, login, opened, &seats, None)),
    }
}

/// An answer without the person: to a client that nobody here knows it is no way to have us send browsers to wherever it says (RFC 9700,
/// section 4.11.2).
fn refused(state: &AppState, opened: &Opened, code: &'static str, why: &str) -> Response {
    if opened.client.voucher().is_none() {
        return told(&ApiError::invalid("prompt", format!("{code}: {why}")));
    }
    sent_back(state, &opened.stored.asked.refuse(code, why))
}

/// What the person says, once.
pub async fn answer(
    State(state): State<AppState>,
    RequestId(request_id): RequestId,
    person: Result<Person, ApiError>,
    given: Result<Form<Fields>, ApiError>,
) -> Response {
    let now = state.clock.now();
    let (name, fields) = match given {
        Ok(Form(fields)) => (Ok(fields.request.clone()), Some(fields)),
        Err(error) => (Err(error), None),
    };
    entered(&state, person, name, now, async |login, opened| {
        // Without the fields there is no name of a request.
        let fields = fields.ok_or(ApiError::NotFound)?;
        let session = login.session()?;
        if !is_recent(session, &opened.stored, now) {
            return Ok(unknown(&state, &opened));
        }
        if fields.decision == Decision::Deny {
            return denied(&state, &opened, now).await;
        }
        if let Some(refused) = blocked(&state, session, &opened).await? {
            return Ok(refused);
        }
        let seats = tenants::of_overseer(state.database.pool(), session.overseer).await?;
        // What the person sees is what they allow.
        if fields.shown.as_deref() != Some(&hex::encode(&grants::shown(&opened.client))) {
            let error = ApiError::invalid("request", "the client has changed meanwhile; look again");
            return Ok(form(&state, &login, &opened, &seats, Some(&error)));
        }
        match choice::chosen(&seats, fields.tenant.as_deref(), &opened.stored.asked.scopes()) {
            Ok(seat) => allowed(&state, session, &opened, seat, Answered::Now, &request_id, now).await,
            Err(error) => Ok(form(&state, &login, &opened, &seats, Some(&error))),
        }
    })
    .await
}

/// Whether the person proved themselves as lately as the client demands.
fn is_recent(session: &Session, stored: &Stored, now: Timestamp) -> bool {
    let asked = &stored.asked;
    let anew =
        matches!(asked.prompt, Prompt::Login | Prompt::LoginAndConsent) && session.created_at < stored.created_at;
    let old = asked.max_age.is_some_and(|age| {
        // Whoever is led to the login comes back with a new one.
        let since = session.created_at + SignedDuration::from_secs(age.into());
        since < now && session.created_at < stored.created_at
    });
    !anew && !old
}

/// The way back for a client that the person has blocked.
async fn blocked(state: &AppState, session: &Session, opened: &Opened) -> Result<Option<Response>, ApiError> {
    if !client_blocks::is_blocked(state.database.pool(), session.overseer, &opened.client.client_id).await? {
        return Ok(None);
    }
    Ok(Some(refused(
        state,
        opened,
        "access_denied",
        "the person has blocked this client",
    )))
}

async fn allowed(
    state: &AppState,
    session: &Session,
    opened: &Opened,
    seat: &Seat,
    by: Answered,
    request_id: &str,
    now: Timestamp,
) -> Result<Response, ApiError> {
    let asked = &opened.stored.asked;
    let allowed = Allowed {
        client: &opened.client,
        scopes: &grants::given(&asked.scopes(), seat.role),
        session,
        tenant: seat.tenant,
        role: seat.role,
        request_id,
    };
    let code = grants::allow(&state.database, &opened.hash, asked, allowed, by, now).await?;
    let code = code.ok_or_else(answered)?;
    match asked.grant(&code, &state.issuer) {
        Some(place) => Ok(see_other(&place, Vec::new())),
        None => Err(ApiError::Internal("a client has no place".to_owned())),
    }
}

async fn denied(state: &AppState, opened: &Opened, now: Timestamp) -> Result<Response, ApiError> {
    let mut tx = state.database.platform().await?;
    if !authorization_requests::answer(&mut tx, &opened.hash, now).await? {
        return Err(answered());
    }
    tx.commit().await?;
    let refused = opened.stored.asked.refuse("access_denied", "the person said no");
    Ok(sent_back(state, &refused))
}

fn answered() -> ApiError {
    ApiError::invalid("request", "it was answered: begin again at the program that sent you")
}

fn form(state: &AppState, login: &Login, opened: &Opened, seats: &[Seat], refused: Option<&ApiError>) -> Response {
    let asked = &opened.stored.asked;
    let (host, here) = place(asked);
    let own = context! {
        client => opened.client.metadata.name.clone(),
        origin => choice::origin(&opened.client),
        host,
        here,
        choice => choice::of(&asked.scopes(), seats),
        shown => hex::encode(&grants::shown(&opened.client)),
        request => opened.name.clone(),
        csrf => account::token(state, login),
    };
    page_that_leads("consent.html", "Allow this?", refused, own, &policy(asked))
}

/// Where the browser is going to be sent, as a person can judge it, and whether that is on their own machine.
fn place(asked: &Request) -> (String, bool) {
    let Ok(url) = Url::parse(&asked.redirect_uri) else {
        return (String::new(), false);
    };
    if !matches!(url.scheme(), "http" | "https") {
        return (url.scheme().to_owned(), true);
    }
    let here = match url.host() {
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        Some(Host::Domain(name)) => name == "localhost",
        None => true,
    };
    (url.host_str().unwrap_or_default().to_owned(), here)
}

/// The policy of pages, with the one place that the form leads to in the end: a browser follows it nowhere else
/// (<https://www.w3.org/TR/CSP3/#directive-form-action>).
fn policy(asked: &Request) -> String {
    let place = match Url::parse(&asked.redirect_uri) {
        // A source is no IPv6 address, so it is everything of the scheme.
        Ok(url) if matches!(url.host(), Some(Host::Ipv6(_))) => format!("{}:", url.scheme()),
        Ok(url) if url.origin().is_tuple() => url.origin().ascii_serialization(),
        Ok(url) => format!("{}:", url.scheme()),
        Err(_) => String::new(),
    };
    super::POLICY.replace("form-action 'self'", &format!("form-action 'self' {place}"))
}

/// The policy of a page that leads to the answer of a request: whoever agreed before is led on at once.
pub(super) async fn policy_of(state: &AppState, request: &str) -> Option<String> {
    let opened = opened(state, request, state.clock.now()).await.ok()?;
    Some(policy(&opened.stored.asked))
}
