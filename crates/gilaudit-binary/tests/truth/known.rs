//! Where the library's answer is known to differ from what happens, and why it does.

/// Case (and variant), what happens, what the library says, in how many rows, why.
pub(crate) type Difference = (&'static str, &'static str, &'static str, usize, &'static str);

/// Architectures whose code is not evaluated: there `unknown` is right where the file alone does not show the answer.
pub(crate) const NOT_EVALUATED: &[&str] = &["aarch64", "arm", "riscv64", "s390x"];

/// Against truth.tsv.
pub(crate) const DIFFERENT: &[Difference] = &[];

/// Errors that both sides give, in other words.
pub(crate) const TEXTS: &[Difference] = &[];

/// Against the file that was tried.
pub(crate) const VARIANTS: &[Difference] = &[];

/// What files do that have no twin among those that were tried.
pub(crate) fn without_reference(case: &str, variant: &str) -> &'static str {
    match (case, variant) {
        ("fat", _) => "by slice",
        ("arm64e" | "android_relocs" | "section_anchors" | "delay_load" | "guard_slots_msvc", _) => "free",
        ("import_by_ordinal" | "forwarded_hook", _) => "unknown",
        ("corrupt" | "truncated" | "no_extension", _) => "fails",
        _ => panic!("{case}/{variant} has no file to compare with"),
    }
}
