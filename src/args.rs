//! What was typed on the command line, and nothing else.
//!
//! No file is looked at and no default is resolved here: that is for `settings.rs`. Only choices that exist are offered.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};
use gilaudit_audit::imports::Asked;
use gilaudit_model::{Confidence, Gil, Severity, Target};

/// Says, without running anything, whether CPython extensions keep or break the free-threaded mode of an interpreter.
#[derive(Debug, Parser)]
#[command(name = "gilaudit", version, max_term_width = 100, subcommand_required = true, arg_required_else_help = true)]
pub(crate) struct Cli {
    /// When to use colours: auto is on a terminal, and never with NO_COLOR set
    #[arg(long, global = true, value_enum, default_value_t = Colour::Auto, value_name = "WHEN", help_heading = "Output")]
    pub(crate) color: Colour,
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// The subcommands.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Audit wheels, folders, environments and single files
    Check(Box<CheckArgs>),
    /// Say what changed between two wheels, folders or saved reports: declarations lost and gained, findings new and gone
    Diff(DiffArgs),
    /// Import the modules of an environment with a real interpreter, and compare what it does with what was predicted: RUNS CODE
    Verify(Box<VerifyArgs>),
    /// Say what every release of a distribution does on an interpreter, by reading its wheels on your index
    History(HistoryArgs),
    /// Find the releases to upgrade to: the smallest above each that turns the GIL on which runs without it
    Upgrade(UpgradeArgs),
    /// Show or clear what was kept of wheels on indexes
    #[command(subcommand)]
    Cache(CacheCommand),
    /// Say what a rule looks for, why, and what to do about it
    Explain {
        /// The rule's id, as reports show it: enables-gil
        rule: String,
    },
    /// List the rules
    Rules,
    /// List, show, check or begin policies
    #[command(subcommand)]
    Policy(PolicyCommand),
    /// Print what makes a shell complete the arguments of gilaudit
    Completions {
        /// The shell
        shell: clap_complete::Shell,
    },
    /// Print the manual page of gilaudit or of a subcommand, for man -l -
    Man {
        /// The subcommand: check, or policy init
        subcommand: Vec<String>,
    },
}

/// What can be done with the cache.
#[derive(Debug, Subcommand)]
pub(crate) enum CacheCommand {
    /// Say where it is, how many entries it has, and how large they are
    Size {
        /// The folder [default: the user's folder for caches]
        #[arg(long, value_name = "FOLDER")]
        cache_dir: Option<PathBuf>,
    },
    /// Remove all entries
    Clear {
        /// The folder [default: the user's folder for caches]
        #[arg(long, value_name = "FOLDER")]
        cache_dir: Option<PathBuf>,
    },
}

/// The index, and what is kept of it.
#[derive(Debug, Args)]
#[command(next_help_heading = "Index")]
pub(crate) struct IndexArgs {
    /// The platform: linux-x86_64, musllinux-aarch64, macos-arm64, windows-amd64 … [default: this machine's]
    #[arg(long, value_name = "PLATFORM")]
    pub(crate) platform: Option<String>,
    /// Keep what was read of wheels in this folder [default: the user's folder for caches]
    #[arg(long, value_name = "FOLDER", conflicts_with = "no_cache")]
    pub(crate) cache_dir: Option<PathBuf>,
    /// Neither use nor keep what was read of wheels
    #[arg(long)]
    pub(crate) no_cache: bool,
    /// Do not show progress on the terminal
    #[arg(long)]
    pub(crate) no_progress: bool,
}

