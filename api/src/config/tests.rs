use std::os::unix::fs::PermissionsExt as _;

use secrecy::ExposeSecret as _;

use super::*;

const KEY: &str = "AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE=";

fn environment(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    pairs
        .iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
        .collect()
}

fn complete() -> BTreeMap<String, String> {
    environment(&[
        ("DATABASE_URL", "postgresql://app:pw@db.example/pinfold"),
        ("SERVICE_URL", "https://pinfold.example/"),
        ("PINFOLD_MASTER_KEY", KEY),
    ])
}

fn with(name: &str, value: &str) -> BTreeMap<String, String> {
    let mut all = complete();
    all.insert(name.to_owned(), value.to_owned());
    all
}

/// What is wrong, a line for each thing.
fn wrong(file: Option<&Path>, environment: &BTreeMap<String, String>) -> Vec<String> {
    match Config::load(file, environment) {
        Ok(_) => Vec::new(),
        Err(ConfigError(problems)) => problems.iter().map(|p| format!("{}: {}", p.place, p.message)).collect(),
    }
}

#[test]
fn three_settings_are_enough_for_production() {
    let config = Config::load(None, &complete()).unwrap();
    assert_eq!(
        config.http,
        Http {
            address: "127.0.0.1:8080".parse().unwrap(),
            admin_address: "127.0.0.1:8081".parse().unwrap(),
            issuer: "https://pinfold.example".to_owned(),
            idle: std::time::Duration::from_secs(75),
            tls: None,
            allowed_origins: Vec::new(),
            frontend: "https://pinfold.example".to_owned(),
            environment: Environment::Production,
        }
    );
    let urls = [&config.database.url, &config.database.migration_url].map(|u| u.expose_secret().to_owned());
    assert_eq!(urls, ["postgresql://app:pw@db.example/pinfold"; 2]);
    assert_eq!(
        (config.database.connections, config.auth.access_token.as_secs()),
        (10, 600)
    );
}

#[test]
fn everything_that_is_wrong_is_said_at_once() {
    let told = wrong(
        None,
        &environment(&[
            ("PINFOLD_HTTP_ADDRESS", "8080"),
            ("ENVIRONMENT", "staging"),
            ("SERVICE_URL", "http://pinfold.example/api?x=1"),
            ("DATABASE_URL", "mysql://root:hunter2@db/"),
            ("PINFOLD_DATABASE_CONNECTIONS", "1"),
            ("REDIS_URL", "http://:hunter2@cache/"),
            ("PINFOLD_MASTER_KEY", "hunter2"),
            ("SHADOW_SECRET", "hunter2"),
            ("PINFOLD_ACCESS_TOKEN_SECONDS", "soon"),
        ]),
    );
    assert_eq!(
        told,
        [
            "PINFOLD_HTTP_ADDRESS (http.address in the file): \"8080\" is not an address and a port, as 127.0.0.1:8080 or [::1]:8080",
            "ENVIRONMENT (http.environment in the file): \"staging\" is neither production nor development",
            "SERVICE_URL (http.service_url in the file): write scheme, host and port only: no path, user, query or fragment",
            "SERVICE_URL (http.service_url in the file): \"http://pinfold.example/api?x=1\" must begin with https://; plain HTTP is for loopback in development",
            "DATABASE_URL (database.url in the file): \"mysql\" is not PostgreSQL; write postgresql://",
            "DATABASE_URL (database.url in the file): names no database: write postgresql://user:password@host:port/name",
            "PINFOLD_DATABASE_CONNECTIONS (database.connections in the file): 1 is not within 2 to 1000",
            "REDIS_URL (redis.url in the file): \"http\" is not Redis; write redis://user:password@host:6379/0, rediss:// for TLS, or unix:///path",
            "PINFOLD_MASTER_KEY (auth.master_key in the file): is not 32 bytes in base64; write what `openssl rand -base64 32` gives",
            "SHADOW_SECRET (auth.shadow_secret in the file): is shorter than 32 bytes",
            "PINFOLD_ACCESS_TOKEN_SECONDS (auth.access_token_seconds in the file): \"soon\" is not a number of seconds",
        ]
    );
    assert!(!told.join("\n").contains("hunter2"), "secrets are not shown");
    assert_eq!(
        wrong(None, &BTreeMap::new()),
        [
            "SERVICE_URL (http.service_url in the file): is required in production: the address that clients reach this service by, as https://pinfold.example.com",
            "DATABASE_URL (database.url in the file): is required: write postgresql://user:password@host:port/name",
            "PINFOLD_MASTER_KEY (auth.master_key in the file): is required in production: write what `openssl rand -base64 32` gives",
        ]
    );
}

