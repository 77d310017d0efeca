//! Writes the man pages and the shell completions of both programs into a directory:
//!
//!     cargo run --example docs -- DIR
//!
//! They are made from the same tables as `--help`, so they cannot differ from it. The pages
//! contain the date of `SOURCE_DATE_EPOCH` (seconds since 1970) or no date, but never the current
//! time, so two runs write the same bytes.

use mt_ftp::args::Manual;
use mt_ftp::protocol::time::write_timestamp;
use mt_ftp::{client, server};
use std::error::Error;
use std::path::{Path, PathBuf};
use std::time::{Duration, UNIX_EPOCH};
use std::{env, fs};

fn main() -> Result<(), Box<dyn Error>> {
    let dir = env::args_os().nth(1).map(PathBuf::from).ok_or("usage: docs DIR")?;
    let date = date()?;
    for manual in [server::cli::man_page::manual(), client::man_page::manual()] {
        let name = manual.program.name;
        for (file, text) in files(&manual, name, &date) {
            write(&dir.join(file), &text)?;
        }
    }
    Ok(())
}

/// Returns each file with its usual path below `share`.
fn files(manual: &Manual, name: &str, date: &str) -> [(String, String); 4] {
    [
        (format!("man/man1/{name}.1"), manual.page(date)),
        (format!("bash-completion/completions/{name}"), manual.bash()),
        (format!("zsh/site-functions/_{name}"), manual.zsh()),
        (format!("fish/vendor_completions.d/{name}.fish"), manual.fish()),
    ]
}

/// Returns a date such as `2026-01-31`.
fn date() -> Result<String, Box<dyn Error>> {
    let Ok(seconds) = env::var("SOURCE_DATE_EPOCH") else { return Ok(String::new()) };
    let mut stamp = Vec::new();
    write_timestamp(UNIX_EPOCH + Duration::from_secs(seconds.parse()?), &mut stamp);
    let stamp = String::from_utf8(stamp)?;
    Ok([&stamp[..4], &stamp[4..6], &stamp[6..8]].join("-"))
}

fn write(path: &Path, text: &str) -> Result<(), Box<dyn Error>> {
    if let Some(dir) = path.parent() {
        fs::create_dir_all(dir)?;
    }
    fs::write(path, text).map_err(|error| format!("{}: {error}", path.display()).into())
}
