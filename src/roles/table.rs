//! Tables from files: CSV or TSV, plain or gzip, with a header or without, read row by row.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs::File;
use std::io::{BufReader, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use anyhow::{Context, bail, ensure};
use csv::{ByteRecord, ReaderBuilder, StringRecord};

use super::refusals::Refusal;
use super::row::Row;

/// What the name of a column is in a list that means "ignore this one".
const IGNORED: &str = "-";

/// Where rows come from and how their columns are called.
#[derive(clap::Args, Clone, Debug)]
pub(crate) struct FileArgs {
    /// The file in UTF-8, plain or gzip: CSV or TSV; venues and divisions also as GeoJSON.
    pub(crate) file: PathBuf,

    /// The character between columns, or `tab`. Without it a tab for .tsv and .tsv.gz, else a comma.
    #[arg(long, value_parser = delimiter)]
    pub(crate) delimiter: Option<u8>,

    /// The columns of a file without a header, in order, such as `id,name,lat,lng`; `-` for one to ignore.
    #[arg(long, value_delimiter = ',', conflicts_with = "map")]
    pub(crate) columns: Vec<String>,

    /// Under which name a file with a header has a column, such as `name=VENUE_NAME`. May be repeated.
    #[arg(long, value_name = "COLUMN=NAME", value_parser = pair)]
    pub(crate) map: Vec<(String, String)>,

    /// Check everything and write the report of refused rows, but store nothing.
    #[arg(long)]
    pub(crate) dry_run: bool,
}

/// What a source of rows is called.
#[derive(clap::Args, Clone, Debug)]
pub(crate) struct SetArgs {
    /// What the source is called: an id `7` of the set `gowalla` is kept as `gowalla:7`. The same file under
    /// the same name changes nothing when it is imported again.
    #[arg(long = "set", value_name = "SET", value_parser = set_name)]
    pub(crate) name: String,
}

/// A name that can stand before the colon of a source reference.
pub(crate) fn set_name(text: &str) -> Result<String, String> {
    let plain = |letter: char| letter.is_ascii_lowercase() || letter.is_ascii_digit() || letter == '-';
    if (1..=40).contains(&text.len()) && text.chars().all(plain) {
        Ok(text.to_owned())
    } else {
        Err("1 to 40 lower-case letters, digits and hyphens".to_owned())
    }
}

fn delimiter(text: &str) -> Result<u8, String> {
    match text.as_bytes() {
        _ if text == "tab" => Ok(b'\t'),
        [one] if !matches!(one, b'"' | b'\n' | b'\r') => Ok(*one),
        _ => Err("one ASCII character, or `tab`".to_owned()),
    }
}

fn pair(text: &str) -> Result<(String, String), String> {
    let (column, name) = text.split_once('=').ok_or("COLUMN=NAME, such as name=VENUE_NAME")?;
    Ok((column.trim().to_owned(), name.trim().to_owned()))
}

/// The columns that an import understands.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Layout {
    /// All of them.
    pub(crate) known: &'static [&'static str],
    /// Those that every file must have.
    pub(crate) required: &'static [&'static str],
}

/// A table that is being read.
pub(crate) struct Table {
    reader: csv::Reader<Box<dyn Read + Send>>,
    columns: Arc<BTreeMap<&'static str, usize>>,
    width: usize,
    seen: Arc<AtomicU64>,
    size: u64,
    /// Names in the header that no column is called by; a slip, or simply more than is needed.
    pub(crate) unused: Vec<String>,
}

/// A file that is open and unpacked, and how much of it was read.
pub(crate) struct Opened {
    /// What it holds, without a mark of UTF-8 at the beginning.
    pub(crate) source: Box<dyn Read + Send>,
    /// How many bytes of the file were read.
    pub(crate) seen: Arc<AtomicU64>,
    /// How many there are.
    pub(crate) size: u64,
}

impl Opened {
    /// Opens a file.
    pub(crate) fn open(file: &Path) -> anyhow::Result<Self> {
        let place = || file.display().to_string();
        let open = File::open(file).with_context(place)?;
        let size = open.metadata().with_context(place)?.len();
        let seen = Arc::new(AtomicU64::new(0));
        let source = unpacked(Counted { file: open, seen: seen.clone() }).with_context(place)?;
        Ok(Self { source, seen, size })
    }
}

impl Table {
    /// Opens a file and finds its columns.
    pub(crate) fn open(args: &FileArgs, layout: Layout) -> anyhow::Result<Self> {
        Self::new(Opened::open(&args.file)?, args, layout)
    }

    /// Finds the columns of an open file.
    pub(crate) fn new(opened: Opened, args: &FileArgs, layout: Layout) -> anyhow::Result<Self> {
        let place = || args.file.display().to_string();
        let Opened { source, seen, size } = opened;
        let delimiter = args.delimiter.unwrap_or_else(|| usual_delimiter(&args.file));
        let mut reader = ReaderBuilder::new()
            .delimiter(delimiter)
            // Quotes mean nothing in tab-separated files (IANA text/tab-separated-values).
            .quoting(delimiter != b'\t')
            .has_headers(args.columns.is_empty())
            .flexible(true)
            .from_reader(source);
        let (names, unused) = if args.columns.is_empty() {
            let header = reader.headers().with_context(place)?.clone();
            header_names(&header, &args.map, layout)?
        } else {
            (args.columns.clone(), Vec::new())
        };
        let width = names.len();
        let columns = Arc::new(places(&names, layout)?);
        Ok(Self { reader, columns, width, seen, size, unused })
    }

