//! Keys and tokens.

use std::{
    fs::{self, OpenOptions},
    io::{ErrorKind, Write as _},
    os::unix::fs::OpenOptionsExt as _,
    path::Path,
};

use aws_lc_rs::hmac;
use base64::{Engine as _, engine::general_purpose::STANDARD};
use jiff::SignedDuration;

use crate::{
    auth::{random::random, seal::MasterKey},
    config::{
        Environment, Http,
        problems::Problems,
        settings::{
            MASTER_KEY, MASTER_KEY_PATH, PREVIOUS_MASTER_KEY, REGISTRATION_TENANT, SHADOW_SECRET, Setting,
            TOKEN_SECONDS,
        },
        source::Source,
    },
};

/// The shortest secret that is one (RFC 2104, section 3: not below the length of the hash).
pub(super) const SHORTEST_SECRET: usize = 32;

/// Keys and tokens.
#[derive(Debug, Clone)]
pub struct Auth {
    /// What all keys are derived from.
    pub master_key: MasterKey,
    /// What shadow overseers are derived with.
    pub shadow_key: hmac::Key,
    /// The tenant whose the clients are that register themselves; none do without.
    pub registration_tenant: Option<String>,
    /// How long an access token is valid.
    pub access_token: SignedDuration,
}

impl Auth {
    pub(super) fn read(source: &Source, http: &Http, problems: &mut Problems) -> Self {
        let current = master_key(source, http.environment, problems).unwrap_or_default();
        let previous = source.text(&PREVIOUS_MASTER_KEY);
        let previous = previous.and_then(|text| decoded(&text, &PREVIOUS_MASTER_KEY, problems));
        if previous == Some(current) {
            problems.with(
                &PREVIOUS_MASTER_KEY,
                "is the master key itself; name the one before it, or none",
            );
        }
        let master_key = MasterKey::new(current).after(previous);
        let shadow_key = match source.text(&SHADOW_SECRET) {
            Some(secret) if secret.len() < SHORTEST_SECRET => {
                problems.with(&SHADOW_SECRET, format!("is shorter than {SHORTEST_SECRET} bytes"));
                master_key.mac("shadow")
            }
            Some(secret) => hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes()),
            None => master_key.mac("shadow"),
        };
        let seconds: i64 = source
            .read_as(&TOKEN_SECONDS, "a number of seconds", problems)
            .unwrap_or(600);
        if !(60..=3600).contains(&seconds) {
            problems.with(&TOKEN_SECONDS, format!("{seconds} is not within 60 to 3600"));
        }
        Self {
            master_key,
            shadow_key,
            registration_tenant: source.text(&REGISTRATION_TENANT).filter(|name| !name.is_empty()),
            access_token: SignedDuration::from_secs(seconds),
        }
    }
}

fn master_key(source: &Source, environment: Environment, problems: &mut Problems) -> Option<[u8; 32]> {
    let text = match (source.text(&MASTER_KEY), environment) {
        (Some(text), _) => text,
        (None, Environment::Production) => {
            problems.with(
                &MASTER_KEY,
                "is required in production: write what `openssl rand -base64 32` gives",
            );
            return None;
        }
        (None, Environment::Development) => {
            let path = source.text(&MASTER_KEY_PATH).unwrap_or_default();
            match kept(Path::new(&path)) {
                Ok(text) => text,
                Err(error) => {
                    problems.with(&MASTER_KEY_PATH, format!("{path} cannot be read or made: {error}"));
                    return None;
                }
            }
        }
    };
    decoded(&text, &MASTER_KEY, problems)
}

fn decoded(text: &str, setting: &Setting, problems: &mut Problems) -> Option<[u8; 32]> {
    let bytes = STANDARD.decode(text.trim()).ok();
    let key = bytes.and_then(|bytes| bytes.try_into().ok());
    if key.is_none() {
        problems.with(
            setting,
            "is not 32 bytes in base64; write what `openssl rand -base64 32` gives",
        );
    }
    key
}

/// The key that development keeps in a file of its own, made the first time.
fn kept(path: &Path) -> std::io::Result<String> {
    let bytes: [u8; 32] = random().map_err(std::io::Error::other)?;
    match OpenOptions::new().write(true).create_new(true).mode(0o600).open(path) {
        Ok(mut file) => {
            let text = STANDARD.encode(bytes);
            writeln!(file, "{text}")?;
            Ok(text)
        }
        Err(error) if error.kind() == ErrorKind::AlreadyExists => fs::read_to_string(path),
        Err(error) => Err(error),
    }
}
