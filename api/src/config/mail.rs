//! Mail.

use std::path::PathBuf;

use lettre::{Address, message::Mailbox};
use secrecy::SecretString;
use url::Url;

use crate::config::{
    Accounts, Environment, Http, SignUp,
    problems::Problems,
    settings::{MAIL_DIRECTORY, MAIL_FROM, SMTP_URL},
    source::Source,
};

/// Where mail goes.
#[derive(Debug, Clone)]
pub enum Transport {
    /// To a server.
    Smtp(SecretString),
    /// To files.
    Directory(PathBuf),
    /// Nowhere: nothing that this service is told to do sends mail.
    None,
}

/// Mail.
#[derive(Debug, Clone)]
pub struct Mail {
    /// Where it goes.
    pub transport: Transport,
    /// Who it is from.
    pub from: Mailbox,
}

impl Mail {
    pub(super) fn read(source: &Source, http: &Http, accounts: &Accounts, problems: &mut Problems) -> Self {
        let from = source.read_as(&MAIL_FROM, "a sender, as Pinfold <pinfold@example.com>", problems);
        let transport = match source.text(&SMTP_URL) {
            Some(text) => {
                check(&text, http.environment, problems);
                Transport::Smtp(text.into())
            }
            None if http.environment == Environment::Development => {
                Transport::Directory(source.text(&MAIL_DIRECTORY).unwrap_or_default().into())
            }
            None => {
                if accounts.sign_up != SignUp::Off {
                    problems.with(
                        &SMTP_URL,
                        "is required in production, because accounts are opened by mail; write smtps://user:password@host:465, or set accounts.sign_up to off",
                    );
                }
                Transport::None
            }
        };
        // Stands in where a problem was noted; nothing is sent with it.
        let from = from.unwrap_or_else(|| Mailbox::new(None, Address::new_dangerous("pinfold", "localhost")));
        Self { transport, from }
    }
}

/// The value is a secret: what is wrong is said without it.
fn check(text: &str, environment: Environment, problems: &mut Problems) {
    let wanted = "write smtps://user:password@host:465 or smtp://user:password@host:587?tls=required";
    let Ok(url) = Url::parse(text) else {
        problems.with(&SMTP_URL, format!("is not a URL; {wanted}"));
        return;
    };
    let has_tls = url.scheme() == "smtps"
        || url
            .query_pairs()
            .any(|(name, value)| name == "tls" && value == "required");
    if !matches!(url.scheme(), "smtp" | "smtps") || url.host().is_none() {
        problems.with(&SMTP_URL, format!("is not a mail server; {wanted}"));
    } else if !has_tls && environment == Environment::Production {
        problems.with(
            &SMTP_URL,
            format!("would send passwords and links unencrypted; {wanted}"),
        );
    }
}
