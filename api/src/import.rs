//! `pinfold-api import`: people, their agents and who oversees those come in from another system, as lines of JSON
//! (docs/operations/import.md). The file is read as a whole before anything is stored; what is there already stays as it is, so that
//! the same file may come again.

use std::{collections::BTreeMap, fmt, fs, path::Path};

use anyhow::{Context as _, Result, bail};
use domain::OverseerId;
use jiff::Timestamp;

use crate::{config::Config, store::Database};

mod agents;
mod file;
mod oversights;
mod people;

use file::Contents;

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
}

impl Report {
    fn refused(&self) -> impl Iterator<Item = &(usize, String)> {
        [&self.people, &self.agents, &self.oversights]
            .into_iter()
            .flat_map(|tally| &tally.refused)
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.dry {
            writeln!(f, "nothing is stored (--dry-run); it would be:")?;
        }
        let kinds = [
            ("overseers", &self.people),
            ("agents", &self.agents),
            ("oversights", &self.oversights),
        ];
        for (name, tally) in kinds {
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
    /// Whether nothing is stored.
    dry: bool,
}

/// The people of a file by its names for them; none for those who would be new.
type People = BTreeMap<String, Option<OverseerId>>;

/// Brings in a file, and tells what became of it. That something was refused is an error; the rest is stored all the same.
pub async fn run(config: &Config, path: &Path, dry: bool) -> Result<String> {
    let text = fs::read_to_string(path).with_context(|| format!("read {}", path.display()))?;
    let contents = file::read(&text)?;
    let database = Database::open_for_command(&config.database)?;
    database.check().await.context("check the database")?;
    let job = Job {
        database: &database,
        now: Timestamp::now(),
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
    Ok(report)
}

#[cfg(test)]
mod tests;
