//! People's accounts.

use std::time::Duration;

use jiff::SignedDuration;

use crate::config::{
    Environment, Http,
    problems::Problems,
    settings::{LOGIN_MILLISECONDS, SESSION_HOURS, SIGN_UP, Setting},
    source::Source,
};

/// Who may open an account.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SignUp {
    /// Whoever shows that an address is theirs.
    Open,
    /// Whoever was invited to a tenant.
    InviteOnly,
    /// Nobody.
    Off,
}

/// People's accounts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Accounts {
    /// Who may open one.
    pub sign_up: SignUp,
    /// How long a login lasts.
    pub session: SignedDuration,
    /// How long an answer to a login takes at least.
    pub login: Duration,
}

impl Accounts {
    pub(super) fn read(source: &Source, http: &Http, problems: &mut Problems) -> Self {
        let sign_up = match source.text(&SIGN_UP).as_deref() {
            Some("open") => SignUp::Open,
            Some("invite-only") => SignUp::InviteOnly,
            None if http.environment == Environment::Development => SignUp::Open,
            Some("off") | None => SignUp::Off,
            Some(other) => {
                problems.with(&SIGN_UP, format!("{other:?} is none of open, invite-only and off"));
                SignUp::Off
            }
        };
        let hours = within(source, &SESSION_HOURS, 1, 2160, problems);
        let milliseconds = within(source, &LOGIN_MILLISECONDS, 0, 5000, problems);
        Self {
            sign_up,
            session: SignedDuration::from_hours(i64::from(hours)),
            login: Duration::from_millis(u64::from(milliseconds)),
        }
    }
}

fn within(source: &Source, setting: &Setting, least: u32, most: u32, problems: &mut Problems) -> u32 {
    let number: Option<u32> = source.read_as(setting, "a number", problems);
    match number {
        Some(number) if (least..=most).contains(&number) => number,
        Some(number) => {
            problems.with(setting, format!("{number} is not within {least} to {most}"));
            least
        }
        None => least,
    }
}
