//! Files in JSON that somebody else may have written: a baseline, and a saved report for `diff`. Damaged in any way they are read or said to be
//! broken; none ends the program in another way.

use std::fs;

use crate::common::{command, finish, folder, put};

/// Changes a few bytes, the same way for the same number.
fn damaged(text: &[u8], number: u64) -> Vec<u8> {
    const PIECES: [&[u8]; 12] =
        [b"{", b"}", b"[", b"]", b"\"", b",", b":", b"null", b"1e999", b"-1", b"\xff", b"\"\\ud800\""];
    let mut state = number.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut next = |below: usize| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 11) as usize % below.max(1)
    };
    let mut data = text.to_vec();
    for _ in 0..=next(4) {
        let at = next(data.len());
        let end = (at + next(40)).min(data.len());
        match next(4) {
            0 => drop(data.drain(at..end)),
            1 => data.truncate(at.max(1)),
            _ => drop(data.splice(at..(at + next(8)).min(end), PIECES[next(PIECES.len())].iter().copied())),
        }
    }
    data
}

#[test]
fn damaged_json_is_read_or_refused() {
    let here = folder();
    let (name, bytes) = crate::decisions::fixture("mp_undeclared");
    let file = put(here.path(), &name, bytes);
    let at = |name: &str| here.path().join(name);
    finish(command(["check"]).arg(&file).arg("--write-baseline").arg(at("known.json")));
    finish(command(["check", "--format", "json"]).arg(&file).arg("--output").arg(at("report.json")));
    let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000)).into_bytes();
    for saved in ["known.json", "report.json"] {
        let text = fs::read(at(saved)).unwrap();
        let mut refused = 0;
        for number in 0..60 {
            let data = if number == 0 { deep.clone() } else { damaged(&text, number) };
            let input = put(here.path(), "damaged.json", &data);
            let ran = if saved == "known.json" {
                finish(command(["check", "--quiet"]).arg(&file).arg("--baseline").arg(&input))
            } else {
                finish(command(["diff"]).arg(&input).arg(at("report.json")))
            };
            assert!((0..=3).contains(&ran.code), "{saved} {number}: {}{}", ran.code, ran.stderr);
            assert!(!ran.stderr.contains("panicked"), "{saved} {number}: {}", ran.stderr);
            refused += u32::from(ran.code == 2);
        }
        assert!(refused > 20, "{saved}: only {refused} of 60 were refused");
    }
}
