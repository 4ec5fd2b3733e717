//! The rules of ARCHITECTURE.md that a compiler does not know, read from the sources.
#![expect(
    clippy::unwrap_used,
    reason = "the helpers of a test are tests too; clippy allows this only below #[test]"
)]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use placecode::telemetry::FIELDS;

const LINES_MAX: usize = 400;

/// Longer than the others: one listing of tables, written by a tool and read by nobody from top to bottom.
const LONG: &[&str] = &["src/store/schema.rs"];

/// What each part may name of ours, beside itself. `main` and `roles` put everything together.
const MAY_NAME: &[(&str, &[&str])] = &[
    ("domain", &[]),
    ("clock", &[]),
    ("config", &[]),
    ("telemetry", &[]),
    ("password", &[]),
    ("embedded", &[]),
    ("store", &["domain"]),
    ("intake", &["domain", "config"]),
    ("issuer", &["domain", "config", "clock"]),
    ("posters", &["domain"]),
    ("app", &["domain", "config", "clock", "store", "intake", "issuer", "posters"]),
    ("pipeline", &["domain", "app", "store", "intake"]),
    ("http", &["domain", "app", "config", "clock", "password", "store", "intake", "posters"]),
];

/// The files of `pipeline` that talk to other systems: those that send letters and hand-overs, and the one that
/// compares what both sides hold.
const TALK: &[&str] =
    &["src/pipeline/dispatch.rs", "src/pipeline/hand_over/send.rs", "src/pipeline/reconcile.rs"];

struct Source {
    path: String,
    lines: usize,
    /// Without comments; texts are kept.
    code: String,
}

impl Source {
    /// The part of the house that it belongs to, such as `store`.
    fn part(&self) -> &str {
        let inside = self.path.strip_prefix("src/").unwrap();
        inside.split(['/', '.']).next().unwrap()
    }
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn files(folder: &str, extension: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![root().join(folder)];
    while let Some(next) = folders.pop() {
        for entry in fs::read_dir(next).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|own| own == extension) {
                found.push(path);
            }
        }
    }
    found.sort();
    assert!(!found.is_empty(), "nothing to read in {folder}");
    found
}

fn sources(folder: &str) -> Vec<Source> {
    let read = |path: PathBuf| {
        let text = fs::read_to_string(&path).unwrap();
        let path = path.strip_prefix(root()).unwrap().to_str().unwrap().to_owned();
        Source { path, lines: text.lines().count(), code: without_comments(&text) }
    };
    files(folder, "rs").into_iter().map(read).collect()
}

/// Drops `//` comments, doc comments among them; a `//` inside a text is no comment.
fn without_comments(text: &str) -> String {
    let mut code = String::new();
    for line in text.lines() {
        let (mut in_text, mut before, mut end) = (false, ' ', line.len());
        for (at, letter) in line.char_indices() {
            match letter {
                '"' if before != '\\' && before != '\'' => in_text = !in_text,
                '/' if before == '/' && !in_text => {
                    end = at - 1;
                    break;
                }
                _ => {}
            }
            before = letter;
        }
        code.push_str(&line[..end]);
        code.push('\n');
    }
    code
}

/// The parts of ours that a text names: `crate::x`, `crate::{x, y::z}`, `placecode::x`.
fn named(code: &str) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for start in ["crate::", "placecode::"] {
        for (at, _) in code.match_indices(start) {
            let rest = &code[at + start.len()..];
            if let Some(group) = rest.strip_prefix('{') {
                found.extend(heads(group));
            } else {
                found.extend(word(rest));
            }
        }
    }
    found
}

/// The first words at the outermost level of `x, y::{a, b}, z}`.
fn heads(group: &str) -> Vec<String> {
    let (mut depth, mut part, mut parts) = (0, String::new(), Vec::new());
    for letter in group.chars() {
        match letter {
            '{' => depth += 1,
            '}' if depth == 0 => break,
            '}' => depth -= 1,
            ',' if depth == 0 => parts.push(std::mem::take(&mut part)),
            other => part.push(other),
        }
    }
    parts.push(part);
    parts.iter().filter_map(|part| word(part.trim())).collect()
}

fn word(text: &str) -> Option<String> {
    let end = text.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(text.len());
    (end > 0).then(|| text[..end].to_owned())
}

