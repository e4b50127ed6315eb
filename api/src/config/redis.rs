//! Redis.

use secrecy::SecretString;
use url::Url;

use crate::config::{problems::Problems, settings::REDIS_URL, source::Source};

const SCHEMES: [&str; 4] = ["redis", "rediss", "unix", "redis+unix"];

/// Redis.
#[derive(Debug, Clone)]
pub struct Redis {
    /// Where it is, if there is one.
    pub url: Option<SecretString>,
}

impl Redis {
    pub(super) fn read(source: &Source, problems: &mut Problems) -> Self {
        let text = source.text(&REDIS_URL);
        // The value is a secret: what is wrong is said without it.
        let wanted = "write redis://user:password@host:6379/0, rediss:// for TLS, or unix:///path";
        match text.as_deref().map(Url::parse) {
            Some(Err(_)) => problems.with(&REDIS_URL, format!("is not a URL; {wanted}")),
            Some(Ok(url)) if !SCHEMES.contains(&url.scheme()) => {
                problems.with(&REDIS_URL, format!("{:?} is not Redis; {wanted}", url.scheme()));
            }
            Some(Ok(url)) if matches!(url.scheme(), "redis" | "rediss") && url.host().is_none() => {
                problems.with(&REDIS_URL, format!("names no host; {wanted}"));
            }
            _ => {}
        }
        Self {
            url: text.map(Into::into),
        }
    }
}
