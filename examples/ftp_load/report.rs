//! `ftp_load report`: tables with the medians of many runs side by side.
//!
//! It reads the lines of `--json` and writes Markdown. The first server in the file is the measured
//! one, the server `bare` is the limit, and all others are peers. A ratio above 1
//! always means that the first server is better, whichever direction of the unit is better.

use crate::figures::{median, short};
use crate::record::Record;
use mt_ftp::args::{Flag, Parsed, Program, Usage};
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::{fs, io};

/// The command line of the report.
pub static PROGRAM: Program = Program {
    name: "ftp_load report",
    version: env!("CARGO_PKG_VERSION"),
    about: "Write tables (Markdown) of runs that were recorded with --json: medians by --row and \
            --server, and the ratio of the first server to the best of the others.",
    usage: &["ftp_load report [OPTIONS] FILE"],
    flags: &[Flag::switch("chart", "write a bar chart (SVG) of the rates instead")],
    after: "",
};

/// The name of the server that is the limit and not a peer.
pub const LIMIT: &str = "bare";

/// A number in a record that is reported.
#[derive(Clone, Copy, Debug)]
pub struct Metric {
    /// The table that contains it.
    pub table: Table,
    /// Its name in the record.
    name: &'static str,
    /// The unit for people.
    pub unit: &'static str,
    /// The direction in which the number is better.
    pub better: Better,
    /// Selects the runs that have this number.
    of: fn(&Record) -> bool,
}

/// The tables, in their order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Table {
    /// Rates.
    Speed,
    /// Processor time.
    CpuTime,
    /// Latencies.
    Latency,
    /// Failures, memory, and rates after a long time.
    Resources,
}

/// The direction in which the number is better.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Better {
    /// The larger number.
    More,
    /// The smaller number.
    Less,
}

const fn metric(
    table: Table,
    name: &'static str,
    unit: &'static str,
    better: Better,
    of: fn(&Record) -> bool,
) -> Metric {
    Metric { table, name, unit, better, of }
}

/// All metrics, in the order of the tables.
const METRICS: &[Metric] = &[
    metric(Table::Speed, "mb_per_second", "MB/s", Better::More, is_large),
    metric(Table::Speed, "per_second", "/s", Better::More, has_rate),
    metric(Table::Speed, "p50_ms", "ms", Better::Less, |run| is(run, "list")),
    metric(Table::Speed, "open_s", "s to open all", Better::Less, |run| is(run, "idle")),
    metric(Table::CpuTime, "server_cpu_s_per_gib", "s/GiB", Better::Less, is_large),
    metric(Table::CpuTime, "server_cpu_s_per_1000", "s/1000", Better::Less, |run| {
        has_rate(run) || is(run, "list")
    }),
    metric(Table::Latency, "p50_ms", "ms, p50", Better::Less, has_rate),
    metric(Table::Latency, "p99_ms", "ms, p99", Better::Less, has_rate),
    metric(Table::Latency, "p99_ms", "ms, NOOP p99", Better::Less, |run| is(run, "idle")),
    metric(Table::Resources, ERRORS, "refused or failed", Better::Less, |run| {
        run.get_number("rate").is_some()
    }),
    metric(Table::Resources, "last_to_first", "last tenth / first", Better::More, |run| {
        run.get_text("row").contains("in a row")
    }),
    metric(Table::Resources, "peak_growth_kib", "KiB more memory", Better::Less, |run| {
        is(run, "list")
    }),
    metric(Table::Resources, "private_kib_per_session", "KiB a session", Better::Less, |run| {
        is(run, "idle")
    }),
    metric(Table::Resources, "mb_per_second", "MB/s, RETR by a new client", Better::More, |run| {
        is(run, "idle")
    }),
];

/// The name of the number of failures in a record.
const ERRORS: &str = "errors";

/// Returns whether some work was completed or some sessions were opened, and nothing failed: the rate
/// of a server that rejects a part of the work cannot be compared.
fn has_succeeded(run: &Record) -> bool {
    ["done", "sessions"].iter().all(|name| run.get_number(name) != Some(0.0))
        && run.get_text("error").is_empty()
}

