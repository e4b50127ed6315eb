//! Numbers what was done, and finds what somebody did to the numbers.

use std::{collections::BTreeMap, fmt, mem, time::Duration};

use domain::TenantId;
use jiff::{SignedDuration, Timestamp};
use telemetry::logging::chain;
use tracing::{error, info, warn};

use crate::{
    app::AppState,
    auth::chain::{self as links, Head, Link, Signer},
    cluster::Cluster,
    store::{AnyTransaction, Database, Scope as _, StoreError, audit_chain, tenants},
};

/// Events that are numbered or read in one go.
const BATCH: i64 = 500;

/// How often is looked for events that wait for no number.
const ADOPT: Duration = Duration::from_hours(1);

/// How long after a head was written on a Tenant the next one is.
const APART: SignedDuration = SignedDuration::from_mins(1);

/// How often is looked for events.
const POLL: Duration = Duration::from_secs(1);

/// Why events were not numbered.
#[derive(Debug, thiserror::Error)]
pub enum SealError {
    /// The database failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The chain does not end with a head of this service's.
    #[error("its end is not what this service signed; look with pinfold-api verify-audit")]
    Broken,
}

/// Numbers the events of a chain that wait; answers how many, and the new head. Nothing, if none wait or somebody else is
/// at it.
pub async fn seal(
    database: &Database,
    signer: &Signer,
    of: Option<TenantId>,
    now: Timestamp,
) -> Result<Option<(usize, Head)>, SealError> {
    let mut tx = database.any(of).await?;
    // Also when nothing was numbered: whoever is next would think that somebody is at it.
    match seal_waiting(&mut tx, signer, now).await {
        Ok(sealed) => {
            tx.commit().await?;
            Ok(sealed)
        }
        Err(error) => {
            tx.undo().await?;
            Err(error)
        }
    }
}

/// What [`seal`] does in its transaction.
async fn seal_waiting(
    tx: &mut AnyTransaction,
    signer: &Signer,
    now: Timestamp,
) -> Result<Option<(usize, Head)>, SealError> {
    let of = tx.tenant();
    if !audit_chain::lock(tx).await? {
        return Ok(None);
    }
    let last = audit_chain::last(tx).await?;
    let (mut count, mut link) = match audit_chain::head(tx).await? {
        // Nothing is signed that goes on from what somebody else wrote.
        Some((head, link)) if signer.signed(&head) && last == Some((head.count, link)) => (head.count, link),
        None if last.is_none() => (0, Link::BEGINNING),
        _ => return Err(SealError::Broken),
    };
    let (events, gone) = audit_chain::take(tx, BATCH).await?;
    if !gone.is_empty() {
        error!(chain = links::name(of), events = ?gone, "events of the audit were removed before they were numbered");
    }
    let mut places = Vec::with_capacity(events.len());
    for event in events {
        count += 1;
        link = link.next(count, &event.text(of));
        places.push((event.id, count, link));
    }
    if places.is_empty() {
        return Ok(None);
    }
    let head = signer.head(of, count, link, now);
    audit_chain::seal(tx, &places, &head).await?;
    Ok(Some((places.len(), head)))
}

/// What was numbered.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Sealed {
    /// How many events.
    pub events: usize,
    /// The new heads of the chains that grew.
    pub heads: Vec<Head>,
    /// How many chains were found broken.
    pub broken: usize,
}

/// Numbers every event that waits.
pub async fn seal_all(database: &Database, signer: &Signer, now: Timestamp) -> Result<Sealed, StoreError> {
    let mut sealed = Sealed::default();
    for of in audit_chain::unsealed_chains(database.pool()).await? {
        let mut newest = None;
        loop {
            match seal(database, signer, of, now).await {
                Ok(Some((events, head))) => {
                    sealed.events += events;
                    newest = Some(head);
                    // What comes meanwhile is numbered with what comes after it: a chain that grows all the time would have no end.
                    if i64::try_from(events).is_ok_and(|events| events < BATCH) {
                        break;
                    }
                }
                Ok(None) => break,
                // The others go on.
                Err(error @ SealError::Broken) => {
                    error!(chain = links::name(of), error = %error, "a chain of the audit is broken and is not continued");
                    sealed.broken += 1;
                    break;
                }
                Err(SealError::Store(error)) => {
                    warn!(
                        chain = links::name(of),
                        error = chain(&error),
                        "audit events were not numbered"
                    );
                    break;
                }
            }
        }
        sealed.heads.extend(newest);
    }
    Ok(sealed)
}

