//! What is known of the terminal, and links for those that show them.

use std::env;
use std::io::{self, IsTerminal};
use std::path::Path;

use super::words;

/// The width where nothing says otherwise: not on a terminal, a report is the same bytes everywhere.
pub(super) const WIDTH: usize = 80;

/// The columns to fill: `COLUMNS`, else those of the terminal on standard output.
pub(crate) fn width() -> usize {
    let set = env::var("COLUMNS").ok().and_then(|columns| columns.trim().parse::<usize>().ok());
    let terminal = || {
        let size = if io::stdout().is_terminal() { terminal_size::terminal_size_of(io::stdout()) } else { None };
        size.map(|(width, _)| usize::from(width.0))
    };
    // Below the first nothing can be read, above the second a line is hard to follow.
    set.or_else(terminal).unwrap_or(WIDTH).clamp(40, 200)
}

/// Whether standard output is a terminal that shows links; `FORCE_HYPERLINK` decides before.
pub(crate) fn links() -> bool {
    supports_hyperlinks::on(supports_hyperlinks::Stream::Stdout)
}

/// A link (OSC 8) to `url`, or the text alone.
pub(super) fn link(links: bool, url: &str, text: &str) -> String {
    if links { format!("\u{1b}]8;;{url}\u{1b}\\{text}\u{1b}]8;;\u{1b}\\") } else { text.to_owned() }
}

/// The address of a file on disk.
pub(super) fn file_url(path: &str) -> Option<String> {
    let path = std::path::absolute(Path::new(path)).ok()?;
    let path = path.to_str()?.replace('\\', "/");
    Some(format!("file:///{}", words::encoded(path.trim_start_matches('/'))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_are_escape_sequences_or_nothing() {
        assert_eq!(link(false, "u", "t"), "t");
        assert_eq!(link(true, "u", "t"), "\u{1b}]8;;u\u{1b}\\t\u{1b}]8;;\u{1b}\\");
        assert!(file_url("/a b/c").unwrap().ends_with("/a%20b/c"));
    }
}
