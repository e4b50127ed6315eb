//! Who belongs to a tenant. Nobody gives or takes a role with rights that they do not have, and a tenant always has an
//! owner.

use aws_lc_rs::hmac;
use domain::{EmailAddress, InvitationId, OverseerId, TenantId};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use crate::{
    auth::{
        mail_link::{self, Purpose},
        random::random,
        rights::Role,
    },
    service::{oversight, sign_up::SEND},
    store::{
        Database, StoreError, TenantTransaction,
        audit::{self, Actor, Event},
        invitations::{self, Invitation},
        jobs::{self, NewJob},
        memberships::{self, Member},
        tenants,
    },
};

/// How long an invitation can be accepted.
pub const LIFETIME: SignedDuration = SignedDuration::from_hours(7 * 24);

/// How many members and open invitations a tenant has at most.
pub const MOST: usize = 500;

/// Why nothing was changed.
#[derive(Debug, thiserror::Error)]
pub enum Refused {
    /// There is no such member or invitation.
    #[error("not found")]
    NotFound,
    /// The actor's role does not reach so far.
    #[error("nobody gives or takes a role with rights that they do not have")]
    Grant,
    /// The tenant would have no owner.
    #[error("the tenant would have no owner")]
    LastOwner,
    /// The person is a member already.
    #[error("the person is a member")]
    Member,
    /// There are too many.
    #[error("too many members")]
    TooMany,
    /// The member is another by now.
    #[error("it was changed since")]
    Changed,
    /// The database failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Who changes something.
#[derive(Debug, Clone, Copy)]
pub struct By<'a> {
    /// Who, or for whom somebody does.
    pub overseer: OverseerId,
    /// Who is named as having done it.
    pub actor: Actor,
    /// In which request.
    pub request_id: &'a str,
}

impl<'a> By<'a> {
    /// A person, or a key of theirs.
    pub fn person(overseer: OverseerId, request_id: &'a str) -> Self {
        Self {
            overseer,
            actor: Actor::Overseer(overseer),
            request_id,
        }
    }
}

/// Invites an address, in a transaction that is still to be stored. An earlier invitation of the same address ends.
pub async fn invite(
    database: &Database,
    tenant: TenantId,
    email: &EmailAddress,
    role: Role,
    by: By<'_>,
    now: Timestamp,
) -> Result<(TenantTransaction, Invitation), Refused> {
    let mut tx = locked(database, tenant).await?;
    let members = memberships::list(&mut tx).await?;
    if !may_grant(&members, by, role) {
        return Err(Refused::Grant);
    }
    if members.iter().any(|m| {
        m.email
            .as_deref()
            .is_some_and(|known| known.eq_ignore_ascii_case(email.key()))
    }) {
        return Err(Refused::Member);
    }
    if members.len() + invitations::list(&mut tx, now).await?.len() >= MOST {
        return Err(Refused::TooMany);
    }
    let invitation = Invitation {
        id: InvitationId::new(now, random().map_err(StoreError::from)?),
        email: email.as_str().to_owned(),
        role,
        invited_by: by.overseer,
        created_at: now,
        expires_at: now.checked_add(LIFETIME).unwrap_or(Timestamp::MAX),
    };
    invitations::put(&mut tx, &invitation, email).await?;
    let job = NewJob {
        kind: SEND,
        subject: invitation.id.uuid(),
        payload: json!({"purpose": Purpose::Invitation.as_str(), "tenant": tenant.to_string()}),
        at: now,
    };
    jobs::insert(&mut tx, &job).await?;
    let detail = json!({"role": role.as_str()});
    record(&mut tx, "invitation.create", by, invitation.id.uuid(), detail, now).await?;
    Ok((tx, invitation))
}

/// Withdraws an invitation.
pub async fn withdraw(
    database: &Database,
    tenant: TenantId,
    id: InvitationId,
    by: By<'_>,
    now: Timestamp,
) -> Result<(), Refused> {
    let mut tx = locked(database, tenant).await?;
    if !invitations::take(&mut tx, id).await? {
        return Err(Refused::NotFound);
    }
    record(&mut tx, "invitation.revoke", by, id.uuid(), json!({}), now).await?;
    Ok(tx.commit().await?)
}

/// A link's invitation, if it is ours and in force, and its tenant.
pub async fn invitation(
    database: &Database,
    link_key: &hmac::Key,
    link: &str,
    now: Timestamp,
) -> Result<Option<(TenantId, Invitation)>, StoreError> {
    let Some(id) = mail_link::read(link_key, Purpose::Invitation, link) else {
        return Ok(None);
    };
    let id = InvitationId::of_uuid(id);
    let Some(tenant) = invitations::find_tenant(database.pool(), id).await? else {
        return Ok(None);
    };
    let mut tx = database.tenant(tenant).await?;
    let open = invitations::list(&mut tx, now).await?;
    Ok(open
        .into_iter()
        .find(|invitation| invitation.id == id)
        .map(|invitation| (tenant, invitation)))
}

