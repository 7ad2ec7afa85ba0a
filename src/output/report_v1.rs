//! The structs of `gilaudit-report/1`.
//!
//! They are the format: every field is always present, new fields keep the `/1`, anything else makes a `/2`.
//! `docs/report-v1.schema.json` is generated from them by a test in `json.rs`.

use serde::Serialize;

/// The name and version of the format.
pub(crate) const SCHEMA: &str = "gilaudit-report/1";

/// A gilaudit report.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(rename = "Report"))]
pub(super) struct Report<'a> {
    /// The name and version of this format.
    #[cfg_attr(test, schemars(extend("const" = "gilaudit-report/1")))]
    pub(super) schema: &'static str,
    pub(super) tool: Tool,
    pub(super) target: Target,
    pub(super) policy: Policy<'a>,
    /// The answer in short.
    pub(super) verdict: Verdict,
    /// The GIL per platform, if all extensions listed for it were imported.
    pub(super) environments: Vec<EnvironmentOut<'a>>,
    pub(super) summary: Summary,
    pub(super) extensions: Vec<ExtensionOut<'a>>,
    /// Shared libraries that are not extensions.
    pub(super) libraries: Vec<LibraryOut<'a>>,
    pub(super) findings: Vec<FindingOut<'a>>,
    /// Inputs that could not be audited, or only in part.
    pub(super) problems: Vec<ProblemOut<'a>>,
    /// What the imports asked about (`--import`, `--entry`, `--import-all`) do to the process; null when none were.
    pub(super) imports: Option<super::report_v1_imports::ImportsOut<'a>>,
    /// What `--baseline` or `--write-baseline` says is known; null without them.
    pub(super) baseline: Option<BaselineOut<'a>>,
}

/// The answer in short.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(super) struct Verdict {
    /// What the interpreter does to its GIL: with the imports asked about, else with all modules. `off` only when that is sure.
    #[cfg_attr(test, schemars(extend("enum" = ["off", "on", "undetermined"])))]
    pub(super) gil: &'static str,
    /// How many modules declare support against a finding, so that `off` is not to be relied on.
    pub(super) contradicted: usize,
    /// For people: the headline first.
    pub(super) sentences: Vec<String>,
}

/// Who wrote the report.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(super) struct Tool {
    pub(super) name: &'static str,
    pub(super) version: &'static str,
}

/// The interpreter asked about.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(super) struct Target {
    #[cfg_attr(test, schemars(extend("enum" = ["3.13", "3.13t", "3.14", "3.14t", "3.15", "3.15t"])))]
    pub(super) python: String,
    /// `as-built`: every file is judged for the platform it was built for.
    pub(super) platform: &'static str,
    /// `PYTHON_GIL` / `-X gil`.
    #[cfg_attr(test, schemars(extend("enum" = ["default", "0", "1"])))]
    pub(super) gil: &'static str,
    /// Where the target was taken from: `default`, `--python`, or a file of the environment.
    pub(super) from: String,
}

/// The policy applied.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(super) struct Policy<'a> {
    pub(super) name: &'a str,
    pub(super) diagnostics: Vec<Diagnostic<'a>>,
}

/// Something wrong with the policy file.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(super) struct Diagnostic<'a> {
    #[cfg_attr(test, schemars(extend("enum" = ["error", "warning", "note"])))]
    pub(super) severity: &'static str,
    /// `file:line:column`.
    pub(super) at: String,
    pub(super) message: &'a str,
    /// What to write instead, where that can be said.
    pub(super) hint: Option<&'a str>,
}

/// What happens to a process on one platform.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(rename = "Environment"))]
pub(super) struct EnvironmentOut<'a> {
    /// `linux-x86_64`.
    pub(super) platform: String,
    #[cfg_attr(test, schemars(extend("enum" = ["off", "on", "undetermined"])))]
    pub(super) gil: &'static str,
    /// The modules that turn the GIL on.
    pub(super) enabled_by: &'a [String],
    /// The modules that declare support against a finding.
    pub(super) contradicted: &'a [String],
    /// Which modules would exclude which; absent unless the policy has a lock in the place of the GIL (`serialize`).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) exclusion: Option<ExclusionOut<'a>>,
}

/// The modules of a process under a lock with two modes.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(rename = "Exclusion"))]
pub(super) struct ExclusionOut<'a> {
    /// Modules that run beside each other.
    pub(super) shared: &'a [String],
    /// Modules each of which runs while no other one does.
    pub(super) exclusive: &'a [String],
    /// Where a shared module reaches an exclusive one, so that two threads in it can wait for each other.
    pub(super) reentries: Vec<ReentryOut<'a>>,
}

/// A shared module that imports or calls into an exclusive one.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(rename = "Reentry"))]
pub(super) struct ReentryOut<'a> {
    pub(super) shared: &'a str,
    pub(super) exclusive: &'a str,
}

