//! Tests of the repository's structure: layers without cyclic dependencies, `unsafe` in one folder, no
//! dependencies, small folders, and a guide that names every option.
//!
//! The source is searched as text, without comments, strings and unit tests. This is not a real parser,
//! but it is sufficient for text formatted by `rustfmt`.

use assert_cmd::Command;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

/// The layers of the crate, the lowest first. A module may use lower layers and its own folder.
const LAYERS: &[&[&str]] = &[
    &["sys"],
    &["protocol"],
    &["text"],
    &["args", "json"],
    &["pump", "rate", "net", "shutdown"],
    &["server", "client"],
    &["bin"],
];

/// The layer whose modules may use each other.
const SHARED_LAYER: usize = 4;

/// The module depth down to which cycles are checked: 3 includes `server::log::format`.
const DEPTH: usize = 3;

/// The largest number of entries in a folder; `name.rs` and the folder `name` are one entry.
const MOST_ENTRIES: usize = 18;

/// A file of `src`.
struct Source {
    /// The path below `src`, such as `server/log.rs`.
    file: String,
    /// The path of the module, such as `["server", "log"]`.
    module: Vec<String>,
    /// The whole file.
    text: String,
    /// The file without comments, the content of strings, and unit tests.
    code: String,
}

impl Source {
    fn read(path: &Path) -> Source {
        let file = path.strip_prefix(root().join("src")).unwrap().to_str().unwrap().to_owned();
        let module = file.trim_end_matches(".rs").split('/').map(str::to_owned).collect();
        let text = fs::read_to_string(path).unwrap();
        let code = code_of(&text);
        let end = test_modules(&code).find(|(_, item)| item.ends_with('{')).map(|(at, _)| at);
        let code = code[..end.unwrap_or(code.len())].to_owned();
        Source { file, module, text, code }
    }

    /// Returns the modules in separate files that are compiled only for tests.
    fn test_files(&self) -> impl Iterator<Item = Vec<String>> {
        let declared = test_modules(&self.code).filter_map(|(_, item)| item.strip_suffix(';'));
        let name = |item: &str| item.rsplit(' ').next().unwrap_or_default().to_owned();
        declared.map(move |item| [&self.module[..], &[name(item)]].concat())
    }

    /// Returns true for files in this folder and its parent module file.
    fn is_of(&self, folder: &str) -> bool {
        self.module[0] == folder
    }

    /// Returns the paths that the file uses in this crate, as absolute paths.
    fn uses(&self) -> Vec<Vec<String>> {
        let mut uses = Vec::new();
        for start in ["crate::", "mt_ftp::", "super::"] {
            for (at, _) in self.code.match_indices(start) {
                if is_boundary(&self.code[..at]) {
                    uses.extend(paths(&self.code[at..]).iter().map(|path| self.resolve(path)));
                }
            }
        }
        uses
    }

