use std::{
    collections::BTreeMap,
    future::Future,
    sync::atomic::{AtomicI64, Ordering},
    time::Duration,
};

use futures::future::join_all;
use serde_json::json;
use tokio::sync::Semaphore;

use super::*;
use crate::testing::{START, TestKey};

/// A clock that goes when it is told to.
#[derive(Debug)]
struct Hand(AtomicI64);

impl Clock for Hand {
    fn now(&self) -> Timestamp {
        Timestamp::from_second(self.0.load(Ordering::Relaxed)).unwrap()
    }
}

/// The internet, as far as it is there.
#[derive(Debug)]
struct Net {
    pages: Mutex<BTreeMap<String, Fetched>>,
    asked: Mutex<Vec<(String, usize)>>,
    /// Answers take one each.
    permits: Semaphore,
}

#[derive(Debug, Clone)]
struct Fake(Arc<Net>);

impl Reads for Fake {
    fn open() -> Option<Self> {
        None
    }

    async fn get(&self, place: &str, longest: usize) -> Result<Fetched, FetchError> {
        self.0.asked.lock().unwrap().push((place.to_owned(), longest));
        self.0.permits.acquire().await.unwrap().forget();
        let page = self.0.pages.lock().unwrap().get(place).cloned();
        page.ok_or(FetchError::Slow)
    }
}

struct Place {
    documents: Arc<Documents<Fake>>,
    clock: Arc<Hand>,
    net: Arc<Net>,
}

const APP: &str = "https://app.example/client.json";
const KEYS: &str = "https://app.example/jwks.json";

/// More than anybody asks for.
const MANY: usize = 1_000_000;

impl Place {
    /// Whose servers answer so many questions.
    fn new(answers: usize) -> Self {
        let net = Arc::new(Net {
            pages: Mutex::default(),
            asked: Mutex::default(),
            permits: Semaphore::new(answers),
        });
        let clock = Arc::new(Hand(AtomicI64::new(START)));
        let fake = OnceLock::from(Some(Fake(net.clone())));
        Self {
            documents: Arc::new(Documents::with(fake, clock.clone())),
            clock,
            net,
        }
    }

    fn publish(&self, place: &str, document: &Value, max_age: Option<u64>) {
        let fetched = Fetched {
            bytes: document.to_string().into_bytes(),
            max_age: max_age.map(Duration::from_secs),
        };
        self.net.pages.lock().unwrap().insert(place.to_owned(), fetched);
    }

    /// A description under this name.
    fn describe(&self, client_id: &str, name: &str, max_age: Option<u64>) {
        let document = json!({
            "client_id": client_id, "client_name": name, "redirect_uris": ["https://app.example/callback"],
        });
        self.publish(client_id, &document, max_age);
    }

    fn publish_keys(&self, ids: &[&str], max_age: Option<u64>) {
        let key = |id: &&str| {
            let mut key = TestKey::ed25519().jwk();
            key.insert("kid".to_owned(), json!(id));
            key
        };
        let set = json!({"keys": ids.iter().map(key).collect::<Vec<_>>()});
        self.publish(KEYS, &set, max_age);
    }

    fn withdraw(&self, place: &str) {
        self.net.pages.lock().unwrap().remove(place);
    }

    fn wait(&self, seconds: i64) {
        self.clock.0.fetch_add(seconds, Ordering::Relaxed);
    }

    /// How often anything was asked for.
    fn asked(&self) -> usize {
        self.net.asked.lock().unwrap().len()
    }

    /// What the client calls itself, if it is one.
    async fn name(&self, client_id: &str) -> Option<String> {
        let found = self.documents.client(client_id).await.unwrap();
        found.map(|client| client.metadata.name.clone())
    }

    /// The ids of the keys that one is looked for among.
    async fn keys(&self, id: &str) -> Vec<String> {
        let has = |set: &Map<String, Value>| set["keys"].as_array().unwrap().iter().any(|key| key["kid"] == id);
        let found = self.documents.keys(KEYS, has).await.unwrap();
        let all = found.iter().filter_map(|set| set.get("keys")?.as_array()).flatten();
        all.map(|key| key["kid"].as_str().unwrap().to_owned()).collect()
    }

