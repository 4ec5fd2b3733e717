//! A table as Apache Parquet: one row group a page, so that no more than a page is held.

use std::io::Write;
use std::sync::{Arc, Mutex, PoisonError};

use parquet::basic::{Compression, LogicalType, Repetition, TimeUnit, Type as Physical};
use parquet::data_type::{BoolType, ByteArray, ByteArrayType, DataType, DoubleType, Int64Type};
use parquet::errors::ParquetError;
use parquet::file::metadata::KeyValue;
use parquet::file::properties::WriterProperties;
use parquet::file::writer::{SerializedFileWriter, SerializedRowGroupWriter};
use parquet::schema::types::Type;

use super::cell::{Cell, CellKind, Column, Row};

/// Bytes that the writer has let go and nobody has taken yet.
#[derive(Clone, Debug, Default)]
struct Pending(Arc<Mutex<Vec<u8>>>);

impl Pending {
    fn take(&self) -> Vec<u8> {
        std::mem::take(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Write for Pending {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// A Parquet file under way. Texts are UTF-8, moments are microseconds of UTC, every column may be null.
pub struct ParquetTable {
    columns: Vec<Column>,
    pending: Pending,
    writer: SerializedFileWriter<Pending>,
}

impl std::fmt::Debug for ParquetTable {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("ParquetTable")
    }
}

impl ParquetTable {
    /// Begins a file of those columns.
    pub fn begin(columns: &[Column], description: &str) -> Result<Self, ParquetError> {
        let fields = columns.iter().map(field).collect::<Result<Vec<_>, _>>()?;
        let schema = Type::group_type_builder("report").with_fields(fields).build()?;
        let told = KeyValue::new("description".to_owned(), description.to_owned());
        let properties = WriterProperties::builder()
            .set_compression(Compression::SNAPPY)
            .set_created_by("placecode".to_owned())
            .set_key_value_metadata(Some(vec![told]))
            .build();
        let pending = Pending::default();
        let writer = SerializedFileWriter::new(pending.clone(), Arc::new(schema), Arc::new(properties))?;
        Ok(Self { columns: columns.to_vec(), pending, writer })
    }

    /// Adds a page of rows and gives the bytes that are ready.
    pub fn add(&mut self, rows: &[Row]) -> Result<Vec<u8>, ParquetError> {
        if !rows.is_empty() {
            let mut group = self.writer.next_row_group()?;
            for (at, column) in self.columns.iter().enumerate() {
                let cells: Vec<&Cell> = rows.iter().map(|row| row.get(at).unwrap_or(&Cell::Empty)).collect();
                write_column(&mut group, column.kind, &cells)?;
            }
            group.close()?;
            self.writer.flush()?;
        }
        Ok(self.pending.take())
    }

    /// Ends the file and gives its last bytes.
    pub fn end(self) -> Result<Vec<u8>, ParquetError> {
        let pending = self.pending.clone();
        drop(self.writer.into_inner()?);
        Ok(pending.take())
    }
}

fn field(column: &Column) -> Result<Arc<Type>, ParquetError> {
    let (physical, logical) = match column.kind {
        CellKind::Text => (Physical::BYTE_ARRAY, Some(LogicalType::String)),
        CellKind::Int => (Physical::INT64, None),
        CellKind::Real => (Physical::DOUBLE, None),
        CellKind::Time => (Physical::INT64, Some(LogicalType::timestamp(true, TimeUnit::MICROS))),
        CellKind::Flag => (Physical::BOOLEAN, None),
    };
    let built = Type::primitive_type_builder(column.name, physical)
        .with_repetition(Repetition::OPTIONAL)
        .with_logical_type(logical)
        .build()?;
    Ok(Arc::new(built))
}

fn write_column<W: Write + Send>(
    group: &mut SerializedRowGroupWriter<'_, W>,
    kind: CellKind,
    cells: &[&Cell],
) -> Result<(), ParquetError> {
    match kind {
        CellKind::Text => write_cells::<ByteArrayType, W>(group, cells, |cell| match cell {
            Cell::Text(value) => Some(ByteArray::from(value.as_str())),
            _ => None,
        }),
        CellKind::Int => write_cells::<Int64Type, W>(group, cells, |cell| match cell {
            Cell::Int(value) => Some(*value),
            _ => None,
        }),
        CellKind::Real => write_cells::<DoubleType, W>(group, cells, |cell| match cell {
            Cell::Real(value) => Some(*value),
            _ => None,
        }),
        CellKind::Time => write_cells::<Int64Type, W>(group, cells, |cell| match cell {
            Cell::Time(value) => Some(value.timestamp_micros()),
            _ => None,
        }),
        CellKind::Flag => write_cells::<BoolType, W>(group, cells, |cell| match cell {
            Cell::Flag(value) => Some(*value),
            _ => None,
        }),
    }
}

fn write_cells<T: DataType, W: Write + Send>(
    group: &mut SerializedRowGroupWriter<'_, W>,
    cells: &[&Cell],
    value: impl Fn(&Cell) -> Option<T::T>,
) -> Result<(), ParquetError> {
    let values: Vec<Option<T::T>> = cells.iter().map(|cell| value(cell)).collect();
    let levels: Vec<i16> = values.iter().map(|value| i16::from(value.is_some())).collect();
    let present: Vec<T::T> = values.into_iter().flatten().collect();
    let missing = || ParquetError::General("a column is missing".to_owned());
    let mut column = group.next_column()?.ok_or_else(missing)?;
    column.typed::<T>().write_batch(&present, Some(&levels), None)?;
    column.close()
}

#[cfg(test)]
mod tests {
    use parquet::file::reader::{FileReader, SerializedFileReader};
    use parquet::record::Field;

    use super::*;
    use crate::domain::report::cell::column;

    #[test]
    fn a_reader_gives_back_what_was_written_page_by_page() {
        let columns = [
            column("name", CellKind::Text),
            column("count", CellKind::Int),
            column("share", CellKind::Real),
            column("at", CellKind::Time),
            column("left_out", CellKind::Flag),
        ];
        let at = "2026-03-16T04:00:00.000001Z".parse().unwrap();
        let full =
            vec![Cell::text("老茶馆"), Cell::Int(-7), Cell::Real(0.5), Cell::Time(at), Cell::Flag(false)];
        let empty = vec![Cell::Empty; 5];
        let mut table = ParquetTable::begin(&columns, "what this is").unwrap();
        let mut bytes = table.add(&[full.clone(), empty.clone()]).unwrap();
        let first_page = bytes.len();
        assert!(first_page > 4, "a page goes out when it is complete");
        bytes.extend(table.add(&[]).unwrap());
        bytes.extend(table.add(&[full]).unwrap());
        bytes.extend(table.end().unwrap());
        let reader = SerializedFileReader::new(bytes::Bytes::from(bytes)).unwrap();
        let metadata = reader.metadata();
        assert_eq!((metadata.num_row_groups(), metadata.file_metadata().num_rows()), (2, 3));
        let told = metadata.file_metadata().key_value_metadata().unwrap();
        assert!(told.iter().any(|told| told.value.as_deref() == Some("what this is")));
        let rows: Vec<_> = reader.get_row_iter(None).unwrap().map(Result::unwrap).collect();
        let fields =
            |row: usize| rows[row].get_column_iter().map(|(_, field)| field.clone()).collect::<Vec<_>>();
        assert_eq!(
            fields(2),
            [
                Field::Str("老茶馆".to_owned()),
                Field::Long(-7),
                Field::Double(0.5),
                Field::TimestampMicros(1_773_633_600_000_001),
                Field::Bool(false)
            ]
        );
        assert_eq!(fields(1), vec![Field::Null; 5]);
    }
}
