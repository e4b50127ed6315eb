//! The table of settings.

mod legacy;

pub use legacy::{LEGACY_AUDIENCE, LEGACY_ISSUER, LEGACY_SECRET, LEGACY_UNTIL};

/// One setting.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Setting {
    /// Its dotted name in the file.
    pub path: &'static str,
    /// The variables that set it; the first is its own, others are what the systems that this replaces call it.
    pub names: &'static [&'static str],
    /// What it is when nobody sets it.
    pub default: Option<&'static str>,
    /// Whether its value is never shown, and may stand in a file that `<NAME>_FILE` names.
    pub secret: bool,
    /// What it is, in a sentence.
    pub about: &'static str,
}

/// Where to listen.
pub const ADDRESS: Setting = Setting {
    path: "http.address",
    names: &["PINFOLD_HTTP_ADDRESS"],
    default: Some("127.0.0.1:8080"),
    secret: false,
    about: "Address and port on which the API listens, unless whoever starts it hands a socket over (`LISTEN_FDS`).",
};

/// The port for the platform's questions.
pub const ADMIN_ADDRESS: Setting = Setting {
    path: "http.admin_address",
    names: &["PINFOLD_HTTP_ADMIN_ADDRESS"],
    default: Some("127.0.0.1:8081"),
    secret: false,
    about: "Address and port of `/healthz`, `/readyz` and `/metrics`.",
};

/// The service's own address.
pub const SERVICE_URL: Setting = Setting {
    path: "http.service_url",
    names: &["SERVICE_URL", "BACKEND_URL", "NEXT_PUBLIC_BACKEND_URL"],
    default: None,
    secret: false,
    about: "The service's own address as its clients know it, without a path: the issuer of tokens (RFC 9068) and the \
            base of what proofs are compared with. Never taken from a request. Required in production; in development it is made of `http.address`.",
};

/// How long a connection may be without a request.
pub const IDLE_SECONDS: Setting = Setting {
    path: "http.idle_seconds",
    names: &["PINFOLD_HTTP_IDLE_SECONDS"],
    default: Some("75"),
    secret: false,
    about: "How long a connection may take for the line and the fields of a request, the first or the next, in seconds, 1 to 3600; then it is closed. \
            Longer than a proxy before the service keeps its own idle connections, or it may send a request into one that is just closed.",
};

/// Pages that may call the service.
pub const ALLOWED_ORIGINS: Setting = Setting {
    path: "http.allowed_origins",
    names: &["ALLOWED_ORIGINS"],
    default: Some(""),
    secret: false,
    about: "Origins, separated by commas, whose web pages a browser lets call the service with the login of whoever looks at them, as \
            `https://console.example.com`. That of `http.frontend_url` is one in any case.",
};

/// Our own certificate.
pub const TLS_CERTIFICATE: Setting = Setting {
    path: "http.tls_certificate",
    names: &["PINFOLD_TLS_CERTIFICATE"],
    default: None,
    secret: false,
    about: "A file with the service's certificate and those between it and its root, in PEM: with it the service speaks HTTPS itself. \
            Read again every minute. Without it a proxy before the service does that.",
};

/// The key of our own certificate.
pub const TLS_KEY: Setting = Setting {
    path: "http.tls_key",
    names: &["PINFOLD_TLS_KEY"],
    default: None,
    secret: false,
    about: "The file with the private key of `http.tls_certificate`, in PEM.",
};

/// Development or production.
pub const ENVIRONMENT: Setting = Setting {
    path: "http.environment",
    names: &["ENVIRONMENT"],
    default: Some("production"),
    secret: false,
    about: "`production` or `development`. Only in development may the service be reached by plain HTTP on loopback, and \
            make what it was not given (its address, its master key).",
};

/// The database.
pub const DATABASE_URL: Setting = Setting {
    path: "database.url",
    names: &["DATABASE_URL"],
    default: None,
    secret: true,
    about: "PostgreSQL 16 or later, `postgresql://user:password@host:port/name`. `postgresql+asyncpg://` and `ssl=` are read as well.",
};

