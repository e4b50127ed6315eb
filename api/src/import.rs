//! `pinfold-api import`: people, their agents, who oversees those, and OAuth clients come in from another system, as lines of JSON
//! (docs/operations/import.md). The file is read as a whole before anything is stored; what is there already stays as it is, so that
//! the same file may come again.

use std::{collections::BTreeMap, fmt, fs, path::Path};

use anyhow::{Context as _, Result, bail};
use domain::OverseerId;
use jiff::Timestamp;

use crate::{config::Config, store::Database};

mod agents;
mod blocks;
mod clients;
mod file;
mod oversights;
mod pace;
mod people;

use blocks::Of;
use file::{Blocker, Contents};

/// In which request things were done that the import does.
const REQUEST: &str = "import";

/// What became of a line.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Outcome {
    /// It was stored, or would be.
    New,
    /// It was there.
    Known,
    /// It cannot be stored; why.
    Refused(String),
}

/// What became of the lines of one kind.
#[derive(Debug, Default)]
struct Tally {
    new: usize,
    known: usize,
    refused: Vec<(usize, String)>,
}

impl Tally {
    fn count(&mut self, line: usize, outcome: Outcome) {
        match outcome {
            Outcome::New => self.new += 1,
            Outcome::Known => self.known += 1,
            Outcome::Refused(why) => self.refused.push((line, why)),
        }
    }
}

/// What became of a file.
#[derive(Debug, Default)]
struct Report {
    dry: bool,
    people: Tally,
    agents: Tally,
    oversights: Tally,
    clients: Tally,
    blocks: Tally,
}

impl Report {
    /// What became of the lines of each kind.
    fn tallies(&self) -> [(&'static str, &Tally); 5] {
        [
            ("overseers", &self.people),
            ("agents", &self.agents),
            ("oversights", &self.oversights),
            ("clients", &self.clients),
            ("client blocks", &self.blocks),
        ]
    }

    fn refused(&self) -> impl Iterator<Item = &(usize, String)> {
        self.tallies().into_iter().flat_map(|(_, tally)| &tally.refused)
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.dry {
            writeln!(f, "nothing is stored (--dry-run); it would be:")?;
        }
        for (name, tally) in self.tallies() {
            writeln!(
                f,
                "{name}: {} new, {} there already, {} refused",
                tally.new,
                tally.known,
                tally.refused.len()
            )?;
        }
        for (line, why) in self.refused() {
            writeln!(f, "  line {line}: {why}")?;
        }
        Ok(())
    }
}

/// How the import goes about it.
#[derive(Debug, Clone, Copy)]
struct Job<'a> {
    database: &'a Database,
    now: Timestamp,
    /// The issuer of the system before, if its tokens are taken.
    issuer: Option<&'a str>,
    /// Whether nothing is stored.
    dry: bool,
}

/// The people of a file by its names for them; none for those who would be new.
type People = BTreeMap<String, Option<OverseerId>>;

/// Brings in a file, and tells what became of it. That something was refused is an error; the rest is stored all the same.
pub async fn run(config: &Config, path: &Path, dry: bool) -> Result<String> {
    let text = fs::read_to_string(path).with_context(|| format!("read {}", path.display()))?;
    let contents = file::read(&text)?;
    pace::check(&contents, config.accounts.login)?;
    let database = Database::open_for_command(&config.database)?;
    database.check().await.context("check the database")?;
    let job = Job {
        database: &database,
        now: Timestamp::now(),
        issuer: config.legacy.as_ref().map(|legacy| legacy.issuer.as_str()),
        dry,
    };
    let report = bring_in(job, &contents).await?;
    if report.refused().next().is_some() {
        bail!("some lines were refused; the others are stored:\n{report}");
    }
    Ok(report.to_string())
}

async fn bring_in(job: Job<'_>, contents: &Contents) -> Result<Report> {
    let mut report = Report {
        dry: job.dry,
        ..Report::default()
    };
    let mut people = People::new();
    for (line, person) in &contents.people {
        let (id, outcome) = people::bring_in(job, person)
            .await
            .with_context(|| format!("line {line}"))?;
        people.insert(person.id.clone(), id);
        report.people.count(*line, outcome);
    }
    let mut agents = BTreeMap::new();
    for (line, agent) in &contents.agents {
        let owner = people.get(&agent.owner).copied().flatten();
        let (id, outcome) = agents::bring_in(job, agent, owner)
            .await
            .with_context(|| format!("line {line}"))?;
        agents.insert(agent.id.clone(), id);
        report.agents.count(*line, outcome);
    }
    for (line, oversight) in &contents.oversights {
        let agent = agents.get(&oversight.agent).copied().flatten();
        let overseer = people.get(&oversight.overseer).copied().flatten();
        let done = oversights::bring_in(job, oversight.relation, agent, overseer).await;
        report
            .oversights
            .count(*line, done.with_context(|| format!("line {line}"))?);
    }
    for (line, client) in &contents.clients {
        let owner = people.get(&client.owner).copied().flatten();
        let done = clients::bring_in(job, client, owner).await;
        report
            .clients
            .count(*line, done.with_context(|| format!("line {line}"))?);
    }
    for (line, block) in &contents.blocks {
        let of = match &block.of {
            Blocker::Overseer(overseer) => people.get(overseer).copied().flatten().map(Of::Overseer),
            Blocker::Agent(agent) => agents.get(agent).copied().flatten().map(Of::Agent),
        };
        let done = blocks::bring_in(job, &block.client_id, of).await;
        report
            .blocks
            .count(*line, done.with_context(|| format!("line {line}"))?);
    }
    Ok(report)
}

#[cfg(test)]
mod tests;