/// The arguments of `gilaudit history`.
#[derive(Debug, Args)]
#[command(after_help = HISTORY_EXIT_CODES)]
pub(crate) struct HistoryArgs {
    /// The distributions, as the index names them
    ///
    /// The index, its certificates, proxy and credentials are those that pip and uv are configured with. Of large wheels only the parts
    /// that matter are fetched: the directory, the metadata and the extension modules.
    #[arg(value_name = "NAME", required = true)]
    pub(crate) names: Vec<String>,
    /// The interpreter: 3.13t, 3.14t or 3.15t
    #[arg(long, value_name = "VERSION", default_value = "3.14t", value_parser = |text: &str| text.parse::<Target>(), help_heading = "Target")]
    pub(crate) python: Target,
    /// Begin with this release
    #[arg(long, value_name = "VERSION", value_parser = |text: &str| text.parse::<gilaudit_index::Version>().map_err(|error| error.to_string()), help_heading = "Target")]
    pub(crate) since: Option<gilaudit_index::Version>,
    /// Read pre-releases, too
    #[arg(long, help_heading = "Target")]
    pub(crate) pre: bool,
    /// Read the newest N releases only
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..), help_heading = "Target")]
    pub(crate) limit: Option<u32>,
    #[command(flatten)]
    pub(crate) index: IndexArgs,
    /// The format of the answer
    #[arg(long, value_enum, default_value_t = HistoryFormat::Text, value_name = "FORMAT", help_heading = "Output")]
    pub(crate) format: HistoryFormat,
    /// Write the answer to this file instead of standard output
    #[arg(long, short, value_name = "FILE", help_heading = "Output")]
    pub(crate) output: Option<PathBuf>,
    /// List the modules of every release, and what was fetched
    #[arg(long, short, help_heading = "Output")]
    pub(crate) verbose: bool,
}

/// The formats of what `gilaudit history` says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum HistoryFormat {
    /// For people.
    Text,
    /// For programs: gilaudit-history/1.
    Json,
    /// One release a line.
    Jsonl,
    /// One HTML file with a picture.
    Html,
}

/// The arguments of `gilaudit upgrade`.
#[derive(Debug, Args)]
#[command(after_help = UPGRADE_EXIT_CODES)]
pub(crate) struct UpgradeArgs {
    /// A virtual environment, a lock file (pylock.toml, uv.lock, poetry.lock, pdm.lock) or a requirements.txt with pinned versions
    /// [default: the active environment]
    #[arg(value_name = "ENV|LOCK|REQUIREMENTS")]
    pub(crate) input: Option<PathBuf>,
    /// The interpreter: 3.13t, 3.14t or 3.15t [default: that of the environment if it is free-threaded, else 3.14t]
    #[arg(long, value_name = "VERSION", value_parser = |text: &str| text.parse::<Target>(), help_heading = "Target")]
    pub(crate) python: Option<Target>,
    /// Take pre-releases, too
    #[arg(long, help_heading = "Target")]
    pub(crate) pre: bool,
    #[command(flatten)]
    pub(crate) index: IndexArgs,
    /// The format of the answer
    #[arg(long, value_enum, default_value_t = UpgradeFormat::Text, value_name = "FORMAT", help_heading = "Output")]
    pub(crate) format: UpgradeFormat,
}

/// The formats of what `gilaudit upgrade` says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum UpgradeFormat {
    /// For people.
    Text,
    /// For programs: gilaudit-upgrade/1.
    Json,
    /// Lines for pip's --constraint and uv's --constraints.
    Constraints,
}

/// What can be done with policies.
#[derive(Debug, Subcommand)]
pub(crate) enum PolicyCommand {
    /// List the built-in policies
    List,
    /// Print a policy, as a start for one of your own
    Show {
        /// The name of a built-in policy, or a file
        #[arg(value_name = "NAME|FILE")]
        name: String,
        /// Print it as YAML with everything that it extends worked in
        #[arg(long)]
        resolved: bool,
    },
    /// Check a policy file, and show every mistake with the line it is in
    Check {
        /// The file
        file: PathBuf,
    },
    /// Print a starting policy for what is audited, with an exception for every distribution that turns the GIL on
    Init(Box<InitArgs>),
}

/// The arguments of `gilaudit policy init`.
#[derive(Debug, Args)]
pub(crate) struct InitArgs {
    /// What to audit, as for gilaudit check; without it, the active environment
    #[arg(value_name = "PATH")]
    pub(crate) inputs: Vec<String>,
    /// The last day of every exception: YYYY-MM-DD
    #[arg(long, value_name = "DATE", value_parser = |text: &str| text.parse::<gilaudit_policy::Date>())]
    pub(crate) expires: Option<gilaudit_policy::Date>,
    #[command(flatten)]
    pub(crate) target: TargetArgs,
    #[command(flatten)]
    pub(crate) imports: ImportArgs,
}