/// The database, for who changes its schema.
pub const MIGRATION_URL: Setting = Setting {
    path: "database.migration_url",
    names: &["PINFOLD_DATABASE_MIGRATION_URL"],
    default: None,
    secret: true,
    about: "The same database for the user who owns its tables; `migrate` uses it. Default: `database.url`.",
};

/// The size of the pool.
pub const CONNECTIONS: Setting = Setting {
    path: "database.connections",
    names: &["PINFOLD_DATABASE_CONNECTIONS"],
    default: Some("10"),
    secret: false,
    about: "Connections to PostgreSQL that each replica holds at most, 2 to 1000. A fifth of them, and at least one, is kept for logins.",
};

/// What replicas share.
pub const REDIS_URL: Setting = Setting {
    path: "redis.url",
    names: &["REDIS_URL"],
    default: None,
    secret: true,
    about: "Redis 7 or later, in which all replicas count together how much each client asks for, and what counts once is used up: `redis://user:password@host:6379/0`, \
            `rediss://` for TLS, `unix:///path`. Its `maxmemory-policy` must be `noeviction`. It may be lost at any moment. Without it, and while it \
            does not answer, each replica counts for itself, and PostgreSQL says what was used up.",
};

/// The master key.
pub const MASTER_KEY: Setting = Setting {
    path: "auth.master_key",
    names: &["PINFOLD_MASTER_KEY"],
    default: None,
    secret: true,
    about: "32 random bytes in base64 (`openssl rand -base64 32`), from which the keys are derived that seal secrets in the \
            database. Required in production; development makes a file with mode 0600 at `auth.master_key_path`.",
};

/// The master key before.
pub const PREVIOUS_MASTER_KEY: Setting = Setting {
    path: "auth.previous_master_key",
    names: &["PINFOLD_PREVIOUS_MASTER_KEY"],
    default: None,
    secret: true,
    about: "While the master key is being replaced, the one before: what it sealed is still opened, until `pinfold-api reseal` has \
            sealed all of it under the new one (docs/operations/api.md, Keys).",
};

/// Where development keeps its master key.
pub const MASTER_KEY_PATH: Setting = Setting {
    path: "auth.master_key_path",
    names: &["PINFOLD_MASTER_KEY_PATH"],
    default: Some("pinfold-master.key"),
    secret: false,
    about: "Where development keeps the master key that it makes.",
};

/// The cluster.
pub const KUBECONFIG: Setting = Setting {
    path: "cluster.kubeconfig",
    names: &["KUBECONFIG"],
    default: None,
    secret: false,
    about: "A kubeconfig file for the cluster that tenants run in. Default: the cluster in which this service is a pod; outside of one \
            the routes that need a cluster answer 503.",
};

/// Where the built-in templates are.
pub const TEMPLATES_NAMESPACE: Setting = Setting {
    path: "cluster.templates_namespace",
    names: &["PINFOLD_TEMPLATES_NAMESPACE"],
    default: Some("pinfold-templates"),
    secret: false,
    about: "The namespace of the templates that come with the platform.",
};

/// What the cluster's API server shows.
pub const AUDIT_TOKEN: Setting = Setting {
    path: "cluster.audit_token",
    names: &["PINFOLD_KUBERNETES_AUDIT_TOKEN"],
    default: None,
    secret: true,
    about: "At least 32 bytes of text that the cluster's API server shows when it sends its audit to `/webhooks/kubernetes-audit` (docs/audit.md), so \
            that this service's audit names who changed a tenant's resources with kubectl. Without it such changes are by nobody in particular.",
};

/// What shadow overseers are derived with.
pub const SHADOW_SECRET: Setting = Setting {
    path: "auth.shadow_secret",
    names: &["SHADOW_SECRET"],
    default: None,
    secret: true,
    about: "At least 32 bytes of text with which the stand-in owner of an agent is derived that registered itself. Default: derived from the master key.",
};

/// Where clients register themselves.
pub const REGISTRATION_TENANT: Setting = Setting {
    path: "auth.dynamic_registration_tenant",
    names: &["PINFOLD_DYNAMIC_REGISTRATION_TENANT"],
    default: Some(""),
    secret: false,
    about: "The name of the tenant whose the OAuth clients are that register themselves at `/oauth/register` (RFC 7591). Empty: clients do not register themselves.",
};

