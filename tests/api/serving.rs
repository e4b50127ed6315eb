//! How the program starts, ends, and goes on without its database.

use std::{
    collections::BTreeMap,
    process::Stdio,
    sync::atomic::{AtomicBool, AtomicUsize, Ordering},
    time::{Duration, Instant},
};

use serde_json::json;
use support::{
    api::{Agent, Cable, Redis, Service, Socket, command, database, migrate, run, settings},
    wait,
};
use tokio::{
    io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader},
    net::TcpStream,
};

#[tokio::test]
async fn it_does_not_start_on_a_schema_that_it_does_not_know() {
    let database = database().await;
    let refused = run(&["serve"], &settings(&database)).await;
    let told = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert_eq!(refused.status.code(), Some(1));
    assert!(
        told.contains("the database lacks the migration ") || told.contains("pinfold_app"),
        "{told}"
    );

    migrate(&database).await;
    let again = run(&["migrate"], &settings(&database)).await;
    assert!(again.status.success());
    let told = String::from_utf8_lossy(&again.stdout).into_owned();
    assert!(told.starts_with("the schema is up to date: "), "{told}");
}

#[tokio::test]
async fn it_says_everything_that_is_wrong_with_its_settings() {
    let mut settings = settings(&database().await);
    settings.insert("PINFOLD_HTTP_ADDRESS", "nowhere".to_owned());
    settings.insert("PINFOLD_MASTER_KEY", "hunter2".to_owned());
    for command in ["check-config", "serve", "migrate"] {
        let refused = run(&[command], &settings).await;
        assert_eq!(refused.status.code(), Some(1));
        assert_eq!(
            String::from_utf8_lossy(&refused.stderr),
            "error: the configuration cannot be used:\n  \
             PINFOLD_HTTP_ADDRESS (http.address in the file): \"nowhere\" is not an address and a port, as 127.0.0.1:8080 or [::1]:8080\n  \
             PINFOLD_MASTER_KEY (auth.master_key in the file): is not 32 bytes in base64; write what `openssl rand -base64 32` gives\n"
        );
    }
}

/// AP-12: whoever was answered before is answered to the end, and whoever sends requests hears of it first.
#[tokio::test]
async fn asked_to_stop_under_load_it_fails_no_request() {
    let mut service = Service::new().await;
    let token = Agent::register(&service.client, "scout")
        .await
        .token(&service.client)
        .await;
    let (answered, heard) = (AtomicUsize::new(0), AtomicBool::new(false));
    // As a balancer does: it sends requests until it hears that the replica is not ready.
    let load = async |_: usize| {
        while !heard.load(Ordering::Relaxed) {
            let answer = service.client.get("/v1/me", Some(&token)).await;
            assert_eq!(answer.status, 200, "{:?}", answer.body);
            answered.fetch_add(1, Ordering::Relaxed);
        }
    };
    let stop = async {
        wait::until_true("there is load", async || answered.load(Ordering::Relaxed) > 100).await;
        service.terminate();
        wait::until_true("it says that it is not ready", async || {
            let answer = service.admin.get("/readyz", None).await;
            answer.told() == (503, &json!("asked to stop\n"))
        })
        .await;
        let last = answered.load(Ordering::Relaxed);
        wait::until_true("it goes on meanwhile", async || {
            answered.load(Ordering::Relaxed) > last + 100
        })
        .await;
        heard.store(true, Ordering::Relaxed);
    };
    wait::soon("the load ends", async {
        tokio::join!(stop, futures::future::join_all((0..8).map(load)))
    })
    .await;
    assert_eq!(service.ended().await, Some(0));
}

/// AP-12: another process takes over at the same address, and nobody is turned away.
#[tokio::test]
async fn another_process_takes_the_port_over() {
    let database = database().await;
    migrate(&database).await;
    let settings = settings(&database);
    let socket = Socket::bind();
    let mut old = Service::start_at(&socket, &settings).await;
    let token = Agent::register(&old.client, "scout").await.token(&old.client).await;
    let (answered, done) = (AtomicUsize::new(0), AtomicBool::new(false));
    let load = async |_: usize| {
        while !done.load(Ordering::Relaxed) {
            // Each comes by a connection of its own.
            let answer = old.client.fresh().get("/v1/me", Some(&token)).await;
            assert_eq!(answer.status, 200, "{:?}", answer.body);
            answered.fetch_add(1, Ordering::Relaxed);
        }
    };
    let more = async |what: &str| {
        let last = answered.load(Ordering::Relaxed);
        wait::until_true(what, async || answered.load(Ordering::Relaxed) > last + 100).await;
    };
    let takeover = async {
        more("there is load").await;
        let new = Service::start_at(&socket, &settings).await;
        more("both answer").await;
        old.terminate();
        wait::until_true("it has ended", async || {
            old.admin.try_send(old.admin.reading("/healthz", None)).await.is_err()
        })
        .await;
        more("the new one answers").await;
        done.store(true, Ordering::Relaxed);
        new
    };
    let (_new, _) = wait::soon("the load ends", async {
        tokio::join!(takeover, futures::future::join_all((0..8).map(load)))
    })
    .await;
    assert_eq!(old.ended().await, Some(0));
}

