//! How much one client may ask for.

use std::num::NonZeroU32;

use ipnet::IpNet;

use crate::config::{
    problems::Problems,
    settings::{
        CALLS_PER_MINUTE, LOGINS_PER_MINUTE, REGISTRATIONS_PER_HOUR, REQUESTS_PER_MINUTE, Setting, TRUSTED_PROXIES,
        WRITES_PER_MINUTE,
    },
    source::Source,
};

/// How much one client may ask for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// Whose word on the client's address is believed.
    pub trusted_proxies: Vec<IpNet>,
    /// Agents that one address may register in an hour.
    pub registrations_per_hour: NonZeroU32,
    /// Requests without a token that one address may send in a minute.
    pub requests_per_minute: NonZeroU32,
    /// Logins that one address may try in a minute.
    pub logins_per_minute: NonZeroU32,
    /// Requests that read, of one caller in a minute.
    pub calls_per_minute: NonZeroU32,
    /// Requests that change something, of one caller in a minute.
    pub writes_per_minute: NonZeroU32,
}

impl Limits {
    pub(super) fn read(source: &Source, problems: &mut Problems) -> Self {
        let mut trusted_proxies = Vec::new();
        let ranges = source.text(&TRUSTED_PROXIES).unwrap_or_default();
        for text in ranges.split(',').map(str::trim).filter(|text| !text.is_empty()) {
            match text.parse::<IpNet>() {
                Ok(range) if range.trunc() == range => trusted_proxies.push(range),
                Ok(range) => problems.with(
                    &TRUSTED_PROXIES,
                    format!("{text:?} has bits beyond its length; write {}", range.trunc()),
                ),
                Err(_) => problems.with(
                    &TRUSTED_PROXIES,
                    format!("{text:?} is not a range of addresses, as 10.0.0.0/8 or fd00::/8"),
                ),
            }
        }
        Self {
            trusted_proxies,
            registrations_per_hour: count(source, &REGISTRATIONS_PER_HOUR, problems),
            requests_per_minute: count(source, &REQUESTS_PER_MINUTE, problems),
            logins_per_minute: count(source, &LOGINS_PER_MINUTE, problems),
            calls_per_minute: count(source, &CALLS_PER_MINUTE, problems),
            writes_per_minute: count(source, &WRITES_PER_MINUTE, problems),
        }
    }
}

fn count(source: &Source, setting: &Setting, problems: &mut Problems) -> NonZeroU32 {
    const MOST: u32 = 1_000_000;
    let count: Option<u32> = source.read_as(setting, "a number", problems);
    let within = count.and_then(NonZeroU32::new).filter(|n| n.get() <= MOST);
    if let (Some(count), None) = (count, within) {
        problems.with(setting, format!("{count} is not within 1 to {MOST}"));
    }
    within.unwrap_or(NonZeroU32::MIN)
}
