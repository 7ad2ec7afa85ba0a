//! What releases do, as one HTML file without scripts: a square a release, and a table.

use std::io::{self, Write};

use super::visible;
use crate::history::{History, Verdict};

const STYLE: &str = "body{font:15px/1.5 system-ui,sans-serif;max-width:70em;margin:2em auto;padding:0 1em;color:#222;background:#fff}\
table{border-collapse:collapse}td,th{padding:.15em .8em .15em 0;text-align:left;vertical-align:top}\
.declares{fill:#1a7f37;color:#1a7f37}.pure{fill:#8bbf9a;color:#4a7f5a}.mixed{fill:#d97706;color:#b45309}\
.enables-gil{fill:#c0262d;color:#c0262d}.undetermined,.unreadable{fill:#b59f00;color:#7a6b00}\
.cannot-import{fill:#5b21b6;color:#5b21b6}.abi3-only{fill:#9aa4b2;color:#5c6675}.no-wheel{fill:#dfe3e8;color:#5c6675}\
@media(prefers-color-scheme:dark){body{color:#ddd;background:#16181b}td.declares{color:#57c777}td.enables-gil{color:#ff7b80}}";

pub(crate) fn write(all: &[History], out: &mut dyn Write) -> io::Result<()> {
    writeln!(out, "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><title>gilaudit history</title>")?;
    writeln!(
        out,
        "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">"
    )?;
    writeln!(out, "<style>{STYLE}</style></head><body>")?;
    for history in all {
        one(history, out)?;
    }
    writeln!(out, "</body></html>")
}

fn one(history: &History, out: &mut dyn Write) -> io::Result<()> {
    let (name, platform) = (escaped(&history.name), escaped(&history.platform));
    writeln!(out, "<h1>{name} on {}, {platform}</h1>", history.target)?;
    const SIDE: usize = 14;
    const ROW: usize = 60;
    let rows = history.releases.len().div_ceil(ROW);
    let (width, height) = (SIDE * history.releases.len().clamp(1, ROW), SIDE * rows.max(1));
    writeln!(
        out,
        "<svg width=\"{width}\" height=\"{height}\" role=\"img\" aria-label=\"one square for each release, the oldest first\">"
    )?;
    for (index, release) in history.releases.iter().enumerate() {
        let (x, y) = (SIDE * (index % ROW), SIDE * (index / ROW));
        let verdict = release.verdict.as_str();
        writeln!(
            out,
            "<rect class=\"{verdict}\" x=\"{x}\" y=\"{y}\" width=\"12\" height=\"12\"><title>{}: {verdict}</title></rect>",
            escaped(&release.version.to_string())
        )?;
    }
    writeln!(out, "</svg>\n<p>")?;
    let number = |verdict: Verdict| history.releases.iter().filter(|it| it.verdict == verdict).count();
    for verdict in Verdict::ALL.into_iter().filter(|verdict| number(*verdict) > 0) {
        let word = verdict.as_str();
        writeln!(
            out,
            "<svg width=\"12\" height=\"12\"><rect class=\"{word}\" width=\"12\" height=\"12\"/></svg> {word} ({})&ensp;",
            number(verdict)
        )?;
    }
    writeln!(out, "</p>\n<table><tr><th>release<th>date<th>verdict<th>modules that turn the GIL on, or why not</tr>")?;
    for release in history.releases.iter().rev() {
        let verdict = release.verdict.as_str();
        let date = release.uploaded.as_deref().and_then(|text| text.get(..10)).unwrap_or_default();
        let on: Vec<&str> =
            release.facts.modules.iter().filter(|it| it.outcome == "enables-gil").map(|it| it.name.as_str()).collect();
        let why = if on.is_empty() { release.why.clone().unwrap_or_default() } else { on.join(", ") };
        writeln!(
            out,
            "<tr><td>{}<td>{}<td class=\"{verdict}\">{verdict}<td>{}</tr>",
            escaped(&release.version.to_string()),
            escaped(date),
            escaped(&why)
        )?;
    }
    writeln!(out, "</table>")
}

/// A text from elsewhere, which can be seen and is no markup.
fn escaped(text: &str) -> String {
    let text = visible::line(text);
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;").replace('\'', "&#39;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_no_markup() {
        let history = History {
            name: "<script>\u{202e}".into(),
            target: "3.14t".parse().expect("a target"),
            platform: "\"'&".into(),
            releases: Vec::new(),
            left_out: 0,
            problems: Vec::new(),
        };
        let mut out = Vec::new();
        write(&[history], &mut out).expect("memory");
        let text = String::from_utf8(out).expect("text");
        assert!(text.contains("&lt;script&gt;\\u{202e}") && text.contains("&quot;&#39;&amp;"), "{text}");
        assert!(!text.contains("<script"));
    }
}
