//! What a module and the libraries that it needs take from the interpreter, together.
//!
//! Two questions have answers there without any code being evaluated: whether the target has all that they use, and whether anything
//! among them could declare at all.

use std::collections::{BTreeSet, VecDeque};

use gilaudit_model::cpython::{could_declare, creates, missing_symbols};
use gilaudit_model::{
    BinaryFacts, BuiltFor, Declaration, Evidence, FailureKind, Format, ImportFailure, Init, Loading, Mechanism, Os,
    Reason, Site, Status, Target,
};

/// A module's file and the libraries that it needs, as far as they are among the inputs.
pub(super) struct Closure {
    /// The file's own facts first.
    pub(super) files: Vec<(String, BinaryFacts)>,
    /// The first needed library that is neither among the inputs nor one of the system.
    pub(super) absent: Option<String>,
}

/// Libraries followed for one module.
const LIBRARIES: usize = 200;

impl Closure {
    /// Follows what `facts` needs; `find` gives the facts of a library by its name.
    pub(super) fn new(facts: &BinaryFacts, mut find: impl FnMut(&str) -> Option<(String, BinaryFacts)>) -> Self {
        let mut closure = Self { files: vec![(String::new(), facts.clone())], absent: None };
        let mut seen = BTreeSet::new();
        let mut waiting: VecDeque<String> = facts.needed.iter().cloned().collect();
        while let Some(needed) = waiting.pop_front() {
            let name = needed.rsplit(['/', '\\']).next().unwrap_or(&needed).to_owned();
            if !seen.insert(name.clone()) {
                continue;
            }
            match find(&name) {
                Some((origin, facts)) if closure.files.len() < LIBRARIES => {
                    waiting.extend(facts.needed.iter().cloned());
                    closure.files.push((origin, facts));
                }
                None if is_of_system(&needed, facts.format.os()) => {}
                _ => {
                    closure.absent.get_or_insert(name);
                }
            }
        }
        closure
    }

    /// Why the target's loader refuses the file or a library that it needs: one uses a name that the target does not have.
    pub(super) fn missing_symbol(&self, target: &Target) -> Option<ImportFailure> {
        // A library that is not at hand could have the name.
        if self.absent.is_some() {
            return None;
        }
        let (_, own) = self.files.first()?;
        let missing = |(origin, facts): &(String, BinaryFacts)| {
            let names: Vec<String> = missing_symbols(&facts.linked, target).into_iter().map(str::to_owned).collect();
            (!names.is_empty()).then(|| (origin.clone(), names))
        };
        let (origin, names) = self.files.iter().find_map(missing)?;
        let (first, others) = names.split_first()?;
        let of = if origin.is_empty() { String::new() } else { format!(", which {origin} uses") };
        let more = if others.is_empty() { String::new() } else { format!(" (and {} more)", others.len()) };
        let error = match own.format {
            Format::MachO => format!("ImportError: symbol not found in flat namespace '_{first}'{of}{more}"),
            // What a library for Windows takes, it takes from the python DLL that it was linked with.
            Format::Pe | Format::Source => return None,
            Format::Elf => format!("ImportError: undefined symbol: {first}{of}{more}"),
        };
        Some(ImportFailure { kind: FailureKind::MissingSymbol, error })
    }

    /// What the module declares when nothing among the files could: a module is created, and no code can make it say anything.
    ///
    /// That it is a module of these files that the init function returns is what a file that creates modules is for; one that only
    /// hands on another's does not create any.
    pub(super) fn cannot_declare(&self, loading: &Loading) -> Option<Declaration> {
        if self.absent.is_some() || self.files.iter().any(|(_, facts)| could_declare(&facts.linked).is_some()) {
            return None;
        }
        // Of a file that tells no build, the interpreter may read a definition of another layout.
        let (_, own) = self.files.first()?;
        if !matches!(own.abi.built_for, BuiltFor::FreeThreaded | BuiltFor::Abi3t) {
            return None;
        }
        let (origin, _) = self.files.iter().find(|(_, facts)| creates(&facts.linked))?;
        let mut declaration = Declaration::new(Status::Undeclared, Mechanism::None);
        let what = "PyModule_Create2 is imported, and nothing that could declare: neither PyUnstable_Module_SetGIL nor what makes a \
                    module from slots";
        let at = Site::Imports((!origin.is_empty()).then(|| origin.clone())).into();
        declaration.evidence.push(Evidence { what: what.to_owned(), at });
        declaration.reason = loading.declaration.reason.clone().map(|why| Reason::NotFollowed(Box::new(why)));
        Some(declaration)
    }
}