/// How long access tokens live.
pub const TOKEN_SECONDS: Setting = Setting {
    path: "auth.access_token_seconds",
    names: &["PINFOLD_ACCESS_TOKEN_SECONDS"],
    default: Some("600"),
    secret: false,
    about: "How long an access token is valid, in seconds, 60 to 3600.",
};

/// Issuers outside.
pub const OUTSIDE_ISSUERS: Setting = Setting {
    path: "outside.issuers",
    names: &["PINFOLD_OIDC_ISSUERS"],
    default: Some(""),
    secret: false,
    about: "OpenID Connect issuers, separated by commas, each as its tokens have it in `iss`, whose tokens prove who a person is. Whoever \
            one of them vouches for has an account from the first request on. Their keys are found by OpenID Connect Discovery.",
};

/// What tokens of issuers outside are for.
pub const OUTSIDE_AUDIENCE: Setting = Setting {
    path: "outside.audience",
    names: &["PINFOLD_OIDC_AUDIENCE"],
    default: None,
    secret: false,
    about: "What tokens of `outside.issuers` must name in `aud`: the client that people log in with, or this service. Default: `http.service_url`.",
};

/// A Clerk instance.
pub const CLERK_PUBLISHABLE_KEY: Setting = Setting {
    path: "outside.clerk_publishable_key",
    names: &["NEXT_PUBLIC_CLERK_PUBLISHABLE_KEY"],
    default: None,
    secret: false,
    about: "The publishable key of a Clerk instance (`pk_live_...`), whose session tokens then prove who a person is. The page that asked for \
            one, its `azp`, must be of `http.frontend_url` or `http.allowed_origins`.",
};

/// Who may open an account.
pub const SIGN_UP: Setting = Setting {
    path: "accounts.sign_up",
    names: &["PINFOLD_SIGN_UP"],
    default: None,
    secret: false,
    about: "Who may open an account: `open` (whoever shows that an e-mail address is theirs), `invite-only` (whoever was \
            invited to a tenant) or `off`. Default: `open` in development, `off` in production.",
};

/// How long a login lasts.
pub const SESSION_HOURS: Setting = Setting {
    path: "accounts.session_hours",
    names: &["PINFOLD_SESSION_HOURS"],
    default: Some("168"),
    secret: false,
    about: "How long a login lasts, in hours, 1 to 2160.",
};

/// How long a login takes.
pub const LOGIN_MILLISECONDS: Setting = Setting {
    path: "accounts.login_milliseconds",
    names: &["PINFOLD_LOGIN_MILLISECONDS"],
    default: Some("500"),
    secret: false,
    about: "How long every answer to a login takes at least, in milliseconds, 0 to 5000: above the time of the slowest stored \
            hash, so that the time does not tell whether there is an account.",
};

/// Where mail is sent.
pub const SMTP_URL: Setting = Setting {
    path: "mail.smtp_url",
    names: &["SMTP_URL"],
    default: None,
    secret: true,
    about: "The server that mail is handed to: `smtps://user:password@host:465`, or `smtp://user:password@host:587?tls=required`. Required in \
            production unless `accounts.sign_up` is `off`; development writes files to `mail.directory` instead.",
};

/// Who mail is from.
pub const MAIL_FROM: Setting = Setting {
    path: "mail.from",
    names: &["PINFOLD_MAIL_FROM"],
    default: Some("Pinfold <pinfold@localhost.localdomain>"),
    secret: false,
    about: "The sender of mail, as `Pinfold <pinfold@example.com>`.",
};

/// Where development puts mail.
pub const MAIL_DIRECTORY: Setting = Setting {
    path: "mail.directory",
    names: &["PINFOLD_MAIL_DIRECTORY"],
    default: Some("pinfold-mail"),
    secret: false,
    about: "Where mail is written as `.eml` files if there is no `mail.smtp_url`; in development.",
};

