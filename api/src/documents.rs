//! What clients publish of themselves: their descriptions, where their names lead, and their keys. A document is kept as long as it says,
//! within bounds, and asked for once however many wait for it; what could not be read is not asked for again at once.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, OnceLock, PoisonError},
};

use domain::Clock;
use jiff::{SignedDuration, Timestamp};
use resource_server::strict_json;
use serde_json::{Map, Value};
use telemetry::logging::chain;
use tokio::sync::{Semaphore, SemaphorePermit};
use url::Url;

pub use crate::auth::client::document::is_name;
use crate::{
    auth::{
        client::{check_fetched, document},
        jwk_set,
    },
    http::error::seldom,
    store::{StoreError, clients::Named},
};

pub mod fetch;

#[cfg(test)]
mod tests;

use fetch::{Fetch, FetchError, Fetched};

/// How long a document is kept that says nothing of it.
const KEPT: SignedDuration = SignedDuration::from_mins(5);

/// How long a document is kept at most, whatever it says: a key that was taken out of a set counts no longer than that.
const LONGEST: SignedDuration = SignedDuration::from_hours(1);

/// At most one question in this time, whatever is asked for.
const APART: SignedDuration = SignedDuration::from_secs(10);

/// How long a description may be, in bytes.
const DESCRIPTION: usize = 5 * 1024;

/// How long a set of keys may be, in bytes.
const KEYS: usize = 16 * 1024;

/// How many documents of a kind are kept.
const MOST: usize = 10_000;

/// How many descriptions are asked for at once, and how many sets of keys: who waits for one takes no place of the others'.
const AT_ONCE: usize = 24;

/// How many are asked for at once of one host.
const OF_ONE_HOST: usize = 2;

/// What reads documents: [`Fetch`], but in tests.
trait Reads: Sized {
    /// Made when it is first needed: the machine's roots take time and room.
    fn open() -> Option<Self>;

    /// The document at an address, of so many bytes at most.
    fn get(&self, place: &str, longest: usize) -> impl Future<Output = Result<Fetched, FetchError>> + Send;
}

impl Reads for Fetch {
    fn open() -> Option<Self> {
        Self::new().ok()
    }

    async fn get(&self, place: &str, longest: usize) -> Result<Fetched, FetchError> {
        self.get(place, longest).await
    }
}

/// See the module's documentation.
#[derive(Debug)]
pub struct Documents<R = Fetch> {
    fetch: OnceLock<Option<R>>,
    clock: Arc<dyn Clock>,
    clients: Shelf<Named>,
    keys: Shelf<Map<String, Value>>,
}

type Slot<T> = Arc<tokio::sync::Mutex<Option<Kept<T>>>>;

/// Documents of one kind, by where they are.
#[derive(Debug)]
struct Shelf<T> {
    all: Mutex<HashMap<String, Slot<T>>>,
    at_once: Semaphore,
    /// How many are being asked for, by host.
    hosts: Mutex<HashMap<String, usize>>,
}

impl<T> Default for Shelf<T> {
    fn default() -> Self {
        Self {
            all: Mutex::default(),
            at_once: Semaphore::new(AT_ONCE),
            hosts: Mutex::default(),
        }
    }
}

/// A place among those that are being asked for, until it is dropped.
struct Turn<'a> {
    hosts: &'a Mutex<HashMap<String, usize>>,
    host: String,
    _permit: SemaphorePermit<'a>,
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        let mut hosts = self.hosts.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = hosts.get_mut(&self.host) {
            *count -= 1;
            if *count == 0 {
                hosts.remove(&self.host);
            }
        }
    }
}

impl<T> Shelf<T> {
    fn known(&self, place: &str) -> Option<Slot<T>> {
        self.all
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .get(place)
            .cloned()
    }

    /// The slot of a place. To one that is new, another makes room that has ended, or any other.
    fn slot(&self, place: &str, now: Timestamp) -> Slot<T> {
        let mut all = self.all.lock().unwrap_or_else(PoisonError::into_inner);
        if all.len() >= MOST && !all.contains_key(place) {
            all.retain(|_, slot| {
                slot.try_lock()
                    .map_or(true, |kept| kept.as_ref().is_some_and(|kept| kept.is_good(now)))
            });
            if all.len() >= MOST
                && let Some(one) = all.keys().next().cloned()
            {
                all.remove(&one);
            }
        }
        all.entry(place.to_owned()).or_default().clone()
    }

    /// Whoever makes us ask for ever so much waits for nobody: it is told to come again.
    fn turn(&self, place: &str) -> Option<Turn<'_>> {
        let host = Url::parse(place).ok()?.host_str()?.to_owned();
        let permit = self.at_once.try_acquire().ok()?;
        let mut hosts = self.hosts.lock().unwrap_or_else(PoisonError::into_inner);
        let count = hosts.entry(host.clone()).or_default();
        if *count >= OF_ONE_HOST {
            return None;
        }
        *count += 1;
        Some(Turn {
            hosts: &self.hosts,
            host,
            _permit: permit,
        })
    }
}

