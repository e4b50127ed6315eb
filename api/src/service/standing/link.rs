//! What replicas tell one another: that they are there, what has changed, and how new what they wrote is.
//!
//! A replica's beat comes back to it through the channel: as long as that is no older than [`TOUCH`], it has heard what the
//! others said before. Who tells something waits until every replica that is there has heard it; one that does not answer is waited
//! for until it has been silent for longer than it would trust what it knows.

use std::{
    collections::{HashMap, HashSet},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

use futures::StreamExt as _;
use serde::{Deserialize, Serialize};
use telemetry::logging::chain;
use tokio::{
    sync::Notify,
    time::{Instant, MissedTickBehavior},
};
use tracing::{debug, info, warn};
use uuid::Uuid;

use crate::{auth::random::random, redis::Redis};

/// What the channel's name begins with; the issuer follows: replicas of one installation share it, and nothing else. The number is
/// that of what is said there: another release that says more has another.
const CHANNEL: &str = "pinfold:standing:1:";

/// How often a replica says that it is there.
const BEAT: Duration = Duration::from_millis(250);

/// How old a beat may be by which a replica knows that it hears the others.
const TOUCH: Duration = Duration::from_secs(1);

/// After this long a replica that says nothing is waited for no more: it trusts nothing that it knows.
const GONE: Duration = Duration::from_secs(2);

/// So many beats come back before a replica trusts what it hears: by then the others know of it.
const BEATS: u32 = 3;

/// How often who waits for replicas says it again, and looks whether they are there.
const LOOK: Duration = Duration::from_millis(100);

/// The longest that anything is said again.
const LONGEST: Duration = Duration::from_secs(3);

/// Before a channel that broke is listened to again.
const AGAIN: Duration = Duration::from_millis(500);

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Message {
    /// A replica is there; its beats are numbered.
    Here { replica: Uuid, beat: u64 },
    /// A replica ends, and answers no more.
    Gone { replica: Uuid },
    /// A replica has something to tell, and waits until all have heard of it.
    Told { replica: Uuid, number: u64, news: News },
    /// A replica has heard what another told.
    Heard { replica: Uuid, teller: Uuid, number: u64 },
}

/// What a replica may have to tell.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum News {
    /// These subjects have changed.
    Changed { subjects: Vec<Uuid> },
    /// Anything may have changed.
    Anything,
    /// A run of a tenant was written.
    Wrote { tenant: Uuid, version: u64 },
}

/// What is done with what others say.
pub(super) trait Hear {
    /// Somebody has told this.
    fn hear(&self, news: &News);

    /// The channel is listened to from now on; what was said before was not heard. False: not yet to be trusted.
    fn begin(&self) -> impl Future<Output = bool> + Send;
}

#[derive(Debug)]
pub(super) struct Link {
    redis: Arc<Redis>,
    channel: String,
    number: AtomicU64,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// This replica's name since the channel is listened to: what was missed before was not heard by whoever has it.
    me: Uuid,
    /// The beat that was sent last, and when.
    sent: Option<(u64, Instant)>,
    /// When the beat was sent that came back last.
    touched: Option<Instant>,
    /// How many came back since the channel is listened to.
    beats: u32,
    /// When the others were heard last.
    peers: HashMap<Uuid, Instant>,
    /// What is waited for: who has not heard of it yet.
    waiting: HashMap<u64, Waiting>,
}

#[derive(Debug)]
struct Waiting {
    missing: HashSet<Uuid>,
    all: Arc<Notify>,
}

impl Link {
    pub(super) fn new(redis: Arc<Redis>, issuer: &str) -> Self {
        Self {
            redis,
            channel: format!("{CHANNEL}{issuer}"),
            number: AtomicU64::new(0),
            state: Mutex::default(),
        }
    }

    /// Whether everything that others said until a moment ago was heard.
    pub(super) fn in_touch(&self) -> bool {
        let state = self.state();
        state.beats >= BEATS && state.touched.is_some_and(|at| at.elapsed() <= TOUCH)
    }

    /// Tells the others, and waits until they have heard it. False: some may not have.
    pub(super) async fn tell(&self, news: News) -> bool {
        let number = self.number.fetch_add(1, Relaxed);
        let all = Arc::new(Notify::new());
        let told = {
            let mut state = self.state();
            let missing = state.there();
            let all = all.clone();
            state.waiting.insert(number, Waiting { missing, all });
            Message::Told {
                replica: state.me,
                number,
                news,
            }
        };
        // A caller that goes away leaves nothing behind.
        let _forget = Forget { link: self, number };
        let begun = Instant::now();
        loop {
            let said = self.say(&told).await;
            // Who is not there believes nothing.
            if !self.is_waited_for(number) && (said || self.state().there().is_empty()) {
                return true;
            }
            if begun.elapsed() > LONGEST {
                warn!("another replica does not hear what it is told");
                return false;
            }
            let _ = tokio::time::timeout(LOOK, all.notified()).await;
            if !self.is_waited_for(number) && said {
                return true;
            }
        }
    }

