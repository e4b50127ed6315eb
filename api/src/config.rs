//! What the service is told: read from a file and the environment, checked as a whole before anything starts.
//!
//! Every setting stands once, in [`settings::ALL`], with its names, its default and its explanation; the reference in
//! `docs/reference/api-settings.md` is made from that table. One struct per concern takes the texts it needs and says
//! everything that is wrong with them, so that nobody mends a configuration one error at a time.

use std::{collections::BTreeMap, fmt::Write as _, path::Path};

mod accounts;
mod auth;
mod cluster;
mod database;
mod http;
mod legacy;
mod limits;
mod mail;
mod outside;
mod problems;
mod redis;
pub mod settings;
mod source;

pub use accounts::{Accounts, SignUp};
pub use auth::Auth;
pub use cluster::{Access, Cluster};
pub use database::Database;
pub use http::{Environment, Http};
pub use limits::Limits;
pub use mail::{Mail, Transport};
pub use outside::{Issuer, Outside};
pub use problems::{ConfigError, Problem};
pub use redis::Redis;

use problems::Problems;
use source::Source;

use crate::auth::legacy::Legacy;

/// The whole configuration.
#[derive(Debug, Clone)]
pub struct Config {
    /// Where the service listens and what it calls itself.
    pub http: Http,
    /// PostgreSQL.
    pub database: Database,
    /// Redis.
    pub redis: Redis,
    /// The cluster that tenants run in.
    pub cluster: Cluster,
    /// Keys and tokens.
    pub auth: Auth,
    /// Issuers outside whose word on people counts.
    pub outside: Outside,
    /// Whose tokens of the system before are taken, if any are.
    pub legacy: Option<Legacy>,
    /// People's accounts.
    pub accounts: Accounts,
    /// Mail.
    pub mail: Mail,
    /// How much one client may ask for.
    pub limits: Limits,
}

impl Config {
    /// Reads a file, if one is given, and the environment, which wins.
    pub fn load(file: Option<&Path>, environment: &BTreeMap<String, String>) -> Result<Self, ConfigError> {
        let mut problems = Problems::default();
        let source = Source::read(file, environment, &mut problems);
        let http = Http::read(&source, &mut problems);
        let database = Database::read(&source, &mut problems);
        let redis = Redis::read(&source, &mut problems);
        let cluster = Cluster::read(&source, &mut problems);
        let auth = Auth::read(&source, &http, &mut problems);
        let outside = Outside::read(&source, &http, &mut problems);
        let legacy = legacy::read(&source, &http, &outside, &mut problems);
        let accounts = Accounts::read(&source, &http, &mut problems);
        let mail = Mail::read(&source, &http, &accounts, &mut problems);
        let limits = Limits::read(&source, &mut problems);
        problems.finish(|| Self {
            http,
            database,
            redis,
            cluster,
            auth,
            outside,
            legacy,
            accounts,
            mail,
            limits,
        })
    }
}

/// The settings as a page of the documentation, and beside them the options of every command: variable, option, default, what it is.
pub fn reference(options: &[[String; 4]]) -> String {
    let mut page = String::from(
        "# Settings of the control-plane API\n\n\
         Each is read from the environment or, under its dotted name, from the TOML file that `--config` names; the \
         environment wins. A secret can stand in a file of its own: the variable's name with `_FILE` at its end names \
         that file, and one line break at the file's end is not part of the secret. `pinfold-api check-config` says everything that is wrong.\n\n\
         | variable | in the file | default | what it is |\n|---|---|---|---|\n",
    );
    for setting in settings::ALL {
        let names: Vec<String> = setting.names.iter().map(|name| format!("`{name}`")).collect();
        let secret = if setting.secret { " Secret." } else { "" };
        let default = setting.default.map_or_else(String::new, |d| format!("`{d}`"));
        // Writing to a String does not fail.
        let _ = writeln!(
            page,
            "| {} | `{}` | {default} | {}{secret} |",
            names.join(", "),
            setting.path,
            setting.about
        );
    }
    page.push_str(
        "\n## Options of every command\n\nWhat is read before the settings are; the option wins over the variable.\n\n\
         | variable | option | default | what it is |\n|---|---|---|---|\n",
    );
    for [variable, option, default, about] in options {
        let default = if default.is_empty() {
            String::new()
        } else {
            format!("`{default}`")
        };
        let _ = writeln!(page, "| `{variable}` | `{option}` | {default} | {about}. |");
    }
    page
}

#[cfg(test)]
mod tests;
