//! What is done to the cluster's resources through its own door, and not through ours: found by comparing what watches show, and written
//! into the audit of whom it concerns.
//!
//! The API marks what it makes and changes with a number of its own for each change, which an admission policy lets nobody else write, and
//! notes what it deletes before it does: those have their rows already. All else somebody did with the cluster's own means.

mod settle;

use std::collections::{HashMap, HashSet};

use jiff::Timestamp;
use uuid::Uuid;

pub use settle::{due, settle, settle_gaps};

use crate::{
    cluster::{Looks, Observed, Shown, Sight},
    store::{
        Database, PlatformTransaction, Scope, StoreError,
        cluster_changes::{self as changes, Change, DELETION, Gap, Request},
        cluster_resources as resources,
    },
};

/// What somebody did to a resource.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Verb {
    Create,
    Update,
    Delete,
}

impl Verb {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Create => "create",
            Self::Update => "update",
            Self::Delete => "delete",
        }
    }
}

/// What somebody else than the API did, if a resource looks so after it looked otherwise. Whether a deletion is the API's is another
/// question: it leaves no mark.
fn done(before: Option<&Looks>, now: &Looks, is_gone: bool) -> Option<Verb> {
    match before {
        // The end of one whose end was asked for is what was asked for.
        Some(before) if before.is_ending && is_gone => return None,
        Some(before) if before.is_ending => {}
        _ if is_gone || now.is_ending => return Some(Verb::Delete),
        _ => {}
    }
    let is_ours = now.change.is_some() && now.change.as_ref() != before.and_then(|before| before.change.as_ref());
    match before {
        _ if is_ours => None,
        None => Some(Verb::Create),
        Some(before) => {
            let differs = before.generation != now.generation || before.metadata_hash != now.metadata_hash;
            differs.then_some(Verb::Update)
        }
    }
}

/// Notes that this service asks for a resource's deletion, before the cluster is asked.
pub async fn note_own_deletion(
    tx: &mut impl Scope,
    resource: Uuid,
    request_id: &str,
    at: Timestamp,
) -> Result<(), StoreError> {
    let own = Request {
        resource,
        version: DELETION,
        by: None,
        request_id: request_id.to_owned(),
        at,
    };
    changes::ask(tx, &[own]).await
}

/// What came of noting.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Noted {
    /// Everything is noted, by us or by another process.
    All,
    /// The watch of this kind never began: it must be looked at first.
    NotBegun,
}

/// Notes what a watch showed, in its order. What another process noted before is passed over.
pub async fn note(database: &Database, kind: Observed, shown: &[Shown], now: Timestamp) -> Result<Noted, StoreError> {
    let Some(last) = shown.last().map(Shown::version) else {
        return Ok(Noted::All);
    };
    let mut tx = database.platform().await?;
    let Some(come) = resources::lock(&mut tx, kind.as_str()).await? else {
        return Ok(Noted::NotBegun);
    };
    let fresh: Vec<&Shown> = shown.iter().filter(|shown| shown.version() > come).collect();
    let mut book = Book::open(&mut tx, kind, &fresh, now).await?;
    for shown in fresh {
        match shown {
            Shown::Now(sight) => book.write(sight, false, false),
            Shown::Gone(sight) => book.write(sight, true, false),
            Shown::Nothing(_) => {}
        }
    }
    book.close(&mut tx).await?;
    if last > come {
        resources::advance(&mut tx, kind.as_str(), last).await?;
    }
    tx.commit().await?;
    Ok(Noted::All)
}

