//! A queue of object keys: each key at most once, one worker for each key, tenants in turn.
//!
//! A tenant with ten thousand waiting objects costs another tenant one turn, not ten thousand; and no tenant
//! holds more than half of the workers.

use std::{
    cmp::Reverse,
    collections::{BinaryHeap, HashMap, VecDeque},
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::{sync::Notify, time::Instant};

/// So many timers are kept before overtaken ones are looked for.
const MIN_TIMERS: usize = 64;

/// Names an object: the tenant whose turn it counts against, and the rest of its address.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Key {
    /// The namespace, or for a cluster-scoped object its name.
    pub scope: String,
    /// The object's name.
    pub name: String,
}

impl Key {
    /// The key of an object.
    pub fn new(scope: impl Into<String>, name: impl Into<String>) -> Self {
        Self {
            scope: scope.into(),
            name: name.into(),
        }
    }
}

/// The queue of one controller.
#[derive(Debug)]
pub struct FairQueue {
    inner: Mutex<Inner>,
    wake: Notify,
    per_scope: usize,
}

#[derive(Debug, Default)]
struct Inner {
    ready: HashMap<String, VecDeque<Key>>,
    turns: VecDeque<String>,
    entries: HashMap<Key, Entry>,
    running: HashMap<String, usize>,
    timers: BinaryHeap<Reverse<(Instant, Key)>>,
    closed: bool,
    moved: Option<Instant>,
}

#[derive(Debug, Default)]
struct Entry {
    queued_since: Option<Instant>,
    running: bool,
    again: bool,
    due: Option<Instant>,
    failures: u32,
}

/// How full a queue is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Depth {
    /// Keys that wait for a worker.
    pub ready: usize,
    /// How long the oldest of them has waited.
    pub oldest: Duration,
}

impl FairQueue {
    /// A queue that gives at most `per_scope` keys of one tenant out at once.
    pub fn new(per_scope: usize) -> Self {
        Self {
            inner: Mutex::default(),
            wake: Notify::new(),
            per_scope: per_scope.max(1),
        }
    }

    /// Asks for a pass over an object, now. Asked many times, it gets one.
    pub fn add(&self, key: Key) {
        self.lock().enqueue(key);
        self.wake.notify_one();
    }

    /// Asks for a pass after a while; the earliest of several requests counts.
    pub fn add_after(&self, key: Key, wait: Duration) {
        if wait.is_zero() {
            return self.add(key);
        }
        self.lock().schedule(key, Instant::now() + wait);
        self.wake.notify_one();
    }

    /// The next key, in turn between tenants. Waits for one; `None` once the queue is closed.
    pub async fn next(&self) -> Option<Key> {
        loop {
            let wake = self.wake.notified();
            let due = {
                let mut inner = self.lock();
                if inner.closed {
                    return None;
                }
                inner.move_due(Instant::now());
                inner.moved.get_or_insert_with(Instant::now);
                if let Some(key) = inner.pop(self.per_scope) {
                    inner.moved = Some(Instant::now());
                    // Another worker may be able to take the next one: wake-ups are not counted, keys are.
                    self.wake.notify_one();
                    return Some(key);
                }
                inner.timers.peek().map(|Reverse((at, _))| *at)
            };
            match due {
                Some(at) => {
                    let _ = tokio::time::timeout_at(at, wake).await;
                }
                None => wake.await,
            }
        }
    }

    /// Ends a pass that went well; `again` asks for another one after that time.
    pub fn succeeded(&self, key: &Key, again: Option<Duration>) {
        self.finish(key, |entry| {
            entry.failures = 0;
            again
        });
    }

    /// Ends a pass that failed; gives how often in a row, and when the next try is.
    pub fn failed(&self, key: &Key, wait: impl Fn(u32) -> Duration) -> (u32, Duration) {
        let mut result = (0, Duration::ZERO);
        self.finish(key, |entry| {
            entry.failures = entry.failures.saturating_add(1);
            result = (entry.failures, wait(entry.failures));
            Some(result.1)
        });
        result
    }

    /// Gives no more keys out.
    pub fn close(&self) {
        self.lock().closed = true;
        self.wake.notify_waiters();
        self.wake.notify_one();
    }

    /// How full the queue is.
    pub fn depth(&self) -> Depth {
        let inner = self.lock();
        let since = inner.entries.values().filter_map(|e| e.queued_since).min();
        Depth {
            ready: inner.ready.values().map(VecDeque::len).sum(),
            oldest: since.map_or(Duration::ZERO, |at| at.elapsed()),
        }
    }