#[test]
fn tokens_of_the_system_before_have_an_issuer_a_secret_and_a_last_day() {
    let before = |more: &[(&str, &str)]| {
        let mut all = complete();
        all.extend(environment(more));
        all
    };
    let secret = ("JWT_SECRET", "what-the-system-before-signed-with");
    let left_over = Config::load(None, &before(&[("JWT_SECRET", "short")])).unwrap();
    assert!(left_over.legacy.is_none(), "a secret alone is left over");
    let whole = before(&[
        secret,
        ("PINFOLD_LEGACY_ISSUER", "old.example"),
        ("PINFOLD_LEGACY_UNTIL", "2027-03-31T00:00:00Z"),
    ]);
    let legacy = Config::load(None, &whole).unwrap().legacy.unwrap();
    assert_eq!(
        (legacy.issuer.as_str(), legacy.until.to_string().as_str()),
        ("old.example", "2027-03-31T00:00:00Z")
    );
    let short = [
        ("PINFOLD_LEGACY_ISSUER", "https://pinfold.example"),
        ("JWT_SECRET", "hunter2"),
    ];
    let told = wrong(None, &before(&short));
    assert_eq!(
        told,
        [
            "PINFOLD_LEGACY_ISSUER (auth.legacy.issuer in the file): https://pinfold.example is this service itself, or an issuer outside whose keys are known",
            "JWT_SECRET (auth.legacy.secret in the file): is required beside PINFOLD_LEGACY_ISSUER, of 32 bytes at least",
            "PINFOLD_LEGACY_UNTIL (auth.legacy.until in the file): \"\" is not a time, as 2027-03-31T00:00:00Z; it is required beside PINFOLD_LEGACY_ISSUER",
        ]
    );
    let brief = [
        secret,
        ("PINFOLD_LEGACY_ISSUER", "old"),
        ("PINFOLD_LEGACY_UNTIL", "2027-03-31T00:00:00Z"),
    ];
    assert_eq!(
        wrong(None, &before(&brief)),
        ["PINFOLD_LEGACY_ISSUER (auth.legacy.issuer in the file): \"old\" is not of 8 to 512 characters"]
    );
    let day = [secret, ("PINFOLD_LEGACY_UNTIL", "2027-03-31T00:00:00Z")];
    assert_eq!(
        wrong(None, &before(&day)),
        [
            "PINFOLD_LEGACY_ISSUER (auth.legacy.issuer in the file): is required beside PINFOLD_LEGACY_UNTIL: as the tokens have it in `iss`"
        ]
    );
}

#[test]
fn the_environment_wins_over_the_file_and_secrets_may_be_files() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("pinfold.toml");
    std::fs::write(
        &file,
        "[http]\naddress = \"0.0.0.0:80\"\nservice_url = \"https://from.file.example\"\n[database]\nconnections = 20\n",
    )
    .unwrap();
    let secret = folder.path().join("url");
    std::fs::write(&secret, "postgresql://app:pw@db.example/secret\n").unwrap();
    let mut given = complete();
    given.remove("DATABASE_URL");
    given.insert("DATABASE_URL_FILE".to_owned(), secret.display().to_string());
    let config = Config::load(Some(&file), &given).unwrap();
    assert_eq!(config.http.address, "0.0.0.0:80".parse().unwrap());
    assert_eq!(config.http.issuer, "https://pinfold.example");
    assert_eq!(config.database.connections, 20);
    assert_eq!(
        config.database.url.expose_secret(),
        "postgresql://app:pw@db.example/secret"
    );

    given.insert(
        "DATABASE_URL".to_owned(),
        "postgresql://app:pw@db.example/other".to_owned(),
    );
    given.insert("PINFOLD_MASTER_KEY_FILE".to_owned(), "/nowhere".to_owned());
    std::fs::write(&file, "address = 1\n[http]\naddres = \"x\"\nadmin_address = [1]\n").unwrap();
    let place = file.display();
    assert_eq!(
        wrong(Some(&file), &given),
        [
            format!("address in {place}: there is no such setting; docs/reference/api-settings.md lists them"),
            format!("http.addres in {place}: there is no such setting; docs/reference/api-settings.md lists them"),
            format!("http.admin_address in {place}: write one value, not a list"),
            "DATABASE_URL (database.url in the file): DATABASE_URL and DATABASE_URL_FILE say different things; set one of them".to_owned(),
            "PINFOLD_MASTER_KEY_FILE: /nowhere cannot be read: No such file or directory (os error 2)".to_owned(),
        ]
    );
    std::fs::write(&file, "[http\n").unwrap();
    let told = wrong(Some(&file), &complete());
    assert!(
        told.len() == 1 && told[0].starts_with(&format!("{place}: is not TOML: ")),
        "{told:?}"
    );
    let told = wrong(Some(Path::new("/nowhere.toml")), &complete());
    assert_eq!(
        told,
        ["/nowhere.toml: cannot be read: No such file or directory (os error 2)"]
    );
}

