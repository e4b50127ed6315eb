//! Issuers outside whose word on people counts.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use url::Url;

use crate::{
    auth::vouched::Demand,
    config::{
        Environment, Http,
        http::check_scheme,
        problems::Problems,
        settings::{CLERK_PUBLISHABLE_KEY, OUTSIDE_AUDIENCE, OUTSIDE_ISSUERS},
        source::Source,
    },
};

/// Issuers outside whose word on people counts.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Outside {
    /// Each with its own name.
    pub issuers: Vec<Issuer>,
}

/// An issuer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Issuer {
    /// Its name, as its tokens have it in `iss`.
    pub name: String,
    /// What its tokens must say.
    pub demand: Demand,
}

impl Outside {
    pub(super) fn read(source: &Source, http: &Http, problems: &mut Problems) -> Self {
        let audience = source.text(&OUTSIDE_AUDIENCE).unwrap_or_else(|| http.issuer.clone());
        let listed = source.text(&OUTSIDE_ISSUERS).unwrap_or_default();
        let names = listed.split(',').map(str::trim).filter(|name| !name.is_empty());
        let mut issuers: Vec<Issuer> = names
            .filter(|name| is_issuer(name, http.environment, problems))
            .map(|name| Issuer {
                name: name.to_owned(),
                demand: Demand::Audience(audience.clone()),
            })
            .collect();
        if let Some(name) = clerk(source, problems) {
            let parties = http.pages().map(str::to_owned).collect();
            issuers.push(Issuer {
                name,
                demand: Demand::Parties(parties),
            });
        }
        for (i, issuer) in issuers.iter().enumerate() {
            let twice = issuers.iter().take(i).any(|other| other.name == issuer.name);
            if twice || issuer.name == http.issuer {
                problems.with(
                    &OUTSIDE_ISSUERS,
                    format!("{} is named twice, or is this service itself", issuer.name),
                );
            }
        }
        Self { issuers }
    }
}

/// Whether it can be an issuer (OpenID Connect Discovery, section 3). Its text stays as it is: it is compared.
fn is_issuer(text: &str, environment: Environment, problems: &mut Problems) -> bool {
    let Ok(url) = Url::parse(text) else {
        problems.with(
            &OUTSIDE_ISSUERS,
            format!("{text:?} is not a URL, as https://id.example.com"),
        );
        return false;
    };
    if url.query().is_some() || url.fragment().is_some() || !url.username().is_empty() || url.password().is_some() {
        problems.with(
            &OUTSIDE_ISSUERS,
            format!("{text:?} has a user, a query or a fragment; write the issuer as its tokens have it in `iss`"),
        );
        return false;
    }
    check_scheme(&url, text, &OUTSIDE_ISSUERS, environment, problems)
}

/// The instance that a publishable key names: what follows its last underscore is, in base64, the host and a `$`.
fn clerk(source: &Source, problems: &mut Problems) -> Option<String> {
    let key = source.text(&CLERK_PUBLISHABLE_KEY)?;
    let tail = key.trim().rsplit('_').next().unwrap_or_default();
    let host = STANDARD
        .decode(tail)
        .ok()
        .and_then(|bytes| String::from_utf8(bytes).ok())
        .and_then(|text| text.strip_suffix('$').map(str::to_owned));
    let issuer = host.map(|host| format!("https://{host}"));
    let whole = issuer.filter(|issuer| Url::parse(issuer).is_ok_and(|url| url.as_str() == format!("{issuer}/")));
    if whole.is_none() {
        problems.with(
            &CLERK_PUBLISHABLE_KEY,
            "is not a publishable key: it begins with pk_test_ or pk_live_, and ends with the host of the instance in base64",
        );
    }
    whole
}
