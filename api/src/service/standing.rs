//! What this replica remembers, so that a request need not ask PostgreSQL: who a caller is, which tenant has a name and who belongs to it, and
//! how new the runs are that a reader must be shown.
//!
//! It is remembered while replicas hear one another through Redis, and only then. A change is read from PostgreSQL by every replica, several
//! times a second and after each request that may have made one, and told to the others: one that PostgreSQL does not answer hears of it all the same.
//! While Redis is away, and where there is none, PostgreSQL is asked each time, and who reaches neither is answered 503.

mod answers;
mod feed;
mod link;
mod memory;

use std::{
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering::SeqCst},
    },
    time::Duration,
};

use domain::TenantId;
use prometheus_client::metrics::counter::Counter;
use telemetry::logging::chain;
use tokio::time::{Instant, MissedTickBehavior};
use tracing::{info, warn};
use uuid::Uuid;

pub use memory::Moment;

use self::{
    answers::Remembered,
    feed::{Feed, Told},
    link::{Hear, Link, News},
    memory::{Highest, Memory},
};
use crate::{
    documents::Documents,
    redis::Redis,
    store::{
        Database, StoreError,
        changes::{self, Reading},
    },
};

/// How often the changes are read.
const POLL: Duration = Duration::from_millis(250);

/// What a reading may take.
const PATIENCE: Duration = Duration::from_secs(2);

/// After this long without a reading anything may have changed.
const SILENT: Duration = Duration::from_secs(5);

/// See the module's documentation.
#[derive(Debug)]
pub struct Standing {
    database: Database,
    documents: Arc<Documents>,
    memory: Memory,
    feed: Mutex<Feed>,
    /// How many have asked for a reading, and how many of them were answered by one.
    asked: AtomicU64,
    answered: tokio::sync::Mutex<u64>,
    link: Option<Link>,
    answers: Remembered,
    /// The newest version of a run that a write through the API gave, by tenant.
    versions: Highest,
    /// The same of all tenants, at the last reading.
    version: AtomicU64,
    /// Whether the others are still to be told that anything may have changed.
    owed: AtomicBool,
    remembered: Counter,
}

impl Standing {
    /// Nothing is remembered yet; without Redis nothing ever is. What is answered from memory is counted.
    pub fn new(
        database: Database,
        redis: Option<Arc<Redis>>,
        documents: Arc<Documents>,
        issuer: &str,
        remembered: Counter,
    ) -> Self {
        Self {
            database,
            documents,
            memory: Memory::default(),
            feed: Mutex::default(),
            asked: AtomicU64::new(0),
            answered: tokio::sync::Mutex::default(),
            link: redis.map(|redis| Link::new(redis, issuer)),
            answers: Remembered::default(),
            versions: Highest::default(),
            version: AtomicU64::new(0),
            owed: AtomicBool::new(false),
            remembered,
        }
    }

    /// A run of a tenant was written: no replica shows older ones from now on.
    pub async fn wrote(&self, tenant: TenantId, version: u64) {
        if let Some(link) = &self.link {
            let tenant = tenant.uuid();
            self.versions.raise(tenant, version);
            if !link.tell(News::Wrote { tenant, version }).await {
                // Those who were not told read it with the next changes.
                tokio::time::sleep(POLL * 2).await;
            }
        }
    }

    /// After this every replica that is there knows what has changed until now. What cannot be read now is read a moment
    /// later, and nothing is remembered until then.
    pub async fn catch_up(self: &Arc<Self>) {
        if !self.look_again().await {
            warn!("what has changed was not read; it is read again");
            self.memory.forget();
            self.owed.store(true, SeqCst);
        }
    }

    /// The same where perhaps nothing has changed; false: it could not be read.
    pub async fn look_again(self: &Arc<Self>) -> bool {
        if self.link.is_none() {
            return true;
        }
        // A reading is for all who wait, so it does not end with one of them.
        let all = self.clone();
        matches!(tokio::spawn(async move { all.read().await }).await, Ok(Ok(())))
    }