/// The arguments of `gilaudit check`.
#[derive(Debug, Args)]
#[command(after_help = EXIT_CODES)]
pub(crate) struct CheckArgs {
    /// A wheel, a .so, .pyd or .dylib, a source file or tree, a folder, a virtual environment, or pypi:NAME[==VERSION]
    ///
    /// A folder is read through the RECORD files of the distributions in it, then searched for the rest. pypi:NAME downloads
    /// with pip and your own pip configuration, for the target and not for the Python that runs pip. Without any PATH the
    /// active environment is audited: VIRTUAL_ENV, else the site-packages of the python3 on PATH, which is the only thing that
    /// is ever executed besides pip.
    #[arg(value_name = "PATH|pypi:NAME[==VERSION]")]
    pub(crate) inputs: Vec<String>,
    #[command(flatten)]
    pub(crate) target: TargetArgs,
    #[command(flatten)]
    pub(crate) policy: PolicyArgs,
    #[command(flatten)]
    pub(crate) imports: ImportArgs,
    #[command(flatten)]
    pub(crate) output: OutputArgs,
    #[command(flatten)]
    pub(crate) work: WorkArgs,
}

/// The arguments of `gilaudit diff`.
#[derive(Debug, Args)]
#[command(after_help = DIFF_EXIT_CODES)]
pub(crate) struct DiffArgs {
    /// What it was: anything that gilaudit check takes, or a report that --format json saved as a .json file
    #[arg(value_name = "OLD")]
    pub(crate) old: String,
    /// What it is now
    #[arg(value_name = "NEW")]
    pub(crate) new: String,
    #[command(flatten)]
    pub(crate) target: TargetArgs,
    /// The format of the difference
    #[arg(long, value_enum, default_value_t = DiffFormat::Text, value_name = "FORMAT", help_heading = "Output")]
    pub(crate) format: DiffFormat,
}

/// The arguments of `gilaudit verify`.
#[derive(Debug, Args)]
#[command(after_help = VERIFY_EXIT_CODES)]
pub(crate) struct VerifyArgs {
    /// The folder of a virtual environment, or of packages that --interpreter can import [default: VIRTUAL_ENV]
    ///
    /// Each extension is imported in a process of its own; with --import or --entry, the program is run instead, and with --stress
    /// functions are called. This runs code with all your rights: use it for what you would run anyway, or in a container.
    #[arg(value_name = "ENV")]
    pub(crate) environment: Option<PathBuf>,
    /// The free-threaded interpreter that is run [default: that of the environment]
    #[arg(long, value_name = "EXE")]
    pub(crate) interpreter: Option<PathBuf>,
    /// PYTHON_GIL of the processes: default, 0 or 1; never taken from the environment
    #[arg(long, value_name = "GIL", default_value = "default", value_parser = |text: &str| text.parse::<Gil>())]
    pub(crate) gil: Gil,
    #[command(flatten)]
    pub(crate) imports: ImportArgs,
    /// Call this function from several threads without the GIL, and once more with it; may be given several times
    #[arg(long, value_name = "MODULE:FUNCTION", value_parser = function_name, help_heading = "Stress")]
    pub(crate) stress: Vec<String>,
    /// Threads that call it
    #[arg(long, value_name = "N", default_value_t = 8, value_parser = clap::value_parser!(u16).range(2..=256), help_heading = "Stress")]
    pub(crate) threads: u16,
    /// Calls by each thread
    #[arg(long, value_name = "N", default_value_t = 200, value_parser = clap::value_parser!(u32).range(1..), help_heading = "Stress")]
    pub(crate) calls: u32,
    /// Seconds after which a process is killed
    #[arg(long, value_name = "SECONDS", default_value_t = 60, value_parser = clap::value_parser!(u32).range(1..), help_heading = "Work")]
    pub(crate) timeout: u32,
    /// Processes at a time [default: one per processor]
    #[arg(long, short, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024), help_heading = "Work")]
    pub(crate) jobs: Option<u16>,
    /// Do not show progress on the terminal
    #[arg(long, help_heading = "Work")]
    pub(crate) no_progress: bool,
    /// The format of the result
    #[arg(long, value_enum, default_value_t = VerifyFormat::Text, value_name = "FORMAT", help_heading = "Output")]
    pub(crate) format: VerifyFormat,
    /// Write the result to this file instead of standard output
    #[arg(long, short, value_name = "FILE", help_heading = "Output")]
    pub(crate) output: Option<PathBuf>,
    /// List what agrees, too
    #[arg(long, short, help_heading = "Output")]
    pub(crate) verbose: bool,
}

/// A function as `--stress` takes it.
fn function_name(text: &str) -> Result<String, String> {
    let is_name = |part: &str| !part.is_empty() && part.split('.').all(|word| !word.is_empty());
    match text.split_once(':') {
        Some((module, function)) if is_name(module) && is_name(function) => Ok(text.to_owned()),
        _ => Err("expected MODULE:FUNCTION, as in json:loads".to_owned()),
    }
}

