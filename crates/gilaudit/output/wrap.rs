//! Lines of at most 80 columns.

/// The width that text output keeps to, on every terminal: a report is the same bytes everywhere.
pub(super) const WIDTH: usize = 80;

/// Breaks `text` at spaces into lines that fit, continuation lines indented.
pub(super) fn hang(text: &str, indent: usize) -> String {
    hang_after(text, 0, indent)
}

/// The same for a text that starts after `used` columns. Words that do not fit on a line (paths) stay whole.
pub(super) fn hang_after(text: &str, used: usize, indent: usize) -> String {
    let mut out = String::new();
    let mut column = used;
    for (index, word) in text.split_whitespace().enumerate() {
        let length = word.chars().count();
        if index > 0 && column + 1 + length > WIDTH {
            out.push('\n');
            out.push_str(&" ".repeat(indent));
            column = indent;
        } else if index > 0 {
            out.push(' ');
            column += 1;
        }
        out.push_str(word);
        column += length;
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_lines_hang_and_long_words_stay_whole() {
        assert_eq!(hang(&"word ".repeat(20), 2).lines().map(str::len).max(), Some(79));
        assert!(hang(&"word ".repeat(20), 2).contains("\n  word"));
        let path = "x".repeat(100);
        assert_eq!(hang_after(&format!("at {path}"), 4, 6), format!("at\n      {path}"));
    }
}
