//! `gilaudit-verify/1`: what `gilaudit verify` saw, for programs. As for reports, new fields keep the `/1`.

use std::io::{self, Write};

use serde::Serialize;

use super::report_v1::{Distribution, Tool};
use super::report_v1_imports::gil;
use crate::command::verify::Verified;
use crate::verify::compare::{Agreement, Module, Program};
use crate::verify::stress::Stressed;

/// The name and version of the format.
const SCHEMA: &str = "gilaudit-verify/1";

/// Predictions beside what an interpreter did.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(rename = "Verification"))]
struct Out<'a> {
    /// The name and version of this format.
    #[cfg_attr(test, schemars(extend("const" = "gilaudit-verify/1")))]
    schema: &'static str,
    tool: Tool,
    interpreter: InterpreterOut<'a>,
    /// What was verified, as it was named.
    environment: &'a str,
    summary: SummaryOut,
    /// Each extension, imported in a process of its own; empty with `--import`, `--entry` or `--stress`.
    modules: Vec<ModuleOut<'a>>,
    /// The imports asked about; null when none were.
    program: Option<ProgramOut<'a>>,
    /// The functions of `--stress`.
    stress: Vec<StressOut<'a>>,
}

/// The interpreter that was run.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(rename = "Interpreter"))]
struct InterpreterOut<'a> {
    executable: &'a str,
    python: String,
    /// `PYTHON_GIL` of the processes.
    #[cfg_attr(test, schemars(extend("enum" = ["default", "0", "1"])))]
    gil: &'static str,
}

/// Everything counted.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(rename = "VerifySummary"))]
struct SummaryOut {
    agrees: usize,
    differs: usize,
    not_predicted: usize,
    not_tested: usize,
    /// Files that this interpreter does not search for.
    for_other_interpreters: usize,
    seconds: f64,
}

/// A module's prediction beside what was seen.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(rename = "VerifiedModule"))]
struct ModuleOut<'a> {
    module: &'a str,
    origin: &'a [String],
    distribution: Option<Distribution<'a>>,
    #[cfg_attr(test, schemars(extend("enum" =
        ["runs-free", "enables-gil", "runs-free-forced", "runs-with-gil", "cannot-import", "undetermined"])))]
    predicted: &'static str,
    #[cfg_attr(test, schemars(extend("enum" =
        ["runs-free", "enables-gil", "runs-with-gil", "cannot-import", "crashes", "not-seen"])))]
    seen: &'static str,
    /// The error, the signal, or why nothing was seen.
    detail: Option<&'a str>,
    /// The module that the interpreter's first warning named.
    warned: Option<&'a str>,
    #[cfg_attr(test, schemars(extend("enum" = ["agrees", "differs", "not-predicted", "not-tested"])))]
    agreement: &'static str,
    seconds: f64,
}

/// A program's prediction beside what was seen.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(rename = "VerifiedProgram"))]
struct ProgramOut<'a> {
    entries: &'a [String],
    /// As `imports.gil` of a report.
    predicted: &'static str,
    /// As `imports.first` of a report.
    predicted_first: Option<&'a str>,
    /// As `imports.because` of a report.
    because: &'a str,
    /// The GIL when the program ended or was stopped; null when nothing was seen.
    #[cfg_attr(test, schemars(extend("enum" = ["off", "on", null])))]
    seen: Option<&'static str>,
    /// The module that the interpreter's first warning named.
    warned: Option<&'a str>,
    /// Where the imports are that led to the warning, the outermost first.
    places: Vec<PlaceOut<'a>>,
    /// The places that were predicted for the module that the warning named: `app.py:3`; empty when it was not expected.
    predicted_places: Vec<&'a str>,
    /// What went wrong in the program.
    errors: &'a [String],
    #[cfg_attr(test, schemars(extend("enum" = ["agrees", "differs", "not-predicted", "not-tested"])))]
    agreement: &'static str,
    /// What differs, or why nothing can be said.
    why: &'a str,
    seconds: f64,
}

/// The place of an import.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(rename = "Place"))]
struct PlaceOut<'a> {
    file: &'a str,
    line: u32,
    function: &'a str,
}