    /// For how long keys have been ready and none was given out, since workers first asked. A pass has a deadline, so
    /// workers that are all busy, or all busy with one tenant, take the next key before long.
    pub fn stalled(&self) -> Duration {
        let since_last = self.lock().moved.map_or(Duration::ZERO, |at| at.elapsed());
        self.depth().oldest.min(since_last)
    }

    /// How many passes are under way.
    pub fn in_flight(&self) -> usize {
        self.lock().running.values().sum()
    }

    fn finish(&self, key: &Key, outcome: impl FnOnce(&mut Entry) -> Option<Duration>) {
        {
            let mut inner = self.lock();
            let Some(entry) = inner.entries.get_mut(key) else {
                return;
            };
            entry.running = false;
            let wait = outcome(entry);
            let (again, failures) = (std::mem::take(&mut entry.again), entry.failures);
            inner.release(&key.scope);
            if again {
                inner.enqueue(key.clone());
            }
            if let Some(wait) = wait {
                inner.schedule(key.clone(), Instant::now() + wait);
            } else if !again && failures == 0 {
                inner.forget(key);
            }
        }
        self.wake.notify_one();
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        // No code that can panic runs under the lock; a poisoned queue is still a whole queue.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    fn enqueue(&mut self, key: Key) {
        let entry = self.entries.entry(key.clone()).or_default();
        if entry.running {
            entry.again = true;
            return;
        }
        if entry.queued_since.is_some() {
            return;
        }
        entry.queued_since = Some(Instant::now());
        entry.due = None;
        let line = self.ready.entry(key.scope.clone()).or_default();
        if line.is_empty() {
            self.turns.push_back(key.scope.clone());
        }
        line.push_back(key);
    }

    fn schedule(&mut self, key: Key, at: Instant) {
        let entry = self.entries.entry(key.clone()).or_default();
        if entry.queued_since.is_some() || entry.due.is_some_and(|due| due <= at) {
            return;
        }
        entry.due = Some(at);
        self.timers.push(Reverse((at, key)));
        // Overtaken timers stay until they are due, and a run's time to live may be a year.
        if self.timers.len() > 2 * self.entries.len() + MIN_TIMERS {
            let entries = &self.entries;
            self.timers
                .retain(|Reverse((at, key))| entries.get(key).is_some_and(|entry| entry.due == Some(*at)));
        }
    }

    fn move_due(&mut self, now: Instant) {
        while let Some(Reverse((at, _))) = self.timers.peek() {
            if *at > now {
                break;
            }
            let Some(Reverse((at, key))) = self.timers.pop() else {
                break;
            };
            // A timer that was overtaken by an earlier one or by an event is stale.
            if self.entries.get(&key).is_some_and(|entry| entry.due == Some(at)) {
                self.enqueue(key);
            }
        }
    }

    fn pop(&mut self, per_scope: usize) -> Option<Key> {
        for _ in 0..self.turns.len() {
            let scope = self.turns.pop_front()?;
            if self.running.get(&scope).is_some_and(|n| *n >= per_scope) {
                self.turns.push_back(scope);
                continue;
            }
            let Some(line) = self.ready.get_mut(&scope) else {
                continue;
            };
            let key = line.pop_front();
            if line.is_empty() {
                self.ready.remove(&scope);
            } else {
                self.turns.push_back(scope.clone());
            }
            let Some(key) = key else { continue };
            if let Some(entry) = self.entries.get_mut(&key) {
                entry.queued_since = None;
                entry.due = None;
                entry.running = true;
            }
            *self.running.entry(scope).or_default() += 1;
            return Some(key);
        }
        None
    }

    fn release(&mut self, scope: &str) {
        if let Some(running) = self.running.get_mut(scope) {
            *running -= 1;
            if *running == 0 {
                self.running.remove(scope);
            }
        }
    }

