//! Lines that fit the terminal, and text that does it no harm.

use super::visible;

/// Breaks `text` at spaces into lines of at most `width` columns, continuation lines indented.
pub(super) fn hang(width: usize, text: &str, indent: usize) -> String {
    hang_after(width, text, 0, indent)
}

/// The same for a text that starts after `used` columns. Words that do not fit on a line (paths) stay whole.
pub(super) fn hang_after(width: usize, text: &str, used: usize, indent: usize) -> String {
    let mut out = String::new();
    let mut column = used;
    for (index, word) in text.split_whitespace().enumerate() {
        let word = clean(word);
        let length = word.chars().count();
        if index > 0 && column + 1 + length > width {
            out.push('\n');
            out.push_str(&" ".repeat(indent));
            column = indent;
        } else if index > 0 {
            out.push(' ');
            column += 1;
        }
        out.push_str(&word);
        column += length;
    }
    out
}

/// The text with everything in it visible: names of files and modules come from strangers, and terminals obey.
pub(super) fn clean(text: &str) -> String {
    visible::line(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_lines_hang_and_long_words_stay_whole() {
        assert_eq!(hang(80, &"word ".repeat(20), 2).lines().map(str::len).max(), Some(79));
        assert_eq!(hang(40, &"word ".repeat(20), 2).lines().map(str::len).max(), Some(39));
        assert!(hang(80, &"word ".repeat(20), 2).contains("\n  word"));
        let path = "x".repeat(100);
        assert_eq!(hang_after(80, &format!("at {path}"), 4, 6), format!("at\n      {path}"));
    }

    #[test]
    fn a_name_gives_the_terminal_no_orders() {
        assert_eq!(hang(80, "a\u{1b}[2Jb \u{7}", 2), "a\\u{1b}[2Jb \\u{7}");
    }
}
