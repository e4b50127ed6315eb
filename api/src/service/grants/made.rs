//! An access token that an authorization gives: recorded, then signed.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use jiff::Timestamp;
use serde_json::json;

use super::tokens::Refused;
use crate::{
    auth::{
        client::values::{GrantType, Scope},
        random::random,
        token::Who,
    },
    service::{
        keyring::SigningKey,
        tokens::{self, Issued, Maker, Said},
    },
    store::{
        TenantTransaction,
        audit::{self, Actor, Event},
        grants::{self, Grant},
    },
};

/// A token that is being made.
#[derive(Debug)]
pub struct Made<'a> {
    /// The authorization.
    pub grant: &'a Grant,
    /// Who gets it.
    pub client_id: String,
    /// For what.
    pub by: &'static str,
    /// What it is good for.
    pub scopes: &'a [Scope],
    /// When it ends at the latest.
    pub until: Option<Timestamp>,
    /// Who acts, if somebody does for the person besides the client.
    pub who: Option<Who>,
    /// The request's id.
    pub request_id: &'a str,
}

impl<'a> Made<'a> {
    /// A token of the client that was let in.
    pub fn of(grant: &'a Grant, by: GrantType, scopes: &'a [Scope], request_id: &'a str) -> Self {
        Self {
            grant,
            client_id: grant.client_id.clone(),
            by: by.as_str(),
            scopes,
            until: None,
            who: None,
            request_id,
        }
    }

    /// Records it, and gives its name.
    pub async fn record(&self, tx: &mut TenantTransaction, now: Timestamp) -> Result<String, Refused> {
        let jti = URL_SAFE_NO_PAD.encode(random::<16>().map_err(|_| tokens::Refused::NoKey)?);
        grants::see(tx, self.grant.id, now).await?;
        let event = Event {
            at: now,
            actor: Actor::Grant(self.grant.id),
            action: "token.issue",
            target: self.grant.overseer.uuid(),
            request_id: self.request_id,
            detail: json!({"grant": self.by, "client_id": self.client_id, "scope": Scope::joined(self.scopes), "jti": jti}),
        };
        audit::append(tx, &event).await?;
        Ok(jti)
    }

    /// The token.
    pub fn issued(
        self,
        maker: Maker<'_>,
        signing: &SigningKey,
        jti: String,
        jkt: Option<String>,
        now: Timestamp,
    ) -> Result<Issued, tokens::Refused> {
        let said = Said {
            subject: self.grant.overseer.to_string(),
            tenant: self.grant.tenant,
            jti,
            scope: Scope::joined(self.scopes),
            jkt,
            until: self.until,
            client_id: self.client_id,
            who: self.who.unwrap_or_else(|| Who::Grant {
                pinfold_grant: self.grant.id.to_string(),
            }),
        };
        maker.issued(signing, said, now)
    }
}