fn is(run: &Record, scenario: &str) -> bool {
    run.get_text("scenario") == scenario
}

fn moves(run: &Record) -> bool {
    is(run, "retr") || is(run, "stor")
}

/// Returns whether a run moves files that are large enough to be measured in bytes.
fn is_large(run: &Record) -> bool {
    const MIB: f64 = 1_048_576.0;
    let each = run.get_number("bytes").zip(run.get_number("done"));
    moves(run) && each.is_some_and(|(bytes, done)| bytes >= done * MIB)
}

fn has_rate(run: &Record) -> bool {
    moves(run) && !is_large(run) || is(run, "login") || is(run, "churn")
}

/// The runs by row and server.
#[derive(Debug, Default)]
pub struct Results {
    /// The servers in the order of their first run.
    pub servers: Vec<String>,
    rows: Vec<String>,
    runs: BTreeMap<(String, String), Vec<Record>>,
}

/// A metric of one row, with the median of each server.
#[derive(Debug)]
pub struct Line {
    /// The row.
    pub row: String,
    /// The metric.
    pub metric: Metric,
    /// The medians, in the order of [`Results::servers`].
    pub medians: Vec<Option<f64>>,
}

impl Results {
    /// Parses lines of JSON.
    ///
    /// # Errors
    /// Returns the first line that is not a record.
    pub fn parse(text: &str) -> Result<Results, String> {
        let mut results = Results::default();
        for (number, line) in text.lines().enumerate().filter(|(_, line)| !line.is_empty()) {
            let run = Record::parse(line).ok_or(format!("line {} is not a record", number + 1))?;
            results.add(run);
        }
        Ok(results)
    }

    fn add(&mut self, mut run: Record) {
        let tenths = ["last_tenth_per_second", "first_tenth_per_second"];
        if let [Some(last), Some(first)] = tenths.map(|name| run.get_number(name)) {
            run.number("last_to_first", last / first);
        }
        let [row, server] = ["row", "server"].map(|name| run.get_text(name).to_owned());
        for (list, name) in [(&mut self.rows, &row), (&mut self.servers, &server)] {
            if !list.contains(name) {
                list.push(name.clone());
            }
        }
        self.runs.entry((row, server)).or_default().push(run);
    }

    /// Returns the lines of a table.
    pub fn lines(&self, table: Table) -> Vec<Line> {
        let mut lines = Vec::new();
        for row in &self.rows {
            for metric in METRICS.iter().filter(|metric| metric.table == table) {
                let medians: Vec<Option<f64>> =
                    self.servers.iter().map(|server| self.median(row, server, metric)).collect();
                if medians.iter().any(Option::is_some) {
                    lines.push(Line { row: row.clone(), metric: *metric, medians });
                }
            }
        }
        lines
    }

    /// Returns the median of all runs that succeeded. The number of failures also counts in the others.
    fn median(&self, row: &str, server: &str, metric: &Metric) -> Option<f64> {
        let runs = self.runs.get(&(row.to_owned(), server.to_owned()))?;
        let counts = |run: &Record| metric.name == ERRORS || has_succeeded(run);
        let good = runs.iter().filter(|run| counts(run) && (metric.of)(run));
        median(&good.filter_map(|run| run.get_number(metric.name)).collect::<Vec<_>>())
    }

    /// Returns one failure for each row and server that has one.
    fn failures(&self) -> Vec<String> {
        let mut failures = Vec::new();
        for ((row, server), runs) in &self.runs {
            let errors = runs.iter().map(|run| run.get_text("error"));
            let late = runs.iter().all(|run| run.get_number("done") == Some(0.0));
            let late = late.then_some("no task was done within the time limit");
            if let Some(error) = errors.into_iter().find(|error| !error.is_empty()).or(late) {
                failures.push(format!("{server}, {row}: {error}"));
            }
        }
        failures
    }