/// A function called from several threads.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(rename = "Stressed"))]
struct StressOut<'a> {
    /// `module:function`.
    function: &'a str,
    /// What happened without the GIL, and not in the control run with it.
    differences: &'a [String],
    /// How the calls of the control run ended.
    control: &'a [String],
    /// Why nothing can be said; null when something can.
    not_tested: Option<&'a str>,
    /// The module for which the interpreter would turn the GIL on.
    needs_gil: Option<&'a str>,
}

pub(crate) fn write(verified: &Verified, out: &mut dyn Write) -> io::Result<()> {
    let result = Out {
        schema: SCHEMA,
        tool: Tool { name: env!("CARGO_PKG_NAME"), version: env!("CARGO_PKG_VERSION") },
        interpreter: InterpreterOut {
            executable: &verified.interpreter,
            python: verified.target.to_string(),
            gil: verified.target.gil.as_str(),
        },
        environment: &verified.environment,
        summary: SummaryOut {
            agrees: verified.count(Agreement::Agrees),
            differs: verified.count(Agreement::Differs),
            not_predicted: verified.count(Agreement::NotPredicted),
            not_tested: verified.count(Agreement::NotTested),
            for_other_interpreters: verified.others,
            seconds: seconds(verified.elapsed),
        },
        modules: verified.modules.iter().map(module).collect(),
        program: verified.program.as_ref().map(program),
        stress: verified.stressed.iter().map(stressed).collect(),
    };
    serde_json::to_writer_pretty(&mut *out, &result)?;
    out.write_all(b"\n")
}

/// In milliseconds at most: nobody reads more.
fn seconds(elapsed: std::time::Duration) -> f64 {
    (elapsed.as_secs_f64() * 1000.0).round() / 1000.0
}

fn module(module: &Module) -> ModuleOut<'_> {
    let extension = &module.judged.extension;
    ModuleOut {
        module: &extension.module,
        origin: extension.origin.parts(),
        distribution: extension.distribution.as_ref().map(|it| Distribution { name: &it.name, version: &it.version }),
        predicted: module.judged.decision.outcome.as_str(),
        seen: module.did.as_str(),
        detail: module.did.detail(),
        warned: module.warned.as_deref(),
        agreement: module.agreement.as_str(),
        seconds: seconds(module.elapsed),
    }
}

fn program(program: &Program) -> ProgramOut<'_> {
    let answer = &program.imports.answer;
    ProgramOut {
        entries: &program.imports.entries,
        predicted: gil(answer.gil),
        predicted_first: answer.first.as_deref(),
        because: &answer.because,
        seen: program.gil.map(|on| if on { "on" } else { "off" }),
        warned: program.warned.as_deref(),
        places: program.places.iter().map(|(file, line, function)| PlaceOut { file, line: *line, function }).collect(),
        predicted_places: answer
            .blockers
            .iter()
            .filter(|blocker| program.warned.as_ref() == Some(&blocker.module))
            .flat_map(|blocker| blocker.chain.iter().map(|link| link.at.as_str()))
            .collect(),
        errors: &program.errors,
        agreement: program.agreement.as_str(),
        why: &program.why,
        seconds: seconds(program.elapsed),
    }
}

fn stressed(stressed: &Stressed) -> StressOut<'_> {
    StressOut {
        function: &stressed.function,
        differences: &stressed.differences,
        control: &stressed.control,
        not_tested: stressed.not_tested.as_deref(),
        needs_gil: stressed.needs_gil.as_deref(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `UPDATE=1 cargo test` writes the schema anew.
    #[test]
    fn the_schema_is_fresh() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/verify-v1.schema.json");
        let schema = schemars::schema_for!(Out<'_>);
        let text = serde_json::to_string_pretty(&schema).expect("a schema is JSON") + "\n";
        if std::env::var_os("UPDATE").is_some() {
            std::fs::write(path, &text).expect("docs/ can be written");
        }
        let kept = std::fs::read_to_string(path).unwrap_or_default();
        assert_eq!(kept, text, "run UPDATE=1 cargo test and review the difference");
    }
}