    /// Asks for a client; the answer comes when the servers give it.
    fn begin(&self, client_id: &str) -> impl Future<Output = Result<bool, StoreError>> + use<> {
        let (documents, client_id) = (self.documents.clone(), client_id.to_owned());
        let asking = tokio::spawn(async move { Ok(documents.client(&client_id).await?.is_some()) });
        async { asking.await.unwrap() }
    }

    /// Until so many questions were asked.
    async fn until_asked(&self, count: usize) {
        while self.asked() < count {
            tokio::task::yield_now().await;
        }
    }
}

fn is_turned_away(answer: &Result<Option<Arc<Named>>, StoreError>) -> bool {
    matches!(answer, Err(StoreError::Silent))
}

#[tokio::test]
async fn many_who_wait_ask_once() {
    let place = Place::new(0);
    place.describe(APP, "App", None);
    let waiting: Vec<_> = (0..100).map(|_| place.begin(APP)).collect();
    place.until_asked(1).await;
    place.net.permits.add_permits(MANY);
    for answer in join_all(waiting).await {
        assert!(answer.unwrap());
    }
    assert_eq!(*place.net.asked.lock().unwrap(), [(APP.to_owned(), 5 * 1024)]);
}

/// As a browser that is closed: the question is the next one's to ask.
#[tokio::test]
async fn whoever_goes_away_takes_nobody_along() {
    let place = Place::new(0);
    place.describe(APP, "App", None);
    let documents = place.documents.clone();
    let first = tokio::spawn(async move { documents.client(APP).await.is_ok() });
    place.until_asked(1).await;
    let waiting: Vec<_> = (0..100).map(|_| place.begin(APP)).collect();
    // They have all begun to wait when this one comes to its turn.
    tokio::task::yield_now().await;
    first.abort();
    assert!(first.await.unwrap_err().is_cancelled());
    place.net.permits.add_permits(MANY);
    for answer in join_all(waiting).await {
        assert!(answer.unwrap());
    }
    assert_eq!(place.asked(), 2);
}

#[tokio::test]
async fn what_was_not_read_is_asked_for_again_after_ten_seconds() {
    let place = Place::new(MANY);
    assert_eq!(place.name(APP).await, None);
    place.describe(APP, "App", None);
    place.wait(9);
    assert_eq!((place.name(APP).await, place.asked()), (None, 1));
    place.wait(1);
    assert_eq!((place.name(APP).await, place.asked()), (Some("App".to_owned()), 2));
    // The same of one that was read and is none.
    place.wait(300);
    place.publish(
        APP,
        &json!({"client_id": "https://other.example/client.json"}),
        Some(3600),
    );
    assert_eq!((place.name(APP).await, place.asked()), (None, 3));
    assert!(place.documents.kept(APP).is_none());
}

#[tokio::test]
async fn a_document_is_kept_as_long_as_it_says_within_bounds() {
    for (said, kept) in [
        (None, 300),
        (Some(0), 10),
        (Some(9), 10),
        (Some(60), 60),
        (Some(3600), 3600),
        (Some(3601), 3600),
        (Some(1_000_000_000), 3600),
    ] {
        let place = Place::new(MANY);
        place.describe(APP, "App", said);
        assert_eq!(place.name(APP).await.as_deref(), Some("App"));
        place.describe(APP, "Another", said);
        place.wait(kept - 1);
        let seen = place.documents.kept(APP).map(|client| client.metadata.name.clone());
        assert_eq!(
            (place.name(APP).await, seen),
            (Some("App".to_owned()), Some("App".to_owned())),
            "{said:?}"
        );
        place.wait(1);
        assert!(place.documents.kept(APP).is_none(), "{said:?}");
        assert_eq!(place.name(APP).await.as_deref(), Some("Another"), "{said:?}");
        assert_eq!(place.asked(), 2);
    }
}

/// AU-03, of the keys of clients.
#[tokio::test]
async fn a_flood_of_unknown_keys_asks_once_in_ten_seconds() {
    let place = Place::new(MANY);
    place.publish_keys(&["one"], Some(3600));
    assert_eq!(place.keys("one").await, ["one"]);
    for n in 0..100 {
        assert_eq!(place.keys(&format!("unknown-{n}")).await, ["one"]);
    }
    assert_eq!(*place.net.asked.lock().unwrap(), [(KEYS.to_owned(), 16 * 1024)]);
    // A new key counts after ten seconds at most, and the old one is asked for no more often.
    place.publish_keys(&["one", "two"], Some(3600));
    place.wait(9);
    assert_eq!((place.keys("two").await, place.asked()), (vec!["one".to_owned()], 1));
    place.wait(1);
    assert_eq!(place.keys("one").await, ["one"]);
    assert_eq!(place.asked(), 1);
    assert_eq!(place.keys("two").await, ["one", "two"]);
    assert_eq!(place.keys("three").await, ["one", "two"]);
    assert_eq!(place.asked(), 2);
}

