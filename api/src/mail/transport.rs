//! How mail leaves: to a server, or, in development, to files.

use std::{io::Write as _, os::unix::fs::OpenOptionsExt as _, path::PathBuf, time::Duration};

use lettre::{
    AsyncSmtpTransport, AsyncTransport as _, Message, Tokio1Executor,
    message::{
        Body, Mailbox,
        header::{ContentTransferEncoding, ContentType},
    },
};
use secrecy::ExposeSecret as _;
use tracing::info;
use uuid::Uuid;

use crate::{
    config::{self, Transport},
    mail::Letter,
};

/// How long a server may take for one letter.
const TIMEOUT: Duration = Duration::from_secs(20);

/// Why a letter did not leave.
#[derive(Debug, thiserror::Error)]
pub enum MailError {
    /// It cannot be written as mail.
    #[error("the letter cannot be written")]
    Letter(#[source] lettre::error::Error),
    /// It has something other than ASCII in it.
    #[error("the letter is not ASCII in lines of at most 998 characters")]
    Text,
    /// The address cannot be written to.
    #[error("the address cannot be used")]
    Address(#[source] lettre::address::AddressError),
    /// The server did not take it.
    #[error("the mail server did not take the letter")]
    Smtp(#[source] lettre::transport::smtp::Error),
    /// The file was not written.
    #[error("the letter was not written to {0}")]
    File(PathBuf, #[source] std::io::Error),
    /// There is no mail.
    #[error("no mail server is configured; set SMTP_URL")]
    None,
}

/// Sends letters.
#[derive(Debug, Clone)]
pub struct Mailer {
    from: Mailbox,
    way: Way,
}

#[derive(Debug, Clone)]
enum Way {
    Smtp(AsyncSmtpTransport<Tokio1Executor>),
    Directory(PathBuf),
    None,
}

impl Mailer {
    /// The configured way.
    pub fn new(config: &config::Mail) -> Result<Self, MailError> {
        let way = match &config.transport {
            Transport::Smtp(url) => Way::Smtp(
                AsyncSmtpTransport::<Tokio1Executor>::from_url(url.expose_secret())
                    .map_err(MailError::Smtp)?
                    .timeout(Some(TIMEOUT))
                    .build(),
            ),
            Transport::Directory(path) => Way::Directory(path.clone()),
            Transport::None => Way::None,
        };
        Ok(Self {
            from: config.from.clone(),
            way,
        })
    }

    /// Sends a letter. `name` is the same when the same letter is sent again.
    pub async fn send(&self, letter: &Letter, name: Uuid) -> Result<(), MailError> {
        let to = letter.to.parse().map_err(MailError::Address)?;
        let body = as_it_is(&letter.body).ok_or(MailError::Text)?;
        let message = Message::builder()
            .from(self.from.clone())
            .to(Mailbox::new(None, to))
            .message_id(Some(format!("<{name}@{}>", self.from.email.domain())))
            .subject(&letter.subject)
            .header(ContentType::TEXT_PLAIN)
            .body(body)
            .map_err(MailError::Letter)?;
        match &self.way {
            Way::Smtp(server) => server.send(message).await.map(drop).map_err(MailError::Smtp),
            Way::Directory(path) => {
                let file = path.join(format!("{name}.eml"));
                write(&file, &message.formatted()).map_err(|error| MailError::File(file.clone(), error))?;
                info!(mail.file = %file.display(), mail.subject = letter.subject, "mail was written to a file");
                Ok(())
            }
            Way::None => Err(MailError::None),
        }
    }
}

/// A text without any encoding, so that no link is broken in two: ASCII, in lines that mail allows (RFC 5322, section 2.1.1).
fn as_it_is(text: &str) -> Option<Body> {
    const LONGEST: usize = 998;
    let fits = text.is_ascii() && text.lines().all(|line| line.len() <= LONGEST);
    let bytes = text.replace('\n', "\r\n").into_bytes();
    fits.then(|| Body::dangerous_pre_encoded(bytes, ContentTransferEncoding::SevenBit))
}

/// For the owner's eyes only: links in mail are secrets.
fn write(file: &std::path::Path, bytes: &[u8]) -> std::io::Result<()> {
    if let Some(folder) = file.parent() {
        std::fs::create_dir_all(folder)?;
    }
    std::fs::OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(file)?
        .write_all(bytes)
}