/// Finds events that nobody would number, in every chain.
pub async fn adopt(database: &Database) -> Result<u64, StoreError> {
    let mut adopted = 0;
    for of in audit_chain::chains(database.pool()).await? {
        let mut tx = database.any(of).await?;
        if audit_chain::lock(&mut tx).await? {
            adopted += audit_chain::adopt(&mut tx).await?;
            tx.commit().await?;
        }
    }
    Ok(adopted)
}

/// Numbers events until the task is dropped, and writes each new head to the log, which is not in the database.
pub async fn keep_sealing(state: &AppState) {
    let mut board = Board::default();
    let mut ticks = tokio::time::interval(POLL);
    let mut looks = tokio::time::interval(ADOPT);
    loop {
        tokio::select! {
            _ = ticks.tick() => {}
            _ = looks.tick() => match adopt(&state.database).await {
                Ok(0) => {}
                Ok(events) => warn!(events, "audit events without a number were found, and are numbered now"),
                Err(error) => warn!(error = chain(&error), "audit events without a number were not looked for"),
            },
        }
        match seal_all(&state.database, &state.audit_signer, state.clock.now()).await {
            Ok(sealed) => {
                state.metrics.numbered(sealed.events);
                state.metrics.broken(sealed.broken);
                for head in sealed.heads {
                    info!(head = written(&head), "audit head");
                    board.put(head);
                }
            }
            Err(error) => warn!(error = chain(&error), "audit events were not numbered"),
        }
        if let Some(cluster) = &state.cluster {
            board.publish(&state.database, cluster, state.clock.now()).await;
        }
    }
}

fn written(head: &Head) -> String {
    // Numbers and short texts are always JSON.
    serde_json::to_string(head).unwrap_or_default()
}

/// The heads that are still to be written on Tenants, and when one was written last.
#[derive(Debug, Default)]
struct Board {
    heads: BTreeMap<TenantId, Head>,
    written: BTreeMap<TenantId, Timestamp>,
}

impl Board {
    /// A newer head takes an older one's place; the chain of no tenant has no Tenant.
    fn put(&mut self, head: Head) {
        if let Ok(tenant) = head.chain.parse() {
            self.heads.insert(tenant, head);
        }
    }

    /// Writes each head on its Tenant, but none more often than once in a while. What was not written is tried again.
    async fn publish(&mut self, database: &Database, cluster: &Cluster, now: Timestamp) {
        self.written.retain(|_, at| at.duration_until(now) < APART);
        let (waiting, due) = mem::take(&mut self.heads)
            .into_iter()
            .partition(|(tenant, _)| self.written.contains_key(tenant));
        self.heads = waiting;
        for (tenant, head) in due {
            self.written.insert(tenant, now);
            if let Err(error) = publish(database, cluster, tenant, &head).await {
                warn!(
                    chain = head.chain,
                    error = error,
                    "the end of a tenant's audit was not written on its Tenant"
                );
                self.heads.entry(tenant).or_insert(head);
            }
        }
    }
}

/// Writes a head on the Tenant of its tenant, if there is one.
async fn publish(database: &Database, cluster: &Cluster, tenant: TenantId, head: &Head) -> Result<(), String> {
    let found = async {
        let mut tx = database.tenant(tenant).await?;
        tenants::find(&mut tx, false).await
    };
    let row = found.await.map_err(|error| chain(&error))?;
    let Some((name, resource)) = row.and_then(|row| Some((row.name, row.resource?))) else {
        return Ok(());
    };
    let noted = cluster.note_audit_head(&name, resource, &written(head)).await;
    noted.map_err(|error| chain(&error))
}

/// What is wrong with a chain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Finding {
    /// A number is missing.
    Missing(i64),
    /// The event of a number is gone.
    Removed(i64),
    /// From this number on something is not what was hashed.
    Changed(i64),
    /// There is no signed head for what is numbered.
    NoHead,
    /// The head is not what the chain ends with.
    Head(i64),
    /// A head is not signed with this service's key.
    Unsigned(i64),
    /// The chain is shorter than it was.
    Shorter {
        /// How many there were.
        was: i64,
        /// How many there are.
        is: i64,
    },
    /// It was another chain at this number.
    Replaced(i64),
    /// Events have no number, and never will.
    Unnumbered(Vec<i64>),
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing(number) => write!(f, "event {number} is missing"),
            Self::Removed(number) => write!(f, "what event {number} told of was removed"),
            Self::Changed(number) => write!(f, "event {number} was changed, or one before it removed or moved"),
            Self::NoHead => f.write_str("there is no head: it was removed"),
            Self::Head(count) => write!(f, "the head tells of {count} events and of another end than theirs"),
            Self::Unsigned(count) => write!(
                f,
                "the head of {count} events is not signed with this service's key: somebody made the chain anew"
            ),
            Self::Shorter { was, is } => write!(f, "there were {was} events and are {is}: the end was cut off"),
            Self::Replaced(number) => write!(f, "event {number} had another hash: somebody made the chain anew"),
            Self::Unnumbered(ids) => write!(f, "rows without a number: {ids:?}"),
        }
    }
}

