//! `gilaudit-history/1`: what releases do, for programs. As for reports, new fields keep the `/1`.

use std::io::{self, Write};

use serde::Serialize;

use super::report_v1::Tool;
use crate::history::{History, Release};

/// The name and version of the format.
const SCHEMA: &str = "gilaudit-history/1";

/// The releases of distributions.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(rename = "Histories"))]
struct Out<'a> {
    /// The name and version of this format.
    #[cfg_attr(test, schemars(extend("const" = "gilaudit-history/1")))]
    schema: &'static str,
    tool: Tool,
    distributions: Vec<HistoryOut<'a>>,
}

/// The releases of one distribution.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(rename = "History"))]
struct HistoryOut<'a> {
    name: &'a str,
    python: String,
    platform: &'a str,
    /// The oldest first.
    releases: Vec<ReleaseOut<'a>>,
    /// The first release that has a wheel with modules for the target.
    first_wheel: Option<String>,
    /// The first release all of whose modules declare.
    first_declares: Option<String>,
    regressions: Vec<RegressionOut>,
    /// Releases that were not asked about.
    left_out: usize,
    problems: &'a [String],
}

/// A release that does worse than one before it.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(rename = "Regression"))]
struct RegressionOut {
    declares: String,
    lost: String,
}

/// One release.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(rename = "Release"))]
struct ReleaseOut<'a> {
    version: String,
    /// When its first file was uploaded, as the index says.
    uploaded: Option<&'a str>,
    /// Why it was withdrawn; null if it was not.
    yanked: Option<&'a str>,
    #[cfg_attr(test, schemars(extend("enum" =
        ["declares", "pure", "mixed", "enables-gil", "undetermined", "cannot-import", "abi3-only", "no-wheel", "unreadable"])))]
    verdict: &'static str,
    why: Option<&'a str>,
    wheel: Option<WheelOut<'a>>,
    modules: Vec<ModuleOut<'a>>,
}

/// The wheel that was read.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(rename = "IndexWheel"))]
struct WheelOut<'a> {
    name: &'a str,
    size: Option<u64>,
    /// What the index claims.
    claimed_sha256: Option<&'a str>,
    /// Of the file, if it was read as a whole.
    sha256: Option<&'a str>,
    /// Whether it was made sure that nothing hides between its members.
    layout_checked: bool,
    /// Bytes that were fetched of it; 0 from the cache.
    fetched: u64,
    requests: usize,
}

/// A module of a wheel.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(rename = "ReleasedModule"))]
struct ModuleOut<'a> {
    module: &'a str,
    path: &'a str,
    sha256: Option<&'a str>,
    #[cfg_attr(test, schemars(extend("enum" = ["not-used", "used", "undeclared", "unknown"])))]
    declaration: &'a str,
    #[cfg_attr(test, schemars(extend("enum" =
        ["runs-free", "enables-gil", "runs-free-forced", "runs-with-gil", "cannot-import", "undetermined"])))]
    outcome: &'a str,
    because: &'a str,
}

pub(crate) fn write(all: &[History], out: &mut dyn Write) -> io::Result<()> {
    let report = Out {
        schema: SCHEMA,
        tool: Tool { name: env!("CARGO_PKG_NAME"), version: env!("CARGO_PKG_VERSION") },
        distributions: all.iter().map(history).collect(),
    };
    serde_json::to_writer_pretty(&mut *out, &report)?;
    writeln!(out)
}

/// One release a line.
pub(crate) fn write_lines(all: &[History], out: &mut dyn Write) -> io::Result<()> {
    #[derive(Serialize)]
    struct Line<'a> {
        schema: &'static str,
        name: &'a str,
        python: String,
        platform: &'a str,
        #[serde(flatten)]
        release: ReleaseOut<'a>,
    }
    for history in all {
        for release in &history.releases {
            let line = Line {
                schema: SCHEMA,
                name: &history.name,
                python: history.target.to_string(),
                platform: &history.platform,
                release: self::release(release),
            };
            serde_json::to_writer(&mut *out, &line)?;
            writeln!(out)?;
        }
    }
    Ok(())
}

fn history(history: &History) -> HistoryOut<'_> {
    let version = |release: Option<&Release>| release.map(|release| release.version.to_string());
    HistoryOut {
        name: &history.name,
        python: history.target.to_string(),
        platform: &history.platform,
        releases: history.releases.iter().map(release).collect(),
        first_wheel: version(history.first_wheel()),
        first_declares: version(history.first_declares()),
        regressions: history
            .regressions()
            .iter()
            .map(|(before, lost)| RegressionOut {
                declares: before.version.to_string(),
                lost: lost.version.to_string(),
            })
            .collect(),
        left_out: history.left_out,
        problems: &history.problems,
    }
}

fn release(release: &Release) -> ReleaseOut<'_> {
    ReleaseOut {
        version: release.version.to_string(),
        uploaded: release.uploaded.as_deref(),
        yanked: release.yanked.as_deref(),
        verdict: release.verdict.as_str(),
        why: release.why.as_deref(),
        wheel: release.wheel.as_ref().map(|file| WheelOut {
            name: &file.name,
            size: file.size,
            claimed_sha256: file.claimed_sha256.as_deref(),
            sha256: release.facts.sha256.as_deref(),
            layout_checked: release.facts.layout_checked,
            fetched: release.cost.bytes,
            requests: release.cost.requests,
        }),
        modules: release
            .facts
            .modules
            .iter()
            .map(|module| ModuleOut {
                module: &module.name,
                path: &module.path,
                sha256: module.sha256.as_deref(),
                declaration: &module.declaration,
                outcome: &module.outcome,
                because: &module.because,
            })
            .collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `UPDATE=1 cargo test` writes the schema anew.
    #[test]
    fn the_schema_is_fresh() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/history-v1.schema.json");
        let schema = schemars::schema_for!(Out<'_>);
        let text = serde_json::to_string_pretty(&schema).expect("a schema is JSON") + "\n";
        if std::env::var_os("UPDATE").is_some() {
            std::fs::write(path, &text).expect("the schema can be written");
        }
        let known = std::fs::read_to_string(path).unwrap_or_default();
        assert_eq!(known, text, "UPDATE=1 cargo test writes it anew");
    }
}
