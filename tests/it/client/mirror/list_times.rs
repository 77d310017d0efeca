//! Times of LIST in the server's time zone: a mirror compares them in UTC, `--json` prints them in UTC, and
//! MDTM is sent no more often than necessary.

use crate::support::scripted_server::{Script, ScriptedServer, play_all};
use crate::support::{Client, Run};
use std::fs::File;
use std::io::Read;
use std::time::{Duration, UNIX_EPOCH};

/// A remote file: its name, its line in a listing up to the name, and its reply to MDTM.
type Stored = (&'static str, &'static str, &'static str);

/// A server whose LIST shows times of its time zone.
struct ListingServer {
    files: Vec<Stored>,
    has_mdtm: bool,
    /// The content of every file.
    content: &'static str,
    asked: usize,
    fetched: Vec<String>,
    sent: usize,
}

/// Files in Berlin, with daylight saving time until October 26, and an old file for which only the day is listed.
const BERLIN: &[Stored] = &[
    ("july", "2025-07-01 12:00", "20250701100059"),
    ("july.2", "2025-07-20 00:30", "20250719223012"),
    ("midnight", "2025-07-20 00:00", "20250719220000"),
    ("october", "2025-10-10 12:00", "20251010100033"),
    ("october.2", "2025-10-20 08:15", "20251020061559"),
    ("october.3", "2025-10-30 12:00", "20251030110044"),
    ("january", "2025-01-15 00:10", "20250114231000"),
    ("old", "Jan  2  2020", "20200101233000"),
];

const NEW_YORK: &[Stored] = &[
    ("july", "2025-07-01 12:00", "20250701160059"),
    ("november", "2025-11-01 22:00", "20251102020000"),
    ("november.2", "2025-11-20 22:00", "20251121030000"),
    ("old", "Jan  2  2020", "20200103043000"),
];

const KATHMANDU: &[Stored] =
    &[("a", "2025-07-01 00:10", "20250630182501"), ("b", "2025-07-02 12:00", "20250702061500")];
const UTC: &[Stored] =
    &[("a", "2025-07-01 00:10", "20250701001001"), ("b", "2025-12-02 12:00", "20251202120030")];

const ZONES: [&[Stored]; 4] = [BERLIN, NEW_YORK, KATHMANDU, UTC];

impl ListingServer {
    fn new(files: &[Stored]) -> ListingServer {
        let (files, fetched) = (files.to_vec(), Vec::new());
        ListingServer { files, has_mdtm: true, content: "abc", asked: 0, fetched, sent: 0 }
    }

    fn serve(&mut self, server: &mut ScriptedServer) {
        server.serve(|server, verb, operand| {
            match verb {
                "MLSD" | "MFMT" | "SITE" => server.say("502 no"),
                "PWD" => server.say("257 \"/\""),
                "LIST" => server.send(self.listing(operand)),
                "SIZE" => server.say(&format!("213 {}", self.content.len())),
                "MDTM" if !self.has_mdtm => server.say("502 no"),
                "MDTM" => {
                    self.asked += 1;
                    let file = self.files.iter().find(|(name, ..)| *name == operand);
                    let reply =
                        file.map_or("550 none".to_owned(), |(.., time)| format!("213 {time}"));
                    server.say(&reply);
                }
                "RETR" => {
                    self.fetched.push(operand.to_owned());
                    server.send(self.content);
                }
                "STOR" => {
                    self.sent += 1;
                    server.say("150 give me");
                    server.data().read_to_end(&mut Vec::new()).unwrap();
                    server.say("226 done");
                }
                _ => return false,
            }
            true
        });
    }

    /// Returns the listing of a file, or of all.
    fn listing(&self, operand: &str) -> String {
        let size = self.content.len();
        let line = |(name, date, _): &Stored| format!("-rw-r--r-- 1 0 0 {size} {date} {name}\r\n");
        let wanted = operand.trim_start_matches("-a").trim_start();
        let one = self.files.iter().filter(|(name, ..)| *name == wanted).map(line);
        match one.collect::<String>() {
            none if none.is_empty() => self.files.iter().map(line).collect(),
            one => one,
        }
    }

    /// Runs a mirror, and returns the fetched names in order.
    fn mirror(&mut self, client: &Client, commands: &str) -> Vec<String> {
        self.run(client, &[], commands);
        self.fetched.sort();
        self.fetched.clone()
    }

    fn run(&mut self, client: &Client, options: &[&str], commands: &str) -> Run {
        (self.fetched, self.asked, self.sent) = (Vec::new(), 0, 0);
        let script: Script<'_> = Box::new(|scripted| self.serve(scripted));
        play_all(client, &[&["-j", "1"], options].concat(), commands, vec![script]).expect(0)
    }

    /// Gives a file other times.
    fn change(&mut self, to: Stored) {
        self.files.retain(|(name, ..)| *name != to.0);
        self.files.push(to);
    }
}

const NOTHING: [&str; 0] = [];

#[test]
fn a_second_mirror_fetches_nothing_in_any_time_zone() {
    for zone in ZONES {
        let (mut server, client) = (ListingServer::new(zone), Client::new());
        assert_eq!(server.mirror(&client, "MIRROR . here").len(), zone.len());
        for options in ["", "--only-newer", "--delete"] {
            assert_eq!(
                server.mirror(&client, &format!("MIRROR {options} . here")),
                NOTHING,
                "{zone:?}"
            );
            // Two requests per month, and one for each file whose time cannot be known more exactly.
            assert!(server.asked <= zone.len(), "{} questions", server.asked);
        }
    }
}

#[test]
fn two_mdtm_per_month_are_enough() {
    let names: Vec<String> = (0..100).map(|number| format!("f{number}")).collect();
    let leak = |name: &String| -> &'static str { Box::leak(name.clone().into_boxed_str()) };
    let files: Vec<Stored> =
        names.iter().map(|name| (leak(name), "2025-07-01 12:00", "20250701100059")).collect();
    let (mut server, client) = (ListingServer::new(&files), Client::new());
    server.mirror(&client, "MIRROR . here");
    assert_eq!(server.mirror(&client, "MIRROR . here"), NOTHING);
    assert_eq!(server.asked, 2, "for the first and the last");
}

#[test]
fn a_file_changed_by_the_offset_of_the_time_zone_is_fetched() {
    for options in ["", "--only-newer"] {
        let (mut server, client) = (ListingServer::new(BERLIN), Client::new());
        server.mirror(&client, "MIRROR . here");
        for changed in [
            ("july", "2025-07-01 14:00", "20250701120059"),
            ("october.3", "2025-10-30 13:00", "20251030120044"),
            ("january", "2025-01-15 01:10", "20250115001000"),
        ] {
            server.change(changed);
            assert_eq!(server.mirror(&client, &format!("MIRROR {options} . here")), [changed.0]);
        }
    }
}

#[test]
fn only_newer_fetches_a_file_that_is_seconds_newer() {
    // Each file is a little newer, in the same minute or on the same day, and has another size.
    let (mut server, client) = (ListingServer::new(NEW_YORK), Client::new());
    server.mirror(&client, "MIRROR . here");
    server.content = "abcd";
    server.change(("november.2", "2025-11-20 22:00", "20251121030001"));
    server.change(("old", "Jan  2  2020", "20200103043001"));
    let newer = server.mirror(&client, "MIRROR --only-newer . here");
    assert_eq!(newer, ["november.2", "old"]);
}

#[test]
fn a_reverse_mirror_compares_in_utc_too() {
    for zone in ZONES {
        let (mut server, client) = (ListingServer::new(zone), Client::new());
        server.mirror(&client, "MIRROR . here");
        server.mirror(&client, "MIRROR -R here .");
        assert_eq!(server.sent, 0, "{zone:?}");
        // The local file is newer than the remote one by less than the time zone's offset.
        let file = File::options().write(true).open(client.path("here").join(zone[0].0)).unwrap();
        let modified = file.metadata().unwrap().modified().unwrap();
        file.set_modified(modified + Duration::from_secs(600)).unwrap();
        server.mirror(&client, "MIRROR -R here .");
        assert_eq!(server.sent, 1, "{zone:?}");
    }
}

#[test]
fn without_mdtm_a_file_has_the_time_of_the_listing() {
    let (mut server, client) = (ListingServer::new(BERLIN), Client::new());
    server.has_mdtm = false;
    assert_eq!(server.mirror(&client, "MIRROR . here").len(), BERLIN.len());
    assert_eq!(server.mirror(&client, "MIRROR . here"), NOTHING);
    let modified = client.path("here/old").metadata().unwrap().modified().unwrap();
    assert_eq!(modified, UNIX_EPOCH + Duration::from_secs(1_577_923_200));
}

/// Returns the beginning of the time that `--json` prints for a file, to the minute.
fn printed((name, listed, told): &Stored) -> String {
    let time = match *name {
        // LIST shows only the day, or a time that may mean that.
        "old" => "2020-01-02T00:00".to_owned(),
        "midnight" => listed.replace(' ', "T"),
        _ => format!(
            "{}-{}-{}T{}:{}",
            &told[..4],
            &told[4..6],
            &told[6..8],
            &told[8..10],
            &told[10..12]
        ),
    };
    format!("\"name\":\"{name}\",\"type\":\"file\",\"size\":3,\"modified\":\"{time}:")
}

#[test]
fn json_listings_are_in_utc() {
    for zone in ZONES {
        let (mut server, client) = (ListingServer::new(zone), Client::new());
        for command in ["LIST", "LIST *", "FIND"] {
            let run = server.run(&client, &["--json"], command);
            for file in zone {
                assert!(run.stdout.contains(&printed(file)), "{command} {file:?}: {run:#?}");
            }
            assert!(server.asked <= zone.len(), "{} questions", server.asked);
        }
        let file = &zone[0];
        let run = server.run(&client, &["--json"], &format!("LIST {}", file.0));
        assert!(run.stdout.contains(&printed(file)), "{file:?}: {run:#?}");
        assert_eq!((run.stdout.lines().count(), server.asked), (1, 1), "{run:#?}");
        server.run(&client, &[], "LIST; FIND");
        assert_eq!(server.asked, 0, "the times are as the server sent them");
    }
}

#[test]
fn without_mdtm_json_listings_have_the_times_of_list() {
    let (mut server, client) = (ListingServer::new(KATHMANDU), Client::new());
    server.has_mdtm = false;
    let run = server.run(&client, &["--json"], "LIST");
    assert!(run.stdout.contains("\"modified\":\"2025-07-01T00:10:00Z\""), "{run:#?}");
}