    /// Returns the tables, and the failures below them.
    pub fn to_markdown(&self) -> String {
        let mut out = String::new();
        let titles = [
            (Table::Speed, "How fast"),
            (Table::CpuTime, "Processor time of the server"),
            (Table::Latency, "Latency"),
            (Table::Resources, "Memory and endurance"),
        ];
        for (table, title) in titles {
            let lines = self.lines(table);
            if !lines.is_empty() {
                // Writing to a String cannot fail, here and below.
                let _ = write!(out, "### {title}\n\n{}\n", self.table(&lines));
            }
        }
        for failure in self.failures() {
            let _ = writeln!(out, "- {failure}");
        }
        out
    }

    fn table(&self, lines: &[Line]) -> String {
        let mut head = vec!["work".to_owned(), "unit".to_owned()];
        head.extend(self.servers.iter().cloned());
        let has_peers = self.peers().next().is_some();
        let has_limit = self.limit().is_some();
        head.extend(has_peers.then(|| "to best peer".to_owned()));
        head.extend(has_limit.then(|| format!("to {LIMIT}")));
        let rule = head.iter().enumerate().map(|(at, _)| if at < 2 { "---" } else { "---:" });
        let mut out = row_of(&head) + &row_of(&rule.collect::<Vec<_>>());
        for line in lines {
            let mut cells = vec![line.row.clone(), line.metric.unit.to_owned()];
            cells.extend(line.medians.iter().map(|value| value.map_or("–".into(), short)));
            cells.extend(has_peers.then(|| ratio_cell(self.to_best_peer(line))));
            cells.extend(has_limit.then(|| ratio_cell(self.to_limit(line))));
            out += &row_of(&cells);
        }
        out
    }

    fn limit(&self) -> Option<usize> {
        self.servers.iter().position(|server| server == LIMIT)
    }

    fn peers(&self) -> impl Iterator<Item = usize> {
        (1..self.servers.len()).filter(|at| self.servers[*at] != LIMIT)
    }

    fn to_best_peer(&self, line: &Line) -> Option<f64> {
        let medians = self.peers().filter_map(|peer| line.medians[peer]);
        let best = match line.metric.better {
            Better::More => medians.max_by(f64::total_cmp),
            Better::Less => medians.min_by(f64::total_cmp),
        };
        ratio(line, best?)
    }

    fn to_limit(&self, line: &Line) -> Option<f64> {
        ratio(line, line.medians[self.limit()?]?)
    }
}

/// Returns how many times better the first server is than another one. Growth of memory may be zero or
/// negative, and has no ratio then.
fn ratio(line: &Line, theirs: f64) -> Option<f64> {
    let ours = line.medians[0]?;
    let ratio = match line.metric.better {
        Better::More => ours / theirs,
        Better::Less => theirs / ours,
    };
    (ours > 0.0 && theirs > 0.0).then_some(ratio)
}

/// Formats a ratio, in bold if the first server is worse.
fn ratio_cell(ratio: Option<f64>) -> String {
    match ratio {
        Some(ratio) if ratio >= 100.0 => short(ratio),
        Some(ratio) if ratio < 0.001 => "**<0.001**".into(),
        Some(ratio) if ratio < 0.1 => format!("**{ratio:.3}**"),
        Some(ratio) if ratio < 1.0 => format!("**{ratio:.2}**"),
        Some(ratio) => format!("{ratio:.2}"),
        None => "–".into(),
    }
}

fn row_of(cells: &[impl AsRef<str>]) -> String {
    let cells: Vec<&str> = cells.iter().map(AsRef::as_ref).collect();
    format!("| {} |\n", cells.join(" | "))
}

