//! Text in which everything can be seen.
//!
//! Names, messages and lines of source come from strangers. Characters that terminals obey, that turn the order of others around or that
//! nobody sees make a report say something else than it holds: `safe\u{202e}os.evil` is shown as `safelive.so`. Formats for people get such
//! characters as `\u{202e}`. Formats for programs (JSON, SARIF) keep what was found.

use std::io::{self, Write};

use serde_json::ser::{CharEscape, Formatter};

/// Characters without a look of their own, first and last of each run: the general categories Cc, Cf, Zl and Zp and the property
/// Default_Ignorable_Code_Point of Unicode 16.0 (`DerivedGeneralCategory.txt`, `DerivedCoreProperties.txt`).
const HIDDEN: [(char, char); 27] = [
    ('\u{0}', '\u{1f}'),
    ('\u{7f}', '\u{9f}'),
    ('\u{ad}', '\u{ad}'),
    ('\u{34f}', '\u{34f}'),
    ('\u{600}', '\u{605}'),
    ('\u{61c}', '\u{61c}'),
    ('\u{6dd}', '\u{6dd}'),
    ('\u{70f}', '\u{70f}'),
    ('\u{890}', '\u{891}'),
    ('\u{8e2}', '\u{8e2}'),
    ('\u{115f}', '\u{1160}'),
    ('\u{17b4}', '\u{17b5}'),
    ('\u{180b}', '\u{180f}'),
    ('\u{200b}', '\u{200f}'),
    ('\u{2028}', '\u{202e}'),
    ('\u{2060}', '\u{206f}'),
    ('\u{3164}', '\u{3164}'),
    ('\u{fe00}', '\u{fe0f}'),
    ('\u{feff}', '\u{feff}'),
    ('\u{ffa0}', '\u{ffa0}'),
    ('\u{fff0}', '\u{fffb}'),
    ('\u{110bd}', '\u{110bd}'),
    ('\u{110cd}', '\u{110cd}'),
    ('\u{13430}', '\u{1343f}'),
    ('\u{1bca0}', '\u{1bca3}'),
    ('\u{1d173}', '\u{1d17a}'),
    ('\u{e0000}', '\u{e0fff}'),
];

/// Whether a character has no look of its own.
pub(super) fn is_hidden(c: char) -> bool {
    // Nearly all text is this.
    if (' '..='~').contains(&c) {
        return false;
    }
    let at = HIDDEN.partition_point(|(first, _)| *first <= c);
    at.checked_sub(1).and_then(|at| HIDDEN.get(at)).is_some_and(|(_, last)| c <= *last)
}

/// Text with hidden characters made visible, but for those in `keep`.
pub(super) fn but(text: &str, keep: &[char]) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        if is_hidden(c) && !keep.contains(&c) { out.extend(c.escape_unicode()) } else { out.push(c) }
    }
    out
}

/// Text for one line: tabs are spaces, and nothing ends the line.
pub(super) fn line(text: &str) -> String {
    but(text, &['\t']).replace('\t', " ")
}

/// Writes finished text of which every line ends where it should. Whatever a format, or a library that it uses, let through is made
/// visible here. Only what begins a colour or a link stays an order to a terminal, where a format has some.
pub(super) fn write(text: &[u8], has_styles: bool, out: &mut dyn Write) -> io::Result<()> {
    const KEEP: [char; 2] = ['\n', '\t'];
    let text = String::from_utf8_lossy(text);
    let mut parts = text.split('\u{1b}');
    out.write_all(but(parts.next().unwrap_or_default(), &KEEP).as_bytes())?;
    for part in parts {
        let escape = if has_styles && is_style(part) { "\u{1b}" } else { "\\u{1b}" };
        out.write_all(escape.as_bytes())?;
        out.write_all(but(part, &KEEP).as_bytes())?;
    }
    Ok(())
}

/// Whether what follows an escape character makes it a colour (SGR), or the begin or end of a link (OSC 8).
fn is_style(rest: &str) -> bool {
    let sgr = rest.strip_prefix('[').map(|rest| rest.trim_start_matches(|c: char| c.is_ascii_digit() || c == ';'));
    sgr.is_some_and(|rest| rest.starts_with('m')) || rest.starts_with("]8;;") || rest.starts_with('\\')
}

