//! The settings of the tokens of the system before.

use super::Setting;

/// What the system before signed tokens with.
pub const LEGACY_SECRET: Setting = Setting {
    path: "auth.legacy.secret",
    names: &["JWT_SECRET"],
    default: None,
    secret: true,
    about: "At least 32 bytes of text with which the system before signed people's tokens (HS256). It is of use beside `PINFOLD_LEGACY_ISSUER` alone.",
};

/// Whose those tokens are.
pub const LEGACY_ISSUER: Setting = Setting {
    path: "auth.legacy.issuer",
    names: &["PINFOLD_LEGACY_ISSUER"],
    default: Some(""),
    secret: false,
    about: "Who signed the tokens of the system before, as they have it in `iss`. Clients that tenants registered exchange such tokens for some of this service \
            (docs/oauth.md), and `pinfold-api import` remembers what people are called there. Empty: no such token is taken.",
};

/// For whom they are.
pub const LEGACY_AUDIENCE: Setting = Setting {
    path: "auth.legacy.audience",
    names: &["PINFOLD_LEGACY_AUDIENCE"],
    default: Some(""),
    secret: false,
    about: "What tokens of the system before have in `aud`. Empty: they have none, and one that has is for something else (a password's reset, perhaps) and not taken.",
};

/// Until when they count.
pub const LEGACY_UNTIL: Setting = Setting {
    path: "auth.legacy.until",
    names: &["PINFOLD_LEGACY_UNTIL"],
    default: None,
    secret: false,
    about: "When no more tokens of the system before are taken, and what came of them ends, as `2027-03-31T00:00:00Z`. Required beside `PINFOLD_LEGACY_ISSUER`.",
};
