//! A person's token of the system before becomes some of this: for a client of the tenant's own, in that tenant and no other, for the client that
//! showed it first, and for as long as the old one lasts (ADR 0018).

use domain::{GrantId, OverseerId, TenantId};
use jiff::Timestamp;
use resource_server::check::Binding;
use serde_json::json;

use crate::{
    auth::{
        client::values::{GrantType, Scope},
        legacy::Said,
        opaque::sha256,
        rights::Role,
    },
    service::{
        client_proof::Proved,
        grants::{
            given,
            made::Made,
            tokens::{Refused, may, narrowed, spent},
        },
        tokens::{self, Issued, Maker},
    },
    store::{
        assertions,
        audit::{self, Actor, Event},
        clients::{Named, Registration},
        grants::{self, Grant},
        identities, tenants,
    },
};

/// What is asked for.
#[derive(Debug)]
pub struct Asked<'a> {
    /// Who signed the token.
    pub issuer: &'a str,
    /// What the token says, which counts.
    pub said: &'a Said,
    /// Who asks.
    pub client: &'a Proved,
    /// What the new token is to be good for; all that it can be, if nothing is named.
    pub scopes: Option<Vec<&'a str>>,
    /// The key that the token is to be bound to.
    pub binding: Option<Binding>,
    /// The request's id.
    pub request_id: &'a str,
}

/// Exchanges a token that was judged.
pub async fn exchange(maker: Maker<'_>, asked: Asked<'_>, now: Timestamp) -> Result<Issued, Refused> {
    let client = &asked.client.client;
    may(asked.client, GrantType::TokenExchange, asked.binding.is_some())?;
    // What nobody of the tenant registered is not its own.
    let Some(Registration {
        tenant,
        tenant_name,
        by_itself: false,
        ..
    }) = &client.registered
    else {
        return Err(Refused::Grant);
    };
    let signing = maker.signing(client.metadata.access_token_algorithm, now)?;
    let pool = maker.database.pool();
    let holder = identities::find(pool, asked.issuer, &asked.said.subject).await?;
    let person = holder
        .filter(|holder| !holder.blocked)
        .ok_or(Refused::Subject)?
        .overseer;
    let seat = tenants::find_seat(pool, person, tenant_name).await?;
    // Another may be called so by now.
    let (_, role) = seat
        .filter(|(named, _)| named.tenant == *tenant)
        .ok_or(Refused::Subject)?;
    let grant = granted(client, *tenant, role, person, asked.said, now);
    let scopes = narrowed(&grant, asked.scopes.as_deref())?;
    let jkt = spent(maker, asked.binding, now).await?;
    let is_first = assertions::spend(pool, &asked.said.digest, asked.said.expires_at).await?;
    let mut tx = maker.database.tenant(*tenant).await?;
    if is_first {
        grants::insert(&mut tx, &grant, None, now).await?;
        let event = Event {
            at: now,
            actor: Actor::Overseer(person),
            action: "grant.create",
            target: grant.id.uuid(),
            request_id: asked.request_id,
            detail: json!({"client_id": client.client_id, "scope": Scope::joined(&grant.scopes), "issuer": asked.issuer}),
        };
        audit::append(&mut tx, &event).await?;
    }
    // It is asked for in this transaction, as it will be for each request with the token. Of a token that another client showed first there is none of
    // this name, and none of whoever is blocked.
    let grant = grants::find_in(&mut tx, grant.id).await?.ok_or(Refused::Subject)?;
    let scopes: Vec<Scope> = scopes
        .into_iter()
        .filter(|scope| grant.scopes.contains(scope))
        .collect();
    if scopes.is_empty() {
        return Err(tokens::Refused::Scope.into());
    }
    let made = Made {
        until: Some(asked.said.until),
        ..Made::of(&grant, GrantType::TokenExchange, &scopes, asked.request_id)
    };
    let jti = made.record(&mut tx, now).await?;
    tx.commit().await?;
    Ok(made.issued(maker, &signing, jti, jkt, now)?)
}

/// All that the client may ask for and the person may do there, by the name that a token and a client have together.
fn granted(client: &Named, tenant: TenantId, role: Role, person: OverseerId, said: &Said, now: Timestamp) -> Grant {
    let name = [said.digest.as_slice(), client.client_id.as_bytes()].concat();
    let rights = given(&client.metadata.scopes, role);
    Grant {
        id: GrantId::of_digest(&sha256(&name)),
        tenant,
        overseer: person,
        client_id: client.client_id.clone(),
        // Who somebody is, an ID token says, and here is none.
        scopes: rights
            .into_iter()
            .filter(|scope| matches!(scope, Scope::Right(_)))
            .collect(),
        authenticated_at: said.issued_at.unwrap_or(now),
        expires_at: said.until,
        actors: Vec::new(),
    }
}
