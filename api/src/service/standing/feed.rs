//! How far the changes were read, and what is new in a reading.

use std::collections::HashSet;

use tokio::time::Instant;
use uuid::Uuid;

use super::SILENT;
use crate::store::changes::Reading;

#[derive(Debug, Default)]
pub(super) struct Feed {
    /// From where on, when it was read last, and since when that server has run; nothing before the first time.
    read: Option<(i64, Instant, i64)>,
    /// Changes beyond the horizon that were told.
    beyond: HashSet<i64>,
}

/// What a reading told.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Told {
    /// These have changed.
    Changed(Vec<Uuid>),
    /// It is the first reading, the first of this server, or the first after so long that anything may have changed.
    Anything,
}

impl Feed {
    /// The horizon from which a reading goes on.
    pub(super) fn from(&self) -> Option<i64> {
        let (horizon, ..) = self.read.filter(|(_, at, _)| at.elapsed() <= SILENT)?;
        Some(horizon)
    }

    /// What is new in a reading from there on.
    pub(super) fn take(&mut self, from: Option<i64>, reading: &Reading, begun: Instant) -> Told {
        let new = reading
            .changes
            .iter()
            .filter(|change| !self.beyond.contains(&change.position));
        let mut subjects: Vec<Uuid> = new.map(|change| change.subject).collect();
        subjects.sort_unstable();
        subjects.dedup();
        // Another server may count its transactions anew.
        let goes_on = from.is_some() && self.read.is_some_and(|(.., server)| server == reading.server_started);
        self.beyond = reading.changes.iter().map(|change| change.position).collect();
        self.read = Some((reading.horizon, begun, reading.server_started));
        if goes_on {
            Told::Changed(subjects)
        } else {
            Told::Anything
        }
    }
}
