//! Where the service listens and what it calls itself.

use std::{
    net::{IpAddr, SocketAddr},
    time::Duration,
};

use axum::http::HeaderValue;
use url::{Host, Url};

use crate::{
    config::{
        problems::Problems,
        settings::{
            ADDRESS, ADMIN_ADDRESS, ALLOWED_ORIGINS, ENVIRONMENT, FRONTEND_URL, IDLE_SECONDS, SERVICE_URL, Setting,
            TLS_CERTIFICATE, TLS_KEY,
        },
        source::Source,
    },
    http::tls::Files,
};

/// Whether the service may help itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Environment {
    /// On somebody's own machine.
    Development,
    /// Anywhere else.
    Production,
}

/// Where the service listens and what it calls itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Http {
    /// Where the API listens.
    pub address: SocketAddr,
    /// Where the platform's questions are answered.
    pub admin_address: SocketAddr,
    /// The issuer: the service's own address without a slash at its end.
    pub issuer: String,
    /// How long a connection may be open without a whole head of a request.
    pub idle: Duration,
    /// The certificate, if no proxy speaks HTTPS for the service.
    pub tls: Option<Files>,
    /// Where people meet the product, without a slash at its end.
    pub frontend: String,
    /// Origins whose pages may call the service.
    pub allowed_origins: Vec<HeaderValue>,
    /// Development or production.
    pub environment: Environment,
}

const LOOPBACK: SocketAddr = SocketAddr::new(IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 0);

impl Http {
    pub(super) fn read(source: &Source, problems: &mut Problems) -> Self {
        let wanted = "an address and a port, as 127.0.0.1:8080 or [::1]:8080";
        let address = source.read_as(&ADDRESS, wanted, problems).unwrap_or(LOOPBACK);
        let admin_address = source.read_as(&ADMIN_ADDRESS, wanted, problems).unwrap_or(LOOPBACK);
        let environment = match source.text(&ENVIRONMENT).as_deref() {
            Some("development") => Environment::Development,
            Some("production") | None => Environment::Production,
            Some(other) => {
                problems.with(&ENVIRONMENT, format!("{other:?} is neither production nor development"));
                Environment::Production
            }
        };
        let issuer = if let Some(text) = source.text(&SERVICE_URL) {
            origin(&text, &SERVICE_URL, environment, problems)
        } else {
            if environment == Environment::Production {
                problems.with(
                    &SERVICE_URL,
                    "is required in production: the address that clients reach this service by, as https://pinfold.example.com",
                );
            }
            format!("http://{address}")
        };
        let frontend = match source.text(&FRONTEND_URL) {
            Some(text) => origin(&text, &FRONTEND_URL, environment, problems),
            None => issuer.clone(),
        };
        let listed = source.text(&ALLOWED_ORIGINS).unwrap_or_default();
        let mut allowed: Vec<String> = listed
            .split(',')
            .map(str::trim)
            .filter(|text| !text.is_empty())
            .map(|text| origin(text, &ALLOWED_ORIGINS, environment, problems))
            .collect();
        if frontend != issuer {
            allowed.push(frontend.clone());
        }
        Self {
            address,
            admin_address,
            issuer,
            idle: idle(source, problems),
            tls: tls(source, problems),
            frontend,
            // A URL is a header's value; what is none is a problem already.
            allowed_origins: allowed
                .iter()
                .filter_map(|text| HeaderValue::from_str(text).ok())
                .collect(),
            environment,
        }
    }
}

impl Http {
    /// Where the pages are from that people use the service with.
    pub fn pages(&self) -> impl Iterator<Item = &str> {
        let allowed = self.allowed_origins.iter().filter_map(|origin| origin.to_str().ok());
        // The front end is among the allowed origins unless it is the service itself.
        allowed.chain((self.frontend == self.issuer).then_some(self.frontend.as_str()))
    }
}

fn idle(source: &Source, problems: &mut Problems) -> Duration {
    let seconds = source.read_as(&IDLE_SECONDS, "a number of seconds", problems);
    if let Some(wrong) = seconds.filter(|seconds| !(1..=3600).contains(seconds)) {
        problems.with(&IDLE_SECONDS, format!("{wrong} is not within 1 to 3600"));
    }
    Duration::from_secs(seconds.unwrap_or(1))
}

fn tls(source: &Source, problems: &mut Problems) -> Option<Files> {
    match (source.text(&TLS_CERTIFICATE), source.text(&TLS_KEY)) {
        (Some(certificate), Some(key)) => Some(Files {
            certificate: certificate.into(),
            key: key.into(),
        }),
        (Some(_), None) => {
            problems.with(&TLS_KEY, "is missing: a certificate is of no use without its key");
            None
        }
        (None, Some(_)) => {
            problems.with(
                &TLS_CERTIFICATE,
                "is missing: a key is of no use without its certificate",
            );
            None
        }
        (None, None) => None,
    }
}

/// An address of ours: scheme, host and port, in one spelling.
fn origin(text: &str, setting: &Setting, environment: Environment, problems: &mut Problems) -> String {
    let Ok(url) = Url::parse(text) else {
        problems.with(
            setting,
            format!("{text:?} is not a URL, as https://pinfold.example.com"),
        );
        return text.to_owned();
    };
    let has_more = url.path() != "/"
        || url.query().is_some()
        || url.fragment().is_some()
        || !url.username().is_empty()
        || url.password().is_some();
    if has_more {
        problems.with(
            setting,
            "write scheme, host and port only: no path, user, query or fragment",
        );
    }
    check_scheme(&url, text, setting, environment, problems);
    // RFC 8414, section 2: the issuer is compared as text, so it has one spelling.
    url.as_str().trim_end_matches('/').to_owned()
}

/// Whether an address begins as one that may be used: with `https://`, or, on loopback in development, with `http://`.
pub(super) fn check_scheme(
    url: &Url,
    text: &str,
    setting: &Setting,
    environment: Environment,
    problems: &mut Problems,
) -> bool {
    let loopback = match url.host() {
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        // RFC 6761, section 6.3: the names below it are loopback as well.
        Some(Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
        None => false,
    };
    match url.scheme() {
        "https" => return true,
        "http" if loopback && environment == Environment::Development => return true,
        "http" => problems.with(
            setting,
            format!("{text:?} must begin with https://; plain HTTP is for loopback in development"),
        ),
        other => problems.with(
            setting,
            format!("{other:?} is not a scheme of this service; write https://"),
        ),
    }
    false
}
