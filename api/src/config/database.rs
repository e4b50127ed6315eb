//! PostgreSQL.

use secrecy::SecretString;
use url::Url;

use crate::config::{
    problems::Problems,
    settings::{CONNECTIONS, DATABASE_URL, MIGRATION_URL, Setting},
    source::Source,
};

/// PostgreSQL.
#[derive(Debug, Clone)]
pub struct Database {
    /// For the service.
    pub url: SecretString,
    /// For who changes the schema.
    pub migration_url: SecretString,
    /// Connections of a replica at most.
    pub connections: u32,
}

impl Database {
    pub(super) fn read(source: &Source, problems: &mut Problems) -> Self {
        let url = source
            .text(&DATABASE_URL)
            .map(|text| address(&text, &DATABASE_URL, problems));
        if url.is_none() {
            problems.with(
                &DATABASE_URL,
                "is required: write postgresql://user:password@host:port/name",
            );
        }
        let url = url.unwrap_or_default();
        let migration_url = source
            .text(&MIGRATION_URL)
            .map_or_else(|| url.clone(), |text| address(&text, &MIGRATION_URL, problems));
        let connections = source.read_as(&CONNECTIONS, "a number", problems).unwrap_or(10);
        if !(2..=1000).contains(&connections) {
            problems.with(&CONNECTIONS, format!("{connections} is not within 2 to 1000"));
        }
        Self {
            url: url.into(),
            migration_url: migration_url.into(),
            connections,
        }
    }
}

/// The address as the driver reads it. Other systems name a driver in the scheme, and TLS by `ssl`.
fn address(text: &str, setting: &Setting, problems: &mut Problems) -> String {
    let plain = text.replacen("postgresql+asyncpg://", "postgresql://", 1);
    // The value is a secret: what is wrong is said without it.
    let Ok(mut url) = Url::parse(&plain) else {
        problems.with(setting, "is not a URL; write postgresql://user:password@host:port/name");
        return plain;
    };
    if !matches!(url.scheme(), "postgresql" | "postgres") {
        problems.with(
            setting,
            format!("{:?} is not PostgreSQL; write postgresql://", url.scheme()),
        );
    }
    if url.path().trim_matches('/').is_empty() {
        problems.with(
            setting,
            "names no database: write postgresql://user:password@host:port/name",
        );
    }
    let pairs: Vec<(String, String)> = url
        .query_pairs()
        .map(|(name, value)| match (name.as_ref(), value.as_ref()) {
            ("ssl", "true" | "require") => ("sslmode".to_owned(), "require".to_owned()),
            ("ssl", "false" | "disable") => ("sslmode".to_owned(), "disable".to_owned()),
            ("ssl", other) => ("sslmode".to_owned(), other.to_owned()),
            (name, value) => (name.to_owned(), value.to_owned()),
        })
        .collect();
    if !pairs.is_empty() {
        url.query_pairs_mut().clear().extend_pairs(pairs);
    }
    url.into()
}
