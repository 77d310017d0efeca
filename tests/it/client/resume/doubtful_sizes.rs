//! Uploads with a missing final reply or a wrong size: which bytes are sent again, and how often.
//!
//! The server stores one file. The tests check its final content and the number of uploads.

use crate::support::scripted_server::{Script, ScriptedServer, play, play_all};
use crate::support::{Client, Run, noise, together};
use std::io::Read;
use std::mem;
use std::sync::Mutex;

const LARGE: usize = 1_500_000;
const HALF: usize = 140_000;

/// A server that stores one file.
struct Store {
    content: Vec<u8>,
    /// The offset of the next transfer.
    rest: usize,
    ignores_rest: bool,
    /// Bytes of an earlier session that arrive before the next RETR.
    arriving: Vec<u8>,
    uploads: usize,
    /// The first upload ends without a final reply.
    is_silent: bool,
    /// Returns the reported size from the real one and the number of uploads.
    size: Box<dyn FnMut(usize, usize) -> usize + Send>,
}

impl Store {
    fn with(content: impl Into<Vec<u8>>) -> Store {
        Store {
            content: content.into(),
            rest: 0,
            ignores_rest: false,
            arriving: Vec::new(),
            uploads: 0,
            is_silent: false,
            size: Box::new(|size, _| size),
        }
    }

    /// Reports these sizes after the first upload, and then the real one.
    fn telling(mut self, sizes: &'static [usize]) -> Store {
        let mut sizes = sizes.iter();
        self.size = Box::new(move |size, uploads| match uploads {
            0 => size,
            _ => *sizes.next().unwrap_or(&size),
        });
        self
    }

    fn serve(&mut self, server: &mut ScriptedServer) {
        server.serve(|server, verb, operand| {
            match verb {
                "SIZE" => {
                    let size = (self.size)(self.content.len(), self.uploads);
                    server.say(&format!("213 {size}"));
                }
                "REST" => {
                    self.rest = operand.parse().unwrap();
                    server.say("350 go ahead");
                }
                "RETR" => {
                    self.content.append(&mut self.arriving);
                    server.send(&self.content[mem::take(&mut self.rest)..]);
                }
                "STOR" | "APPE" => self.store(server, verb),
                _ => return false,
            }
            true
        });
    }

    fn store(&mut self, server: &mut ScriptedServer, verb: &str) {
        self.uploads += 1;
        let from = match mem::take(&mut self.rest) {
            _ if verb == "APPE" => self.content.len(),
            _ if self.ignores_rest => 0,
            rest => rest,
        };
        self.content.truncate(from);
        server.say("150 go ahead");
        server.data().read_to_end(&mut self.content).unwrap();
        if mem::take(&mut self.is_silent) {
            // The client leaves.
            while server.next().is_some() {}
        } else {
            server.say("226 done");
        }
    }
}

/// Runs a command with a local file `a` of this content.
fn send(command: &str, content: impl AsRef<[u8]>, store: &mut Store) -> Run {
    let client = Client::new();
    client.write("a", content);
    if !store.is_silent {
        return play(&client, command, |server| store.serve(server));
    }
    let store = Mutex::new(store);
    let connection = || -> Script<'_> { Box::new(|server| store.lock().unwrap().serve(server)) };
    play_all(&client, &[], command, vec![connection(), connection()])
}

together! { uploads_of_doubtful_size_are_settled:
    a_server_that_ignores_rest_gets_the_whole_file_once
    a_whole_file_with_a_wrong_size_fails
    a_wrong_size_is_requested_again
    a_size_that_stays_too_small_fails_after_two_uploads
    a_size_that_is_too_large_is_a_warning
    a_complete_upload_without_a_final_reply_is_not_repeated
    an_upload_without_a_final_reply_over_a_file_of_the_same_size_is_repeated
    an_append_without_a_final_reply_is_checked_by_size
    a_confirmed_append_is_never_repeated
    an_append_with_a_wrong_size_for_a_moment_succeeds
    reput_waits_until_a_growing_file_is_complete
}

fn a_server_that_ignores_rest_gets_the_whole_file_once() {
    let whole = noise(LARGE, 5);
    let mut store = Store { ignores_rest: true, ..Store::with(&whole[..HALF]) };
    send("REPUT a", &whole, &mut store).expect(0);
    assert!(store.content == whole);
    assert_eq!(store.uploads, 2, "the resume and the whole file");
}

