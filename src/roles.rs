//! The subcommands of the binary: the command line, and one file per role.

mod assignments;
mod audit;
mod audit_file;
mod backward;
mod case_import;
mod cases;
mod categories;
mod codes;
mod conformance;
mod contact_file;
mod demo;
mod divisions;
mod features;
mod house;
mod keys;
mod letter_keys;
mod moment;
mod named_id;
mod noted;
mod pack_text;
mod packs;
mod pieces;
mod posters;
mod refusals;
mod report;
mod row;
mod scan_places;
mod scan_rows;
mod scans;
mod sentinel;
mod serve;
mod service;
mod settings;
mod signals;
mod source;
mod staff;
mod stage;
mod table;
mod terminal;
mod trace;
mod trace_batch;
mod trace_lines;
mod up;
mod venue_batch;
mod venue_export;
mod venue_fields;
mod venue_points;
mod venue_rows;
mod venue_update;
mod venues;
mod visitor;
mod whole_file;

use std::process::ExitCode;

use clap::{CommandFactory, Parser, Subcommand};

use crate::config::{Config, IssuerConfig};

/// The name that an operator at the machine has in the audit log.
const ACTOR: &str = "command-line";

/// The exit code of a command that did what it could and refused the rest.
const SOME_REFUSED: u8 = 3;

const EXAMPLES: &str = "\
Examples:
  placecode up                                          everything on this machine
  placecode keys /etc/placecode/keys.toml               for servers of your own
  placecode migrate && placecode serve                  the service on them
  placecode codes read 2000E-PYD2M-3VZ8X-YCTFKC         whether a poster is genuine
  placecode staff add --login li --role administrator --division 410000 --password-file li.txt
  placecode venues import venues.csv --set register --dry-run
  placecode posters --set register --out posters --public-url https://p.example.cn/
  placecode venues export --format geojson --out register.geojson
  placecode scans import list.csv --set register
  placecode cases report --identity - --kind confirmed --onset '2026-03-01 08:00' \\
      --sampled '2026-03-02 10:00' --authority 'Zhengzhou CDC' --division 410105 --by wang
  placecode packs check mine.toml && placecode packs load mine.toml
  placecode trace CASE --purpose 'first look' --by wang
  placecode backward --division 410105 --since '2026-03-01 00:00' --purpose 'source of the cluster' --by wang
  placecode report contacts --run RUN --by wang --purpose 'first look' --format csv --out contacts.csv
  placecode audit verify --file audit.ndjson

Every setting can be given as a flag or as the environment variable that stands beside it.

Exit codes: 0 done; 1 failed, with the reason on standard error; 2 the command line is wrong;
3 some was done and some refused, which the command names; or some codes were bad; 4 the audit log is broken.";

/// Venue place codes and contact tracing for a city.
#[derive(Parser, Debug)]
#[command(name = "placecode", version, after_help = EXAMPLES, max_term_width = 110)]
pub struct Cli {
    #[command(subcommand)]
    role: Role,

    /// What is logged, such as `placecode=debug,warn`; only for roles that keep running.
    #[arg(long, env = "RUST_LOG", global = true)]
    log: Option<String>,
}