/// Writes JSON whose strings are shown to people.
pub(super) struct Json;

impl Formatter for Json {
    fn write_string_fragment<W: ?Sized + Write>(&mut self, writer: &mut W, fragment: &str) -> io::Result<()> {
        // A backslash of the text is two in JSON.
        let visible = if fragment.chars().any(is_hidden) {
            but(fragment, &[]).replace('\\', "\\\\")
        } else {
            fragment.to_owned()
        };
        writer.write_all(visible.as_bytes())
    }

    fn write_char_escape<W: ?Sized + Write>(&mut self, writer: &mut W, escape: CharEscape) -> io::Result<()> {
        let hidden = match escape {
            CharEscape::Quote => return writer.write_all(b"\\\""),
            CharEscape::ReverseSolidus => return writer.write_all(b"\\\\"),
            CharEscape::Solidus => return writer.write_all(b"/"),
            CharEscape::LineFeed => return writer.write_all(b"\\n"),
            CharEscape::Tab => return writer.write_all(b"\\t"),
            CharEscape::Backspace => 8,
            CharEscape::FormFeed => 12,
            CharEscape::CarriageReturn => 13,
            CharEscape::AsciiControl(byte) => byte,
        };
        write!(writer, "\\\\u{{{hidden:x}}}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_hidden() {
        assert!(HIDDEN.is_sorted() && HIDDEN.iter().all(|(first, last)| first <= last));
        for c in [
            '\0',
            '\n',
            '\u{1b}',
            '\u{7f}',
            '\u{9b}',
            '\u{ad}',
            '\u{200d}',
            '\u{202e}',
            '\u{2066}',
            '\u{feff}',
            '\u{e0041}',
        ] {
            assert!(is_hidden(c), "{c:?}");
        }
        for c in [' ', '~', '\u{a0}', 'é', '日', '\u{301}', '😀', '\u{fffd}', '\u{10ffff}'] {
            assert!(!is_hidden(c), "{c:?}");
        }
        // All of the categories that the standard library knows.
        assert!(('\0'..=char::MAX).filter(|c| c.is_control()).all(is_hidden));
    }

    #[test]
    fn a_name_gives_no_orders_and_hides_nothing() {
        assert_eq!(line("a\u{1b}[2J\tb\r\n\u{202e}c\u{200b}"), "a\\u{1b}[2J b\\u{d}\\u{a}\\u{202e}c\\u{200b}");
        let mut out = Vec::new();
        write("\u{1b}[1ma\u{1b}[0m\u{9b}\r\n".as_bytes(), true, &mut out).unwrap();
        assert_eq!(String::from_utf8(out).unwrap(), "\u{1b}[1ma\u{1b}[0m\\u{9b}\\u{d}\n");
        let mut out = Vec::new();
        write(b"\x1b[2J\x1b[1;31m\x1b]8;;u\x1b\\\x1b]0;t\x1b", true, &mut out).unwrap();
        let shown = String::from_utf8(out).unwrap();
        assert_eq!(shown, "\\u{1b}[2J\u{1b}[1;31m\u{1b}]8;;u\u{1b}\\\\u{1b}]0;t\\u{1b}");
        let mut out = Vec::new();
        write("\u{1b}\u{202e}\n".as_bytes(), false, &mut out).unwrap();
        assert_eq!(String::from_utf8(out).unwrap(), "\\u{1b}\\u{202e}\n");
    }

    #[test]
    fn json_for_people_is_json() {
        use serde::Serialize;
        let text = "\u{1b}\u{202e}\"\\\n\tb\u{8}é";
        let mut out = Vec::new();
        text.serialize(&mut serde_json::Serializer::with_formatter(&mut out, Json)).unwrap();
        assert_eq!(serde_json::from_slice::<String>(&out).unwrap(), "\\u{1b}\\u{202e}\"\\\n\tb\\u{8}é");
    }
}