/// Where people meet the product.
pub const FRONTEND_URL: Setting = Setting {
    path: "http.frontend_url",
    names: &["FRONTEND_URL"],
    default: None,
    secret: false,
    about: "Where people meet the product: links in mail begin with it. Default: `http.service_url`.",
};

/// Whose word on the client's address is believed.
pub const TRUSTED_PROXIES: Setting = Setting {
    path: "limits.trusted_proxies",
    names: &["PINFOLD_TRUSTED_PROXIES"],
    default: Some(""),
    secret: false,
    about: "Ranges of addresses, separated by commas, of the proxies before this service. `X-Forwarded-For` is read from \
            its end and believed only as far as these wrote it.",
};

/// Registrations.
pub const REGISTRATIONS_PER_HOUR: Setting = Setting {
    path: "limits.registrations_per_hour",
    names: &["PINFOLD_REGISTRATIONS_PER_HOUR"],
    default: Some("20"),
    secret: false,
    about: "How many agents one address may register in an hour, 1 to 1000000. An IPv6 network of 64 bits is one address.",
};

/// Requests of nobody.
pub const REQUESTS_PER_MINUTE: Setting = Setting {
    path: "limits.requests_per_minute",
    names: &["PINFOLD_REQUESTS_PER_MINUTE"],
    default: Some("600"),
    secret: false,
    about: "How many requests one address may send in a minute to routes that need no token, and how many with a login, token or key that is none, 1 to 1000000.",
};

/// Logins.
pub const LOGINS_PER_MINUTE: Setting = Setting {
    path: "limits.logins_per_minute",
    names: &["PINFOLD_LOGINS_PER_MINUTE"],
    default: Some("30"),
    secret: false,
    about: "How many logins, sign-ups and password resets one address may try in a minute, 1 to 1000000. Besides, \
            nobody tries more than ten passwords a minute on one account, wherever they come from; who logged in from the same browser before is counted apart.",
};

/// Requests of somebody.
pub const CALLS_PER_MINUTE: Setting = Setting {
    path: "limits.calls_per_minute",
    names: &["PINFOLD_CALLS_PER_MINUTE"],
    default: Some("6000"),
    secret: false,
    about: "How many requests that read one person, agent, client or API key may send in a minute, 1 to 1000000.",
};

/// Requests of somebody that change something.
pub const WRITES_PER_MINUTE: Setting = Setting {
    path: "limits.writes_per_minute",
    names: &["PINFOLD_WRITES_PER_MINUTE"],
    default: Some("1200"),
    secret: false,
    about: "How many requests that change something (all but `GET` and `HEAD`) one person, agent, client or API key may send in a minute, 1 to 1000000. They are \
            counted apart from those that read.",
};

/// All of them, in the order of the reference.
pub const ALL: &[Setting] = &[
    ADDRESS,
    ADMIN_ADDRESS,
    SERVICE_URL,
    FRONTEND_URL,
    ALLOWED_ORIGINS,
    IDLE_SECONDS,
    TLS_CERTIFICATE,
    TLS_KEY,
    ENVIRONMENT,
    DATABASE_URL,
    MIGRATION_URL,
    CONNECTIONS,
    REDIS_URL,
    KUBECONFIG,
    TEMPLATES_NAMESPACE,
    AUDIT_TOKEN,
    MASTER_KEY,
    PREVIOUS_MASTER_KEY,
    MASTER_KEY_PATH,
    SHADOW_SECRET,
    LEGACY_SECRET,
    LEGACY_ISSUER,
    LEGACY_AUDIENCE,
    LEGACY_UNTIL,
    REGISTRATION_TENANT,
    TOKEN_SECONDS,
    OUTSIDE_ISSUERS,
    OUTSIDE_AUDIENCE,
    CLERK_PUBLISHABLE_KEY,
    SIGN_UP,
    SESSION_HOURS,
    LOGIN_MILLISECONDS,
    SMTP_URL,
    MAIL_FROM,
    MAIL_DIRECTORY,
    TRUSTED_PROXIES,
    REGISTRATIONS_PER_HOUR,
    REQUESTS_PER_MINUTE,
    LOGINS_PER_MINUTE,
    CALLS_PER_MINUTE,
    WRITES_PER_MINUTE,
];
