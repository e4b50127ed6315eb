//! What counts once, wherever it is judged: in Redis, or in PostgreSQL while there is none. A proof is used up only in the store in
//! which it was minted, and that store's epoch tells whether it remembers. Proofs that arrive together are used up together, and
//! the tokens that they give are recorded in one transaction: each before its answer leaves, and none at the price of a commit of its own.

use std::{
    collections::BTreeMap,
    mem,
    sync::{Arc, Mutex, PoisonError},
    thread,
    time::Duration,
};

use domain::TenantId;
use jiff::{SignedDuration, Timestamp};
use resource_server::check::{Binding, Once};
use serde_json::Value;
use tokio::sync::oneshot;
use uuid::Uuid;

use crate::{
    auth::{epoch::Epoch, random::random},
    redis::{self, Redis},
    store::{
        Database, StoreError,
        audit::{self, Actor, Event},
        replay,
    },
};

/// How many are stored together at most.
const TOGETHER: usize = 256;

/// How long an epoch is taken for the store's without asking. What is minted in one that has ended is refused, and nothing
/// worse.
const FRESH: SignedDuration = SignedDuration::from_secs(1);

/// How much longer than it counts something is remembered: clocks differ.
pub const SLACK: Duration = Duration::from_secs(10);

/// What is recorded of a token.
#[derive(Debug, Clone)]
pub struct Record {
    /// Whose chain it stands in.
    pub tenant: TenantId,
    /// Who asked for the token.
    pub actor: Actor,
    /// Whom it is of.
    pub target: Uuid,
    /// In which request.
    pub request_id: String,
    /// What else there is to say.
    pub detail: Value,
}

/// What is done if something was not used before: it is used up, and the token that it gives recorded.
#[derive(Debug, Clone)]
pub struct Spending {
    /// What counts once; without, it is only recorded.
    pub thing: Option<Once>,
    /// The token; none if it gives none.
    pub record: Option<Record>,
    /// Now.
    pub at: Timestamp,
}

impl Spending {
    fn event(&self) -> Option<(TenantId, Event<'_>)> {
        let record = self.record.as_ref()?;
        let event = Event {
            at: self.at,
            actor: record.actor,
            action: "token.issue",
            target: record.target,
            request_id: &record.request_id,
            detail: record.detail.clone(),
        };
        Some((record.tenant, event))
    }

    /// What is to be used up in PostgreSQL, if it was minted there.
    fn here(&self) -> Option<replay::Spending> {
        let thing = self.thing?;
        match thing.epoch {
            Epoch::Postgres(epoch) => Some(replay::Spending {
                digest: thing.digest,
                epoch,
                forget_at: thing.forget_at,
            }),
            Epoch::Redis(_) => None,
        }
    }

    /// What is to be used up in Redis, if it was minted there.
    fn there(&self) -> Option<redis::Spending> {
        let thing = self.thing?;
        match thing.epoch {
            Epoch::Postgres(_) => None,
            Epoch::Redis(epoch) => Some(redis::Spending {
                digest: thing.digest,
                epoch,
                remember: self.at.duration_until(thing.forget_at).unsigned_abs() + SLACK,
            }),
        }
    }
}

/// Judges what counts once.
#[derive(Debug, Clone)]
pub struct Replay(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    database: Database,
    redis: Option<Arc<Redis>>,
    epoch: Mutex<Option<(Epoch, Timestamp)>>,
    queue: Mutex<Queue>,
}

#[derive(Debug, Default)]
struct Queue {
    waiting: Vec<Waiting>,
    /// Whether somebody stores.
    held: bool,
}

#[derive(Debug)]
struct Waiting {
    spending: Spending,
    told: oneshot::Sender<Result<bool, StoreError>>,
}

impl Replay {
    /// Judges in Redis if there is one, and otherwise in this database.
    pub fn new(database: Database, redis: Option<Arc<Redis>>) -> Self {
        Self(Arc::new(Shared {
            database,
            redis,
            epoch: Mutex::default(),
            queue: Mutex::default(),
        }))
    }

    /// The epoch of what is minted now.
    pub async fn epoch(&self, now: Timestamp) -> Result<Epoch, StoreError> {
        let known = *self.0.epoch.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((epoch, read)) = known
            && now.duration_since(read).abs() < FRESH
        {
            return Ok(epoch);
        }
        let fresh = random()?;
        let there = match &self.0.redis {
            Some(redis) => redis.epoch(fresh).await,
            None => None,
        };
        let epoch = match there {
            Some(id) => Epoch::Redis(id),
            None => Epoch::Postgres(replay::epoch(self.0.database.pool(), fresh).await?),
        };
        *self.0.epoch.lock().unwrap_or_else(PoisonError::into_inner) = Some((epoch, now));
        Ok(epoch)
    }

    /// Uses something up and records the token that it gives; false, and nothing is recorded, if it does not count.
    pub async fn spend(&self, spending: Spending) -> Result<bool, StoreError> {
        let (tell, told) = oneshot::channel();
        let first = {
            let mut queue = self.0.queue.lock().unwrap_or_else(PoisonError::into_inner);
            queue.waiting.push(Waiting { spending, told: tell });
            !mem::replace(&mut queue.held, true)
        };
        if first {
            // A task of its own: whoever came first may go away, and takes nobody's token along.
            tokio::spawn(Turn(self.0.clone()).take_all());
        }
        let counts = told.await.unwrap_or(Err(StoreError::Ended));
        if !matches!(counts, Ok(true)) {
            // Perhaps the store is away, or lost what it knew and has another epoch.
            *self.0.epoch.lock().unwrap_or_else(PoisonError::into_inner) = None;
        }
        counts
    }

