//! Jobs that send mail. The secret of a link is made here and nowhere kept.

use domain::{InvitationId, MailLinkId, OverseerId, TenantId};
use uuid::Uuid;

use crate::{
    app::AppState,
    auth::mail_link::{self, Purpose},
    mail::{self, Mailer},
    store::{accounts, invitations, jobs::Held, mail_links, tenants},
    work::JobError,
};

/// Sends a link.
pub async fn link(state: &AppState, mailer: &Mailer, job: &Held) -> Result<(), JobError> {
    let named = job.payload["purpose"].as_str().unwrap_or_default();
    let letter = match Purpose::parse(named) {
        Some(Purpose::Invitation) => invitation(state, job).await?,
        Some(purpose) => by_link(state, job, purpose).await?,
        None => return Err(JobError::Never(format!("there are no links for {named:?}"))),
    };
    match letter {
        Some(letter) => Ok(mailer.send(&letter, job.subject).await?),
        // Used, withdrawn or ended before it was sent.
        None => Ok(()),
    }
}

/// Tells a person something of their account.
pub async fn to_person(
    state: &AppState,
    mailer: &Mailer,
    job: &Held,
    write: fn(&str, &str) -> mail::Letter,
) -> Result<(), JobError> {
    let mut tx = state.database.platform().await?;
    let Some(person) = accounts::find(&mut tx, OverseerId::of_uuid(job.subject)).await? else {
        return Ok(());
    };
    drop(tx);
    // Each letter has a name of its own, and the same when it is sent again.
    let name = Uuid::from_u128(job.subject.as_u128() ^ u128::from(job.position.unsigned_abs()));
    let Some(email) = person.email else { return Ok(()) };
    let letter = write(&email, &state.frontend);
    Ok(mailer.send(&letter, name).await?)
}

async fn by_link(state: &AppState, job: &Held, purpose: Purpose) -> Result<Option<mail::Letter>, JobError> {
    let id = MailLinkId::of_uuid(job.subject);
    let now = state.clock.now();
    let Some(link) = mail_links::find(state.database.pool(), purpose, id, now).await? else {
        return Ok(None);
    };
    let secret = mail_link::mint(&state.keys.mail_link, purpose, job.subject);
    let write = match purpose {
        Purpose::PasswordReset => mail::password_reset,
        Purpose::SignUp | Purpose::Invitation => mail::sign_up,
    };
    Ok(Some(write(&link.email, &state.frontend, &secret, link.expires_at)))
}

async fn invitation(state: &AppState, job: &Held) -> Result<Option<mail::Letter>, JobError> {
    let tenant: TenantId = job.payload["tenant"]
        .as_str()
        .and_then(|text| text.parse().ok())
        .ok_or_else(|| JobError::Never("the job names no tenant".to_owned()))?;
    let mut tx = state.database.tenant(tenant).await?;
    let Some(row) = tenants::find(&mut tx, false).await?.filter(|t| !t.deleted) else {
        return Ok(None);
    };
    let id = InvitationId::of_uuid(job.subject);
    let open = invitations::list(&mut tx, state.clock.now()).await?;
    let Some(found) = open.into_iter().find(|invitation| invitation.id == id) else {
        return Ok(None);
    };
    let secret = mail_link::mint(&state.keys.mail_link, Purpose::Invitation, job.subject);
    let letter = mail::invitation(
        &found.email,
        &state.frontend,
        &secret,
        &row.name,
        found.role,
        found.expires_at,
    );
    Ok(Some(letter))
}
