//! What was measured: rows, a table for people, JSON for the next comparison.

use std::{fmt::Write as _, fs, time::Duration};

use serde::Serialize;

/// What the issue asks of a figure.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) enum Limit {
    AtMost(f64),
    AtLeast(f64),
}

#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Row {
    name: String,
    /// Absent when it could not be measured; the note says why.
    figure: Option<f64>,
    unit: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    limit: Option<Limit>,
    /// The figure as a part of the limit.
    #[serde(skip_serializing_if = "Option::is_none")]
    of_limit: Option<f64>,
    /// Processes that ran or wanted to, over the last minute.
    load: f64,
    #[serde(skip_serializing_if = "String::is_empty")]
    note: String,
}

impl Row {
    pub(crate) fn new(name: impl Into<String>, figure: f64, unit: &'static str) -> Self {
        Self {
            name: name.into(),
            figure: Some(figure),
            unit,
            limit: None,
            of_limit: None,
            load: load(),
            note: String::new(),
        }
    }

    pub(crate) fn missing(name: impl Into<String>, why: impl Into<String>) -> Self {
        Self {
            figure: None,
            note: why.into(),
            ..Self::new(name, 0.0, "")
        }
    }

    pub(crate) fn at_most(mut self, limit: f64) -> Self {
        self.limit = Some(Limit::AtMost(limit));
        self.of_limit = self.figure.filter(|_| limit > 0.0).map(|f| f / limit);
        self
    }

    pub(crate) fn at_least(mut self, limit: f64) -> Self {
        self.limit = Some(Limit::AtLeast(limit));
        self.of_limit = self.figure.map(|f| f / limit);
        self
    }

    pub(crate) fn note(mut self, note: impl Into<String>) -> Self {
        self.note = note.into();
        self
    }
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Report {
    pub(crate) measured_at: String,
    pub(crate) cores: usize,
    pub(crate) rows: Vec<Row>,
}

impl Report {
    pub(crate) fn table(&self) -> String {
        let mut cells = vec![["measurement", "figure", "unit", "limit", "of limit", "load", "note"].map(str::to_owned)];
        cells.extend(self.rows.iter().map(line));
        let mut widths = [0; 7];
        for row in &cells {
            for (width, cell) in widths.iter_mut().zip(row) {
                *width = (*width).max(cell.chars().count());
            }
        }
        let mut table = String::new();
        for row in cells {
            let mut text = String::new();
            for (i, (cell, width)) in row.iter().zip(widths).enumerate() {
                let _ = match i {
                    0 | 2 | 6 => write!(text, "{cell:<width$}  "),
                    _ => write!(text, "{cell:>width$}  "),
                };
            }
            table.push_str(text.trim_end());
            table.push('\n');
        }
        let _ = write!(
            table,
            "{} cores; load is the machine's average of the last minute at the time of the row, the measurement itself included",
            self.cores
        );
        table
    }
}

fn line(row: &Row) -> [String; 7] {
    let limit = match row.limit {
        Some(Limit::AtMost(limit)) => format!("<= {}", number(limit)),
        Some(Limit::AtLeast(limit)) => format!(">= {}", number(limit)),
        None => String::new(),
    };
    [
        row.name.clone(),
        row.figure.map_or_else(|| "-".to_owned(), number),
        row.unit.to_owned(),
        limit,
        row.of_limit.map(|r| format!("{:.0} %", r * 100.0)).unwrap_or_default(),
        format!("{:.1}", row.load),
        row.note.clone(),
    ]
}

fn number(figure: f64) -> String {
    let text = if figure.abs() >= 100.0 {
        format!("{figure:.0}")
    } else {
        format!("{figure:.2}")
    };
    match text.split_once('.') {
        Some(_) => text.trim_end_matches('0').trim_end_matches('.').to_owned(),
        None => text,
    }
}

/// The machine's load average of the last minute.
pub(crate) fn load() -> f64 {
    let text = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    text.split(' ').next().and_then(|n| n.parse().ok()).unwrap_or_default()
}

pub(crate) fn milliseconds(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1000.0
}

/// The value that this part of the values does not exceed; the values need no order.
pub(crate) fn quantile(values: &[f64], percent: usize) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let rank = (sorted.len() * percent).div_ceil(100).max(1) - 1;
    sorted.get(rank).copied().unwrap_or_default()
}
