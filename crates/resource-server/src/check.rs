//! How a request with a token is judged: the token is read, the proof beside it judged and held against the key that the token is bound to,
//! and used up. Each step gives what the next one takes, so that none is left out: who acts is known of a [`Token`], and that comes of
//! [`Unspent::spend`] alone.

use std::future::Future;

use aws_lc_rs::hmac;
use jiff::Timestamp;
use url::Url;

use crate::{
    credential::NotOne,
    dpop::{self, Flaw, Wanted},
    epoch::Epoch,
    jws::{Parsed, PublicKey},
    known::Known,
    nonce::{self, Giver},
    token::{self, Read, Token},
};

/// What a service brings along: the keys that it knows, and where it is remembered what counts once.
pub trait Service: Sync {
    /// Why a store did not answer.
    type Error: Send;

    /// The key of this id, if access tokens are signed with it.
    fn key(&self, id: &str) -> Option<PublicKey>;

    /// The epoch of the store that remembers what is minted now.
    fn epoch(&self, now: Timestamp) -> impl Future<Output = Result<Epoch, Self::Error>> + Send;

    /// Uses something up in the store of its epoch. All replicas together say [`Spent::First`] once.
    fn spend(&self, once: Once, now: Timestamp) -> impl Future<Output = Result<Spent, Self::Error>> + Send;
}

/// Something that counts once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Once {
    /// SHA-256 of it.
    pub digest: [u8; 32],
    /// The epoch in which it was minted.
    pub epoch: Epoch,
    /// When it is refused for its age.
    pub forget_at: Timestamp,
}

/// What came of using something up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Spent {
    /// It counts.
    First,
    /// It was used before.
    Again,
    /// The store that it was minted for knows nothing of that time any more.
    Forgotten,
}

/// A key that was proved beside a request, and the proof, which counts once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Binding {
    /// The thumbprint of the key.
    pub jkt: String,
    /// The proof.
    pub proof: Once,
}

/// What a proof must be for.
#[derive(Debug, Clone, Copy)]
pub struct Request<'a> {
    /// Who gave the nonce.
    pub giver: Giver,
    /// The method.
    pub method: &'a str,
    /// The path, below the service's own address: what a client puts into a header is no part of it.
    pub path: &'a str,
    /// The access token that came with it.
    pub access_token: Option<&'a str>,
}

/// Why a proof proves nothing.
#[derive(Debug, thiserror::Error)]
pub enum Refused<E> {
    /// There are several, or something that is no text.
    #[error("send one DPoP header with one proof")]
    Header,
    /// There is something wrong with it.
    #[error("the proof is not good: {0}")]
    Flaw(#[from] Flaw),
    /// There is none beside a token that counts with one only.
    #[error("send a DPoP header with a proof")]
    Missing,
    /// It came before.
    #[error("the proof was used before; make one for each request")]
    Replayed,
    /// It names no nonce of ours, or an old one.
    #[error("make a proof with the nonce of the DPoP-Nonce header")]
    Nonce,
    /// Which store is to remember it cannot be said, or it does not answer.
    #[error("the store that remembers proofs does not answer")]
    Store(#[source] E),
}

impl<E> Refused<E> {
    /// Its name (RFC 9449, section 12.2).
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Nonce => "use_dpop_nonce",
            _ => "invalid_dpop_proof",
        }
    }
}

impl<E> From<NotOne> for Refused<E> {
    fn from(_: NotOne) -> Self {
        Self::Header
    }
}

impl Spent {
    /// Nothing, if it counts.
    pub const fn ok<E>(self) -> Result<(), Refused<E>> {
        match self {
            Self::First => Ok(()),
            Self::Again => Err(Refused::Replayed),
            Self::Forgotten => Err(Refused::Nonce),
        }
    }
}

/// A service that is called with tokens.
#[derive(Debug)]
pub struct ResourceServer<'a, S> {
    /// Whose tokens count, and below which address the service is called.
    pub issuer: &'a str,
    /// For whom they are to be.
    pub audience: &'a str,
    /// What nonces are authenticated with.
    pub nonces: &'a hmac::Key,
    /// The tokens' signatures that were found good before.
    pub known: &'a Known,
    /// What it brings along.
    pub service: &'a S,
}

impl<S: Service> ResourceServer<'_, S> {
    /// Judges a proof, but for whether it was used before.
    pub async fn judge(&self, proof: &str, request: Request<'_>, now: Timestamp) -> Result<Binding, Refused<S::Error>> {
        let uri = place(self.issuer, request.path).ok_or(Flaw::Uri)?;
        let wanted = Wanted {
            method: request.method,
            uri: &uri,
            access_token: request.access_token,
            now,
        };
        let proof = dpop::judge(proof, wanted)?;
        let nonce = proof.nonce.as_deref().unwrap_or_default();
        let epoch = nonce::read(self.nonces, request.giver, nonce, now).ok_or(Refused::Nonce)?;
        // A store that lost what it knew remembers nothing of it; a proof with a new nonce is judged by what it knows now.
        if epoch != self.service.epoch(now).await.map_err(Refused::Store)? {
            return Err(Refused::Nonce);
        }
        Ok(Binding {
            proof: Once {
                digest: proof.digest,
                epoch,
                forget_at: proof.forget_at(),
            },
            jkt: proof.thumbprint,
        })
    }

    /// The nonce that the next proof is to name.
    pub async fn nonce(&self, giver: Giver, now: Timestamp) -> Result<String, S::Error> {
        let epoch = self.service.epoch(now).await?;
        Ok(nonce::mint(self.nonces, giver, epoch, now))
    }

    /// What a token says that is in force: whose it is, whoever shows it.
    pub fn read(&self, parsed: &Parsed<'_>, now: Timestamp) -> Option<Read> {
        let key = self.service.key(parsed.key_id()?)?;
        let claims = parsed.verify_known(token::TYPE, &key, self.known)?;
        token::read(&claims, self.issuer, self.audience, now)
    }

    /// A token that is shown in the way that it counts in. A bound one alone is what a thief has, and a proof of another key is a thief's
    /// (RFC 9449, section 7.1).
    pub fn shown(&self, parsed: &Parsed<'_>, binding: Option<Binding>, now: Timestamp) -> Option<Unspent> {
        let Read { token, jkt } = self.read(parsed, now)?;
        let fits = jkt.as_ref() == binding.as_ref().map(|binding| &binding.jkt);
        fits.then_some(Unspent { token, binding })
    }
}

/// A token that is shown as it must be, by a proof that is still to be used up.
#[derive(Debug)]
#[must_use]
pub struct Unspent {
    token: Token,
    binding: Option<Binding>,
}

impl Unspent {
    /// What its holder's requests are counted by, before anything is used up.
    pub fn id(&self) -> &[u8; 16] {
        self.token.id()
    }

    /// Whether there is a proof to be used up.
    pub fn is_bound(&self) -> bool {
        self.binding.is_some()
    }

    /// Uses the proof up, and gives the token: now it is known who acts.
    pub async fn spend<S: Service>(self, service: &S, now: Timestamp) -> Result<Token, Refused<S::Error>> {
        if let Some(binding) = self.binding {
            service.spend(binding.proof, now).await.map_err(Refused::Store)?.ok()?;
        }
        Ok(self.token)
    }
}

fn place(issuer: &str, path: &str) -> Option<Url> {
    let mut url = Url::parse(issuer).ok()?;
    let base = url.path().trim_end_matches('/').to_owned();
    url.set_path(&format!("{base}{path}"));
    Some(url)
}

#[cfg(test)]
mod tests;
