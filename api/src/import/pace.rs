//! How long the slowest hash of a file takes. A login answers no sooner than `accounts.login_milliseconds`, so that its time does not tell
//! whether there is an account; a hash that takes longer would tell.

use std::time::{Duration, Instant};

use anyhow::{Result, anyhow, bail};

use crate::{
    auth::password,
    config::settings::{LOGIN_MILLISECONDS, Setting},
    import::file::Contents,
};

/// Fails if a password of the file takes longer to compare than a login's answer. Without such a time (0) nothing is promised.
pub fn check(contents: &Contents, floor: Duration) -> Result<()> {
    let costs = contents
        .people
        .iter()
        .filter_map(|(_, person)| password::cost(person.hash.as_deref()?));
    let Some(cost) = costs.max().filter(|_| !floor.is_zero()) else {
        return Ok(());
    };
    let begun = Instant::now();
    // The work is in the cost, not in the password.
    bcrypt::hash("a password of nobody", cost).map_err(|error| anyhow!("hash with bcrypt: {error}"))?;
    let taken = begun.elapsed();
    if taken < floor {
        return Ok(());
    }
    let Setting { path, names, .. } = LOGIN_MILLISECONDS;
    let enough = (taken * 3 / 2).as_millis();
    bail!(
        "nothing is stored: a bcrypt hash of cost {cost} takes {} ms here, and a login {} ms: by that, who has one would be known; \
         set {path} ({}) to {enough}, for the service as well",
        taken.as_millis(),
        floor.as_millis(),
        names.join(", "),
    );
}