    /// Whether a replica that is there has not heard of it.
    fn is_waited_for(&self, number: u64) -> bool {
        let mut state = self.state();
        let there = state.there();
        state.waiting.get_mut(&number).is_some_and(|waiting| {
            waiting.missing.retain(|replica| there.contains(replica));
            !waiting.missing.is_empty()
        })
    }

    /// Tells the others that this replica answers no more.
    pub(super) async fn leave(&self) {
        let replica = self.state().me;
        self.say(&Message::Gone { replica }).await;
    }

    /// Listens and beats until the task is dropped.
    pub(super) async fn follow(&self, hear: &impl Hear) {
        let mut told = false;
        loop {
            match self.redis.listen(&self.channel).await {
                Ok(messages) if hear.begin().await => match random() {
                    Ok(name) => {
                        info!("replicas are heard");
                        self.state().begin(Uuid::from_bytes(name));
                        self.attend(messages, hear).await;
                        told = false;
                    }
                    Err(error) => warn!(%error, "this replica has no name"),
                },
                Err(error) if !told => warn!(error = chain(&error), "no channel to other replicas"),
                Ok(_) | Err(_) => {}
            }
            self.state().begin(Uuid::nil());
            if !told {
                warn!("replicas are not heard; PostgreSQL is asked until they are");
                told = true;
            }
            tokio::time::sleep(AGAIN).await;
        }
    }

    /// Until the channel breaks, or nothing comes through it.
    async fn attend(&self, mut messages: impl futures::Stream<Item = Vec<u8>> + Unpin, hear: &impl Hear) {
        let mut beats = tokio::time::interval(BEAT);
        beats.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let begun = Instant::now();
        let mut beat = 0;
        loop {
            tokio::select! {
                _ = beats.tick() => {
                    let heard = self.state().touched.unwrap_or(begun);
                    if heard.elapsed() > GONE {
                        return;
                    }
                    beat += 1;
                    let replica = {
                        let mut state = self.state();
                        state.sent = Some((beat, Instant::now()));
                        state.peers.retain(|_, heard| heard.elapsed() <= GONE);
                        state.me
                    };
                    self.say(&Message::Here { replica, beat }).await;
                }
                message = messages.next() => match message {
                    Some(message) if self.take(&message, hear).await => {}
                    Some(_) | None => return,
                },
            }
        }
    }

    /// False: it was not understood, so what is known may be old.
    async fn take(&self, message: &[u8], hear: &impl Hear) -> bool {
        let message = match serde_json::from_slice(message) {
            Ok(message) => message,
            Err(error) => {
                warn!(%error, "a replica said something that is not understood");
                return false;
            }
        };
        let me = self.state().me;
        match message {
            Message::Here { replica, beat } if replica == me => {
                let mut state = self.state();
                if let Some((sent, at)) = state.sent
                    && sent == beat
                {
                    state.touched = Some(at);
                    state.beats = state.beats.saturating_add(1);
                }
            }
            Message::Here { replica, .. } => {
                self.state().peers.insert(replica, Instant::now());
            }
            Message::Gone { replica } => {
                self.state().peers.remove(&replica);
            }
            Message::Told { replica, number, news } => {
                hear.hear(&news);
                if replica != me {
                    let heard = Message::Heard {
                        replica: me,
                        teller: replica,
                        number,
                    };
                    self.say(&heard).await;
                }
            }
            Message::Heard {
                replica,
                teller,
                number,
            } if teller == me => {
                if let Some(waiting) = self.state().waiting.get_mut(&number) {
                    waiting.missing.remove(&replica);
                    waiting.all.notify_one();
                }
            }
            Message::Heard { .. } => {}
        }
        true
    }

    /// Whether it was said.
    async fn say(&self, message: &Message) -> bool {
        let said = match serde_json::to_vec(message) {
            Ok(text) => self.redis.publish(&self.channel, &text).await,
            Err(_) => return false,
        };
        if let Err(error) = &said {
            debug!(error = chain(error), "replicas were not told");
        }
        said.is_ok()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Nothing was heard yet by whoever has this name. The others are there or not as before.
    fn begin(&mut self, me: Uuid) {
        (self.me, self.sent, self.touched, self.beats) = (me, None, None, 0);
    }

    /// The other replicas that are there.
    fn there(&self) -> HashSet<Uuid> {
        let there = self.peers.iter().filter(|(_, heard)| heard.elapsed() <= GONE);
        there.map(|(replica, _)| *replica).collect()
    }
}

/// Nobody waits for it any more.
struct Forget<'a> {
    link: &'a Link,
    number: u64,
}

impl Drop for Forget<'_> {
    fn drop(&mut self) {
        self.link.state().waiting.remove(&self.number);
    }
}
