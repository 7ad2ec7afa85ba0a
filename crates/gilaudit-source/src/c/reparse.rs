//! Parses a second configuration of a file with what is left of the tree of the first.
//!
//! Two configurations of one file have the same length and differ in a few places, so the parser is told which, and parses those again.

use tree_sitter::{InputEdit, Point, Tree};

/// Differences that are closer than this are one.
const GAP: usize = 64;

/// More differences than this are not worth telling apart.
const MOST: usize = 4_000;

/// The tree of `old`, told where `new` differs; `None` if they have little in common.
pub(crate) fn edited(tree: &Tree, old: &str, new: &str) -> Option<Tree> {
    let ranges = differences(old.as_bytes(), new.as_bytes())?;
    let changed: usize = ranges.iter().map(|range| range.1 - range.0).sum();
    if changed > new.len() / 2 {
        return None;
    }
    let mut tree = tree.clone();
    let bytes = new.as_bytes();
    let (mut at, mut row, mut line) = (0, 0, 0);
    let mut point = |to: usize| {
        for newline in memchr::memchr_iter(b'\n', bytes.get(at..to).unwrap_or_default()) {
            row += 1;
            line = at + newline + 1;
        }
        at = to;
        Point { row, column: to.saturating_sub(line) }
    };
    for (start, end) in ranges {
        let (start_position, end_position) = (point(start), point(end));
        tree.edit(&InputEdit {
            start_byte: start,
            old_end_byte: end,
            new_end_byte: end,
            start_position,
            old_end_position: end_position,
            new_end_position: end_position,
        });
    }
    Some(tree)
}

/// The parts in which two texts of the same length differ.
fn differences(old: &[u8], new: &[u8]) -> Option<Vec<(usize, usize)>> {
    if old.len() != new.len() {
        return None;
    }
    let mut ranges: Vec<(usize, usize)> = Vec::new();
    for (block, (a, b)) in old.chunks(GAP).zip(new.chunks(GAP)).enumerate() {
        if a == b {
            continue;
        }
        for (index, _) in a.iter().zip(b).enumerate().filter(|(_, (a, b))| a != b) {
            let at = block * GAP + index;
            match ranges.last_mut() {
                Some((_, end)) if at < end.saturating_add(GAP) => *end = at + 1,
                _ => ranges.push((at, at + 1)),
            }
        }
    }
    (ranges.len() <= MOST).then_some(ranges)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn differences_are_joined_when_they_are_close() {
        let old = "a".repeat(300);
        let mut new = old.clone().into_bytes();
        for at in [3, 10, 200, 299] {
            new[at] = b'b';
        }
        assert_eq!(differences(old.as_bytes(), &new), Some(vec![(3, 11), (200, 201), (299, 300)]));
        assert_eq!(differences(b"a", b"ab"), None);
    }

    #[test]
    fn a_tree_from_a_tree_is_the_same_tree() {
        let mut parser = tree_sitter::Parser::new();
        parser.set_language(&tree_sitter_c::LANGUAGE.into()).unwrap();
        let filler = "int filler(int x) { return x + 1; }\n".repeat(40);
        let old = format!("{filler}int f(void) {{\n    g();\n}}\n{filler}");
        let new = old.replace("g();", "    ").replacen("x + 1", "x - 2", 1);
        assert_eq!(old.len(), new.len());
        let first = parser.parse(&old, None).unwrap();
        let again = parser.parse(&new, Some(&edited(&first, &old, &new).unwrap())).unwrap();
        let fresh = parser.parse(&new, None).unwrap();
        assert_eq!(again.root_node().to_sexp(), fresh.root_node().to_sexp());
    }
}