#[tokio::test]
async fn a_key_that_was_withdrawn_counts_for_an_hour_at_most() {
    let place = Place::new(MANY);
    place.publish_keys(&["one"], Some(1_000_000_000));
    assert_eq!(place.keys("one").await, ["one"]);
    place.publish_keys(&["two"], Some(1_000_000_000));
    place.wait(3599);
    assert_eq!(place.keys("one").await, ["one"]);
    place.wait(1);
    assert_eq!(place.keys("one").await, ["two"]);
    // While its server is away there is none at all.
    place.withdraw(KEYS);
    place.wait(3600);
    assert!(place.keys("two").await.is_empty());
}

#[tokio::test]
async fn keys_count_for_as_long_as_was_said_while_their_server_is_away() {
    let place = Place::new(MANY);
    place.publish_keys(&["one"], Some(3600));
    assert_eq!(place.keys("one").await, ["one"]);
    place.withdraw(KEYS);
    place.wait(10);
    assert_eq!((place.keys("two").await, place.asked()), (vec!["one".to_owned()], 2));
    place.wait(3589);
    assert_eq!((place.keys("one").await, place.asked()), (vec!["one".to_owned()], 2));
    place.wait(1);
    assert!(place.keys("one").await.is_empty());
}

#[tokio::test]
async fn of_one_host_two_are_asked_for_at_once_and_of_all_as_many_as_there_is_room_for() {
    let place = Place::new(0);
    let of = |host: usize, n: usize| format!("https://app-{host}.example/{n}");
    let mut waiting = Vec::new();
    for host in 0..12 {
        for n in 0..2 {
            place.describe(&of(host, n), "App", None);
            waiting.push(place.begin(&of(host, n)));
            place.until_asked(waiting.len()).await;
        }
        let third = place.documents.client(&of(host, 2)).await;
        assert!(is_turned_away(&third), "{third:?}");
    }
    // Another host has to wait as well, keys do not.
    let more = place.documents.client("https://more.example/c").await;
    assert!(is_turned_away(&more), "{more:?}");
    let documents = place.documents.clone();
    let keys = tokio::spawn(async move { documents.keys(KEYS, |_| true).await.unwrap().is_some() });
    place.until_asked(25).await;
    place.publish_keys(&["one"], None);
    place.net.permits.add_permits(MANY);
    for answer in join_all(waiting).await {
        assert!(answer.unwrap());
    }
    assert!(keys.await.unwrap());
    // Every place is free again.
    assert_eq!(place.name(&of(0, 2)).await, None);
    assert!(place.documents.clients.hosts.lock().unwrap().is_empty());
    assert_eq!(place.documents.clients.at_once.available_permits(), AT_ONCE);
}

#[tokio::test]
async fn what_has_ended_makes_room_first() {
    let place = Place::new(MANY);
    let of = |n: usize| format!("https://app-{n}.example/c");
    place.describe(APP, "App", Some(3600));
    assert_eq!(place.name(APP).await.as_deref(), Some("App"));
    for n in 0..MOST - 1 {
        assert_eq!(place.name(&of(n)).await, None);
    }
    assert_eq!(place.documents.clients.all.lock().unwrap().len(), MOST);
    place.wait(10);
    assert_eq!(place.name(&of(MOST)).await, None);
    assert_eq!(place.documents.clients.all.lock().unwrap().len(), 2);
    assert_eq!(
        (place.name(APP).await, place.asked()),
        (Some("App".to_owned()), MOST + 1)
    );
}

#[tokio::test]
async fn nothing_is_asked_for_that_is_no_name_over_tls() {
    let place = Place::new(MANY);
    for bad in [
        "http://app.example/c",
        "https://127.0.0.1/c",
        "https://[::1]/c",
        "https://localhost/c",
        "https://u@app.example/c",
        "https://app.example/c#x",
    ] {
        assert_eq!(place.name(bad).await, None, "{bad}");
    }
    assert_eq!(place.asked(), 0);
}
