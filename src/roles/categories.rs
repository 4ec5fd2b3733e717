//! `categories`: the category catalogue as a table, CSV or JSON.

use clap::ValueEnum;

use super::terminal::{say, write};
use crate::domain::catalogue::{Catalogue, Category};
use crate::domain::words::word;

pub(super) const EXAMPLES: &str = "\
Examples:
  placecode categories                                   a table to read
  placecode categories --format csv > categories.csv     a row for each category
  placecode categories --format json                     what GET /v1/categories answers, with the sources";

/// How the catalogue is printed.
#[derive(clap::Args, Clone, Debug)]
pub(crate) struct CategoriesArgs {
    /// In which form.
    #[arg(long, value_enum, default_value_t)]
    format: Form,
}

#[derive(Clone, Copy, Debug, Default, ValueEnum)]
enum Form {
    /// Columns for a reader; stays in minutes.
    #[default]
    Table,
    /// Comma-separated, with a header.
    Csv,
    /// One JSON document.
    Json,
}

const COLUMNS: [&str; 12] = [
    "word",
    "granularity",
    "usual_mins",
    "longest_mins",
    "closes",
    "exit_scan",
    "duty",
    "en",
    "zh",
    "kind_sources",
    "stay_sources",
    "duty_sources",
];

/// Prints the catalogue that is shipped with this release.
pub(crate) fn categories(args: &CategoriesArgs) -> anyhow::Result<()> {
    let catalogue = Catalogue::shipped()?;
    match args.format {
        Form::Table => {
            // Chinese letters are two columns wide on a terminal, so they stand at the end.
            let line = |c: [&str; 12]| {
                let [name, near, usual, longest, closes, exit, duty, en, zh, ..] = c;
                format!(
                    "{name:<18} {near:<11} {usual:>10} {longest:>12} {closes:<6} {exit:<9} {duty:<16} {en:<32} {zh}"
                )
            };
            say(line(COLUMNS));
            for (_, category) in catalogue.iter() {
                say(line(fields(category).each_ref().map(String::as_str)));
            }
        }
        Form::Csv => {
            let mut table = csv::Writer::from_writer(Vec::new());
            table.write_record(COLUMNS)?;
            for (_, category) in catalogue.iter() {
                table.write_record(fields(category))?;
            }
            write(&table.into_inner()?)?;
        }
        Form::Json => say(serde_json::to_string_pretty(&catalogue.listing())?),
    }
    Ok(())
}

/// The values of a category in the order of [`COLUMNS`].
fn fields(category: &Category) -> [String; 12] {
    let sources = &category.sources;
    [
        category.word.clone(),
        word(category.granularity),
        category.usual_mins.to_string(),
        category.longest_mins.to_string(),
        category.closes_text().unwrap_or_default(),
        if category.exit_scan { "yes" } else { "no" }.to_owned(),
        word(category.duty),
        category.en.clone(),
        category.zh.clone(),
        sources.kind.join(";"),
        sources.stay.join(";"),
        sources.duty.join(";"),
    ]
}