#[test]
fn names_of_the_systems_that_this_replaces_are_taken() {
    let url = |text: &str| {
        Config::load(None, &with("DATABASE_URL", text))
            .unwrap()
            .database
            .url
            .expose_secret()
            .to_owned()
    };
    assert_eq!(
        url("postgresql+asyncpg://a:b@c/d?ssl=require"),
        "postgresql://a:b@c/d?sslmode=require"
    );
    assert_eq!(
        url("postgres://a:b@c/d?ssl=verify-full&x=%2F"),
        "postgres://a:b@c/d?sslmode=verify-full&x=%2F"
    );
    let mut given = complete();
    given.remove("SERVICE_URL");
    given.insert("BACKEND_URL".to_owned(), "https://old.example".to_owned());
    assert_eq!(Config::load(None, &given).unwrap().http.issuer, "https://old.example");
    given.insert("SERVICE_URL".to_owned(), "https://new.example".to_owned());
    assert_eq!(
        wrong(None, &given),
        [
            "SERVICE_URL (http.service_url in the file): SERVICE_URL and BACKEND_URL say different things; set one of them"
        ]
    );
}

#[test]
fn development_helps_itself_and_keeps_what_it_made() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("master.key");
    let given = environment(&[
        ("ENVIRONMENT", "development"),
        ("DATABASE_URL", "postgresql:///pinfold"),
        ("PINFOLD_MASTER_KEY_PATH", path.to_str().unwrap()),
    ]);
    let config = Config::load(None, &given).unwrap();
    assert_eq!(config.http.issuer, "http://127.0.0.1:8080");
    assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    let again = Config::load(None, &given).unwrap();
    assert_eq!(again.auth.master_key.derive("a"), config.auth.master_key.derive("a"));
    assert!(!format!("{config:?}").contains("pinfold\""), "{config:?}");
}

#[test]
fn every_setting_stands_once_in_the_reference() {
    let page = reference(&[]);
    for setting in settings::ALL {
        assert_eq!(
            page.matches(&format!("| `{}` |", setting.path)).count(),
            1,
            "{}",
            setting.path
        );
    }
}

#[test]
fn pages_that_may_call_the_service_have_origins() {
    let origins = |name: &str, value: &str| {
        let config = Config::load(None, &with(name, value)).unwrap();
        let told = config.http.allowed_origins.iter();
        told.map(|value| value.to_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(
        origins(
            "ALLOWED_ORIGINS",
            "https://Console.example:443/, https://other.example:8443"
        ),
        ["https://console.example", "https://other.example:8443"]
    );
    assert_eq!(
        origins("FRONTEND_URL", "https://console.example"),
        ["https://console.example"]
    );
    assert_eq!(origins("FRONTEND_URL", "https://pinfold.example"), Vec::<String>::new());
    assert_eq!(
        wrong(
            None,
            &with(
                "ALLOWED_ORIGINS",
                "*, https://console.example/app, http://console.example"
            )
        ),
        [
            "ALLOWED_ORIGINS (http.allowed_origins in the file): \"*\" is not a URL, as https://pinfold.example.com",
            "ALLOWED_ORIGINS (http.allowed_origins in the file): write scheme, host and port only: no path, user, query or fragment",
            "ALLOWED_ORIGINS (http.allowed_origins in the file): \"http://console.example\" must begin with https://; plain HTTP is for loopback in development",
        ]
    );
}