    /// Whether the file has that column.
    pub(crate) fn has(&self, column: &str) -> bool {
        self.columns.contains_key(column)
    }

    /// The next row with the number of its line, or why it cannot be read; `None` at the end.
    pub(crate) fn next_row(&mut self) -> anyhow::Result<Option<(u64, Result<Row, Refusal>)>> {
        let mut bytes = ByteRecord::new();
        if !self.reader.read_byte_record(&mut bytes).context("the file cannot be read on")? {
            return Ok(None);
        }
        let line = bytes.position().map_or(0, csv::Position::line);
        Ok(Some((line, self.row(bytes))))
    }

    fn row(&self, bytes: ByteRecord) -> Result<Row, Refusal> {
        if bytes.len() != self.width {
            let right = format!("{} columns", self.width);
            return Err(Refusal::new(
                "row",
                &format!("{} columns", bytes.len()),
                "not as wide as the file",
                &right,
            ));
        }
        let record = StringRecord::from_byte_record(bytes).map_err(|_utf8| {
            Refusal::new("row", "", "not UTF-8", "UTF-8; spreadsheets call it `CSV UTF-8`")
        })?;
        Ok(Row::Cells { columns: self.columns.clone(), record })
    }

    /// How many bytes of the file were read, and how many there are.
    pub(crate) fn progress(&self) -> (u64, u64) {
        (self.seen.load(Ordering::Relaxed), self.size)
    }
}

fn usual_delimiter(file: &Path) -> u8 {
    let ending = Path::new(unpacked_name(file)).extension();
    if ending.is_some_and(|end| end.eq_ignore_ascii_case("tsv")) { b'\t' } else { b',' }
}

/// The name of a file without the ending of gzip.
pub(crate) fn unpacked_name(file: &Path) -> &OsStr {
    let packed = file.extension().is_some_and(|end| end.eq_ignore_ascii_case("gz"));
    if packed { file.file_stem() } else { file.file_name() }.unwrap_or_default()
}

/// The canonical name of each column of a header, `-` for those that nothing is called by, and these.
fn header_names(
    header: &StringRecord,
    map: &[(String, String)],
    layout: Layout,
) -> anyhow::Result<(Vec<String>, Vec<String>)> {
    for (column, name) in map {
        ensure!(
            header.iter().any(|have| have.trim() == name),
            "--map {column}={name}: the header has no `{name}`; it has {}",
            header.iter().collect::<Vec<_>>().join(", ")
        );
    }
    let mut unused = Vec::new();
    let mut names = Vec::new();
    for have in header.iter().map(str::trim) {
        let mapped = map.iter().find(|(_, name)| name == have).map(|(column, _)| column.clone());
        let taken = |column: &str| map.iter().any(|(mapped, _)| mapped == column);
        let same = have.to_lowercase();
        let own = (layout.known.contains(&same.as_str()) && !taken(&same)).then_some(same);
        names.push(mapped.or(own).unwrap_or_else(|| {
            unused.push(have.to_owned());
            IGNORED.to_owned()
        }));
    }
    Ok((names, unused))
}

/// Where each column stands.
fn places(names: &[String], layout: Layout) -> anyhow::Result<BTreeMap<&'static str, usize>> {
    let known = layout.known.join(", ");
    let mut places = BTreeMap::new();
    for (place, name) in names.iter().map(|name| name.trim()).enumerate().filter(|(_, name)| *name != IGNORED)
    {
        let Some(column) = layout.known.iter().find(|column| **column == name) else {
            bail!("`{name}` is no column of this import; it knows {known}, and `{IGNORED}` to ignore one");
        };
        ensure!(places.insert(*column, place).is_none(), "the column `{name}` is named twice");
    }
    for column in layout.required {
        ensure!(
            places.contains_key(column),
            "the column `{column}` is missing; name it with --map {column}=NAME, or with --columns when the file has \
             no header (columns: {known})"
        );
    }
    Ok(places)
}

struct Counted {
    file: File,
    seen: Arc<AtomicU64>,
}

impl Read for Counted {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let count = self.file.read(buffer)?;
        self.seen.fetch_add(count as u64, Ordering::Relaxed);
        Ok(count)
    }
}

/// Told by the first bytes, since names lie. A mark of UTF-8 at the beginning, which spreadsheets write, is no part
/// of the first name.
fn unpacked(file: Counted) -> std::io::Result<Box<dyn Read + Send>> {
    let (first, rest) = peek(BufReader::with_capacity(1 << 16, file), 2)?;
    let packed = first == [0x1f, 0x8b];
    let whole = BufReader::new(std::io::Cursor::new(first).chain(rest));
    let whole: Box<dyn Read + Send> =
        if packed { Box::new(flate2::bufread::MultiGzDecoder::new(whole)) } else { Box::new(whole) };
    let (first, rest) = peek(whole, 3)?;
    let first = if first == [0xef, 0xbb, 0xbf] { Vec::new() } else { first };
    Ok(Box::new(std::io::Cursor::new(first).chain(rest)))
}

/// The first bytes, fewer at the end, and what comes after them.
fn peek<R: Read>(mut source: R, count: u64) -> std::io::Result<(Vec<u8>, R)> {
    let mut first = Vec::new();
    source.by_ref().take(count).read_to_end(&mut first)?;
    Ok((first, source))
}
