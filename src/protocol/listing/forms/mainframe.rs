//! IBM mainframes: data sets, members and jobs of z/OS, and files of z/VM.
//!
//! A listing of z/OS has a heading, and some lines can be parsed only below it: a single word is a
//! member there and has no meaning elsewhere. Sizes are in tracks, records or lines and therefore
//! count as unknown.

mod data_sets;
mod jobs;
mod members;
mod vm;

use super::super::context::Context;
use super::super::entry::Entry;
use super::super::words::Words;

/// The kind of table that a heading of z/OS announces.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in super::super) enum Table {
    /// Data sets, with the column at which their names begin.
    DataSets(usize),
    /// Members of a partitioned data set.
    Members,
    /// Jobs of JES.
    Jobs,
}

impl Table {
    /// Returns the kind of table that follows a heading.
    pub(in super::super) fn announced(line: &[u8]) -> Option<Table> {
        let words = Words { rest: line };
        if words.start_with(&["Volume", "Unit", "Referred", "Ext"]) {
            line.windows(6).position(|text| text == b"Dsname").map(Table::DataSets)
        } else if words.start_with(&["Name", "VV.MM", "Created", "Changed"])
            || words.start_with(&["Name", "Size", "TTR"])
        {
            Some(Table::Members)
        } else {
            words.start_with(&["JOBNAME", "JOBID", "OWNER", "STATUS"]).then_some(Table::Jobs)
        }
    }
}

/// Parses a line of z/OS or z/VM, which may follow the heading of a table.
pub(super) fn parse_mainframe(
    line: &[u8],
    table: Option<Table>,
    context: &Context<'_>,
) -> Option<Entry> {
    let column = match table {
        Some(Table::DataSets(column)) => Some(column),
        _ => None,
    };
    data_sets::parse_data_set(line, column, context)
        .or_else(|| members::parse_member(line, table == Some(Table::Members), context))
        .or_else(|| jobs::parse_job(line, table == Some(Table::Jobs)))
        .or_else(|| vm::parse_vm(line, context))
}