/// The formats of what `gilaudit verify` says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum VerifyFormat {
    /// For people.
    Text,
    /// For programs: gilaudit-verify/1.
    Json,
}

/// The formats of a difference.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum DiffFormat {
    /// For people.
    Text,
    /// For programs: gilaudit-diff/1.
    Json,
}

/// The interpreter asked about.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Target")]
pub(crate) struct TargetArgs {
    /// The interpreter: 3.13, 3.13t, 3.14, 3.14t, 3.15 or 3.15t [default: that of the environment audited, else 3.14t]
    #[arg(long, value_name = "VERSION", value_parser = |text: &str| text.parse::<Target>())]
    pub(crate) python: Option<Target>,
    /// PYTHON_GIL or -X gil of the interpreter: default, 0 or 1; never taken from the environment
    #[arg(long, value_name = "GIL", default_value = "default", value_parser = |text: &str| text.parse::<Gil>())]
    pub(crate) gil: Gil,
}

/// What may be loaded, and what counts.
#[derive(Debug, Args)]
#[command(next_help_heading = "Policy")]
pub(crate) struct PolicyArgs {
    /// A built-in policy (gilaudit policy list), a YAML file or a pyproject.toml [default: [tool.gilaudit] of the pyproject.toml here
    /// or in a folder above, else pep703]
    #[arg(long, value_name = "NAME|FILE")]
    pub(crate) policy: Option<String>,
    /// Run only these rules
    #[arg(long, value_name = "RULE,...", value_delimiter = ',')]
    pub(crate) select: Vec<String>,
    /// Do not run these rules
    #[arg(long, value_name = "RULE,...", value_delimiter = ',')]
    pub(crate) ignore: Vec<String>,
    /// Leave out findings below this severity: note, warning or error [default: warning, or --fail-on if that is lower]
    #[arg(long, value_name = "SEVERITY", value_parser = |text: &str| text.parse::<Severity>())]
    pub(crate) min_severity: Option<Severity>,
    /// Leave out findings below this confidence: low, medium or high
    #[arg(long, value_name = "CONFIDENCE", default_value = "medium", value_parser = |text: &str| text.parse::<Confidence>())]
    pub(crate) min_confidence: Confidence,
    /// Report what comments in the sources suppress, too
    #[arg(long)]
    pub(crate) no_suppressions: bool,
    /// Fail for findings only that this file does not have; it is made by --write-baseline
    #[arg(long, value_name = "FILE")]
    pub(crate) baseline: Option<PathBuf>,
    /// Write what is found to this file, as what is known from now on
    #[arg(long, value_name = "FILE", conflicts_with = "baseline")]
    pub(crate) write_baseline: Option<PathBuf>,
    /// Exit with 1 from this severity on: note, warning or error [default: the policy's, else error]
    #[arg(long, value_name = "SEVERITY", value_parser = |text: &str| text.parse::<Severity>())]
    pub(crate) fail_on: Option<Severity>,
    /// Exit with 1 unless the GIL stays off for sure, besides what --fail-on says
    #[arg(long)]
    pub(crate) fail_on_gil: bool,
}

/// What is imported, for an answer about the process instead of about files.
#[derive(Debug, Args)]
#[command(next_help_heading = "Imports")]
pub(crate) struct ImportArgs {
    /// Follow what `import NAME` loads, in order, and say whether the GIL stays off; may be given several times
    #[arg(long = "import", value_name = "NAME")]
    pub(crate) names: Vec<String>,
    /// Follow what running this script loads, or the __main__.py of this folder
    #[arg(long = "entry", value_name = "SCRIPT")]
    pub(crate) scripts: Vec<PathBuf>,
    /// Follow what `python -m NAME` loads
    #[arg(short = 'm', value_name = "NAME")]
    pub(crate) modules: Vec<String>,
    /// Follow what a console script of an installed distribution loads
    #[arg(long = "entry-point", value_name = "NAME")]
    pub(crate) entry_points: Vec<String>,
    /// Follow the import of every top-level module and every extension of the inputs
    #[arg(long)]
    pub(crate) import_all: bool,
}

