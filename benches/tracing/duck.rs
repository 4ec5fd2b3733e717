//! `DuckDB` on the same stays, in a table of its own, when it can be had: a Python environment with the package from `PyPI`.

use std::io::Write;
use std::path::Path;
use std::process::Command;

use crate::city::{City, Visit};
use crate::floor::Sums;

/// Small columns, sorted by point and beginning: the form that suits it best. The question is prepared once.
const SCRIPT: &str = r#"
import duckdb, sys, time
folder = sys.argv[1]
db = duckdb.connect(folder + "/stays.duckdb")
db.execute(f"""create table stays as select * from read_csv('{folder}/stays.csv', header = false,
    columns = {{'point': 'INTEGER', 'start': 'INTEGER', 'stop': 'INTEGER', 'person': 'INTEGER'}})""")
trails = {}
for line in open(folder + "/trails.csv"):
    nth, point, start, stop, person = map(int, line.split(","))
    trails.setdefault(nth, []).append((point, start, stop, person))
question = """
    with w as (select unnest($1::integer[]) as point, unnest($2::integer[]) as start, unnest($3::integer[]) as stop)
    select person, count(*), sum(secs), min(first), max(last) from (
        select s.person, least(s.stop, w.stop) - greatest(s.start, w.start) as secs,
               greatest(s.start, w.start) as first, least(s.stop, w.stop) as last
        from stays s join w on s.point = w.point and s.start < w.stop and s.stop > w.start and s.start > w.start - 10800
        where s.person <> $4 and s.point between $5 and $6)
    group by person having max(secs) >= 900 order by 3 desc, 1"""
for nth, trail in trails.items():
    columns = [list(column) for column in zip(*trail)]
    values = [columns[0], columns[1], columns[2], trail[0][3], min(columns[0]), max(columns[0])]
    began = time.perf_counter()
    rows = db.execute(question, values).fetchall()
    took = (time.perf_counter() - began) * 1000
    sums = [len(rows)] + [sum(row[at] for row in rows) for at in (1, 2, 3, 4, 0)]
    print(took, *sums)
"#;

/// The milliseconds and the answer of each case; or why there are none.
pub(crate) fn measure(folder: &Path, city: &City, trails: &[Vec<Visit>]) -> Result<Vec<(f64, Sums)>, String> {
    let said = |error: std::io::Error| error.to_string();
    let venv = folder.join("venv");
    if !venv.join("bin/python").exists() {
        run(Command::new("python3").args(["-m", "venv"]).arg(&venv))?;
    }
    run(Command::new(venv.join("bin/pip")).args(["install", "--quiet", "duckdb"]))?;
    let ground = folder.join("duckdb");
    drop(std::fs::remove_dir_all(&ground));
    std::fs::create_dir_all(&ground).map_err(said)?;
    let write = |name: &str, text: &mut dyn Iterator<Item = String>| {
        let mut file = std::io::BufWriter::new(std::fs::File::create(ground.join(name))?);
        for line in text {
            file.write_all(line.as_bytes())?;
        }
        file.flush()
    };
    let stay = |v: &Visit| format!("{},{},{},{}\n", v.point, v.from, v.until, v.person);
    write("stays.csv", &mut city.visits.iter().map(stay)).map_err(said)?;
    let cases = trails.iter().enumerate();
    let mut lines = cases.flat_map(|(nth, trail)| trail.iter().map(move |v| format!("{nth},{}", stay(v))));
    write("trails.csv", &mut lines).map_err(said)?;
    let script = ground.join("measure.py");
    std::fs::write(&script, SCRIPT).map_err(said)?;
    let output = run(Command::new(venv.join("bin/python")).arg(&script).arg(&ground))?;
    drop(std::fs::remove_dir_all(&ground));
    output.lines().map(|line| parse(line).ok_or_else(|| format!("DuckDB said: {line}"))).collect()
}

fn parse(line: &str) -> Option<(f64, Sums)> {
    let mut words = line.split(' ');
    let took = words.next()?.parse().ok()?;
    let mut sums = [0; 6];
    for sum in &mut sums {
        *sum = words.next()?.parse().ok()?;
    }
    Some((took, sums))
}

fn run(command: &mut Command) -> Result<String, String> {
    let output = command.output().map_err(|error| error.to_string())?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    Err(said.trim().lines().last().unwrap_or("it failed").to_owned())
}