/// Compares everything that there is of a kind with what is known, because a watch cannot go on from `before`: what happened since is lost
/// but for what shows. The first time there is nothing to compare with. False, and nothing is done, if somebody else has gone on meanwhile.
pub async fn compare(
    database: &Database,
    kind: Observed,
    before: Option<u64>,
    all: &[Sight],
    version: u64,
    now: Timestamp,
) -> Result<bool, StoreError> {
    let mut tx = database.platform().await?;
    if resources::lock(&mut tx, kind.as_str()).await? != before {
        return Ok(false);
    }
    resources::advance(&mut tx, kind.as_str(), version).await?;
    if let Some(after) = before {
        let mut book = Book::of_all(&mut tx, kind, now).await?;
        for sight in all {
            book.write(sight, false, true);
        }
        let there: HashSet<Uuid> = all.iter().map(|sight| sight.id).collect();
        book.miss(&there, version);
        book.close(&mut tx).await?;
        let gap = Gap {
            kind: kind.as_str().to_owned(),
            after,
            version,
            seen_at: now,
        };
        changes::add_gap(&mut tx, &gap).await?;
    } else {
        let all: Vec<(Uuid, Looks)> = all.iter().map(|sight| (sight.id, sight.looks.clone())).collect();
        resources::put(&mut tx, kind.as_str(), &all).await?;
    }
    tx.commit().await?;
    Ok(true)
}

/// What is known of a kind's resources while it is brought up to date.
struct Book {
    kind: Observed,
    now: Timestamp,
    known: HashMap<Uuid, Looks>,
    touched: HashSet<Uuid>,
    changes: Vec<Change>,
}

impl Book {
    async fn open(
        tx: &mut PlatformTransaction,
        kind: Observed,
        shown: &[&Shown],
        now: Timestamp,
    ) -> Result<Self, StoreError> {
        let ids: Vec<Uuid> = shown
            .iter()
            .filter_map(|shown| match shown {
                Shown::Now(sight) | Shown::Gone(sight) => Some(sight.id),
                Shown::Nothing(_) => None,
            })
            .collect();
        Ok(Self::with(kind, resources::of(tx, &ids).await?, now))
    }

    async fn of_all(tx: &mut PlatformTransaction, kind: Observed, now: Timestamp) -> Result<Self, StoreError> {
        Ok(Self::with(kind, resources::all(tx, kind.as_str()).await?, now))
    }

    fn with(kind: Observed, known: HashMap<Uuid, Looks>, now: Timestamp) -> Self {
        Self {
            kind,
            now,
            known,
            touched: HashSet::new(),
            changes: Vec::new(),
        }
    }

    fn write(&mut self, sight: &Sight, is_gone: bool, was_missed: bool) {
        let Sight { id, version, looks } = sight;
        let before = self.known.get(id);
        if !is_gone && before == Some(looks) {
            return;
        }
        if let Some(verb) = done(before, looks, is_gone) {
            self.add(*id, *version, looks, verb, was_missed);
        }
        self.touched.insert(*id);
        if is_gone {
            self.known.remove(id);
        } else {
            self.known.insert(*id, looks.clone());
        }
    }

    /// What is known and is not there went while nobody watched.
    fn miss(&mut self, there: &HashSet<Uuid>, version: u64) {
        let gone: Vec<(Uuid, Looks)> = self.known.extract_if(|id, _| !there.contains(id)).collect();
        for (id, looks) in gone {
            if !looks.is_ending {
                self.add(id, version, &looks, Verb::Delete, true);
            }
            self.touched.insert(id);
        }
    }

    fn add(&mut self, id: Uuid, version: u64, looks: &Looks, verb: Verb, was_missed: bool) {
        self.changes.push(Change {
            resource: id,
            version,
            kind: self.kind.as_str().to_owned(),
            verb: verb.as_str().to_owned(),
            namespace: looks.namespace.clone(),
            name: looks.name.clone(),
            made_at: looks.made_at,
            account: looks.account,
            generation: looks.generation,
            was_missed,
            seen_at: self.now,
        });
    }

    async fn close(mut self, tx: &mut PlatformTransaction) -> Result<(), StoreError> {
        let (mut there, mut gone) = (Vec::new(), Vec::new());
        for id in self.touched {
            match self.known.remove(&id) {
                Some(looks) => there.push((id, looks)),
                None => gone.push(id),
            }
        }
        if !there.is_empty() {
            resources::put(tx, self.kind.as_str(), &there).await?;
        }
        if !gone.is_empty() {
            resources::remove(tx, &gone).await?;
        }
        changes::add(tx, &self.changes).await
    }
}

#[cfg(test)]
mod tests;