/// Reads the file, and prints its content as tables or as a chart.
pub fn run(
    parsed: &Parsed,
    chart: fn(&Results) -> String,
    print: fn(&str) -> Result<(), String>,
) -> Result<Result<(), String>, Usage> {
    let [file] = parsed.operands() else {
        return Err(Usage::missing_operand("one file of JSON lines"));
    };
    let show = if parsed.switch("chart") { chart } else { Results::to_markdown };
    let text = fs::read_to_string(file).map_err(|error: io::Error| error.to_string());
    let results = text.and_then(|text| Results::parse(&text));
    Ok(results
        .map_err(|error| format!("{}: {error}", file.display()))
        .and_then(|results| print(&show(&results))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_sound() {
        PROGRAM.check();
    }

    fn line(server: &str, rate: f64, cpu: f64) -> String {
        let mut run = Record::default();
        run.text("row", "visits");
        run.text("server", server);
        run.text("scenario", "churn");
        run.number("done", 1.0);
        run.number("per_second", rate);
        run.number("server_cpu_s_per_1000", cpu);
        run.to_json() + "\n"
    }

    #[test]
    fn medians_are_shown_with_their_ratio() {
        let mut text = String::new();
        for (ours, theirs) in [(100.0, 60.0), (300.0, 50.0), (200.0, 70.0)] {
            text += &(line("ours", ours, 0.5) + &line("theirs", theirs, 0.25));
            text += &(line("slow", 1.0, 9.0) + &line("bare", 400.0, 0.125));
        }
        let expected = "\
### How fast

| work | unit | ours | theirs | slow | bare | to best peer | to bare |
| --- | --- | ---: | ---: | ---: | ---: | ---: | ---: |
| visits | /s | 200 | 60 | 1 | 400 | 3.33 | **0.50** |

### Processor time of the server

| work | unit | ours | theirs | slow | bare | to best peer | to bare |
| --- | --- | ---: | ---: | ---: | ---: | ---: | ---: |
| visits | s/1000 | 0.500 | 0.250 | 9 | 0.125 | **0.50** | **0.25** |

";
        assert_eq!(Results::parse(&text).unwrap().to_markdown(), expected);
    }

    #[test]
    fn zero_has_no_ratio() {
        let run = |server: &str, grown: f64| {
            let mut run = Record::default();
            for (name, text) in [("row", "names"), ("server", server), ("scenario", "list")] {
                run.text(name, text);
            }
            run.number("peak_growth_kib", grown);
            run.to_json() + "\n"
        };
        for (ours, best, ratio) in [
            (4.0, 8.0, "2.00"),
            (4.0, 0.0, "–"),
            (0.0, 8.0, "–"),
            (4.0, -8.0, "–"),
            (0.0, 0.0, "–"),
        ] {
            let text = run("ours", ours) + &run("other", 16.0) + &run("best", best);
            let markdown = Results::parse(&text).unwrap().to_markdown();
            assert!(markdown.ends_with(&format!("| {ratio} |\n\n")), "{markdown}");
        }
    }

    #[test]
    fn one_server_has_no_ratio() {
        let markdown = Results::parse(&line("ours", 5.0, 0.5)).unwrap().to_markdown();
        assert!(markdown.contains("| work | unit | ours |\n"), "{markdown}");
    }

    #[test]
    fn a_run_with_failures_has_no_rate_but_their_number() {
        let mut run = Record::parse(&line("peer", 5.0, 0.5)).unwrap();
        run.number("rate", 10.0);
        run.number("errors", 3.0);
        run.text("error", "it broke");
        let markdown = Results::parse(&(line("ours", 4.0, 0.5) + &run.to_json()));
        let markdown = markdown.unwrap().to_markdown();
        assert!(markdown.contains("| visits | /s | 4 | – | – |\n"), "{markdown}");
        assert!(markdown.contains("| visits | refused or failed | – | 3 | – |\n"), "{markdown}");
        assert!(markdown.ends_with("- peer, visits: it broke\n"), "{markdown}");
        // A run that succeeded later counts alone.
        let repeated = run.to_json() + "\n" + &line("peer", 7.0, 0.5);
        let markdown = Results::parse(&repeated).unwrap().to_markdown();
        assert!(markdown.contains("| visits | /s | 7 |\n"), "{markdown}");
    }

    #[test]
    fn other_text_is_refused() {
        assert_eq!(Results::parse("{}\nnot ours").unwrap_err(), "line 2 is not a record");
    }
}