#[derive(Subcommand, Debug)]
enum Role {
    /// Answer visitors, venues, staff and machines over HTTP.
    Serve(Box<Config>),
    /// Run the pipeline: scans to stays, cases to colours, letters to issuing systems.
    Work(Box<service::WorkArgs>),
    /// Run everything on this machine, with a Postgres and a Redis of its own.
    Up(stage::StageArgs),
    /// Play an outbreak on this machine: everything that `up` runs, and two weeks of a small city.
    Demo(Box<demo::DemoArgs>),
    /// Run the reference issuing system.
    Issuer(IssuerConfig),
    /// Read what visitors show at a door, keep it, and hand it in when the service can be reached.
    #[command(after_help = sentinel::EXAMPLES)]
    Sentinel(Box<sentinel::SentinelArgs>),
    /// Bring the database's tables to this release's form.
    Migrate(house::HouseArgs),
    /// Write a new key file, or change the place-code or audit keys of one.
    Keys(keys::KeysArgs),
    /// Read place codes, and rotate those of many points.
    #[command(subcommand)]
    Codes(Codes),
    /// Manage accounts of staff.
    #[command(subcommand)]
    Staff(Staff),
    /// Manage the register of venues.
    #[command(subcommand)]
    Venues(Venues),
    /// Make posters and stickers with the place codes of venues, as PDF.
    #[command(after_help = posters::EXAMPLES)]
    Posters(Box<posters::PostersArgs>),
    /// Manage where administrative divisions lie.
    #[command(subcommand)]
    Divisions(Divisions),
    /// Print the category catalogue: kinds of places, how long people stay, what applies to them.
    #[command(after_help = categories::EXAMPLES)]
    Categories(categories::CategoriesArgs),
    /// Manage scans.
    #[command(subcommand)]
    Scans(Scans),
    /// Report, list and withdraw cases.
    #[command(subcommand)]
    Cases(Cases),
    /// Compute who was exposed to a case. Colours nobody.
    Trace(trace::TraceArgs),
    /// Count who was exposed to each of many cases. Colours nobody and keeps no result.
    TraceBatch(trace_batch::BatchArgs),
    /// Look at the cases of a division together: common places, clusters, likely sources.
    Backward(backward::BackwardArgs),
    /// Write a report of a run: lists, letters, the chain, the public trajectory, files for other systems.
    #[command(after_help = report::EXAMPLES)]
    Report(Box<report::ReportArgs>),
    /// Manage rule packs.
    #[command(subcommand)]
    Packs(Packs),
    /// Put the cases of the conformance suite to this program, or to any other over HTTP.
    #[command(subcommand)]
    Conformance(Conformance),
    /// Check the audit log, and export it.
    /// Replay what happened to assignments, and write it for another system.
    #[command(subcommand)]
    Assignments(Assignments),
    /// Check the audit log.
    #[command(subcommand)]
    Audit(Audit),
    /// Print the API document (OpenAPI).
    Openapi,
    /// Print a script that completes this command line in a shell.
    Completions {
        /// Which shell.
        shell: clap_complete::Shell,
    },
}

#[derive(Subcommand, Debug)]
enum Staff {
    /// Add an account; the password comes from a file or standard input.
    Add(staff::AddArgs),
}

#[derive(Subcommand, Debug)]
enum Codes {
    /// Tell what stands in codes, and whether the key file's keys have signed them. Needs no servers.
    Read(codes::ReadArgs),
    /// Raise the generation of points, so that new posters can be printed; old ones answer for a grace time.
    Rotate(codes::RotateArgs),
}

#[derive(Subcommand, Debug)]
enum Venues {
    /// Import venues with their points, approved. venues/README.md describes the columns.
    #[command(after_help = venues::EXAMPLES)]
    Import(Box<venues::ImportArgs>),
    /// Export venues with their points as CSV or GeoJSON, in the form that an import reads.
    #[command(after_help = venue_export::EXAMPLES)]
    Export(venue_export::ExportArgs),
}

#[derive(Subcommand, Debug)]
enum Divisions {
    /// Import where divisions lie; a venue outside its own is refused from then on.
    #[command(after_help = divisions::EXAMPLES)]
    Import(divisions::ImportArgs),
    /// List the divisions that are loaded.
    List(house::HouseArgs),
}

#[derive(Subcommand, Debug)]
enum Scans {
    /// Import scans of any age, such as paper lists or the history of another system.
    #[command(after_help = scans::EXAMPLES)]
    Import(scans::ImportArgs),
}

#[derive(Subcommand, Debug)]
enum Cases {
    /// Enter a case that a health authority has reported; prints its id.
    Report(Box<cases::ReportArgs>),
    /// Enter the cases of a line list (CSV), all of them or none.
    #[command(after_help = case_import::EXAMPLES)]
    Import(Box<case_import::ImportArgs>),
    /// List the cases of a division, the newest first.
    List(cases::ListArgs),
    /// Take a case back, with everything that hangs on it.
    Withdraw(cases::WithdrawArgs),
}

#[derive(Subcommand, Debug)]
enum Packs {
    /// Load rule packs, and list all that are loaded.
    Load(packs::LoadArgs),
    /// Check rule packs, and say file, line and key of what is wrong. Needs no servers.
    #[command(after_help = packs::CHECK_EXAMPLES)]
    Check(packs::CheckArgs),
    /// List the rule packs that come with the program.
    List,
    /// Show a rule pack: its classes and numbers, each with its source. Needs no servers.
    #[command(after_help = packs::SHOW_EXAMPLES)]
    Show(packs::ShowArgs),
    /// Print the schema of rule packs (JSON Schema), for an editor that completes and checks.
    Schema,
}

#[derive(Subcommand, Debug)]
enum Conformance {
    /// Put every case, and print what differs.
    #[command(after_help = conformance::EXAMPLES)]
    Run(conformance::RunArgs),
}

#[derive(Subcommand, Debug)]
enum Assignments {
    /// Replay all events and compare with the rows; the first difference is named.
    Verify(assignments::VerifyArgs),
    /// Write the assignments that last with their events, for a migration that two people answer for.
    #[command(after_help = assignments::EXAMPLES)]
    Export(assignments::ExportArgs),
    /// Replay an export, and say what colours it comes to. Needs no servers, changes nothing.
    Replay(assignments::ReplayArgs),
}