/// Everything counted.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(super) struct Summary {
    pub(super) artifacts: usize,
    pub(super) extensions: usize,
    pub(super) libraries: usize,
    pub(super) sources: usize,
    /// How much of the sources was read; absent when there were none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) source_coverage: Option<SourceCoverage>,
    pub(super) declarations: Declarations,
    pub(super) outcomes: Outcomes,
    pub(super) findings: Findings,
    pub(super) problems: usize,
    /// Modules that are not judged, because the imports asked about do not lead to them.
    pub(super) not_judged: usize,
}

/// How much of the sources was read.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(super) struct SourceCoverage {
    /// Files with code that rules look at: the C API, Cython, Rust for Python, Python with shared state; the others are not judged.
    pub(super) c_api_files: usize,
    /// Their size.
    pub(super) c_api_bytes: usize,
    /// Bytes of code in them that did not parse: nothing is reported there.
    pub(super) unparsed_bytes: usize,
}

/// Extensions by declaration.
#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(super) struct Declarations {
    pub(super) not_used: usize,
    pub(super) used: usize,
    pub(super) undeclared: usize,
    pub(super) unknown: usize,
}

/// Extensions by outcome.
#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(super) struct Outcomes {
    pub(super) runs_free: usize,
    pub(super) enables_gil: usize,
    pub(super) runs_free_forced: usize,
    pub(super) runs_with_gil: usize,
    pub(super) cannot_import: usize,
    pub(super) undetermined: usize,
}

/// Findings by severity.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(super) struct Findings {
    pub(super) error: usize,
    pub(super) warning: usize,
    pub(super) note: usize,
}

/// One importable compiled module.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(rename = "Extension"))]
pub(super) struct ExtensionOut<'a> {
    /// The dotted module name.
    pub(super) module: &'a str,
    /// Artifact, then member paths; the slice of a fat file is a last `[arch]`.
    pub(super) origin: &'a [String],
    /// Of the bytes read, in hex; null where it was not computed.
    pub(super) sha256: Option<&'a str>,
    /// What RECORD claims, in hex.
    pub(super) record_sha256: Option<&'a str>,
    pub(super) distribution: Option<Distribution<'a>>,
    #[cfg_attr(test, schemars(extend("enum" = ["elf", "macho", "pe", "source"])))]
    pub(super) format: &'static str,
    pub(super) arch: &'static str,
    pub(super) abi: Abi<'a>,
    #[cfg_attr(test, schemars(extend("enum" = ["multi-phase", "single-phase", "module-export", "unknown"])))]
    pub(super) init: &'static str,
    pub(super) framework: Option<Framework<'a>>,
    pub(super) declaration: Declaration<'a>,
    pub(super) decision: Decision<'a>,
}

/// The distribution a file belongs to.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(super) struct Distribution<'a> {
    pub(super) name: &'a str,
    pub(super) version: &'a str,
}

/// The ABI a file was built for.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(super) struct Abi<'a> {
    pub(super) tag: Option<&'a str>,
    #[cfg_attr(test, schemars(extend("enum" = ["free-threaded", "gil", "abi3", "abi3t", "unknown"])))]
    pub(super) built_for: &'static str,
}

/// The framework that made a module.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(super) struct Framework<'a> {
    pub(super) name: &'static str,
    pub(super) version: Option<&'a str>,
}

/// What a module declares.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(super) struct Declaration<'a> {
    #[cfg_attr(test, schemars(extend("enum" = ["not-used", "used", "undeclared", "unknown"])))]
    pub(super) status: &'static str,
    #[cfg_attr(test, schemars(extend("enum" = ["slot", "set-gil", "none"])))]
    pub(super) mechanism: &'static str,
    pub(super) evidence: Vec<Evidence<'a>>,
    /// Why the status is unknown, or what qualifies it.
    pub(super) reason: Option<String>,
    /// The same as a code that does not change when the words do.
    pub(super) reason_code: Option<&'static str>,
    /// The file or module whose declaration this one takes over.
    pub(super) delegated_to: Option<&'a str>,
    /// The tool that declares without the author's audit.
    pub(super) declared_by_tool: Option<&'static str>,
    /// The rules whose findings say that the declaration is not true.
    pub(super) contradicted_by: &'a [&'static str],
    /// What is taken for true without having been seen, where the answer rests on that.
    pub(super) assumption: Option<&'a str>,
}

/// What was seen, and where.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(super) struct Evidence<'a> {
    pub(super) what: &'a str,
    pub(super) at: String,
}

