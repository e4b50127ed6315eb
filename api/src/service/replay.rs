//! What counts once, wherever it is judged: in Redis, or in PostgreSQL while there is none. A proof is used up only in the store in
//! which it was minted, and that store's epoch tells whether it remembers. Answers to challenges that arrive together are
//! used up together, and the tokens that they give are recorded in one transaction: each before its answer leaves, and none at the
//! price of a commit of its own.

use std::{
    collections::BTreeMap,
    mem,
    sync::{Arc, Mutex, PoisonError},
    thread,
    time::Duration,
};

use domain::{AgentId, AgentKeyId, TenantId};
use jiff::{SignedDuration, Timestamp};
use serde_json::json;
use tokio::sync::oneshot;

use crate::{
    auth::{challenge::Epoch, random::random},
    redis::{self, Redis},
    store::{
        Database, StoreError,
        audit::{self, Actor, Event},
        replay::{self, Spending},
    },
};

/// How many are stored together at most.
const TOGETHER: usize = 256;

/// How long an epoch is taken for the store's without asking. What is minted in one that has ended is refused, and nothing
/// worse.
const FRESH: SignedDuration = SignedDuration::from_secs(1);

/// How much longer than it counts something is remembered: clocks differ.
const SLACK: Duration = Duration::from_secs(10);

/// A token that may be issued if its proof was not used before.
#[derive(Debug, Clone)]
pub struct Issue {
    /// SHA-256 of the proof.
    pub digest: [u8; 32],
    /// The epoch in which the proof was minted.
    pub epoch: Epoch,
    /// When the proof is refused for its age.
    pub forget_at: Timestamp,
    /// The agent's tenant.
    pub tenant: TenantId,
    /// The agent.
    pub agent: AgentId,
    /// The key that it proved.
    pub key: AgentKeyId,
    /// The token's own name.
    pub jti: String,
    /// In which request.
    pub request_id: String,
    /// Now.
    pub at: Timestamp,
}

impl Issue {
    fn event(&self) -> Event<'_> {
        Event {
            at: self.at,
            actor: Actor::Agent(self.agent),
            action: "token.issue",
            target: self.agent.uuid(),
            request_id: &self.request_id,
            detail: json!({"grant": "agent_challenge", "key_id": self.key.to_string(), "jti": self.jti}),
        }
    }

    /// What is to be used up in PostgreSQL, if it was minted there.
    fn here(&self) -> Option<Spending> {
        match self.epoch {
            Epoch::Postgres(epoch) => Some(Spending {
                digest: self.digest,
                epoch,
                forget_at: self.forget_at,
            }),
            Epoch::Redis(_) => None,
        }
    }

    /// What is to be used up in Redis, if it was minted there.
    fn there(&self) -> Option<redis::Spending> {
        match self.epoch {
            Epoch::Postgres(_) => None,
            Epoch::Redis(epoch) => Some(redis::Spending {
                digest: self.digest,
                epoch,
                remember: self.at.duration_until(self.forget_at).unsigned_abs() + SLACK,
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
    issue: Issue,
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

    /// Uses a proof up and records its token; false, and nothing is recorded, if the proof does not count.
    pub async fn spend(&self, issue: Issue) -> Result<bool, StoreError> {
        let (tell, told) = oneshot::channel();
        let first = {
            let mut queue = self.0.queue.lock().unwrap_or_else(PoisonError::into_inner);
            queue.waiting.push(Waiting { issue, told: tell });
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
        let things: Vec<redis::Spending> = batch.iter().filter_map(|waiting| waiting.issue.there()).collect();
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
            if waiting.issue.there().is_none() {
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
        let issues: Vec<&Issue> = batch.iter().map(|waiting| &waiting.issue).collect();
        match store(&self.0.database, &issues).await {
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
                    let counted = store(&self.0.database, &[&waiting.issue]).await;
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
async fn store(database: &Database, issues: &[&Issue]) -> Result<Vec<bool>, StoreError> {
    let mut platform = database.platform().await?;
    let spendings: Vec<Spending> = issues.iter().filter_map(|issue| issue.here()).collect();
    let mut spent = replay::spend(&mut platform, &spendings).await?;
    // Of two that show the same the first one counts. What was minted in Redis was judged there.
    let counted: Vec<bool> = issues
        .iter()
        .map(|issue| issue.here().is_none() || spent.remove(&issue.digest))
        .collect();
    let mut events: BTreeMap<TenantId, Vec<Event<'_>>> = BTreeMap::new();
    for (issue, _) in issues.iter().zip(&counted).filter(|(_, counts)| **counts) {
        events.entry(issue.tenant).or_default().push(issue.event());
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