#[test]
fn every_part_names_only_what_lies_below_it() {
    let mut broken = Vec::new();
    for source in sources("src") {
        let part = source.part();
        if matches!(part, "main" | "lib" | "roles") {
            continue;
        }
        let (_, allowed) = MAY_NAME.iter().find(|(name, _)| *name == part).unwrap_or_else(|| {
            panic!("{}: give the part `{part}` its place in the dependency rule", source.path)
        });
        for other in named(&source.code) {
            let talks = TALK.contains(&source.path.as_str()) && other == "issuer";
            if other != part && !talks && !allowed.contains(&other.as_str()) {
                broken.push(format!("{} names {other}", source.path));
            }
        }
        if source.code.contains("super::super::super::") {
            broken.push(format!("{} climbs out of its part", source.path));
        }
    }
    assert!(broken.is_empty(), "{broken:#?}");
}

#[test]
fn names_are_found_in_every_way_of_writing_them() {
    let code = "use crate::{app::App, store::{runs, self}, domain};\nfn f() { crate::issuer::x() }";
    let expected = ["app", "domain", "issuer", "store"].map(str::to_owned);
    assert_eq!(named(code), BTreeSet::from(expected));
    assert!(
        named(&without_comments("/// [`crate::http`]\n//! crate::http\nlet a = 1; // crate::http"))
            .is_empty()
    );
    assert_eq!(without_comments("let a = \"http://b\"; // c"), "let a = \"http://b\"; \n");
}

#[test]
fn only_app_and_few_steps_hold_a_client_of_an_issuing_system() {
    for source in sources("src").iter().filter(|source| !matches!(source.part(), "main" | "roles" | "issuer"))
    {
        let names = source.code.contains("issuer::client") || source.code.contains("app.client");
        let may = source.path == "src/app.rs" || TALK.contains(&source.path.as_str());
        assert!(may || !names, "{} talks to an issuing system", source.path);
    }
}

#[test]
fn the_domain_and_the_posters_do_no_input_or_output_and_ask_no_clock() {
    let foreign =
        ["diesel", "redis", "actix", "tokio", "tracing", "reqwest", "std::fs", "std::net", "Utc::now"];
    let mut broken = Vec::new();
    for source in sources("src").iter().filter(|source| matches!(source.part(), "domain" | "posters")) {
        for name in foreign.iter().filter(|name| source.code.contains(&format!("{name}{}", tail(name)))) {
            broken.push(format!("{} names {name}", source.path));
        }
        if source.code.contains("async fn") {
            broken.push(format!("{} waits", source.path));
        }
    }
    assert!(broken.is_empty(), "{broken:#?}");
}

/// A crate is named by a path; anything else by its own name.
fn tail(name: &str) -> &'static str {
    match name {
        "diesel" | "redis" | "tokio" | "tracing" | "reqwest" => "::",
        _ => "",
    }
}

#[test]
fn no_file_is_longer_than_one_sitting() {
    let all = ["src", "tests"].into_iter().flat_map(sources);
    let long: Vec<String> = all
        .filter(|source| source.lines > LINES_MAX && !LONG.contains(&source.path.as_str()))
        .map(|source| format!("{}: {} lines", source.path, source.lines))
        .collect();
    assert!(long.is_empty(), "split these along a natural seam: {long:#?}");
}

#[test]
fn time_and_settings_are_asked_in_one_place_each() {
    let mut broken = Vec::new();
    for source in sources("src") {
        let clock =
            ["Utc::now", "Local::now", "SystemTime::now"].iter().any(|name| source.code.contains(name));
        if clock && source.path != "src/clock.rs" {
            broken.push(format!("{} asks the time", source.path));
        }
        let settings =
            ["env::var(", "env::var_os(", "env::vars("].iter().any(|name| source.code.contains(name));
        if settings && !matches!(source.path.as_str(), "src/config.rs" | "src/main.rs") {
            broken.push(format!("{} reads the environment", source.path));
        }
        if source.code.contains("macro_rules!") {
            broken.push(format!("{} makes a macro", source.path));
        }
    }
    assert!(broken.is_empty(), "{broken:#?}");
}

#[test]
fn log_lines_have_constant_messages_and_fields_from_the_closed_list() {
    let mut seen = 0;
    let mut broken = Vec::new();
    for source in sources("src") {
        for level in ["trace", "debug", "info", "warn", "error"] {
            for (at, start) in source.code.match_indices(&format!("tracing::{level}!(")) {
                seen += 1;
                let arguments = arguments(&source.code[at + start.len()..]);
                if let Err(why) = check_log(&arguments) {
                    broken.push(format!("{}: {why} in {arguments:?}", source.path));
                }
            }
        }
        for other in ["use tracing::", "instrument", "_span!", "span!(", "tracing::event!", "println!("] {
            if source.part() != "telemetry" && source.code.contains(other) {
                broken.push(format!("{}: `{other}` is not how this service logs", source.path));
            }
        }
    }
    assert!(seen > 0 && broken.is_empty(), "{seen} log lines, of which {broken:#?}");
}