impl ImportArgs {
    /// The question, without the words it was typed in.
    pub(crate) fn asked(&self) -> Asked {
        Asked {
            names: self.names.clone(),
            scripts: self.scripts.clone(),
            modules: self.modules.clone(),
            entry_points: self.entry_points.clone(),
            import_all: self.import_all,
        }
    }

    /// Whether anything is asked about imports.
    pub(crate) fn any(&self) -> bool {
        self.import_all
            || !self.names.is_empty()
            || !self.scripts.is_empty()
            || !self.modules.is_empty()
            || !self.entry_points.is_empty()
    }
}

/// What is printed, and where.
#[derive(Debug, Args)]
#[command(next_help_heading = "Output")]
pub(crate) struct OutputArgs {
    /// The format of the report
    #[arg(long, value_enum, default_value_t = Format::Text, value_name = "FORMAT")]
    pub(crate) format: Format,
    /// Write the report to this file instead of standard output
    #[arg(long, short, value_name = "FILE")]
    pub(crate) output: Option<PathBuf>,
    /// Print findings and what was not read only: no table, no notes, no progress
    #[arg(long, short, conflicts_with = "verbose")]
    pub(crate) quiet: bool,
    /// List every extension with its declaration and the reasons for the decision
    #[arg(long, short)]
    pub(crate) verbose: bool,
}

/// `on` or `off`.
fn switch(text: &str) -> Result<bool, String> {
    match text {
        "on" => Ok(true),
        "off" => Ok(false),
        _ => Err("either on or off".to_owned()),
    }
}

/// How the work is done.
#[derive(Debug, Args)]
#[command(next_help_heading = "Work")]
pub(crate) struct WorkArgs {
    /// Files audited at a time [default: one per processor]
    #[arg(long, short, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
    pub(crate) jobs: Option<u16>,
    /// Look for findings in machine code, too (ELF on x86-64 so far): on or off
    #[arg(long, value_name = "on|off", default_value = "off", value_parser = switch, action = clap::ArgAction::Set)]
    pub(crate) code: bool,
    /// Compute the SHA-256 of files in folders too, not only of members of archives and single files
    #[arg(long)]
    pub(crate) hash: bool,
    /// Do not show progress on the terminal
    #[arg(long)]
    pub(crate) no_progress: bool,
}

/// The formats of a report.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// For people.
    Text,
    /// For programs: gilaudit-report/1.
    Json,
    /// The same records, one a line.
    Jsonl,
    /// SARIF 2.1.0, for code scanning and editors.
    Sarif,
    /// GitHub annotations, beside the code of a pull request.
    Github,
    /// For a pull request comment or a job summary.
    Markdown,
    /// One HTML file to look at in a browser, without a network.
    Html,
    /// JUnit XML, for CI systems that show test results.
    Junit,
}

/// When to use colours.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Colour {
    /// On a terminal, unless NO_COLOR is set.
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

impl Colour {
    /// For `anstream`, which knows of terminals and NO_COLOR.
    pub(crate) fn choice(self) -> anstream::ColorChoice {
        match self {
            Self::Auto => anstream::ColorChoice::Auto,
            Self::Always => anstream::ColorChoice::Always,
            Self::Never => anstream::ColorChoice::Never,
        }
    }
}

const DIFF_EXIT_CODES: &str = "\
Exit codes, the first that applies:
  2  usage, or an input that could not be read
  1  a module that declared that it runs without the GIL does not any more
  0  otherwise";

const VERIFY_EXIT_CODES: &str = "\
Exit codes, the first that applies:
  2  usage, or an interpreter or environment that could not be used
  1  the interpreter does something else than was predicted, or a function differs without the GIL
  3  nothing could be put to the test
  0  otherwise";

const HISTORY_EXIT_CODES: &str = "\
Exit codes, the first that applies:
  2  usage, an index that could not be read, or a release that could not be
  3  no release has anything for the target
  0  otherwise";

const UPGRADE_EXIT_CODES: &str = "\
Exit codes, the first that applies:
  2  usage, or an input or an index that could not be read
  1  a distribution that turns the GIL on, cannot be imported or has no wheel, and no release that is better
  0  otherwise";

const EXIT_CODES: &str = "\
Exit codes, the first that applies:
  2  usage, a bad policy, or an input that could not be read
  1  findings at or above --fail-on, the policy refuses something, or --fail-on-gil and the GIL does not stay off for sure
  3  nothing auditable was recognised in the inputs
  0  otherwise";

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_definition_is_sound() {
        Cli::command().debug_assert();
    }
}
