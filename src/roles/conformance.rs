//! `conformance run`: the cases of `conformance/`, put to this program or to any other over HTTP, and what differs.

mod compare;
mod subject;
mod suite;

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::ensure;

use self::compare::differences;
use self::subject::Subject;
use self::suite::{Case, Group};
use super::terminal::{Progress, say};

/// Where the suite lies in the repository.
const SUITE: &str = "conformance";

pub(crate) const EXAMPLES: &str = "\
Examples:
  placecode conformance run                                     this program, the suite in conformance/
  placecode conformance run conformance/peers-cwa.json          one group
  placecode conformance run --url https://trace.example.org     any implementation, see docs/conformance.md

Exit codes: 0 every case came out as expected; 1 some differ, or could not be asked.";

/// What is asked of whom.
#[derive(clap::Args, Clone, Debug)]
pub(crate) struct RunArgs {
    /// The implementation to ask, where `POST v1/rule-packs/trial` answers. None: this program itself.
    #[arg(long)]
    url: Option<url::Url>,

    /// The bearer token that it wants.
    #[arg(long, env = "PLACECODE_TOKEN", hide_env_values = true)]
    token: Option<String>,

    /// Files of the suite, or folders of them.
    #[arg(default_value = SUITE)]
    files: Vec<PathBuf>,
}

/// Puts every case, and prints a table: group, passed, failed with the difference.
pub(crate) async fn run(args: &RunArgs) -> anyhow::Result<ExitCode> {
    let groups = suite::read(&args.files)?;
    let total: usize = groups.iter().map(|group| group.cases.len()).sum();
    ensure!(total > 0, "the suite has no case");
    let subject = Subject::new(args.url.as_ref(), args.token.as_deref())?;
    let mut progress = Progress::new("cases", total as u64);
    let mut table = Vec::new();
    let mut done = 0;
    for group in &groups {
        let mut failed = Vec::new();
        for case in &group.cases {
            failed.extend(judge(&subject, case).await?);
            done += 1;
            progress.at(done, total as u64, done);
        }
        table.push((group, failed));
    }
    progress.end();
    Ok(if print(&table) { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// One case that came out otherwise.
struct Failed<'a> {
    case: &'a Case,
    differences: Vec<String>,
}

async fn judge<'a>(subject: &Subject, case: &'a Case) -> anyhow::Result<Option<Failed<'a>>> {
    let answer = subject.ask(&case.question).await?;
    let differences = differences(case, &answer);
    Ok((!differences.is_empty()).then_some(Failed { case, differences }))
}

/// Prints the table; whether everything passed.
fn print(table: &[(&Group, Vec<Failed<'_>>)]) -> bool {
    let width = table.iter().map(|(group, _)| group.title.chars().count()).max().unwrap_or(0);
    say(format!("{:width$}  passed  failed", "group"));
    let (mut passed, mut failed) = (0, 0);
    for (group, failures) in table {
        let good = group.cases.len() - failures.len();
        say(format!("{:width$}  {good:>6}  {:>6}", group.title, failures.len()));
        for failure in failures {
            say(format!("  {}: {}", group.file, failure.case.name));
            failure.differences.iter().for_each(|difference| say(format!("    {difference}")));
        }
        passed += good;
        failed += failures.len();
    }
    say(format!("{:width$}  {passed:>6}  {failed:>6}", "all"));
    failed == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The suite that is published, put to the domain itself.
    #[tokio::test]
    async fn every_case_of_the_suite_comes_out_as_expected() {
        let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join(SUITE);
        let groups = suite::read(&[folder]).unwrap();
        let subject = Subject::new(None, None).unwrap();
        let mut wrong = Vec::new();
        for (group, case) in groups.iter().flat_map(|group| group.cases.iter().map(move |case| (group, case)))
        {
            if let Some(failed) = judge(&subject, case).await.unwrap() {
                wrong.push(format!("{}: {}: {:?}", group.file, case.name, failed.differences));
            }
        }
        assert!(wrong.is_empty(), "{wrong:#?}");
        assert!(groups.len() > 10, "only {} groups were read", groups.len());
    }
}
