//! Tests of the editor as a whole: from the bytes of a terminal to lines and a screen.

use super::keys::{Key, Keys};
use super::screen::Screen;
use super::state::{Completion, EditorState, EditorStep};

/// Returns random input: keys of all kinds, text, and invalid bytes.
fn typed(seed: u64, count: usize) -> Vec<u8> {
    const PARTS: &[&[u8]] = &[
        b"a",
        b" ",
        b"'",
        b"\\",
        "ü".as_bytes(),
        "日".as_bytes(),
        "e\u{301}".as_bytes(),
        b"\x1b[A",
        b"\x1b[B",
        b"\x1b[C",
        b"\x1b[D",
        b"\x1b[H",
        b"\x1b[F",
        b"\x1b[3~",
        b"\x1bb",
        b"\x1bf",
        b"\x1bd",
        b"\x1b\x7f",
        b"\x7f",
        b"\x01",
        b"\x02",
        b"\x03",
        b"\x04",
        b"\x05",
        b"\x06",
        b"\x0b",
        b"\x0e",
        b"\x10",
        b"\x12",
        b"\x14",
        b"\x15",
        b"\x17",
        b"\x19",
        b"\x1b[200~a\nb\x1b[201~",
        b"\xff",
        b"\x1b",
        b"\x1b[",
        b"\t",
    ];
    let mut state = seed;
    let mut next = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (state >> 33) as usize
    };
    (0..count).flat_map(|_| PARTS[next() % PARTS.len()].to_vec()).collect()
}

#[test]
fn anything_can_be_typed_in_any_order_and_is_drawn_at_any_width() {
    let past: Vec<Vec<u8>> = [&b"get a"[..], b"", "日本 ü".as_bytes(), b"\xff\x1b"]
        .iter()
        .map(|line| line.to_vec())
        .collect();
    for seed in 0..300 {
        let (mut keys, mut state, mut screen) =
            (Keys::default(), EditorState::default(), Screen::default());
        for byte in typed(seed, 200) {
            let Some(key) = keys.byte(byte) else { continue };
            if state.key(key, &past) == EditorStep::Complete {
                let start = state.before().len().saturating_sub(seed as usize % 4);
                let word = b"\xe6\x97".to_vec();
                state.complete(Completion { start, word, choices: vec!["a".into()] });
            }
            let view = state.view("ftp> ");
            assert!(view.cursor <= view.text.len());
            screen.draw(&view, seed as usize % 20);
        }
        assert_ne!(state.key(Key::Enter, &past), EditorStep::Continue, "a line always ends");
    }
}
