//! Trees so large that MIRROR lists them over several connections.

use super::tree;
use crate::support::Client;
use crate::support::scripted_server::{Script, ScriptedServer, play_together};
use std::fmt::Write;
use std::sync::mpsc::channel;

const DIRS: usize = 40;

/// The reaction of the server to the first listing over the second connection.
type Second = fn(&mut ScriptedServer);

/// Mirrors a tree of empty directories. The first connection lists the root, and then waits until a
/// listing was requested over the second.
#[track_caller]
fn mirror_over_two(second: Second) {
    let client = Client::new();
    let (asks, asked) = channel();
    let mut root = String::new();
    (0..DIRS).for_each(|number| write!(root, "type=dir; d{number}\r\n").unwrap());
    let first: Script<'_> = Box::new(move |server| {
        server.serve(|server, verb, operand| {
            match (verb, operand) {
                ("MLSD", "") => server.send(&root),
                ("MLSD", _) => {
                    // An error says that the other script has ended.
                    let _ = asked.recv();
                    server.send("");
                }
                _ => return false,
            }
            true
        });
    });
    let other: Script<'_> = Box::new(move |server| {
        server.serve(|server, verb, _| {
            let lists = verb == "MLSD";
            if lists {
                let _ = asks.send(());
                second(server);
            }
            lists
        });
    });
    let run = play_together(&client, &["-j", "2"], "MIRROR . here", vec![first, other]);
    run.expect(0);
    assert_eq!(tree(&client.path("here")).len(), DIRS);
}

#[test]
fn a_large_tree_is_listed_over_several_connections() {
    mirror_over_two(|server| server.send(""));
}

#[test]
fn what_another_connection_cannot_list_is_listed_by_the_first() {
    mirror_over_two(|server| server.close());
    mirror_over_two(|server| server.say("425 no room for another data connection"));
    mirror_over_two(|server| server.say("421 one session is enough"));
}
