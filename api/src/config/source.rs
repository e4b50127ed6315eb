//! The texts of the settings: from the environment, from files of secrets, and from the configuration file.

use std::{collections::BTreeMap, fs, path::Path, str::FromStr};

use figment::{
    Figment,
    providers::{Format as _, Toml},
    value::{Dict, Value},
};

use crate::config::{
    problems::Problems,
    settings::{self, Setting},
};

/// The texts, by the dotted names of their settings.
#[derive(Debug)]
pub struct Source(BTreeMap<&'static str, String>);

impl Source {
    /// Reads everything; what cannot be read is a problem, and is missing from the source.
    pub fn read(file: Option<&Path>, environment: &BTreeMap<String, String>, problems: &mut Problems) -> Self {
        let mut texts = BTreeMap::new();
        if let Some(path) = file {
            read_file(path, &mut texts, problems);
        }
        for setting in settings::ALL {
            if let Some(text) = from_environment(setting, environment, problems) {
                texts.insert(setting.path, text);
            }
        }
        Self(texts)
    }

    /// The text of a setting, or its default.
    pub fn text(&self, setting: &Setting) -> Option<String> {
        let given = self.0.get(setting.path).map(String::as_str);
        given.or(setting.default).map(str::to_owned)
    }

    /// A setting with a default, read; a text that cannot be read is a problem.
    pub fn read_as<T: FromStr>(&self, setting: &Setting, wanted: &str, problems: &mut Problems) -> Option<T> {
        let text = self.text(setting)?;
        let read = text.trim().parse().ok();
        if read.is_none() {
            problems.with(setting, format!("{text:?} is not {wanted}"));
        }
        read
    }
}

fn read_file(path: &Path, texts: &mut BTreeMap<&'static str, String>, problems: &mut Problems) {
    let place = path.display().to_string();
    if let Err(error) = fs::metadata(path) {
        problems.at(place, format!("cannot be read: {error}"));
        return;
    }
    match Figment::from(Toml::file_exact(path)).extract::<Dict>() {
        Ok(values) => flatten(&place, "", &values, texts, problems),
        Err(error) => problems.at(place, format!("is not TOML: {error}")),
    }
}

fn flatten(
    place: &str,
    prefix: &str,
    values: &Dict,
    texts: &mut BTreeMap<&'static str, String>,
    problems: &mut Problems,
) {
    for (name, value) in values {
        let path = if prefix.is_empty() {
            name.clone()
        } else {
            format!("{prefix}.{name}")
        };
        let text = match value {
            Value::Dict(_, inner) => {
                flatten(place, &path, inner, texts, problems);
                continue;
            }
            Value::String(_, text) => text.clone(),
            Value::Bool(_, truth) => truth.to_string(),
            Value::Num(_, number) => match (number.to_i128(), number.to_f64()) {
                (Some(whole), _) => whole.to_string(),
                (None, Some(float)) => float.to_string(),
                (None, None) => String::new(),
            },
            _ => {
                problems.at(format!("{path} in {place}"), "write one value, not a list");
                continue;
            }
        };
        match settings::ALL.iter().find(|s| s.path == path) {
            Some(setting) => {
                texts.insert(setting.path, text);
            }
            None => problems.at(
                format!("{path} in {place}"),
                "there is no such setting; docs/reference/api-settings.md lists them",
            ),
        }
    }
}

/// The first of the setting's variables that is set. Two of them with different values are a problem: which one was
/// meant nobody can tell.
fn from_environment(
    setting: &Setting,
    environment: &BTreeMap<String, String>,
    problems: &mut Problems,
) -> Option<String> {
    let mut found: Option<(String, String)> = None;
    for name in setting.names {
        let mut given = Vec::new();
        if let Some(text) = environment.get(*name) {
            given.push(((*name).to_owned(), text.clone()));
        }
        let by_file = format!("{name}_FILE");
        if setting.secret
            && let Some(path) = environment.get(&by_file)
        {
            match fs::read_to_string(path) {
                Ok(text) => given.push((by_file, text.strip_suffix('\n').unwrap_or(&text).to_owned())),
                Err(error) => problems.at(by_file, format!("{path} cannot be read: {error}")),
            }
        }
        for (name, text) in given {
            match &found {
                Some((first, other)) if *other != text => {
                    problems.with(
                        setting,
                        format!("{first} and {name} say different things; set one of them"),
                    );
                }
                Some(_) => {}
                None => found = Some((name, text)),
            }
        }
    }
    found.map(|(_, text)| text)
}
