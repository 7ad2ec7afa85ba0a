//! Where the library's answer is known to differ from what happens, and why it does.

/// Case (and variant), what happens, what the library says, in how many rows, why.
pub(crate) type Difference = (&'static str, &'static str, &'static str, usize, &'static str);

/// Architectures whose code is not evaluated, and how often `unknown` is said for that.
pub(crate) const NOT_EVALUATED: &[(&str, usize)] = &[("arm", 21), ("riscv64", 20), ("s390x", 22)];

const CFFI: &str = "delegated to _cffi_backend: the command looks for it among the inputs";
const NOT_THERE: &str =
    "delegated, and what it is delegated to is not there for another version: the command sees that";
const LIBRARY: &str = "delegated to a needed library: the command looks for it among the inputs";
const OLD_HEADER: &str = "the file for 3.13 in 3.15, whose header check comes after what could not be told";
const BUDGET: &str = "an analysis must give up here, in time";
const NO_ANSWER: &str = "only running shows it: no reader can know";
const BODY: &str = "what exec and create functions do is not evaluated";
const MACHINE: &str = "what is installed on the machine is not in the file";

/// Against truth.tsv.
pub(crate) const DIFFERENT: &[Difference] = &[
    ("cffi_like", "free", "unknown", 4, CFFI),
    ("cffi_like", "fails", "unknown", 8, NOT_THERE),
    ("cffi_like_alone", "fails", "unknown", 9, NOT_THERE),
    ("cffi_like_old", "required", "unknown", 3, CFFI),
    ("cffi_like_old", "fails", "unknown", 6, NOT_THERE),
    ("deep_calls", "free", "unknown", 11, BUDGET),
    ("deep_calls", "fails", "unknown", 1, OLD_HEADER),
    ("definition_to_library", "required", "unknown", 11, LIBRARY),
    ("definition_to_library", "fails", "unknown", 1, OLD_HEADER),
    ("environment_gated", "required", "unknown", 9, NO_ANSWER),
    ("environment_gated", "fails", "unknown", 3, "it fails with either answer, which is not worked out"),
    (
        "hook_in_needed",
        "free",
        "fails",
        9,
        "the file has no init function: the command looks into the libraries that it needs",
    ),
    ("init_in_needed", "free", "unknown", 11, LIBRARY),
    ("init_in_needed", "fails", "unknown", 1, OLD_HEADER),
    (
        "init_package",
        "free",
        "fails",
        3,
        "an interpreter that does not find the file takes its folder for a namespace package, and that was imported",
    ),
    ("long_loop", "free", "unknown", 11, BUDGET),
    ("long_loop", "fails", "unknown", 1, OLD_HEADER),
    ("me_create_fails", "fails", "required", 1, BODY),
    ("me_exec_fails", "fails", "required", 1, BODY),
    ("me_inner", "required", "free", 1, BODY),
    ("mp_create_fails", "fails", "required", 6, BODY),
    ("mp_create_not_module", "required", "free", 6, BODY),
    ("mp_exec_fails", "fails", "required", 6, BODY),
    ("mypyc_like", "required", "unknown", 4, "delegated to the group: the command looks for it among the inputs"),
    ("mypyc_like", "fails", "unknown", 8, NOT_THERE),
    ("mypyc_shim", "fails", "free", 5, "its exec function imports the group, which is not there for another version"),
    ("needed_missing", "fails", "free", 6, MACHINE),
    ("sp_setgil_computed", "required", "unknown", 11, NO_ANSWER),
    ("symbol_missing", "fails", "free", 6, MACHINE),
];

const LOADER: &str = "the loader's error comes first, and is not in the file";

/// Errors that both sides give, in other words. The words of init functions that fail are not compared: they are the file's own, or
/// say what the interpreter found wrong with the result.
pub(crate) const TEXTS: &[Difference] = &[
    (
        "helper_depth",
        "ImportError: no module",
        "SystemError: invalid PyModuleDef, extension possibly compiled for non-free-threaded Python",
        1,
        "the init function replaces the interpreter's error by its own",
    ),
    (
        "me_inner",
        "ImportError: undefined symbol: PyModule_FromSlotsAndSpec",
        "ImportError: dynamic module does not define module export function (PyInit_me_inner)",
        2,
        LOADER,
    ),
    (
        "needed_missing",
        "ImportError: cannot open shared object file: No such file or directory",
        "SystemError: invalid PyModuleDef, extension possibly compiled for non-free-threaded Python",
        1,
        LOADER,
    ),
    (
        "needed_missing",
        "ImportError: cannot open shared object file: No such file or directory",
        "SystemError: module needed_missing uses unknown slot ID 85",
        2,
        LOADER,
    ),
    (
        "symbol_missing",
        "ImportError: undefined symbol: gilaudit_symbol_that_is_nowhere",
        "SystemError: invalid PyModuleDef, extension possibly compiled for non-free-threaded Python",
        1,
        LOADER,
    ),
    (
        "symbol_missing",
        "ImportError: undefined symbol: gilaudit_symbol_that_is_nowhere",
        "SystemError: module symbol_missing uses unknown slot ID 85",
        2,
        LOADER,
    ),
];

/// Against the file that was tried.
pub(crate) const VARIANTS: &[Difference] =
    &[("truncated pe-x86_64", "fails", "unknown", 2, "the file is cut off where the slots were")];

/// What files do that have no twin among those that were tried.
pub(crate) fn without_reference(case: &str, variant: &str) -> &'static str {
    match (case, variant) {
        ("fat", _) => "by slice",
        ("arm64e" | "android_relocs" | "section_anchors" | "delay_load" | "guard_slots_msvc", _) => "free",
        // The name of an import by number is in the other library's file, and so is the init function behind a forwarder.
        ("import_by_ordinal" | "forwarded_hook", _) => "unknown",
        ("corrupt" | "truncated" | "no_extension" | "plain_library", _) => "fails",
        _ => panic!("{case}/{variant} has no file to compare with"),
    }
}
