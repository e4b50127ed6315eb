//! Values of client metadata that are names from a list.

use crate::auth::rights::Right;

/// Where a client runs (OpenID Connect Dynamic Client Registration 1.0, section 2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ApplicationType {
    /// On a server.
    Web,
    /// On a person's machine.
    Native,
}

impl ApplicationType {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Web, Self::Native];

    /// As it is stored and named in requests.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Web => "web",
            Self::Native => "native",
        }
    }

    /// The type of this name.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|value| value.as_str() == text)
    }
}

/// How a client proves itself at the token endpoint (RFC 7591, section 2; RFC 7523, section 2.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AuthMethod {
    /// Not at all: it keeps no secret.
    None,
    /// By its secret, in the header.
    ClientSecretBasic,
    /// By its secret, in the body.
    ClientSecretPost,
    /// By a signature.
    PrivateKeyJwt,
}

impl AuthMethod {
    /// All of them.
    pub const ALL: [Self; 4] = [
        Self::ClientSecretBasic,
        Self::ClientSecretPost,
        Self::PrivateKeyJwt,
        Self::None,
    ];

    /// As it is stored and named in requests.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::ClientSecretBasic => "client_secret_basic",
            Self::ClientSecretPost => "client_secret_post",
            Self::PrivateKeyJwt => "private_key_jwt",
        }
    }

    /// The method of this name.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|value| value.as_str() == text)
    }

    /// Whether a secret is what proves it.
    pub const fn has_secret(self) -> bool {
        matches!(self, Self::ClientSecretBasic | Self::ClientSecretPost)
    }
}

/// How a client gets tokens (RFC 6749, RFC 8628, RFC 8693, RFC 7523).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum GrantType {
    /// A person consents in a browser.
    AuthorizationCode,
    /// With a token of an earlier grant.
    RefreshToken,
    /// For itself.
    ClientCredentials,
    /// A person consents on another device.
    DeviceCode,
    /// For another token.
    TokenExchange,
    /// For somebody else's signed word.
    JwtBearer,
}

impl GrantType {
    /// All of them.
    pub const ALL: [Self; 6] = [
        Self::AuthorizationCode,
        Self::RefreshToken,
        Self::ClientCredentials,
        Self::DeviceCode,
        Self::TokenExchange,
        Self::JwtBearer,
    ];

    /// As it is stored and named in requests.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::AuthorizationCode => "authorization_code",
            Self::RefreshToken => "refresh_token",
            Self::ClientCredentials => "client_credentials",
            Self::DeviceCode => "urn:ietf:params:oauth:grant-type:device_code",
            Self::TokenExchange => "urn:ietf:params:oauth:grant-type:token-exchange",
            Self::JwtBearer => "urn:ietf:params:oauth:grant-type:jwt-bearer",
        }
    }

    /// The grant type of this name.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|value| value.as_str() == text)
    }

    /// Whether it gives tokens to nobody who has not proved which client they are (RFC 6749, section 4.4).
    pub const fn needs_proof(self) -> bool {
        matches!(self, Self::ClientCredentials | Self::TokenExchange | Self::JwtBearer)
    }
}

/// Something that a client may ask for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Scope {
    /// Who the person is (OpenID Connect Core 1.0, section 3.1.2.1).
    OpenId,
    /// A right in a tenant.
    Right(Right),
}

impl Scope {
    /// As it is stored and named in requests.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::OpenId => "openid",
            Self::Right(right) => right.as_str(),
        }
    }

    /// All of them.
    pub fn all() -> impl Iterator<Item = Self> {
        [Self::OpenId].into_iter().chain(Right::ALL.map(Self::Right))
    }

    /// Those that change nothing: what a program may ask for that nobody here knows and that says nothing of what it wants.
    pub fn reading() -> impl Iterator<Item = Self> {
        Self::all().filter(|scope| *scope == Self::OpenId || scope.as_str().ends_with(":read"))
    }

    /// What it means, to whoever is asked for it.
    pub const fn about(self) -> &'static str {
        match self {
            Self::OpenId => "know who you are",
            Self::Right(right) => match right {
                Right::TenantRead => "see the tenant",
                Right::TenantWrite => "change the tenant",
                Right::TenantDelete => "end the tenant, with everything in it",
                Right::MembersRead => "see who belongs to the tenant",
                Right::MembersWrite => "invite, change and remove members",
                Right::KeysRead => "see API keys, but not the secrets",
                Right::KeysWrite => "make and revoke API keys",
                Right::ClientsRead => "see OAuth clients",
                Right::ClientsWrite => "register, change and delete OAuth clients",
                Right::AgentsRead => "see agents",
                Right::AgentsWrite => "register, change and remove agents",
                Right::TemplatesRead => "see templates",
                Right::TemplatesWrite => "make, change and delete templates",
                Right::RunsRead => "see runs, their output and their logs",
                Right::RunsWrite => "start, cancel and delete runs",
                Right::AuditRead => "see what was done by whom",
            },
        }
    }

    /// The scope of this name.
    pub fn parse(text: &str) -> Option<Self> {
        if text == Self::OpenId.as_str() {
            return Some(Self::OpenId);
        }
        Right::parse(text).map(Self::Right)
    }

    /// The scopes of these names. Those that this release does not know give nothing.
    pub fn parse_all(names: &[String]) -> Vec<Self> {
        names.iter().filter_map(|name| Self::parse(name)).collect()
    }

    /// As a list of them is stored.
    pub fn names(all: &[Self]) -> Vec<String> {
        all.iter().map(|scope| scope.as_str().to_owned()).collect()
    }

    /// As a list of them is written in requests and tokens (RFC 6749, section 3.3).
    pub fn joined(all: &[Self]) -> String {
        let names: Vec<&str> = all.iter().copied().map(Self::as_str).collect();
        names.join(" ")
    }
}
