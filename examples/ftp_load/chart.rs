//! Draws a bar chart of the rates as SVG, with one panel per row and one bar per server.
//!
//! The rows have different units, so each panel has its own scale: the longest bar is the largest
//! value of the panel. The colors follow `prefers-color-scheme`, which browsers also apply to
//! images.

use crate::figures::short;
use crate::report::{Better, LIMIT, Line, Results, Table};
use std::fmt::Write as _;

const COLUMNS: usize = 2;
const PANEL: f64 = 440.0;
const GAP: f64 = 40.0;
const MARGIN: f64 = 24.0;
const TITLE: f64 = 26.0;
const BAR: f64 = 18.0;
const NAME: f64 = 84.0;
/// The length of the longest bar; the number follows it.
const LONGEST: f64 = 272.0;

const STYLE: &str = "\
text { font: 13px system-ui, sans-serif; fill: #1f2328; }
.title { font-weight: 600; }
.name { text-anchor: end; }
.note, .unit { fill: #59636e; }
.unit { font-weight: 400; }
.ours { fill: #0969da; }
.peer { fill: #afb8c1; }
.limit { fill: none; stroke: #8c959f; stroke-dasharray: 3 2; }
.page { fill: #ffffff; }
@media (prefers-color-scheme: dark) {
  text { fill: #f0f6fc; }
  .note, .unit { fill: #9198a1; }
  .ours { fill: #4493f8; }
  .peer { fill: #545d68; }
  .limit { stroke: #9198a1; }
  .page { fill: #0d1117; }
}
";

/// Draws the table of rates.
pub fn draw(results: &Results) -> String {
    let lines = results.lines(Table::Speed);
    let panel = TITLE + BAR * results.servers.len() as f64 + 14.0;
    let down = lines.len().div_ceil(COLUMNS);
    let width = 2.0 * MARGIN + COLUMNS as f64 * PANEL + (COLUMNS - 1) as f64 * GAP;
    let height = 2.0 * MARGIN + panel * down as f64 + 20.0;
    let mut out = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" \
         width=\"{width}\" height=\"{height}\" role=\"img\" aria-label=\"Rates side by side\">\n\
         <style>\n{STYLE}</style>\n<rect class=\"page\" width=\"100%\" height=\"100%\"/>\n"
    );
    for (index, line) in lines.iter().enumerate() {
        let x = MARGIN + (index / down) as f64 * (PANEL + GAP);
        let y = MARGIN + (index % down) as f64 * panel;
        draw_panel(results, line, &mut out, (x, y));
    }
    let limit = match results.servers.iter().any(|server| server == LIMIT) {
        true => format!(" {LIMIT} checks nothing and moves bytes: the limit of this machine."),
        false => String::new(),
    };
    // Writing to a String cannot fail, here and below.
    let _ = writeln!(
        out,
        "<text class=\"note\" x=\"{MARGIN}\" y=\"{}\">Every panel has its own scale.{limit}</text>\n</svg>",
        height - MARGIN
    );
    out
}

fn draw_panel(results: &Results, line: &Line, out: &mut String, (x, y): (f64, f64)) {
    let better = match line.metric.better {
        Better::More => "",
        Better::Less => ", less is better",
    };
    let _ = writeln!(
        out,
        "<text class=\"title\" x=\"{x}\" y=\"{}\">{} <tspan class=\"unit\">{}{better}</tspan></text>",
        y + 16.0,
        escaped(&line.row),
        escaped(line.metric.unit),
    );
    let most = line.medians.iter().flatten().copied().fold(0.0, f64::max);
    for (at, (server, value)) in results.servers.iter().zip(&line.medians).enumerate() {
        let top = y + TITLE + BAR * at as f64;
        draw_bar(server, class(at, server), value.map(|value| (value, most)), out, (x, top));
    }
}

fn class(at: usize, server: &str) -> &'static str {
    match at {
        0 => "ours",
        _ if server == LIMIT => "limit",
        _ => "peer",
    }
}

fn draw_bar(
    server: &str,
    class: &str,
    value: Option<(f64, f64)>,
    out: &mut String,
    (x, y): (f64, f64),
) {
    let start = x + NAME + 8.0;
    let (length, text) = match value {
        Some((value, most)) if most > 0.0 => (value / most * LONGEST, short(value)),
        _ => (0.0, "–".to_owned()),
    };
    let base = y + BAR - 5.0;
    let _ = writeln!(
        out,
        "<text class=\"name\" x=\"{}\" y=\"{base}\">{}</text>\
         <rect class=\"{class}\" x=\"{start}\" y=\"{}\" width=\"{length:.1}\" height=\"{}\"/>\
         <text x=\"{:.1}\" y=\"{base}\">{text}</text>",
        x + NAME,
        escaped(server),
        y + 2.0,
        BAR - 5.0,
        start + length + 6.0,
    );
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::Record;

    fn run(server: &str, rate: f64) -> String {
        let mut run = Record::default();
        run.text("row", "login <&> QUIT");
        run.text("server", server);
        run.text("scenario", "login");
        run.number("per_second", rate);
        run.to_json() + "\n"
    }

    #[test]
    fn bars_are_as_long_as_their_numbers() {
        let results = Results::parse(&(run("a", 10.0) + &run("b", 5.0) + &run(LIMIT, 20.0)));
        let svg = draw(&results.unwrap());
        for part in [
            "login &lt;&amp;&gt; QUIT",
            "class=\"ours\" x=\"116\" y=\"52\" width=\"136.0\"",
            "class=\"peer\" x=\"116\" y=\"70\" width=\"68.0\"",
            "class=\"limit\" x=\"116\" y=\"88\" width=\"272.0\"",
            "prefers-color-scheme",
        ] {
            assert!(svg.contains(part), "{part}: {svg}");
        }
        assert!(svg.starts_with("<svg ") && svg.ends_with("</svg>\n"), "{svg}");
    }
}