/// A chain that was looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    /// A tenant's id, or `platform`.
    pub chain: String,
    /// How many events it has.
    pub count: i64,
    /// What is wrong with it.
    pub findings: Vec<Finding>,
}

/// Looks at every chain, and at heads that left the database before.
pub async fn verify(database: &Database, signer: &Signer, known: &[Head]) -> Result<Vec<Report>, StoreError> {
    let mut reports = Vec::new();
    for of in audit_chain::chains(database.pool()).await? {
        let name = links::name(of);
        let of_chain = known.iter().filter(|head| head.chain == name).collect();
        reports.push(verify_chain(database, signer, of, of_chain).await?);
    }
    for head in known {
        if !reports.iter().any(|report| report.chain == head.chain) {
            let findings = if signer.signed(head) {
                vec![Finding::Shorter { was: head.count, is: 0 }]
            } else {
                vec![Finding::Unsigned(head.count)]
            };
            reports.push(Report {
                chain: head.chain.clone(),
                count: 0,
                findings,
            });
        }
    }
    Ok(reports)
}

async fn verify_chain(
    database: &Database,
    signer: &Signer,
    of: Option<TenantId>,
    known: Vec<&Head>,
) -> Result<Report, StoreError> {
    let mut tx = database.any(of).await?;
    // Numbers and head are stored together: while the chain grows, the head that is read first is never ahead.
    let head = audit_chain::head(&mut tx).await?.map(|(head, _)| head);
    let mut findings = Vec::new();
    for head in known.iter().copied().chain(&head) {
        if !signer.signed(head) {
            findings.push(Finding::Unsigned(head.count));
        }
    }
    let mut walk = Walk::default();
    loop {
        let places = audit_chain::after(&mut tx, walk.count, BATCH).await?;
        let Some(last) = places.last().map(|place| place.sequence) else {
            break;
        };
        for place in places {
            walk.step(of, &place, &known, head.as_ref(), &mut findings);
        }
        walk.count = last;
    }
    match &head {
        None if walk.count > 0 => findings.push(Finding::NoHead),
        Some(head) if head.count > walk.count => findings.push(Finding::Shorter {
            was: head.count,
            is: walk.count,
        }),
        _ => {}
    }
    for head in known {
        if head.count > walk.count {
            findings.push(Finding::Shorter {
                was: head.count,
                is: walk.count,
            });
        }
    }
    let lost = audit_chain::lost(&mut tx).await?;
    if !lost.is_empty() {
        findings.push(Finding::Unnumbered(lost));
    }
    Ok(Report {
        chain: links::name(of),
        count: walk.count,
        findings,
    })
}

/// How far a chain was walked.
#[derive(Debug)]
struct Walk {
    count: i64,
    link: Link,
}

impl Default for Walk {
    fn default() -> Self {
        Self {
            count: 0,
            link: Link::BEGINNING,
        }
    }
}

impl Walk {
    /// Looks at one place. What is computed goes on from the link that is stored, so that one change is one finding.
    fn step(
        &mut self,
        of: Option<TenantId>,
        place: &audit_chain::Place,
        known: &[&Head],
        head: Option<&Head>,
        findings: &mut Vec<Finding>,
    ) {
        findings.extend((self.count + 1..place.sequence).map(Finding::Missing));
        match &place.event {
            None => findings.push(Finding::Removed(place.sequence)),
            Some(event) if self.link.next(place.sequence, &event.text(of)) != place.link => {
                findings.push(Finding::Changed(place.sequence));
            }
            Some(_) => {}
        }
        (self.count, self.link) = (place.sequence, place.link);
        let other = |head: &Head| head.count == place.sequence && head.hash != place.link.to_string();
        if known.iter().any(|head| other(head)) {
            findings.push(Finding::Replaced(place.sequence));
        }
        if head.is_some_and(other) {
            findings.push(Finding::Head(place.sequence));
        }
    }
}

#[cfg(test)]
mod tests;
