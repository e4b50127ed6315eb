//! Pages for people: forms that work without scripts, over the same operations that programs call. What a page is refused is told on the
//! page.

use std::sync::LazyLock;

use axum::{
    http::{HeaderName, HeaderValue, StatusCode, header},
    response::{AppendHeaders, IntoResponse, Response},
};
use minijinja::{Environment, Value, context};
use serde::Deserialize;
use tracing::error;

use crate::{
    auth::opaque::Opaque,
    http::error::{ApiError, RETRY_AFTER},
};

pub mod account;
pub mod assets;
pub mod authorize;
mod choice;
pub mod claim;
pub mod consent;
pub mod device;
pub mod guides;
pub mod invitations;
pub mod login;
pub mod passkeys;
pub mod password_reset;
pub mod sign_up;

#[cfg(test)]
mod tests;

/// Our own style and script, and forms that are sent to us.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'";

static TEMPLATES: LazyLock<Environment<'static>> = LazyLock::new(|| {
    let mut all = Environment::new();
    for (name, text) in [
        ("layout.html", include_str!("../../templates/layout.html")),
        ("account.html", include_str!("../../templates/account.html")),
        ("claim.html", include_str!("../../templates/claim.html")),
        ("consent.html", include_str!("../../templates/consent.html")),
        ("device.html", include_str!("../../templates/device.html")),
        ("guide.html", include_str!("../../templates/guide.html")),
        ("invitations.html", include_str!("../../templates/invitations.html")),
        ("login.html", include_str!("../../templates/login.html")),
        ("message.html", include_str!("../../templates/message.html")),
        ("origin.html", include_str!("../../templates/origin.html")),
        ("passkey.html", include_str!("../../templates/passkey.html")),
        ("scopes.html", include_str!("../../templates/scopes.html")),
        (
            "recovery_codes.html",
            include_str!("../../templates/recovery_codes.html"),
        ),
        (
            "password_reset.html",
            include_str!("../../templates/password_reset.html"),
        ),
        (
            "password_reset_complete.html",
            include_str!("../../templates/password_reset_complete.html"),
        ),
        ("sign_up.html", include_str!("../../templates/sign_up.html")),
        ("tenants.html", include_str!("../../templates/tenants.html")),
        (
            "sign_up_complete.html",
            include_str!("../../templates/sign_up_complete.html"),
        ),
    ] {
        if let Err(error) = all.add_template(name, text) {
            error!(%error, "a page's template cannot be read");
        }
    }
    all
});

/// A page, and why what was asked on it was not done, if it was not.
fn page(template: &str, title: &str, refused: Option<&ApiError>, own: Value) -> Response {
    page_that_leads(template, title, refused, own, POLICY)
}

/// The same of a page whose forms may lead somewhere else, as its policy says.
fn page_that_leads(template: &str, title: &str, refused: Option<&ApiError>, own: Value, policy: &str) -> Response {
    let problem = refused.map(ApiError::problem);
    let told = problem.as_ref().map(|problem| match &problem.detail {
        Some(detail) => match &problem.field {
            Some(field) => format!("{field}: {detail}"),
            None => detail.clone(),
        },
        None => problem.title.to_owned(),
    });
    let status = problem.map_or(200, |problem| problem.status);
    if let Some(error) = refused {
        error.log();
    }
    let all = context! { title, error => told, ..own };
    match TEMPLATES
        .get_template(template)
        .and_then(|template| template.render(all))
    {
        Ok(html) => {
            let headers: [(HeaderName, &str); 3] = [
                (header::CONTENT_TYPE, "text/html; charset=utf-8"),
                (header::CONTENT_SECURITY_POLICY, policy),
                // With `no-referrer` a browser would not say from where a form is sent.
                (header::REFERRER_POLICY, "same-origin"),
            ];
            let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
            let mut response = (status, headers, html).into_response();
            if matches!(refused, Some(ApiError::Unavailable(_))) {
                response.headers_mut().insert(header::RETRY_AFTER, RETRY_AFTER.into());
            }
            response
        }
        Err(error) => {
            error!(%error, template, "a page was not made");
            ApiError::Internal("a page was not made".to_owned()).into_response()
        }
    }
}

/// A page that tells something, with a way on.
fn message(title: &str, message: &str, link: Option<(&str, &str)>) -> Response {
    let (link, link_text) = link.unzip();
    page("message.html", title, None, context! { message, link, link_text })
}

/// Another page, which is read and not sent to (RFC 9110, section 15.4.4), with what the browser is to keep.
fn see_other(place: &str, cookies: Vec<(HeaderName, HeaderValue)>) -> Response {
    match HeaderValue::try_from(place) {
        Ok(place) => (
            StatusCode::SEE_OTHER,
            [(header::LOCATION, place)],
            AppendHeaders(cookies),
        )
            .into_response(),
        Err(_) => ApiError::Internal("a page has no place".to_owned()).into_response(),
    }
}

/// The cookies that an answer sets.
fn cookies_of(answer: &Response) -> Vec<(HeaderName, HeaderValue)> {
    let all = answer.headers().get_all(header::SET_COOKIE).iter();
    all.map(|value| (header::SET_COOKIE, value.clone())).collect()
}

/// Where a login leads. One of these, and nothing that somebody wrote into a link.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Way {
    #[serde(default)]
    next: Next,
    /// Which request for authorization, if that is the next thing.
    request: Option<String>,
}

impl Way {
    /// The part behind the `?` that says where it leads.
    fn query(&self) -> String {
        match self.request() {
            Some(request) => format!("next={}&request={request}", self.next.name()),
            None => format!("next={}", self.next.name()),
        }
    }

    fn place(&self) -> String {
        match self.request() {
            Some(request) => format!("{}?request={request}", self.next.place()),
            None => self.next.place().to_owned(),
        }
    }

    /// What is no name of a request leads nowhere.
    fn request(&self) -> Option<&str> {
        self.request.as_deref().filter(|text| Opaque::parse(text).is_some())
    }
}

/// Pages that ask for a login.
#[derive(Debug, Default, Clone, Copy, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Next {
    #[default]
    Account,
    Claim,
    Consent,
    Device,
    Invitations,
}

impl Next {
    const fn name(self) -> &'static str {
        match self {
            Self::Account => "account",
            Self::Claim => "claim",
            Self::Consent => "consent",
            Self::Device => "device",
            Self::Invitations => "invitations",
        }
    }

    const fn place(self) -> &'static str {
        match self {
            Self::Account => "/account",
            Self::Claim => "/claim",
            Self::Consent => "/consent",
            Self::Device => "/device",
            Self::Invitations => "/invitations",
        }
    }
}
