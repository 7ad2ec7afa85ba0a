//! The records of `gilaudit-report/1`, one a line: for programs that read as they go, and for `grep`.
//!
//! The first line is `report` (schema, tool, target, policy, verdict), then come `environment`, `extension`, `library`, `finding`, `problem`,
//! `imports` and `baseline` lines, and the last one is `summary`.

use std::io::{self, Write};

use gilaudit_audit::report::Report as Audit;
use serde::Serialize;

use super::json;
use super::report_v1::{Policy, Target, Tool, Verdict};

/// A line.
#[derive(Serialize)]
struct Record<'a, T> {
    record: &'static str,
    #[serde(flatten)]
    fields: &'a T,
}

/// The fields of the first line.
#[derive(Serialize)]
struct Head<'a> {
    schema: &'static str,
    tool: &'a Tool,
    target: &'a Target,
    policy: &'a Policy<'a>,
    verdict: &'a Verdict,
}

pub(super) fn write(audit: &Audit, out: &mut dyn Write) -> io::Result<()> {
    let report = json::report(audit);
    let (schema, tool, target, policy, verdict) =
        (report.schema, &report.tool, &report.target, &report.policy, &report.verdict);
    let head = Head { schema, tool, target, policy, verdict };
    line("report", &head, out)?;
    lines("environment", &report.environments, out)?;
    lines("extension", &report.extensions, out)?;
    lines("library", &report.libraries, out)?;
    lines("finding", &report.findings, out)?;
    lines("problem", &report.problems, out)?;
    lines("imports", report.imports.as_slice(), out)?;
    lines("baseline", report.baseline.as_slice(), out)?;
    line("summary", &report.summary, out)
}

fn lines<T: Serialize>(record: &'static str, all: &[T], out: &mut dyn Write) -> io::Result<()> {
    all.iter().try_for_each(|fields| line(record, fields, out))
}

fn line<T: Serialize>(record: &'static str, fields: &T, out: &mut dyn Write) -> io::Result<()> {
    serde_json::to_writer(&mut *out, &Record { record, fields })?;
    out.write_all(b"\n")
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;
    use gilaudit_audit::sample;

    /// Nothing is in one of the two formats only.
    #[test]
    fn the_same_records_as_in_json() {
        let audit = sample::report();
        let mut out = Vec::new();
        write(&audit, &mut out).unwrap();
        let lines: Vec<Value> =
            String::from_utf8(out).unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert_eq!((&lines[0]["record"], &lines[lines.len() - 1]["record"]), (&"report".into(), &"summary".into()));
        let of = |record: &str| -> Vec<Value> {
            let mut all: Vec<Value> = lines.iter().filter(|line| line["record"] == record).cloned().collect();
            all.iter_mut().for_each(|line| {
                line.as_object_mut().unwrap().remove("record");
            });
            all
        };
        let report = serde_json::to_value(json::report(&audit)).unwrap();
        for (key, value) in report.as_object().unwrap() {
            let one = match key.strip_suffix("ies") {
                Some(stem) => format!("{stem}y"),
                None => key.trim_end_matches('s').to_owned(),
            };
            match value {
                Value::Array(records) => assert_eq!(of(&one), *records, "{key}"),
                Value::Null => assert_eq!(of(key), Vec::<Value>::new(), "{key}"),
                _ if key == "summary" => assert_eq!(of(key)[0], *value),
                _ => assert_eq!(lines[0][key], *value, "{key}"),
            }
        }
    }
}