    /// Whether something of what this depends on may have changed since a moment.
    pub fn has_changed(&self, since: Moment, subjects: &[Uuid]) -> bool {
        !self.memory.holds(since, subjects)
    }

    /// The present moment.
    pub fn now(&self) -> Moment {
        self.memory.now()
    }

    /// Follows the changes and the other replicas, until the task is dropped.
    pub async fn follow(&self) {
        if let Some(link) = &self.link {
            tokio::join!(self.poll(), link.follow(self));
        }
    }

    /// This replica answers no more.
    pub async fn leave(&self) {
        if let Some(link) = &self.link {
            link.leave().await;
        }
    }

    fn in_touch(&self) -> bool {
        self.link.as_ref().is_some_and(Link::in_touch)
    }

    async fn poll(&self) {
        let mut ticks = tokio::time::interval(POLL);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut failed = false;
        loop {
            ticks.tick().await;
            let read = self.read().await;
            match &read {
                Ok(()) if failed => info!("what has changed is read again"),
                Err(error) if !failed => warn!(
                    error = chain(error),
                    "what has changed cannot be read; other replicas tell of it"
                ),
                _ => {}
            }
            failed = read.is_err();
        }
    }

    /// One reading answers all who asked before it began.
    async fn read(&self) -> Result<(), Unread> {
        let mine = self.asked.fetch_add(1, SeqCst) + 1;
        let mut answered = self.answered.lock().await;
        if *answered >= mine {
            return Ok(());
        }
        let all = self.asked.load(SeqCst);
        let from = self.feed().from();
        let begun = Instant::now();
        let reading = self.look(from).await?;
        self.version.fetch_max(reading.runs_version, SeqCst);
        let told = self.feed().take(from, &reading, begun);
        if told == Told::Anything {
            self.memory.forget();
            self.owed.store(true, SeqCst);
        }
        if let Told::Changed(subjects) = &told {
            self.changed(subjects);
        }
        let news = match told {
            _ if self.owed.swap(false, SeqCst) => Some(News::Anything),
            Told::Changed(subjects) if !subjects.is_empty() => Some(News::Changed { subjects }),
            Told::Changed(_) | Told::Anything => None,
        };
        if let (Some(link), Some(news)) = (&self.link, news)
            && !link.tell(news).await
        {
            self.owed.store(true, SeqCst);
        }
        *answered = all;
        Ok(())
    }

    async fn look(&self, from: Option<i64>) -> Result<Reading, Unread> {
        let reading = tokio::time::timeout(PATIENCE, changes::read(self.database.pool(), from)).await;
        Ok(reading.map_err(|_| Unread::Late)??)
    }

    fn feed(&self) -> MutexGuard<'_, Feed> {
        self.feed.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn changed(&self, subjects: &[Uuid]) {
        for subject in subjects {
            self.memory.change(*subject);
        }
    }
}

impl Hear for Standing {
    fn hear(&self, news: &News) {
        match news {
            News::Changed { subjects } => self.changed(subjects),
            News::Anything => self.memory.forget(),
            News::Wrote { tenant, version } => self.versions.raise(*tenant, *version),
        }
    }

    async fn begin(&self) -> bool {
        self.memory.forget();
        // The others may have missed what was told meanwhile.
        self.owed.store(true, SeqCst);
        match self.look(None).await {
            Ok(reading) => {
                self.version.fetch_max(reading.runs_version, SeqCst);
                true
            }
            Err(error) => {
                warn!(error = chain(&error), "how new runs are is not known");
                false
            }
        }
    }
}

/// Why it is not known what has changed.
#[derive(Debug, thiserror::Error)]
enum Unread {
    /// The database failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// It did not answer.
    #[error("the database did not answer within {PATIENCE:?}")]
    Late,
}

#[cfg(test)]
mod tests;