    /// Uses the proof of a key up, with what is to be recorded; gives the thumbprint of the key, or why the proof does not count.
    pub async fn bind(
        &self,
        binding: Binding,
        record: Option<Record>,
        now: Timestamp,
    ) -> Result<Result<String, Why>, StoreError> {
        Ok(self.use_up(binding.proof, record, now).await?.map(|()| binding.jkt))
    }

    /// Uses something up, with what is to be recorded; gives why, if it does not count.
    pub async fn use_up(
        &self,
        once: Once,
        record: Option<Record>,
        now: Timestamp,
    ) -> Result<Result<(), Why>, StoreError> {
        let spending = Spending {
            thing: Some(once),
            record,
            at: now,
        };
        if self.spend(spending).await? {
            Ok(Ok(()))
        } else {
            Ok(Err(self.why(&once, now).await?))
        }
    }

    /// Why something did not count that was just tried.
    async fn why(&self, thing: &Once, now: Timestamp) -> Result<Why, StoreError> {
        let current = self.epoch(now).await?;
        Ok(if current == thing.epoch {
            Why::Used
        } else {
            Why::Forgotten
        })
    }
}

/// Why something did not count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Why {
    /// It was used before.
    Used,
    /// The store that it was minted for knows nothing of that time any more.
    Forgotten,
}

/// Held by the one task that stores.
struct Turn(Arc<Shared>);

impl Drop for Turn {
    fn drop(&mut self) {
        // The next one stores what still waits.
        if thread::panicking() {
            self.0.queue.lock().unwrap_or_else(PoisonError::into_inner).held = false;
        }
    }
}

impl Turn {
    /// Judges and stores what waits, and what comes meanwhile.
    async fn take_all(self) {
        while let Some(batch) = self.take() {
            let batch = self.judge_there(batch).await;
            self.store(batch).await;
        }
    }

    /// What waits; nothing, and the turn has ended, if nothing does.
    fn take(&self) -> Option<Vec<Waiting>> {
        let mut queue = self.0.queue.lock().unwrap_or_else(PoisonError::into_inner);
        let count = queue.waiting.len().min(TOGETHER);
        queue.held = count > 0;
        queue.held.then(|| queue.waiting.drain(..count).collect())
    }

    /// Uses up in Redis what was minted there; what goes on is what counts, and what is still to be judged here.
    async fn judge_there(&self, batch: Vec<Waiting>) -> Vec<Waiting> {
        let things: Vec<redis::Spending> = batch.iter().filter_map(|waiting| waiting.spending.there()).collect();
        if things.is_empty() {
            return batch;
        }
        let judged = match &self.0.redis {
            Some(redis) => redis.spend(&things).await,
            None => None,
        };
        let mut judged = judged.map(Vec::into_iter);
        let mut goes_on = Vec::with_capacity(batch.len());
        for waiting in batch {
            if waiting.spending.there().is_none() {
                goes_on.push(waiting);
                continue;
            }
            match judged.as_mut().and_then(Iterator::next) {
                Some(true) => goes_on.push(waiting),
                Some(false) => waiting.tell(Ok(false)),
                None => waiting.tell(Err(StoreError::Silent)),
            }
        }
        goes_on
    }

    async fn store(&self, batch: Vec<Waiting>) {
        if batch.is_empty() {
            return;
        }
        let spendings: Vec<&Spending> = batch.iter().map(|waiting| &waiting.spending).collect();
        match store(&self.0.database, &spendings).await {
            Ok(counted) => {
                for (waiting, counts) in batch.into_iter().zip(counted) {
                    waiting.tell(Ok(counts));
                }
            }
            Err(error) if batch.len() == 1 || error.is_transient() => {
                let error = Arc::new(error);
                for waiting in batch {
                    waiting.tell(Err(StoreError::Together(error.clone())));
                }
            }
            // One of them cannot be stored: the others can.
            Err(_) => {
                for waiting in batch {
                    let counted = store(&self.0.database, &[&waiting.spending]).await;
                    waiting.tell(counted.map(|counts| counts.first() == Some(&true)));
                }
            }
        }
    }
}

impl Waiting {
    fn tell(self, counted: Result<bool, StoreError>) {
        // Who has gone away hears nothing; the proof is used up all the same.
        let _ = self.told.send(counted);
    }
}

/// Stores all of them or none, and answers for each whether it counts.
async fn store(database: &Database, spendings: &[&Spending]) -> Result<Vec<bool>, StoreError> {
    let things: Vec<replay::Spending> = spendings.iter().filter_map(|spending| spending.here()).collect();
    if things.is_empty() && spendings.iter().all(|spending| spending.record.is_none()) {
        return Ok(vec![true; spendings.len()]);
    }
    let mut platform = database.platform().await?;
    let mut spent = replay::spend(&mut platform, &things).await?;
    // Of two that show the same the first one counts. What was minted in Redis was judged there.
    let counted: Vec<bool> = spendings
        .iter()
        .map(|spending| spending.here().is_none_or(|thing| spent.remove(&thing.digest)))
        .collect();
    let mut events: BTreeMap<TenantId, Vec<Event<'_>>> = BTreeMap::new();
    let counts = spendings.iter().zip(&counted).filter(|(_, counts)| **counts);
    for (tenant, event) in counts.filter_map(|(spending, _)| spending.event()) {
        events.entry(tenant).or_default().push(event);
    }
    let mut events = events.into_iter();
    let Some((first, of_first)) = events.next() else {
        platform.commit().await?;
        return Ok(counted);
    };
    let mut tx = platform.go_on_in(first).await?;
    audit::append_all(&mut tx, &of_first).await?;
    for (tenant, of_tenant) in events {
        tx = tx.go_on_in(tenant).await?;
        audit::append_all(&mut tx, &of_tenant).await?;
    }
    tx.commit().await?;
    Ok(counted)
}