#[derive(Subcommand, Debug)]
enum Audit {
    /// Verify the hash chain against the published heads; the first broken link is named.
    #[command(after_help = audit::EXAMPLES)]
    Verify(audit::VerifyArgs),
    /// Write the log with its published heads to a file, which verifies without any server.
    Export(audit::ExportArgs),
}

/// Plays the role that the command line names.
pub async fn run(cli: Cli) -> ExitCode {
    match Box::pin(play(cli)).await {
        Ok(code) => code,
        Err(error) => {
            terminal::remark(format!("{error:#}"));
            ExitCode::FAILURE
        }
    }
}

async fn play(cli: Cli) -> anyhow::Result<ExitCode> {
    match cli.role {
        Role::Serve(config) => serve::serve(*config, cli.log).await?,
        Role::Openapi => serve::openapi()?,
        Role::Demo(args) => {
            let whole = demo::demo(&args).await?;
            return Ok(if whole { ExitCode::SUCCESS } else { ExitCode::FAILURE });
        }
        Role::Work(args) => service::work(*args, cli.log).await?,
        Role::Up(args) => up::up(&args).await?,
        Role::Issuer(config) => service::issuer(config, cli.log).await?,
        Role::Sentinel(args) => sentinel::sentinel(&args).await?,
        Role::Migrate(args) => migrate(&args).await?,
        Role::Keys(args) => keys::keys(&args)?,
        Role::Codes(Codes::Read(args)) => return Ok(imported(codes::read(&args)?)),
        Role::Codes(Codes::Rotate(args)) => codes::rotate(&args).await?,
        Role::Staff(Staff::Add(args)) => staff::add(&args).await?,
        Role::Venues(Venues::Import(args)) => return Ok(imported(venues::import(&args).await?)),
        Role::Posters(args) => return posters::posters(&args).await,
        Role::Venues(Venues::Export(args)) => venue_export::export(&args).await?,
        Role::Divisions(Divisions::Import(args)) => return Ok(imported(divisions::import(&args).await?)),
        Role::Divisions(Divisions::List(args)) => divisions::list(&args).await?,
        Role::Categories(args) => categories::categories(&args)?,
        Role::Scans(Scans::Import(args)) => return Ok(imported(scans::import(&args).await?)),
        Role::Cases(Cases::Report(args)) => cases::report(&args).await?,
        Role::Cases(Cases::Import(args)) => return Ok(imported(case_import::import(&args).await?)),
        Role::Cases(Cases::List(args)) => cases::list(&args).await?,
        Role::Cases(Cases::Withdraw(args)) => cases::withdraw(&args).await?,
        Role::Trace(args) => trace::compute(&args).await?,
        Role::TraceBatch(args) => trace_batch::compute(&args).await?,
        Role::Backward(args) => backward::backward(&args).await?,
        Role::Report(args) => report::report(&args).await?,
        Role::Packs(Packs::Load(args)) => packs::load(&args).await?,
        Role::Conformance(Conformance::Run(args)) => return conformance::run(&args).await,
        Role::Packs(Packs::Check(args)) => return Ok(packs::check(&args)),
        Role::Packs(Packs::List) => packs::list()?,
        Role::Packs(Packs::Show(args)) => packs::show(&args)?,
        Role::Packs(Packs::Schema) => terminal::write(packs::SCHEMA.as_bytes())?,
        Role::Audit(Audit::Verify(args)) => return audit::verify(&args).await,
        Role::Audit(Audit::Export(args)) => audit::export(&args).await?,
        Role::Assignments(Assignments::Verify(args)) => assignments::verify(&args).await?,
        Role::Assignments(Assignments::Export(args)) => assignments::export(&args).await?,
        Role::Assignments(Assignments::Replay(args)) => assignments::replay(&args)?,
        Role::Completions { shell } => {
            let mut script = Vec::new();
            clap_complete::generate(shell, &mut Cli::command(), "placecode", &mut script);
            terminal::write(&script)?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn imported(refused: u64) -> ExitCode {
    if refused == 0 { ExitCode::SUCCESS } else { ExitCode::from(SOME_REFUSED) }
}

async fn migrate(args: &house::HouseArgs) -> anyhow::Result<()> {
    let house = house::House::open(args).await?;
    let run = house.migrate().await?;
    for name in &run {
        terminal::say(format!("ran {name}"));
    }
    terminal::say("The tables are in this release's form");
    house.close()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }
}