fn a_whole_file_with_a_wrong_size_fails() {
    let whole = noise(LARGE, 5);
    let mut store = Store { ignores_rest: true, ..Store::with(&whole[..HALF]) };
    store.size = Box::new(|size, uploads| if uploads < 2 { size } else { 1000 });
    let run = send("REPUT a", &whole, &mut store).expect(1);
    run.expect_error("the server reports 1000 bytes for a file of 1500000 bytes");
    assert_eq!(store.uploads, 2, "the resume and the whole file");
}

fn a_wrong_size_is_requested_again() {
    let mut store = Store::with("").telling(&[0, 0]);
    send("STORE a", "content", &mut store).expect(0);
    assert_eq!((store.content.as_slice(), store.uploads), (&b"content"[..], 1));
}

fn a_size_that_stays_too_small_fails_after_two_uploads() {
    let mut store = Store::with("");
    store.size = Box::new(|_, _| 3);
    let run = send("STORE a", "content", &mut store).expect(1);
    run.expect_error("the server reports 3 bytes for a file of 7 bytes");
    assert_eq!(store.uploads, 2);
}

fn a_size_that_is_too_large_is_a_warning() {
    for command in ["STORE a", "MPUT a"] {
        let mut store = Store::with("");
        store.size = Box::new(|_, _| 512);
        let run = send(command, "content", &mut store).expect(0);
        run.expect_error("warning: a: the server reports 512 bytes for a file of 7 bytes");
        assert_eq!(store.uploads, 1);
    }
}

fn a_complete_upload_without_a_final_reply_is_not_repeated() {
    for content in [b"content".to_vec(), noise(LARGE, 5)] {
        let mut store = Store { is_silent: true, ..Store::with("").telling(&[0, 5]) };
        send("STORE a", &content, &mut store).expect(0);
        assert!(store.content == content);
        assert_eq!(store.uploads, 1);
    }
}

fn an_upload_without_a_final_reply_over_a_file_of_the_same_size_is_repeated() {
    let mut store = Store { is_silent: true, ..Store::with("") };
    let client = Client::new();
    client.write("a", "content");
    let store = Mutex::new(&mut store);
    let first: Script<'_> = Box::new(|server| {
        store.lock().unwrap().serve(server);
        // The server now has another file of the same size.
        store.lock().unwrap().content = b"CONTENT".to_vec();
    });
    let second: Script<'_> = Box::new(|server| store.lock().unwrap().serve(server));
    play_all(&client, &[], "STORE a", vec![first, second]).expect(0);
    let store = store.into_inner().unwrap();
    assert_eq!((store.content.as_slice(), store.uploads), (&b"content"[..], 2));
}

fn an_append_without_a_final_reply_is_checked_by_size() {
    // The server is still storing the file when the client first asks for the size.
    let mut store = Store { is_silent: true, ..Store::with("old").telling(&[3, 8]) };
    send("APPEND a", "0123456789", &mut store).expect(0);
    assert_eq!((store.content.as_slice(), store.uploads), (&b"old0123456789"[..], 1));
}

fn a_confirmed_append_is_never_repeated() {
    let mut store = Store::with("old");
    store.size = Box::new(|_, _| 3);
    let run = send("APPEND a", "0123456789", &mut store).expect(1);
    run.expect_error("the server reports 3 bytes for a file of 13 bytes");
    assert_eq!((store.content.as_slice(), store.uploads), (&b"old0123456789"[..], 1));
}

fn an_append_with_a_wrong_size_for_a_moment_succeeds() {
    let mut store = Store::with("old").telling(&[3, 0]);
    send("APPEND a", "0123456789", &mut store).expect(0);
    assert_eq!((store.content.as_slice(), store.uploads), (&b"old0123456789"[..], 1));
}

fn reput_waits_until_a_growing_file_is_complete() {
    let whole = noise(LARGE, 5);
    let mut store = Store::with(&whole[..HALF]);
    store.arriving = whole[HALF..HALF + 1000].to_vec();
    send("REPUT a", &whole, &mut store).expect(0);
    assert!(store.content == whole);
    assert_eq!(store.uploads, 1);
}