/// What was read; nothing, if there was none that is good.
#[derive(Debug)]
struct Kept<T> {
    read: Option<Arc<T>>,
    asked_at: Timestamp,
    until: Timestamp,
}

impl<T> Kept<T> {
    fn is_good(&self, now: Timestamp) -> bool {
        now < self.until || now < self.asked_at + APART
    }
}

impl Documents {
    /// Nothing is known yet.
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        Self::with(OnceLock::new(), clock)
    }
}

#[expect(private_bounds, reason = "nobody else reads documents")]
impl<R: Reads> Documents<R> {
    fn with(fetch: OnceLock<Option<R>>, clock: Arc<dyn Clock>) -> Self {
        Self {
            fetch,
            clock,
            clients: Shelf::default(),
            keys: Shelf::default(),
        }
    }

    /// The client that describes itself there, if that was read and is still good.
    pub fn kept(&self, client_id: &str) -> Option<Arc<Named>> {
        let slot = self.clients.known(client_id)?;
        let kept = slot.try_lock().ok()?;
        kept.as_ref()
            .filter(|kept| kept.is_good(self.clock.now()))?
            .read
            .clone()
    }

    /// The client that describes itself there, if one does.
    pub async fn client(&self, client_id: &str) -> Result<Option<Arc<Named>>, StoreError> {
        let read = |bytes: &[u8]| {
            Some(Named {
                client_id: client_id.to_owned(),
                metadata: document::read(client_id, bytes)?,
                registered: None,
            })
        };
        self.of(&self.clients, client_id, DESCRIPTION, |_, _| true, read).await
    }

    /// The set of keys that a client publishes there, if it has what is looked for, or was asked for a moment ago.
    pub async fn keys(
        &self,
        place: &str,
        has: impl Fn(&Map<String, Value>) -> bool,
    ) -> Result<Option<Arc<Map<String, Value>>>, StoreError> {
        let fits = |known: &Kept<Map<String, Value>>, now: Timestamp| {
            now < known.asked_at + APART || known.read.as_deref().is_some_and(&has)
        };
        let read = |bytes: &[u8]| {
            let set = strict_json::object(bytes)?;
            let mut all = set.get("keys")?.as_array()?.iter().filter_map(Value::as_object);
            all.any(|key| jwk_set::elliptic(key).is_some()).then_some(set)
        };
        self.of(&self.keys, place, KEYS, fits, read).await
    }

    /// What is kept of a place, if it fits; otherwise what is read there now.
    async fn of<T>(
        &self,
        kind: &Shelf<T>,
        place: &str,
        longest: usize,
        fits: impl Fn(&Kept<T>, Timestamp) -> bool,
        read: impl FnOnce(&[u8]) -> Option<T>,
    ) -> Result<Option<Arc<T>>, StoreError> {
        let (slot, turn) = match kind.known(place) {
            Some(slot) => (slot, None),
            None => match kind.turn(place) {
                Some(turn) => (kind.slot(place, self.clock.now()), Some(turn)),
                // Those whose turn it is may be asking for the same.
                None => (kind.known(place).ok_or(StoreError::Silent)?, None),
            },
        };
        // Held until it is answered: if whoever asks goes away, the next one who waits does it.
        let mut kept = slot.lock().await;
        let now = self.clock.now();
        if let Some(known) = kept.as_ref().filter(|known| known.is_good(now) && fits(known, now)) {
            return Ok(known.read.clone());
        }
        let _turn = match turn {
            Some(turn) => turn,
            None => kind.turn(place).ok_or(StoreError::Silent)?,
        };
        let mut new = self.asked(place, longest, read, now).await;
        // What is good for a while longer is not given up for an answer that is none.
        if new.read.is_none()
            && let Some(known) = kept.as_ref().filter(|known| known.is_good(now))
        {
            new.read.clone_from(&known.read);
            new.until = known.until;
        }
        Ok(kept.insert(new).read.clone())
    }

    async fn asked<T>(
        &self,
        place: &str,
        longest: usize,
        read: impl FnOnce(&[u8]) -> Option<T>,
        now: Timestamp,
    ) -> Kept<T> {
        let fetch = self.fetch.get_or_init(R::open);
        let (Some(fetch), Ok(())) = (fetch, check_fetched(place)) else {
            return none(now);
        };
        match fetch.get(place, longest).await {
            Ok(fetched) => {
                let said = fetched.max_age.and_then(|age| SignedDuration::try_from(age).ok());
                Kept {
                    read: read(&fetched.bytes).map(Arc::new),
                    asked_at: now,
                    until: now + said.unwrap_or(KEPT).clamp(APART, LONGEST),
                }
            }
            Err(error) => {
                seldom::warn(&chain(&error), "what a client publishes was not read");
                none(now)
            }
        }
    }
}

fn none<T>(now: Timestamp) -> Kept<T> {
    Kept {
        read: None,
        asked_at: now,
        until: now + APART,
    }
}