    /// Makes a path absolute: `super::log::Level` in `server/data.rs` is `server::log::Level`.
    fn resolve(&self, path: &[String]) -> Vec<String> {
        let ups = path.iter().take_while(|part| *part == "super").count();
        let kept = if ups == 0 { 0 } else { self.module.len() - ups };
        let own = self.module[..kept].iter().cloned();
        own.chain(path[ups.max(1)..].iter().cloned()).collect()
    }
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn read(name: &str) -> String {
    fs::read_to_string(root().join(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
}

/// Returns the files of `src`, read once for all tests.
fn sources() -> &'static [Source] {
    static SOURCES: OnceLock<Vec<Source>> = OnceLock::new();
    SOURCES.get_or_init(|| {
        let mut files = Vec::new();
        find_rust(&root().join("src"), &mut files);
        files.sort();
        let mut sources: Vec<Source> = files.iter().map(|path| Source::read(path)).collect();
        let tests: Vec<Vec<String>> = sources.iter().flat_map(Source::test_files).collect();
        for source in &mut sources {
            if tests.iter().any(|test| source.module.starts_with(test)) {
                source.code.clear();
            }
        }
        sources
    })
}

/// Returns the positions of attributes that limit a module to tests, with the first line of the module,
/// such as `mod tests {` or `mod tests;`.
fn test_modules(code: &str) -> impl Iterator<Item = (usize, &str)> {
    let marks = ["#[cfg(test)]", "#[cfg(all(test"];
    let places = marks.into_iter().flat_map(|mark| code.match_indices(mark));
    places.filter_map(|(at, _)| {
        let item = code[at..].lines().map(str::trim).find(|line| !line.starts_with('#'))?;
        item.contains("mod ").then_some((at, item))
    })
}

fn find_rust(dir: &Path, files: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            find_rust(&path, files);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
}

/// Replaces comments and the content of strings with spaces; line numbers stay the same.
fn code_of(text: &str) -> String {
    let mut code = String::new();
    let mut rest = text;
    while let Some(next) = rest.chars().next() {
        let length = opaque(rest, &code);
        if length == 0 {
            code.push(next);
            rest = &rest[next.len_utf8()..];
        } else {
            code.extend(rest[..length].chars().map(|c| if c == '\n' { '\n' } else { ' ' }));
            rest = &rest[length..];
        }
    }
    code
}

/// Returns the length of the comment, string or character literal at the start of `text`, or 0.
fn opaque(text: &str, before: &str) -> usize {
    let raw = text.trim_start_matches('#');
    let hashes = text.len() - raw.len();
    if text.starts_with("//") {
        text.find('\n').unwrap_or(text.len())
    } else if text.starts_with("/*") {
        text.find("*/").map_or(text.len(), |end| end + 2)
    } else if raw.starts_with('"') && before.ends_with('r') {
        let end = format!("\"{}", "#".repeat(hashes));
        text[hashes + 1..].find(&end).map_or(text.len(), |at| hashes + 1 + at + end.len())
    } else if text.starts_with('"') {
        end_of_quoted(text, '"')
    } else if text.starts_with("'\\") || text.chars().nth(2) == Some('\'') && text.starts_with('\'')
    {
        end_of_quoted(text, '\'')
    } else {
        0
    }
}

fn end_of_quoted(text: &str, quote: char) -> usize {
    let mut escaped = false;
    for (at, c) in text.char_indices().skip(1) {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            _ if c == quote => return at + c.len_utf8(),
            _ => {}
        }
    }
    text.len()
}

/// Returns true if a path may begin after this text.
fn is_boundary(before: &str) -> bool {
    !before.ends_with(|c: char| c.is_alphanumeric() || matches!(c, '_' | ':'))
}

/// Returns all paths of a tree such as `crate::{net, protocol::{Code, Reply}}`.
fn paths(text: &str) -> Vec<Vec<String>> {
    let end = text.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(text.len());
    let (name, rest) = (text[..end].to_owned(), &text[end..]);
    let below = match rest.strip_prefix("::") {
        Some(group) if group.starts_with('{') => group_of(group).flat_map(paths).collect(),
        Some(path) => paths(path),
        None => vec![Vec::new()],
    };
    below.into_iter().map(|path| [vec![name.clone()], path].concat()).collect()
}

/// Returns the members of `{a, b::{c, d}}`.
fn group_of(text: &str) -> impl Iterator<Item = &str> {
    let mut depth = 0;
    let mut end = text.len();
    let mut commas = vec![0];
    for (at, c) in text.char_indices() {
        depth += i32::from(c == '{') - i32::from(c == '}');
        if c == ',' && depth == 1 {
            commas.push(at);
        }
        if depth == 0 {
            end = at;
            break;
        }
    }
    commas.push(end);
    let members: Vec<&str> =
        commas.windows(2).map(|pair| text[pair[0] + 1..pair[1]].trim()).collect();
    members.into_iter().filter(|member| !member.is_empty())
}

fn layer(module: &str) -> Option<usize> {
    LAYERS.iter().position(|layer| layer.contains(&module))
}

/// Returns true if `code` contains this whole word.
fn has_word(code: &str, word: &str) -> bool {
    code.match_indices(word).any(|(at, _)| {
        let after = code[at + word.len()..].chars().next();
        is_boundary(&code[..at]) && !after.is_some_and(|c| c.is_alphanumeric() || c == '_')
    })
}

#[test]
fn the_helpers_of_this_file_parse_rust() {
    let code = code_of("a /* b */ c \"d // \\\" e\" 'f' '\\'' r#\"g\"h\"# &'i j // k\nl");
    let words: Vec<&str> = code.split_whitespace().collect();
    assert_eq!(words, ["a", "c", "r", "&'i", "j", "l"]);
    let found = paths("crate::{net::{self, wait}, protocol::Code, sys};");
    let found: Vec<String> = found.iter().map(|path| path.join("::")).collect();
    assert_eq!(
        found,
        ["crate::net::self", "crate::net::wait", "crate::protocol::Code", "crate::sys"]
    );
    let modules = ["a", "a::b", "a::b::c"].map(str::to_owned).into();
    let path = ["a", "b", "c", "d"].map(str::to_owned);
    assert_eq!(known_module(&path, &modules).as_deref(), Some("a::b::c"));
    assert_eq!(known_module(&path[..1], &modules).as_deref(), Some("a"));
    assert!(is_parent_of("a::b", "a::b::c") && !is_parent_of("a::b", "a::bc"));
    assert!(has_word("x unsafe {", "unsafe") && !has_word("unsafe_op", "unsafe"));
}

#[test]
fn every_module_has_its_layer() {
    for source in sources().iter().filter(|source| source.file != "lib.rs") {
        assert!(layer(&source.module[0]).is_some(), "{}: not in any layer", source.file);
    }
}

#[test]
fn modules_use_only_lower_layers() {
    for source in sources().iter().filter(|source| source.file != "lib.rs") {
        let from = source.module[0].as_str();
        for to in source.uses() {
            // Items in the crate root belong to no layer.
            let Some(below) = layer(&to[0]) else { continue };
            let here = layer(from).unwrap();
            let may = from == to[0] || below < here || below == here && here == SHARED_LAYER;
            assert!(may, "{}: {} is not in a lower layer", source.file, to.join("::"));
        }
    }
}

#[test]
fn the_programs_do_not_use_each_other() {
    for source in sources() {
        let other = match source.file.as_str() {
            "bin/server.rs" => "client",
            "bin/client.rs" => "server",
            _ => continue,
        };
        assert!(source.uses().iter().all(|to| to[0] != other), "{}", source.file);
    }
}

/// Uses between a parent module and its own submodules are ignored, because the parent re-exports them
/// and holds what they share. Each depth is checked separately: a cycle through a parent module shows
/// at the depth where its folder counts as one module.
#[test]
fn no_folder_has_a_cycle() {
    for depth in 2..=DEPTH {
        let uses = uses_between_modules(depth);
        for start in uses.keys() {
            let cycle = cycle_through(start, &uses);
            assert!(cycle.is_none(), "a cycle at depth {depth}: {}", cycle.unwrap().join(" -> "));
        }
    }
}

/// Returns the dependencies between modules; modules deeper than `depth` count as their parent.
fn uses_between_modules(depth: usize) -> BTreeMap<String, BTreeSet<String>> {
    let mut uses: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for source in sources() {
        uses.entry(module_at(&source.module, depth)).or_default();
    }
    let modules: BTreeSet<String> = uses.keys().cloned().collect();
    for source in sources() {
        let from = module_at(&source.module, depth);
        let used = source.uses().into_iter().filter_map(|path| known_module(&path, &modules));
        let apart =
            used.filter(|to| *to != from && !is_parent_of(to, &from) && !is_parent_of(&from, to));
        uses.get_mut(&from).unwrap().extend(apart);
    }
    uses
}

/// Returns `server::log` for `["server", "log", "format"]` at depth 2.
fn module_at(path: &[String], depth: usize) -> String {
    path[..path.len().min(depth)].join("::")
}

/// Returns the deepest known module that contains a path.
fn known_module(path: &[String], modules: &BTreeSet<String>) -> Option<String> {
    (1..=path.len()).rev().find_map(|depth| modules.get(&module_at(path, depth)).cloned())
}

fn is_parent_of(parent: &str, module: &str) -> bool {
    module.strip_prefix(parent).is_some_and(|rest| rest.starts_with("::"))
}

/// Returns a cycle through a module, if there is one.
fn cycle_through(start: &String, uses: &BTreeMap<String, BTreeSet<String>>) -> Option<Vec<String>> {
    let mut seen = BTreeSet::new();
    let mut paths_to_try = vec![vec![start.clone()]];
    while let Some(path) = paths_to_try.pop() {
        for next in uses.get(path.last().unwrap()).into_iter().flatten() {
            let longer = [path.as_slice(), std::slice::from_ref(next)].concat();
            if next == start {
                return Some(longer);
            }
            if seen.insert(next.clone()) {
                paths_to_try.push(longer);
            }
        }
    }
    None
}

#[test]
fn unsafe_code_is_only_in_sys() {
    for source in sources().iter().filter(|source| !source.is_of("sys")) {
        for word in ["unsafe", "extern"] {
            assert!(!has_word(&source.code, word), "{}: {word}", source.file);
        }
    }
}

#[test]
fn every_unsafe_block_has_a_safety_comment() {
    const ABOVE: usize = 6;
    for source in sources().iter().filter(|source| source.is_of("sys")) {
        let lines: Vec<&str> = source.text.lines().collect();
        for (number, line) in source.code.lines().enumerate() {
            if line.contains("unsafe {") || line.contains("unsafe impl") {
                let above = &lines[number.saturating_sub(ABOVE)..number];
                let said = above.iter().any(|line| line.contains("// SAFETY: "));
                assert!(said, "{}:{}: no SAFETY comment", source.file, number + 1);
            }
        }
    }
}

/// All actions on client paths go through the jail. Only the modules to which the jail passes
/// directories may also use `Dir`.
#[test]
fn only_the_jail_uses_directories() {
    const HOLD: &[&str] =
        &["server/fs/jail", "server/fs/quota", "server/fs/partial.rs", "server/fs/tree_size.rs"];
    for source in sources().iter().filter(|source| source.is_of("server")) {
        let holds = source.uses().iter().any(|to| to[..] == ["sys", "Dir"]);
        let may = HOLD.iter().any(|module| source.file.starts_with(module));
        assert!(!holds || may, "{}", source.file);
    }
}

#[test]
fn every_folder_is_small() {
    for (folder, entries) in folders() {
        let names: Vec<_> = entries.iter().collect();
        assert!(entries.len() <= MOST_ENTRIES, "{folder} has {} entries: {names:?}", entries.len());
    }
}

/// Returns the folders of the repository and the names in each.
fn folders() -> BTreeMap<String, BTreeSet<String>> {
    let mut folders: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for file in tracked().iter().filter(|file| !file.starts_with('.')) {
        let mut path = file.trim_end_matches(".rs");
        while let Some((folder, name)) = path.rsplit_once('/') {
            folders.entry(folder.to_owned()).or_default().insert(name.to_owned());
            path = folder;
        }
    }
    folders
}

/// Returns the files that git tracks; none without git, as in an unpacked archive.
fn tracked() -> Vec<String> {
    let listed = Command::new("git").current_dir(root()).args(["ls-files", "-z"]).output();
    let Ok(listed) = listed.map(|output| String::from_utf8(output.stdout).unwrap()) else {
        return Vec::new();
    };
    listed.split_terminator('\0').map(str::to_owned).collect()
}

#[test]
fn there_are_no_dependencies() {
    let manifest = read("Cargo.toml");
    assert_eq!(keys_of(&manifest, "[dependencies]"), [] as [&str; 0]);
    assert_eq!(keys_of(&manifest, "[dev-dependencies]"), ["assert_cmd", "tempfile"]);
    let tables =
        manifest.lines().filter(|line| line.starts_with('[') && line.contains("dependencies"));
    assert_eq!(tables.count(), 2, "no other table of dependencies");
}

/// Returns the keys in a table of a manifest.
fn keys_of<'a>(manifest: &'a str, table: &str) -> Vec<&'a str> {
    let below = manifest.split_once(&format!("{table}\n")).unwrap().1;
    let lines = below.lines().take_while(|line| !line.starts_with('['));
    lines.filter_map(|line| line.split_once('=')).map(|(key, _)| key.trim()).collect()
}