    fn forget(&mut self, key: &Key) {
        if self
            .entries
            .get(key)
            .is_some_and(|e| !e.running && e.queued_since.is_none() && e.due.is_none())
        {
            self.entries.remove(key);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(scope: &str, name: &str) -> Key {
        Key::new(scope, name)
    }

    #[tokio::test(start_paused = true)]
    async fn a_key_is_given_out_once_at_a_time() {
        let queue = FairQueue::new(8);
        queue.add(key("a", "1"));
        queue.add(key("a", "1"));
        assert_eq!(queue.next().await, Some(key("a", "1")));
        queue.add(key("a", "1"));
        assert_eq!(queue.depth().ready, 0, "not while a pass is under way");
        queue.succeeded(&key("a", "1"), None);
        assert_eq!(
            queue.next().await,
            Some(key("a", "1")),
            "the event during the pass is not lost"
        );
        queue.succeeded(&key("a", "1"), None);
        assert_eq!(queue.lock().entries.len(), 0, "nothing is kept of a settled object");
    }

    #[tokio::test(start_paused = true)]
    async fn tenants_take_turns() {
        let queue = FairQueue::new(100);
        for n in 0..50 {
            queue.add(key("flood", &n.to_string()));
        }
        queue.add(key("quiet", "only"));
        let first = [queue.next().await, queue.next().await];
        assert!(first.contains(&Some(key("quiet", "only"))), "{first:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn one_tenant_never_holds_all_workers() {
        let queue = FairQueue::new(2);
        for n in 0..5 {
            queue.add(key("flood", &n.to_string()));
        }
        let held = [queue.next().await, queue.next().await];
        assert!(
            tokio::time::timeout(Duration::from_secs(1), queue.next())
                .await
                .is_err()
        );
        queue.add(key("quiet", "only"));
        assert_eq!(queue.next().await, Some(key("quiet", "only")));
        queue.succeeded(&held[0].clone().unwrap(), None);
        assert_eq!(queue.next().await, Some(key("flood", "2")));
        assert_eq!(queue.in_flight(), 3);
    }

    #[tokio::test(start_paused = true)]
    async fn delays_are_kept_and_events_overtake_them() {
        let queue = FairQueue::new(8);
        let start = Instant::now();
        queue.add_after(key("a", "late"), Duration::from_mins(1));
        queue.add_after(key("a", "late"), Duration::from_secs(5));
        assert_eq!(queue.next().await, Some(key("a", "late")));
        assert_eq!(start.elapsed().as_secs(), 5);
        queue.succeeded(&key("a", "late"), Some(Duration::from_secs(100)));
        queue.add(key("a", "late"));
        assert_eq!(queue.next().await, Some(key("a", "late")));
        assert_eq!(start.elapsed().as_secs(), 5);
    }

    #[tokio::test(start_paused = true)]
    async fn failures_in_a_row_are_counted_until_a_success() {
        let queue = FairQueue::new(8);
        let wait = |n: u32| Duration::from_secs(u64::from(n));
        for n in 1..=3 {
            queue.add(key("a", "poison"));
            assert!(queue.next().await.is_some());
            assert_eq!(queue.failed(&key("a", "poison"), wait), (n, wait(n)));
        }
        assert!(queue.next().await.is_some());
        queue.succeeded(&key("a", "poison"), None);
        queue.add(key("a", "poison"));
        assert!(queue.next().await.is_some());
        assert_eq!(queue.failed(&key("a", "poison"), wait), (1, wait(1)));
    }

    #[tokio::test(start_paused = true)]
    async fn a_busy_queue_is_not_a_stalled_one() {
        let queue = FairQueue::new(8);
        for n in 0..20 {
            queue.add(key("a", &n.to_string()));
        }
        tokio::time::advance(Duration::from_mins(10)).await;
        assert_eq!(queue.stalled(), Duration::ZERO, "a standby has no workers yet");
        for _ in 0..10 {
            let key = queue.next().await.expect("a key");
            queue.succeeded(&key, None);
            tokio::time::advance(Duration::from_mins(1)).await;
        }
        assert!(queue.depth().oldest > Duration::from_mins(10));
        assert_eq!(queue.stalled(), Duration::from_mins(1));
        tokio::time::advance(Duration::from_mins(5)).await;
        assert_eq!(queue.stalled(), Duration::from_mins(6), "nobody takes what is ready");
        while queue.depth().ready > 0 {
            let key = queue.next().await.expect("a key");
            queue.succeeded(&key, None);
        }
        tokio::time::advance(Duration::from_mins(9)).await;
        assert_eq!(queue.stalled(), Duration::ZERO, "there is nothing to take");
        queue.add(key("b", "late"));
        assert_eq!(queue.stalled(), Duration::ZERO, "it has only just come");
    }

    #[tokio::test(start_paused = true)]
    async fn a_closed_queue_gives_nothing_out() {
        let queue = FairQueue::new(8);
        queue.add(key("a", "1"));
        queue.close();
        assert_eq!(queue.next().await, None);
    }
}
