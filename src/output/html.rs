//! One HTML file that needs no network: the page of `assets/`, with what it shows as JSON inside.
//!
//! Names in a report are hostile. They are nowhere in the markup: the script makes text nodes of the JSON, and in the JSON nothing
//! can end the element that it is in. The page's own policy (CSP) forbids requests of any kind, and every script and style but those of
//! `assets/`, which it names by their hashes.

use std::io::{self, Write};

use gilaudit_audit::report::Report;
use serde::Serialize;

use super::html_data::data;
use super::visible;

const PAGE: &str = include_str!("../assets/report.html");
const STYLE: &str = include_str!("../assets/report.css");
const SCRIPT: &str = include_str!("../assets/report.js");

pub(super) fn write(report: &Report, out: &mut dyn Write) -> io::Result<()> {
    let mut json = Vec::new();
    data(report).serialize(&mut serde_json::Serializer::with_formatter(&mut json, visible::Json))?;
    let json = for_script(&String::from_utf8_lossy(&json));
    let (style_hash, script_hash) = (source_hash(STYLE), source_hash(SCRIPT));
    let parts = [
        ("{{style-hash}}", style_hash.as_str()),
        ("{{script-hash}}", &script_hash),
        ("{{style}}", STYLE),
        ("{{data}}", &json),
        ("{{script}}", SCRIPT),
    ];
    let mut rest = PAGE;
    // Each place is looked for in the page only, never in what was put in.
    for (place, content) in parts {
        let Some((before, after)) = rest.split_once(place) else {
            return Err(io::Error::other(format!("the page has no {place}")));
        };
        out.write_all(before.as_bytes())?;
        out.write_all(content.as_bytes())?;
        rest = after;
    }
    out.write_all(rest.as_bytes())
}

/// JSON that can stand in a script element: without `<` there is neither `</script>` nor `<!--`.
fn for_script(json: &str) -> String {
    json.replace('<', "\\u003c")
}

/// What the page's policy allows: an element with just this text (CSP Level 3, section 2.3.1, `hash-source`).
fn source_hash(text: &str) -> String {
    format!("'sha256-{}'", gilaudit_input::sha256_base64(text.as_bytes()))
}

#[cfg(test)]
mod tests {
    use gilaudit_model::{Origin, Status};

    use super::*;
    use gilaudit_audit::DEFAULT_TARGET;
    use gilaudit_audit::report::Answers;
    use gilaudit_audit::sample;

    fn page(report: &Report) -> String {
        let mut out = Vec::new();
        write(report, &mut out).expect("a vector takes everything");
        String::from_utf8(out).expect("HTML is UTF-8")
    }

    #[test]
    fn a_hostile_name_never_becomes_markup() {
        let name = "</script><!--<img src=x onerror=alert(1)>{{script}}\u{2028}";
        let mut extension = sample::extension(name, Status::Used);
        extension.origin = Origin::path(name);
        let judged = vec![sample::judged(extension, &DEFAULT_TARGET)];
        let answers = Answers { recognised: true, extensions: judged, ..Answers::default() };
        let plain = page(&Report::new(sample::question(DEFAULT_TARGET), Answers::default()));
        let html = page(&Report::new(sample::question(DEFAULT_TARGET), answers));
        for markup in ["<", "</script", "<!--", "<img"] {
            assert_eq!(html.matches(markup).count(), plain.matches(markup).count(), "{markup}");
        }
        assert_eq!(html.matches(SCRIPT).count(), 1);
        assert!(html.contains("\\u003c/script>") && html.contains(r"\\u{2028}"));
    }

    /// The hashes that are in the page are those of what is in it, as a browser computes them: from the text between the tags.
    #[test]
    fn only_its_own_script_runs() {
        use sha2::{Digest, Sha256};
        let html = page(&sample::report());
        let between = |start: &str, end: &str| {
            let (_, rest) = html.split_once(start).expect("it is there");
            rest.split_once(end).expect("it ends").0
        };
        let policy = between("http-equiv=\"Content-Security-Policy\" content=\"", "\">");
        assert!(!policy.contains("unsafe"), "{policy}");
        for (directive, text) in
            [("style-src", between("<style>", "</style>")), ("script-src", between("<script>", "</script>"))]
        {
            let hash = data_encoding::BASE64.encode(&Sha256::digest(text));
            assert!(policy.contains(&format!("{directive} 'sha256-{hash}';")), "{directive} {hash}: {policy}");
        }
        assert_eq!(html.matches("<script").count(), 2, "the data and the script");
        assert!(!html.contains(" style=") && !html.contains(" onclick="), "nothing is allowed by an attribute");
    }

    #[test]
    fn it_asks_nobody_for_anything() {
        let html = page(&sample::report());
        assert!(html.contains("default-src 'none'"));
        for request in ["src=", "@import", "url(", "<link", "fetch(", "XMLHttpRequest"] {
            assert!(!html.contains(request), "{request}");
        }
    }
}