#[test]
fn the_map_in_src_readme_names_existing_files() {
    let map = read("src/README.md");
    let quoted = map.split('`').skip(1).step_by(2);
    let paths = quoted.filter(|text| text.contains('/') && !text.contains([' ', '*']));
    for path in paths.filter(|path| path.ends_with(".rs") || path.ends_with('/')) {
        let found =
            ["src", "tests/it", "."].iter().any(|base| root().join(base).join(path).exists());
        assert!(found, "src/README.md: {path}");
    }
}

#[test]
fn the_top_level_has_only_the_expected_entries() {
    const EXPECTED: &[&str] = &[
        ".cargo",
        ".ci",
        ".github",
        ".gitignore",
        "CHANGELOG.md",
        "Cargo.lock",
        "Cargo.toml",
        "LICENSE",
        "Makefile",
        "README.md",
        "examples",
        "src",
        "tests",
    ];
    for file in tracked() {
        let name = file.split('/').next().unwrap();
        assert!(EXPECTED.contains(&name), "{name}");
    }
}

#[test]
fn the_guide_names_every_option() {
    let guide =
        ["client", "server"].map(|name| read(&format!("examples/guide/{name}.md"))).concat();
    let words: BTreeSet<&str> =
        guide.split(|c: char| !c.is_ascii_alphanumeric() && c != '-').collect();
    for program in [env!("CARGO_BIN_EXE_ftp_server"), env!("CARGO_BIN_EXE_ftp_client")] {
        let output = Command::new(program).arg("--help").assert().success().get_output().clone();
        let help = String::from_utf8(output.stdout).unwrap();
        for option in help.lines().flat_map(options_of) {
            assert!(words.contains(option), "{option} of {program}");
        }
    }
}

/// Returns `-a` and `--active` for ` -a, --active use active mode`.
fn options_of(line: &str) -> impl Iterator<Item = &str> {
    let words = line.split_whitespace().map(|word| word.trim_end_matches(','));
    words.take_while(|word| word.starts_with('-'))
}
