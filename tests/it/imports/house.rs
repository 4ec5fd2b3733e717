//! A database, a folder and the binary for one test.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use diesel::sql_types::{BigInt, Text};
use diesel::{QueryableByName, sql_query};
use diesel_async::{AsyncConnection, AsyncPgConnection, RunQueryDsl};
use uuid::Uuid;

use crate::support::servers;

pub(crate) const VISITOR_KEY: [u8; 32] = [7; 32];

pub(crate) fn block_on<T>(work: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(work)
}

/// A database and a folder of one test.
pub(crate) struct House {
    database: String,
    pub(crate) url: String,
    pub(crate) folder: PathBuf,
}

/// What one run of the binary said.
pub(crate) struct Said {
    pub(crate) code: i32,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl House {
    pub(crate) fn new(name: &str) -> Self {
        let folder = servers::folder().join("imports").join(name);
        if folder.exists() {
            fs::remove_dir_all(&folder).unwrap();
        }
        fs::create_dir_all(&folder).unwrap();
        let database = format!("imports_{}", Uuid::new_v4().simple());
        servers::create_database(&database);
        fs::write(folder.join("visitor.key"), data_encoding::HEXLOWER.encode(&VISITOR_KEY)).unwrap();
        let house = Self { url: servers::database_url(&database), database, folder };
        let keys = house.folder.join("keys.toml");
        assert_eq!(house.run(&["keys", keys.to_str().unwrap()]).code, 0);
        house
    }

    pub(crate) fn run(&self, args: &[&str]) -> Said {
        let output = self.command(args).output().unwrap();
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        Said { code: output.status.code().unwrap(), out: text(output.stdout), err: text(output.stderr) }
    }

    /// The program with those arguments, on the servers of this house.
    pub(crate) fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_placecode"));
        command
            .args(args)
            .env_clear()
            .env("DATABASE_URL", &self.url)
            .env("REDIS_URL", servers::redis_url())
            .env("KEYS_FILE", self.folder.join("keys.toml"))
            .env("VISITOR_KEY_FILE", self.folder.join("visitor.key"));
        command
    }

    /// Writes a file and returns its name.
    pub(crate) fn file(&self, name: &str, content: &[u8]) -> String {
        let path = self.folder.join(name);
        fs::write(&path, content).unwrap();
        path.to_str().unwrap().to_owned()
    }

    pub(crate) fn rows<T>(&self, query: &str) -> Vec<T>
    where
        T: QueryableByName<diesel::pg::Pg> + Send + 'static,
    {
        block_on(async {
            let mut conn = AsyncPgConnection::establish(&self.url).await.unwrap();
            sql_query(query).load(&mut conn).await.unwrap()
        })
    }

    pub(crate) fn change(&self, statement: &str) {
        block_on(async {
            let mut conn = AsyncPgConnection::establish(&self.url).await.unwrap();
            sql_query(statement).execute(&mut conn).await.unwrap();
        });
    }

    /// The register without ids and times.
    pub(crate) fn digest_of_content(&self) -> Vec<String> {
        let query = "select md5(concat(to_jsonb(v) - '{id,organisation_id,created_at}'::text[], to_jsonb(o) - '{id,created_at}'::text[],
            (select string_agg((to_jsonb(p) - '{id,venue_id,created_at,changed_at}'::text[])::text, ',' order by p.name) from points p where p.venue_id = v.id),
            (select string_agg((to_jsonb(s) - '{venue_id}'::text[])::text, ',' order by s.number) from stops s where s.venue_id = v.id))) as text
            from venues v join organisations o on o.id = v.organisation_id order by v.source_ref";
        self.rows::<Line>(query).into_iter().map(|row| row.text).collect()
    }

    /// A digest of everything that an import may write.
    pub(crate) fn digest(&self) -> Vec<String> {
        let tables = [
            "organisations",
            "venues",
            "points",
            "stops",
            "divisions",
            "scans",
            "stays",
            "imported_days",
            "audit_entries",
        ];
        let digest = |table: &&str| {
            let query = format!(
                "select '{table} ' || count(*) || coalesce(md5(string_agg(t::text, '' order by t::text)), '') as text
                 from {table} t"
            );
            self.rows::<Line>(&query).remove(0).text
        };
        tables.iter().map(digest).collect()
    }
}

impl Drop for House {
    fn drop(&mut self) {
        servers::drop_databases(&self.database);
    }
}

#[derive(QueryableByName)]
pub(crate) struct Line {
    #[diesel(sql_type = Text)]
    pub(crate) text: String,
}

#[derive(QueryableByName)]
pub(crate) struct Count {
    #[diesel(sql_type = BigInt)]
    pub(crate) n: i64,
}

pub(crate) fn refused(file: &str) -> Vec<Vec<String>> {
    let mut reader = csv::Reader::from_path(format!("{file}.refused.csv")).unwrap();
    reader.records().map(|row| row.unwrap().iter().map(str::to_owned).collect()).collect()
}

/// Row, column and what is wrong, of each refused row.
pub(crate) fn reasons(file: &str) -> Vec<String> {
    refused(file).iter().map(|row| format!("{} {}: {}", row[0], row[1], row[3])).collect()
}

pub(crate) fn number(said: &Said, what: &str) -> u64 {
    let line = said.out.lines().find(|line| line.contains(what));
    let line = line.unwrap_or_else(|| panic!("no line `{what}` in: {} {}", said.out, said.err));
    line.split_whitespace().next().unwrap().replace(',', "").parse().unwrap()
}