/// What happens at import, and what the policy says about it.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(super) struct Decision<'a> {
    #[cfg_attr(test, schemars(extend("enum" =
        ["runs-free", "enables-gil", "runs-free-forced", "runs-with-gil", "cannot-import", "undetermined"])))]
    pub(super) outcome: &'static str,
    #[cfg_attr(test, schemars(extend("enum" =
        ["follow", "allow", "warn", "refuse", "gil-on", "shared", "exclusive"])))]
    pub(super) action: &'static str,
    /// The place in the policy that decided, `file:line:column`.
    pub(super) policy_at: Option<&'a str>,
    /// CPython's own warning.
    pub(super) warning: Option<&'a str>,
    pub(super) because: &'a [String],
    /// Why the target cannot import the module, as a code; null when it can, or when that is not known.
    pub(super) failure_code: Option<&'static str>,
    /// The exception of the policy about the module, in force or out of date; null when there is none.
    pub(super) exception: Option<ExceptionOut<'a>>,
}

/// An exception of the policy.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(rename = "Exception"))]
pub(super) struct ExceptionOut<'a> {
    /// What it matches, as written.
    pub(super) matches: &'a str,
    pub(super) reason: &'a str,
    /// `file:line:column`.
    pub(super) at: &'a str,
    /// Its last day, `YYYY-MM-DD`.
    pub(super) expires: Option<&'a str>,
    /// How many days are left after today; negative when it is out of date.
    pub(super) days_left: Option<i64>,
}

/// A shared library that is not an extension.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(rename = "Library"))]
pub(super) struct LibraryOut<'a> {
    pub(super) origin: &'a [String],
    pub(super) why: &'a str,
}

/// A rule matched at a place.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(rename = "Finding"))]
pub(super) struct FindingOut<'a> {
    pub(super) rule: &'static str,
    #[cfg_attr(test, schemars(extend("enum" = ["error", "warning", "note"])))]
    pub(super) severity: &'static str,
    #[cfg_attr(test, schemars(extend("enum" = ["high", "medium", "low"])))]
    pub(super) confidence: &'static str,
    /// Whether it only says that the code is not ready to declare support.
    pub(super) readiness: bool,
    pub(super) message: &'a str,
    pub(super) help: Option<&'a str>,
    pub(super) origin: &'a [String],
    /// 1-based, columns in characters; null for binaries.
    pub(super) line: Option<u32>,
    pub(super) column: Option<u32>,
    pub(super) end_line: Option<u32>,
    pub(super) end_column: Option<u32>,
    /// The virtual address in a binary.
    pub(super) address: Option<u64>,
    /// The section of that address, and the offset in it.
    pub(super) section: Option<String>,
    #[cfg_attr(test, schemars(extend("enum" = ["source", "machine-code"])))]
    pub(super) seen_in: &'static str,
    /// The symbol of the function, if the file has one.
    pub(super) symbol: Option<&'a str>,
    /// The name by which Python sees the function: `Template.expand`.
    pub(super) python_name: Option<&'a str>,
    pub(super) function: Option<&'a str>,
    pub(super) module: Option<&'a str>,
    pub(super) related: Vec<Related<'a>>,
    /// Why it was suppressed, if it was.
    pub(super) suppressed: Option<&'a str>,
    /// A path or module that stays the same from run to run, without versions.
    pub(super) place: &'a str,
    /// With the place, identifies the finding from run to run: lines that move do not change it.
    pub(super) fingerprint: &'a str,
    /// Whether the baseline has it; null without a baseline.
    #[cfg_attr(test, schemars(extend("enum" = ["known", "new", null])))]
    pub(super) baseline: Option<&'static str>,
}

/// The findings that are known.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(rename = "Baseline"))]
pub(super) struct BaselineOut<'a> {
    pub(super) file: &'a str,
    /// How many findings it has that were found.
    pub(super) known: usize,
    /// Its entries that were not found.
    pub(super) stale: Vec<Stale<'a>>,
}

/// An entry of the baseline that was not found.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(super) struct Stale<'a> {
    pub(super) rule: &'a str,
    pub(super) place: &'a str,
    pub(super) function: Option<&'a str>,
    /// The text of the line.
    pub(super) text: &'a str,
    pub(super) fingerprint: &'a str,
}

/// Another place that belongs to a finding.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(super) struct Related<'a> {
    pub(super) message: &'a str,
    pub(super) origin: &'a [String],
    pub(super) line: Option<u32>,
}

/// An input that could not be audited, or only in part.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(rename = "Problem"))]
pub(super) struct ProblemOut<'a> {
    pub(super) origin: &'a [String],
    #[cfg_attr(test, schemars(extend("enum" =
        ["find", "open", "archive", "metadata", "parse", "limits", "internal"])))]
    pub(super) stage: &'static str,
    pub(super) error: &'a str,
    /// Whether something was left unread by it, which makes the exit code 2.
    pub(super) unread: bool,
}
