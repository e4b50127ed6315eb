//! The tokens of the system before, while they are taken.

use aws_lc_rs::hmac;
use jiff::Timestamp;

use super::auth::SHORTEST_SECRET;
use crate::{
    auth::legacy::Legacy,
    config::{
        Http, Outside,
        problems::Problems,
        settings::{LEGACY_AUDIENCE, LEGACY_ISSUER, LEGACY_SECRET, LEGACY_UNTIL},
        source::Source,
    },
};

/// How long the names of issuers are that people are known by.
const NAME: std::ops::RangeInclusive<usize> = 8..=512;

/// Whose they are, if any are taken: who names an issuer names the secret and the last day as well. A secret alone is left over from
/// the system before, and is nothing here.
pub(super) fn read(source: &Source, http: &Http, outside: &Outside, problems: &mut Problems) -> Option<Legacy> {
    let written = |setting| source.text(setting).filter(|text| !text.is_empty());
    let Some(issuer) = written(&LEGACY_ISSUER) else {
        if written(&LEGACY_UNTIL).is_some() {
            problems.with(
                &LEGACY_ISSUER,
                "is required beside PINFOLD_LEGACY_UNTIL: as the tokens have it in `iss`",
            );
        }
        return None;
    };
    if issuer == http.issuer || outside.issuers.iter().any(|other| other.name == issuer) {
        problems.with(
            &LEGACY_ISSUER,
            format!("{issuer} is this service itself, or an issuer outside whose keys are known"),
        );
    }
    if !NAME.contains(&issuer.chars().count()) {
        problems.with(
            &LEGACY_ISSUER,
            format!("{issuer:?} is not of {} to {} characters", NAME.start(), NAME.end()),
        );
    }
    let secret = written(&LEGACY_SECRET).unwrap_or_default();
    if secret.len() < SHORTEST_SECRET {
        problems.with(
            &LEGACY_SECRET,
            format!("is required beside PINFOLD_LEGACY_ISSUER, of {SHORTEST_SECRET} bytes at least"),
        );
    }
    let until = written(&LEGACY_UNTIL).unwrap_or_default();
    let Ok(until) = until.trim().parse::<Timestamp>() else {
        problems.with(
            &LEGACY_UNTIL,
            format!("{until:?} is not a time, as 2027-03-31T00:00:00Z; it is required beside PINFOLD_LEGACY_ISSUER"),
        );
        return None;
    };
    Some(Legacy {
        issuer,
        audience: written(&LEGACY_AUDIENCE),
        key: hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes()),
        until,
    })
}