/// The arguments of a macro, up to its closing parenthesis.
fn arguments(text: &str) -> Vec<String> {
    let (mut depth, mut in_text, mut before) = (0, false, ' ');
    let (mut part, mut parts) = (String::new(), Vec::new());
    for letter in text.chars() {
        match letter {
            '"' if before != '\\' => in_text = !in_text,
            '(' | '[' | '{' if !in_text => depth += 1,
            ')' if !in_text && depth == 0 => break,
            ')' | ']' | '}' if !in_text => depth -= 1,
            ',' if !in_text && depth == 0 => {
                parts.push(std::mem::take(&mut part).trim().to_owned());
                before = letter;
                continue;
            }
            _ => {}
        }
        part.push(letter);
        before = letter;
    }
    parts.push(part.trim().to_owned());
    parts.retain(|part| !part.is_empty());
    parts
}

fn check_log(arguments: &[String]) -> Result<(), String> {
    let (message, fields) = arguments.split_last().ok_or("nothing")?;
    if !message.starts_with('"') || message.contains('{') {
        return Err("the message is not constant".to_owned());
    }
    for field in fields {
        let name = field.split('=').next().unwrap_or_default().trim().trim_start_matches(['%', '?']);
        if !FIELDS.contains(&name) {
            return Err(format!("`{name}` is not in telemetry::FIELDS"));
        }
    }
    Ok(())
}

#[test]
fn a_log_line_that_names_a_visitor_would_be_found() {
    let line = |text: &str| check_log(&arguments(text));
    assert_eq!(line("error = %error, count, \"step failed\")"), Ok(()));
    assert!(line("visitor = %visitor, \"seen\")").is_err());
    assert!(line("\"seen {visitor}\")").is_err());
    assert!(line("step = name(1, 2), duration_ms, message)").is_err());
}

#[test]
fn migrations_write_sql_in_lower_case() {
    let mut broken = Vec::new();
    for path in files("migrations", "sql") {
        for line in fs::read_to_string(&path).unwrap().lines() {
            let code = line.split("--").next().unwrap_or_default();
            let outside = code.split('\'').step_by(2).collect::<String>();
            if outside.chars().any(|letter| letter.is_ascii_uppercase()) {
                broken.push(format!("{}: {line}", path.display()));
            }
        }
    }
    assert!(broken.is_empty(), "{broken:#?}");
}

#[test]
fn the_architecture_names_every_part_and_no_other() {
    let Ok(text) = fs::read_to_string(root().join("ARCHITECTURE.md")) else { return };
    let parts: BTreeSet<String> =
        sources("src").iter().map(|source| source.part().to_owned()).filter(|part| part != "lib").collect();
    let mut named = BTreeSet::new();
    for line in text.lines() {
        let tree = line.strip_prefix("├── ").or_else(|| line.strip_prefix("└── "));
        let inline = line.match_indices("src/").map(|(at, start)| &line[at + start.len()..]);
        named.extend(tree.into_iter().chain(inline).filter_map(|rest| {
            let name = word(rest)?;
            let after = &rest[name.len()..];
            (after.starts_with('/') || after.starts_with(".rs")).then_some(name)
        }));
    }
    named.remove("lib");
    let silent: Vec<_> = parts.difference(&named).collect();
    let unknown: Vec<_> = named.difference(&parts).collect();
    assert!(silent.is_empty() && unknown.is_empty(), "not described: {silent:?}; not there: {unknown:?}");
}

#[test]
fn the_example_of_settings_names_each_of_them() {
    use clap::Args;
    let Ok(text) = fs::read_to_string(root().join(".env.example")) else { return };
    let config = placecode::config::Config::augment_args(clap::Command::new("test"));
    let issuer = placecode::config::IssuerConfig::augment_args(clap::Command::new("test"));
    let settings: BTreeSet<String> = config
        .get_arguments()
        .chain(issuer.get_arguments())
        .filter_map(|argument| Some(argument.get_env()?.to_str()?.to_owned()))
        .collect();
    let name = |line: &str| {
        let (name, _) = line.trim_start_matches(['#', ' ']).split_once('=')?;
        name.chars().all(|c| c.is_ascii_uppercase() || c == '_').then(|| name.to_owned())
    };
    let mut named: BTreeSet<String> = text.lines().filter_map(name).collect();
    // Which log lines are written is no setting of the service: every Rust program asks for it so.
    named.remove("RUST_LOG");
    assert_eq!(named, settings);
}