/// Both start at once on a machine that starts: the service waits, and is not started over and over.
#[tokio::test]
async fn it_waits_for_a_database_that_is_still_away() {
    let database = database().await;
    migrate(&database).await;
    let cable = Cable::to(&database);
    cable.cut();
    let later = async {
        cable.found_cut().await;
        cable.mend();
    };
    let settings = settings(&cable.url);
    let (service, ()) = tokio::join!(Service::start(&settings), later);
    Agent::register(&service.client, "scout").await;
    assert!(service.log().contains("waiting for the database"), "{}", service.log());
}

/// AP-03: what needs the database says at once that it is away, the rest goes on, and nothing has to be started again.
#[tokio::test]
async fn without_its_database_it_says_so_at_once_and_comes_back() {
    let database = database().await;
    migrate(&database).await;
    let cable = Cable::to(&database);
    let service = Service::start(&settings(&cable.url)).await;
    let client = &service.client;
    let agent = Agent::register(client, "scout").await;
    let token = agent.token(client).await;
    assert_eq!(client.get("/v1/me", Some(&token)).await.status, 200);
    let challenge = agent.challenge(client).await;

    cable.cut();
    let away = json!({
        "type": "/docs/errors#unavailable", "code": "unavailable", "status": 503,
        "title": "The service cannot answer at the moment; come again.",
    });
    for _ in 0..3 {
        let asked = Instant::now();
        let answer = client.get("/v1/me", Some(&token)).await;
        // Long before a statement would be given up.
        assert!(asked.elapsed() < Duration::from_secs(5), "{:?}", asked.elapsed());
        assert_eq!(answer.told(), (503, &away));
        assert_eq!(answer.headers["retry-after"], "1");
    }
    let answer = agent.answer(client, &challenge).await;
    let later = json!({
        "error": "temporarily_unavailable",
        "error_description": "the service cannot answer at the moment; come again",
    });
    assert_eq!(answer.told(), (503, &later));
    // Who has no token needs no database to be refused, and the keys are in memory.
    assert_eq!(client.get("/v1/me", None).await.status, 401);
    assert_eq!(client.get("/.well-known/jwks.json", None).await.status, 200);
    let health = service.admin.get("/healthz", None).await;
    assert_eq!(health.status, 200, "a database that is away is no reason to start anew");

    cable.mend();
    wait::until_true("it answers again", async || {
        client.get("/v1/me", Some(&token)).await.status == 200
    })
    .await;
    assert_eq!(agent.prove(client).await.status, 200);
}

/// What clients have used up would be given back to them.
#[tokio::test]
async fn it_does_not_start_with_a_redis_that_forgets() {
    let redis = Redis::start("allkeys-lru").await;
    let database = database().await;
    migrate(&database).await;
    let mut settings = settings(&database);
    settings.insert("REDIS_URL", redis.url());
    let refused = run(&["serve"], &settings).await;
    let told = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert_eq!(refused.status.code(), Some(1));
    for part in [
        "redis.url (REDIS_URL)",
        "maxmemory-policy allkeys-lru; it must be noeviction",
    ] {
        assert!(told.contains(part), "{told}");
    }
}

/// What Redis holds may be lost, so nobody waits for it.
#[tokio::test]
async fn it_starts_and_answers_while_redis_is_away() {
    let database = database().await;
    migrate(&database).await;
    let mut settings = settings(&database);
    settings.insert("REDIS_URL", "unix:///nowhere/socket".to_owned());
    let service = Service::start(&settings).await;
    let agent = Agent::register(&service.client, "scout").await;
    let token = agent.token(&service.client).await;
    assert_eq!(service.client.get("/v1/me", Some(&token)).await.status, 200);
    let metrics = service.admin.get("/metrics", None).await.body;
    let counted = metrics.as_str().unwrap_or_default().lines().find_map(|line| {
        let count = line.strip_prefix("pinfold_api_redis_unanswered_total ")?;
        count.parse::<u64>().ok()
    });
    assert!(counted.is_some_and(|count| count >= 4), "{counted:?}");
}