/// The loading of a module whose code was not understood, when no code could make it declare.
pub(super) fn without_declaring(loading: &Loading, closure: &Closure) -> Option<Loading> {
    let unknown = loading.declaration.status == Status::Unknown && loading.failure.is_none();
    let declaration = closure.cannot_declare(loading).filter(|_| unknown)?;
    Some(Loading { init: Init::SinglePhase, declaration, ..loading.clone() })
}

/// What Windows' loader makes of a file that needs the free-threaded python DLL of another version.
///
/// CPython compares only names without the `t` (3.13.15 to 3.15.0rc2, `Python/dynload_win.c`, `GetPythonImport`), so that the loader's
/// own error is what is seen.
pub(super) fn wrong_dll(facts: &BinaryFacts, module: &str, target: &Target) -> Option<ImportFailure> {
    let of_other_version = |needed: &String| {
        let name = needed.to_ascii_lowercase();
        let minor = name.strip_prefix("python3").and_then(|rest| rest.strip_suffix("t.dll"));
        let minor = minor.and_then(|minor| minor.parse::<u8>().ok());
        minor.is_some_and(|minor| minor != target.version.minor())
    };
    let dll = facts.needed.iter().find(|needed| of_other_version(needed)).filter(|_| facts.format == Format::Pe)?;
    let short = module.rsplit('.').next().unwrap_or(module);
    let error = format!(
        "ImportError: DLL load failed while importing {short}: {dll}, which it needs, is not this interpreter's"
    );
    Some(ImportFailure { kind: FailureKind::WrongAbi, error })
}

/// Whether a library is one that comes with the system, the compiler or the interpreter, and so knows nothing of single modules.
///
/// Linux: the C and C++ runtimes, and the libraries that PEP 513, 571, 599 and 600 let wheels expect. macOS: by path. Windows: the
/// python DLLs, the C runtime, and system libraries, none of which is in wheels.
fn is_of_system(needed: &str, os: Os) -> bool {
    let name = needed.rsplit(['/', '\\']).next().unwrap_or(needed).to_ascii_lowercase();
    match os {
        Os::Linux => {
            const PREFIXES: [&str; 30] = [
                "libc.",
                "libm.",
                "libdl.",
                "librt.",
                "libpthread.",
                "libutil.",
                "libnsl.",
                "libcrypt.",
                "libresolv.",
                "libanl.",
                "ld-linux",
                "ld-musl",
                "ld64.",
                "libgcc_s.",
                "libstdc++.",
                "libatomic.",
                "libgomp.",
                "libmvec.",
                "libx11.",
                "libxext.",
                "libxrender.",
                "libice.",
                "libsm.",
                "libgl.",
                "libglib-2.0.",
                "libgobject-2.0.",
                "libgthread-2.0.",
                "libz.",
                "libexpat.",
                "libpython3",
            ];
            // libpython itself: the interpreter's, under which name it is found.
            PREFIXES.iter().any(|prefix| name.starts_with(prefix)) || name == "linux-vdso.so.1"
        }
        Os::MacOs => {
            needed.starts_with("/usr/lib/")
                || needed.starts_with("/System/Library/")
                || name == "python"
                || name.starts_with("libpython3")
        }
        Os::Windows => {
            const PREFIXES: [&str; 9] =
                ["python3", "api-ms-win-", "ext-ms-win-", "vcruntime", "msvcp", "msvcr", "ucrtbase", "concrt", "vcomp"];
            const NAMES: [&str; 24] = [
                "kernel32.dll",
                "kernelbase.dll",
                "ntdll.dll",
                "user32.dll",
                "gdi32.dll",
                "advapi32.dll",
                "ws2_32.dll",
                "shell32.dll",
                "ole32.dll",
                "oleaut32.dll",
                "bcrypt.dll",
                "crypt32.dll",
                "secur32.dll",
                "iphlpapi.dll",
                "psapi.dll",
                "version.dll",
                "winmm.dll",
                "dbghelp.dll",
                "userenv.dll",
                "shlwapi.dll",
                "rpcrt4.dll",
                "wldap32.dll",
                "opengl32.dll",
                "msvcrt.dll",
            ];
            PREFIXES.iter().any(|prefix| name.starts_with(prefix)) || NAMES.contains(&name.as_str())
        }
        Os::Any => false,
    }
}
