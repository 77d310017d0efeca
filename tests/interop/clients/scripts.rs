//! Old scripts: the same here-document results in the same files, on the server and locally, with
//! Debian's `ftp` programs and with our client.

use crate::support::content::{TEXT, noise};
use crate::support::fixture::{Site, names_in, run, run_to_fail};
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

/// The files on both sides after a script.
struct Outcome {
    there: BTreeMap<Vec<u8>, Vec<u8>>,
    here: BTreeMap<Vec<u8>, Vec<u8>>,
}

const CLASSIC: [&str; 2] = ["tnftp", "inetutils-ftp"];
const OURS: &str = env!("CARGO_BIN_EXE_ftp_client");

impl Outcome {
    /// Returns the differences, for messages.
    fn differences(&self, other: &Outcome) -> Vec<String> {
        let sides = [(&self.there, &other.there), (&self.here, &other.here)];
        let mut differ = Vec::new();
        for (ours, theirs) in sides {
            let names = ours.keys().chain(theirs.keys());
            differ.extend(names.filter(|name| ours.get(*name) != theirs.get(*name)));
        }
        differ.iter().map(|name| String::from_utf8_lossy(name).into_owned()).collect()
    }
}

/// Returns the files below a directory, by their paths.
fn files(dir: &Path) -> BTreeMap<Vec<u8>, Vec<u8>> {
    let mut found = BTreeMap::new();
    for name in names_in(dir) {
        let path = dir.join(crate::support::content::os(&name));
        if path.is_dir() {
            found.insert([&name, &b"/"[..]].concat(), Vec::new());
            let below = files(&path).into_iter();
            found.extend(below.map(|(inner, text)| ([&name, &b"/"[..], &inner].concat(), text)));
        } else {
            found.insert(name, fs::read(path).expect("a file"));
        }
    }
    found
}

/// Starts a site with files on both sides.
fn site() -> Site {
    let site = Site::start();
    site.put_here("text", TEXT);
    site.put_here("image", &noise(70_000));
    site.put_here("with space", b"here");
    site.put_there("one.c", b"1");
    site.put_there("two.c", b"22");
    site.put_there("pub/deep/file", b"deep");
    site
}

fn outcome(program: &str, options: &[&str], script: &str) -> Outcome {
    let site = site();
    let login = format!("open {} {}\nuser anonymous me@\n", site.host(), site.port());
    let script = format!("{login}{script}\nbye\n");
    run(site.scripted(program, script.as_bytes()).args(options));
    Outcome { there: files(&site.there("")), here: files(&site.here("")) }
}

#[track_caller]
fn all_have_the_same_result(script: &str) {
    let ours = outcome(OURS, &["-n", "-i"], script);
    for program in CLASSIC {
        let differ = ours.differences(&outcome(program, &["-n", "-i"], script));
        assert_eq!(differ, [] as [&str; 0], "{program}: {script}");
    }
}

#[test]
#[ignore = "needs tnftp and inetutils-ftp"]
fn one_file_at_a_time() {
    all_have_the_same_result(
        "binary\nhash\nput image\nput image copy\nput \"with space\"\nget one.c\nget two.c here.c\n\
         cd pub\nput image deep/image\nget deep/file file\nls . listed\nlcd .\ndelete deep/file\n!rm listed",
    );
}

#[test]
#[ignore = "needs tnftp and inetutils-ftp"]
fn directories_names_and_modes() {
    all_have_the_same_result(
        "mkdir new\ncd new\nmkdir below\nrmdir below\ncdup\nrename one.c new/moved.c\n\
         delete two.c\ncd pub/deep\ncd ../..\nrename pub/deep/file file\nrmdir pub/deep\n\
         chmod 600 file\nsize file\nmodtime file\nsystem\nstatus\nverbose\npwd",
    );
}

#[test]
#[ignore = "needs tnftp and inetutils-ftp"]
fn texts_and_images() {
    all_have_the_same_result(
        "ascii\nput text\nget text back\nbinary\nput image\ntype ascii\nput text again\n\
         type binary\nget again\nbell\nglob\nglob\nprompt\nprompt\nnlist . names",
    );
}

#[test]
#[ignore = "needs tnftp and inetutils-ftp"]
fn macros_and_deletions() {
    all_have_the_same_result(
        "binary\nmacdef fetch\nget $1 $2\ndelete $1\n\n$ fetch one.c first\nmdelete two.c\n\
         macdef all\nput $i\n\n$ all text image",
    );
}

/// Unlike classic clients, ours reports a failed script in its exit status.
#[test]
#[ignore = "needs tnftp and inetutils-ftp"]
fn a_failed_script_sets_the_exit_status() {
    let site = site();
    let script = format!(
        "open {} {}\nuser anonymous me@\nget missing\nget one.c\nbye\n",
        site.host(),
        site.port()
    );
    for program in CLASSIC {
        run(site.scripted(program, script.as_bytes()).args(["-n", "-i"]));
    }
    run_to_fail(site.scripted(OURS, script.as_bytes()).args(["-n", "-i", "-k"]), 1);
    run_to_fail(site.scripted(OURS, script.as_bytes()).args(["-n", "-i"]), 1);
}
