//! The files of the suite: groups of cases as data.

use std::path::{Path, PathBuf};

use anyhow::{Context, bail, ensure};
use serde::Deserialize;
use serde_json::{Map, Value};

/// A group of cases under one pack.
#[derive(Debug)]
pub(super) struct Group {
    /// Its file, without the folder.
    pub(super) file: String,
    /// What it is about.
    pub(super) title: String,
    /// The cases.
    pub(super) cases: Vec<Case>,
}

/// One question and its answer.
#[derive(Debug)]
pub(super) struct Case {
    /// What it shows.
    pub(super) name: String,
    /// What is asked.
    pub(super) question: Question,
    /// Whom it must find, and nobody else.
    pub(super) expect: Vec<Map<String, Value>>,
    /// When the case must have been infectious, where that is asked.
    pub(super) infectious: Option<Map<String, Value>>,
    /// Whether the question must be refused as wrong.
    pub(super) refused: bool,
}

/// What is posted: a pack, and what it is tried on.
#[derive(Debug)]
pub(super) struct Question {
    /// The pack as TOML.
    pub(super) pack: String,
    /// `now`, `local_offset`, `case`, `places`, `trail`, `stays`.
    pub(super) trial: Map<String, Value>,
}

/// A file as it is written.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    title: String,
    source: String,
    pack: Option<PathBuf>,
    pack_lines: Option<Vec<String>>,
    #[serde(default)]
    common: Map<String, Value>,
    cases: Vec<WrittenCase>,
}

/// A case as it is written; what it does not say itself is taken from `common`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenCase {
    name: String,
    #[serde(default)]
    pack_with: Vec<(String, String)>,
    now: Option<Value>,
    local_offset: Option<Value>,
    case: Option<Value>,
    places: Option<Value>,
    trail: Option<Value>,
    stays: Option<Value>,
    expect: Option<Vec<Map<String, Value>>>,
    infectious: Option<Map<String, Value>>,
    #[serde(default)]
    refused: bool,
}

/// The groups of files and of folders, in the order of their names.
pub(super) fn read(paths: &[PathBuf]) -> anyhow::Result<Vec<Group>> {
    let mut files = Vec::new();
    for path in paths {
        if path.is_dir() {
            let mut inside = Vec::new();
            for entry in std::fs::read_dir(path).with_context(|| path.display().to_string())? {
                inside.push(entry?.path());
            }
            inside.retain(|file| file.extension().is_some_and(|extension| extension == "json"));
            ensure!(!inside.is_empty(), "{} holds no file of the suite (*.json)", path.display());
            inside.sort();
            files.append(&mut inside);
        } else {
            files.push(path.clone());
        }
    }
    files.iter().map(|file| group(file).with_context(|| file.display().to_string())).collect()
}

fn group(path: &Path) -> anyhow::Result<Group> {
    let file: File = serde_json::from_str(&std::fs::read_to_string(path)?)?;
    ensure!(!file.source.is_empty(), "`source` must say whose rule it is");
    let folder = path.parent().unwrap_or(Path::new(""));
    let pack = match (&file.pack, &file.pack_lines) {
        (Some(name), None) => {
            let name = folder.join(name);
            std::fs::read_to_string(&name).with_context(|| name.display().to_string())?
        }
        (None, Some(lines)) => lines.join("\n"),
        _ => bail!("either `pack`, a file beside this one, or `pack_lines` must be given"),
    };
    let mut cases = Vec::new();
    for written in file.cases {
        let name = written.name.clone();
        cases.push(case(written, &pack, &file.common).with_context(|| name)?);
    }
    let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    Ok(Group { file: name, title: file.title, cases })
}

fn case(written: WrittenCase, pack: &str, common: &Map<String, Value>) -> anyhow::Result<Case> {
    let mut pack = pack.to_owned();
    for (old, new) in &written.pack_with {
        let found = pack.matches(old.as_str()).count();
        ensure!(found == 1, "`{old}` stands {found} times in the pack; it must stand there once");
        pack = pack.replace(old.as_str(), new);
    }
    let mut trial = common.clone();
    let own = [
        ("now", written.now),
        ("local_offset", written.local_offset),
        ("case", written.case),
        ("places", written.places),
        ("trail", written.trail),
        ("stays", written.stays),
    ];
    for (name, value) in own {
        if let Some(value) = value {
            trial.insert(name.to_owned(), value);
        }
    }
    ensure!(written.refused == written.expect.is_none(), "one of `expect` and `refused` must be given");
    let expect = written.expect.unwrap_or_default();
    let named = |contact: &Map<String, Value>| contact.get("who").is_some_and(Value::is_string);
    ensure!(expect.iter().all(named), "each of `expect` must name `who`");
    Ok(Case {
        name: written.name,
        question: Question { pack, trial },
        expect,
        infectious: written.infectious,
        refused: written.refused,
    })
}