/// Somebody who has an invitation's link joins, in a transaction that is still to be stored. The invitation is used up in it.
pub async fn accept(
    database: &Database,
    tenant: TenantId,
    invitation: &Invitation,
    overseer: OverseerId,
    request_id: &str,
    now: Timestamp,
) -> Result<TenantTransaction, Refused> {
    let mut tx = locked(database, tenant).await?;
    if !invitations::take(&mut tx, invitation.id).await? {
        return Err(Refused::NotFound);
    }
    if !memberships::insert(&mut tx, overseer, invitation.role, now).await? {
        return Err(Refused::Member);
    }
    let by = By::person(overseer, request_id);
    let detail = json!({"role": invitation.role.as_str(), "invitation_id": invitation.id.to_string()});
    record(&mut tx, "member.create", by, overseer.uuid(), detail, now).await?;
    Ok(tx)
}

/// Changes what a member is, if it is what the caller of this thinks it is.
pub async fn set_role(
    database: &Database,
    tenant: TenantId,
    member: OverseerId,
    role: Role,
    meant: impl FnOnce(&Member) -> bool + Send,
    by: By<'_>,
    now: Timestamp,
) -> Result<Member, Refused> {
    let mut tx = locked(database, tenant).await?;
    let members = memberships::list(&mut tx).await?;
    let found = members.iter().find(|m| m.overseer == member).ok_or(Refused::NotFound)?;
    if !meant(found) {
        return Err(Refused::Changed);
    }
    if !may_grant(&members, by, found.role) || !may_grant(&members, by, role) {
        return Err(Refused::Grant);
    }
    if found.role == Role::Owner && role != Role::Owner && owners(&members) == 1 {
        return Err(Refused::LastOwner);
    }
    memberships::set_role(&mut tx, member, role).await?;
    // What somebody invited to as an owner does not outlive their being one.
    invitations::take_of(&mut tx, member).await?;
    oversight::prune(&mut tx, by, now).await?;
    let detail = json!({"from": found.role.as_str(), "to": role.as_str()});
    record(&mut tx, "member.update", by, member.uuid(), detail, now).await?;
    let changed = Member { role, ..found.clone() };
    tx.commit().await?;
    Ok(changed)
}

/// Removes a member; everybody may remove themselves.
pub async fn remove(
    database: &Database,
    tenant: TenantId,
    member: OverseerId,
    by: By<'_>,
    now: Timestamp,
) -> Result<(), Refused> {
    let mut tx = locked(database, tenant).await?;
    let members = memberships::list(&mut tx).await?;
    let found = members.iter().find(|m| m.overseer == member).ok_or(Refused::NotFound)?;
    if by.overseer != member && !may_grant(&members, by, found.role) {
        return Err(Refused::Grant);
    }
    if found.role == Role::Owner && owners(&members) == 1 {
        return Err(Refused::LastOwner);
    }
    memberships::delete(&mut tx, member).await?;
    invitations::take_of(&mut tx, member).await?;
    oversight::prune(&mut tx, by, now).await?;
    record(
        &mut tx,
        "member.delete",
        by,
        member.uuid(),
        json!({"role": found.role.as_str()}),
        now,
    )
    .await?;
    Ok(tx.commit().await?)
}

/// Gives somebody a seat without an invitation; who has one keeps it as it is.
pub async fn seat(
    database: &Database,
    tenant: TenantId,
    overseer: OverseerId,
    role: Role,
    by: By<'_>,
    now: Timestamp,
) -> Result<(), StoreError> {
    let mut tx = database.tenant(tenant).await?;
    if memberships::insert(&mut tx, overseer, role, now).await? {
        let detail = json!({"role": role.as_str()});
        record(&mut tx, "member.create", by, overseer.uuid(), detail, now).await?;
    }
    tx.commit().await
}

/// Whether the actor is still a member, and one of a role that reaches so far.
fn may_grant(members: &[Member], by: By<'_>, role: Role) -> bool {
    members
        .iter()
        .any(|m| m.overseer == by.overseer && m.role.may_grant(role))
}

fn owners(members: &[Member]) -> usize {
    members.iter().filter(|m| m.role == Role::Owner).count()
}

/// A transaction in which nobody else changes the tenant's members.
async fn locked(database: &Database, tenant: TenantId) -> Result<TenantTransaction, Refused> {
    let mut tx = database.tenant(tenant).await?;
    match tenants::find(&mut tx, true).await? {
        Some(found) if !found.deleted => Ok(tx),
        _ => Err(Refused::NotFound),
    }
}

async fn record(
    tx: &mut TenantTransaction,
    action: &'static str,
    by: By<'_>,
    target: uuid::Uuid,
    detail: Value,
    at: Timestamp,
) -> Result<(), StoreError> {
    let event = Event {
        at,
        actor: by.actor,
        action,
        target,
        request_id: by.request_id,
        detail,
    };
    audit::append(tx, &event).await
}
