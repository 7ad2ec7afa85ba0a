//! One HTML file that needs no network: the page of `assets/`, with what it shows as JSON inside.
//!
//! Names in a report are hostile. They are nowhere in the markup: the script makes text nodes of the JSON, and in the JSON nothing
//! can end the element that it is in. The page's own policy (CSP) forbids requests of any kind.

use std::io::{self, Write};

use super::html_data::data;
use crate::report::Report;

const PAGE: &str = include_str!("../assets/report.html");
const STYLE: &str = include_str!("../assets/report.css");
const SCRIPT: &str = include_str!("../assets/report.js");

pub(super) fn write(report: &Report, out: &mut dyn Write) -> io::Result<()> {
    let json = for_script(&serde_json::to_string(&data(report))?);
    let mut rest = PAGE;
    // Each place is looked for in the page only, never in what was put in.
    for (place, content) in [("{{style}}", STYLE), ("{{data}}", json.as_str()), ("{{script}}", SCRIPT)] {
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
    json.replace('<', "\\u003c").replace('\u{2028}', "\\u2028").replace('\u{2029}', "\\u2029")
}

#[cfg(test)]
mod tests {
    use gilaudit_model::{Origin, Status};

    use super::*;
    use crate::output::sample;
    use crate::report::Answers;
    use crate::settings::DEFAULT_TARGET;

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
        assert!(html.contains("\\u003c/script>"));
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