/// Whoever opens connections and sends next to nothing does not keep them.
#[tokio::test]
async fn a_connection_without_a_request_is_closed() {
    let database = database().await;
    migrate(&database).await;
    let mut settings = settings(&database);
    settings.insert("PINFOLD_HTTP_IDLE_SECONDS", "1".to_owned());
    let service = Service::start(&settings).await;
    for begun in ["", "GET /v1/me HTTP/1.1\r\nHost: pinfold.test\r\nX-Slow: "] {
        let mut stream = TcpStream::connect(service.client.address()).await.expect("connect");
        stream.write_all(begun.as_bytes()).await.expect("send");
        let mut answer = Vec::new();
        let closed = stream.read_to_end(&mut answer);
        wait::soon("the connection is closed", closed).await.expect("an end");
        assert_eq!(String::from_utf8_lossy(&answer), "", "{begun:?}");
    }
}

/// RFC 6585, section 5.
#[tokio::test]
async fn a_head_that_is_too_large_is_not_read() {
    let service = Service::new().await;
    let large = "x".repeat(33 * 1024);
    let many = "X-Many: 1\r\n".repeat(101);
    for fields in [format!("X-Large: {large}\r\n"), many] {
        let mut stream = TcpStream::connect(service.client.address()).await.expect("connect");
        let head = format!("GET /v1/me HTTP/1.1\r\nHost: pinfold.test\r\n{fields}\r\n");
        stream.write_all(head.as_bytes()).await.expect("send");
        let mut answer = String::new();
        let read = stream.read_to_string(&mut answer);
        wait::soon("an answer, and the end", read).await.expect("an answer");
        assert!(answer.starts_with("HTTP/1.1 431 "), "{answer}");
    }
    // What fits is answered.
    let mut request = service.client.reading("/v1/me", None);
    let value = "x".repeat(30 * 1024).parse().expect("a value");
    request.headers_mut().insert("x-large", value);
    assert_eq!(service.client.send(request).await.status, 401);
}

/// The client's id and its trace are in every line of a request, and come back.
#[tokio::test]
async fn a_request_is_found_in_the_log_by_its_id_and_its_trace() {
    let service = Service::new().await;
    let mut request = service.client.reading("/v1/me", None);
    let headers = [
        ("x-request-id", "0198c5b4-5a0e-7000-8000-00000000000a"),
        ("traceparent", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"),
    ];
    for (name, value) in headers {
        request.headers_mut().insert(name, value.parse().expect("a value"));
    }
    let answer = service.client.send(request).await;
    assert_eq!(answer.headers["x-request-id"], "0198c5b4-5a0e-7000-8000-00000000000a");
    let line = service.logged("the request", |l| l["message"] == "answered").await;
    let span = &line["span"];
    assert_eq!(span["request.id"], "0198c5b4-5a0e-7000-8000-00000000000a");
    assert_eq!(span["trace.id"], "4bf92f3577b34da6a3ce929d0e0e4736");
    let own = span["span.id"].as_str().expect("a span");
    assert_ne!(own, "00f067aa0ba902b7");
    assert_eq!(
        answer.headers["traceparent"],
        format!("00-4bf92f3577b34da6a3ce929d0e0e4736-{own}-01")
    );
}

/// With a database and the word that it is development, everything else is there: lines to read, a key, a place for mail.
#[tokio::test]
async fn in_development_a_database_is_enough() {
    let database = database().await;
    migrate(&database).await;
    let folder = tempfile::tempdir().expect("a folder");
    let settings = BTreeMap::from([
        ("DATABASE_URL", database.to_string()),
        ("ENVIRONMENT", "development".to_owned()),
        // Any port, for there are other services here.
        ("PINFOLD_HTTP_ADDRESS", "127.0.0.1:0".to_owned()),
        ("PINFOLD_HTTP_ADMIN_ADDRESS", "127.0.0.1:0".to_owned()),
    ]);
    let mut service = command(&["serve"], &settings)
        .current_dir(folder.path())
        .stderr(Stdio::piped())
        .spawn()
        .expect("start the service");
    let mut lines = BufReader::new(service.stderr.take().expect("its log")).lines();
    let serving = async {
        while let Some(line) = lines.next_line().await.expect("a line") {
            assert!(!line.starts_with('{'), "{line}");
            if line.contains("serving") {
                return line;
            }
        }
        panic!("it ended");
    };
    let line = wait::soon("it serves", serving).await;
    assert!(
        line.contains(" INFO ") && line.contains("issuer=\"http://127.0.0.1:0\""),
        "{line}"
    );
    assert!(folder.path().join("pinfold-master.key").is_file());
}
