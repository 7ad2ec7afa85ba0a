//! Which CPython ABI a file was built for.

use gilaudit_model::{Abi, BuiltFor, HookRun, InitResult, Layout, Slots, WheelTags};

/// The tag in a file name (`cp314t`, `abi3`, `abi3t`), or the one the wheel's tags agree on.
fn tag(file_name: &str, tags: Option<&WheelTags>) -> Option<String> {
    for part in file_name.split('.').skip(1) {
        let part = part.split_once('-').map_or((part, ""), |(first, rest)| (first, rest));
        match part {
            ("abi3" | "abi3t", _) => return Some(part.0.to_owned()),
            // .cpython-314t-x86_64-linux-gnu.so
            ("cpython", rest) => return rest.split('-').next().map(|version| format!("cp{version}")),
            // .cp314t-win_amd64.pyd
            (version, _) if version.starts_with("cp3") => return Some(version.to_owned()),
            _ => {}
        }
    }
    match tags.map(|tags| tags.abi.as_slice()) {
        Some([one]) if one != "none" => Some(one.clone()),
        _ => None,
    }
}

/// What a tag says about the build.
fn of_tag(tag: &str) -> BuiltFor {
    match tag {
        "abi3" => BuiltFor::Abi3,
        "abi3t" => BuiltFor::Abi3t,
        _ if tag.starts_with("cp3") && tag.ends_with('t') => BuiltFor::FreeThreaded,
        _ if tag.starts_with("cp3") => BuiltFor::Gil,
        _ => BuiltFor::Unknown,
    }
}

/// What the python DLL that a Windows module imports says: `python314t.dll`, `python3.dll`.
fn of_dll(needed: &[String]) -> BuiltFor {
    for name in needed {
        let name = name.to_ascii_lowercase();
        let Some(version) = name.strip_prefix("python3").and_then(|rest| rest.strip_suffix(".dll")) else { continue };
        let digits = version.trim_end_matches('t');
        if digits.bytes().all(|byte| byte.is_ascii_digit()) {
            return match (digits.is_empty(), version.ends_with('t')) {
                (true, false) => BuiltFor::Abi3,
                (true, true) => BuiltFor::Abi3t,
                (false, true) => BuiltFor::FreeThreaded,
                (false, false) => BuiltFor::Gil,
            };
        }
    }
    BuiltFor::Unknown
}

/// What the structures of the module show: the layout of its definition, or the flags of its `PyABIInfo`.
fn of_structures(runs: &[&HookRun]) -> Option<BuiltFor> {
    runs.iter().find_map(|run| match &run.result {
        InitResult::MultiPhase(definition) | InitResult::SinglePhase { definition, .. } => {
            definition.layout.map(|layout| match layout {
                Layout::FreeThreaded => BuiltFor::FreeThreaded,
                Layout::Gil => BuiltFor::Gil,
            })
        }
        InitResult::Export(export) => {
            let Slots::Array(slots) = &export.slots else { return None };
            let flags = slots.iter().find_map(|slot| slot.abi)?.flags;
            // CPython 3.15.0rc2 Include/modsupport.h: stable 1, GIL 2, free-threaded 4.
            match (flags & 1 != 0, flags & 4 != 0, flags & 2 != 0) {
                (true, true, _) => Some(BuiltFor::Abi3t),
                (true, false, _) => Some(BuiltFor::Abi3),
                (false, true, false) => Some(BuiltFor::FreeThreaded),
                (false, false, true) => Some(BuiltFor::Gil),
                _ => None,
            }
        }
        _ => None,
    })
}

/// The ABI of a file. What the file itself shows wins over what names say.
pub(crate) fn abi(file_name: &str, tags: Option<&WheelTags>, needed: &[String], runs: &[&HookRun]) -> Abi {
    let tag = tag(file_name, tags);
    let named = tag.as_deref().map_or(BuiltFor::Unknown, of_tag);
    let built_for = match (of_structures(runs), of_dll(needed), named) {
        // The layout of the stable ABI is that of a GIL build.
        (Some(BuiltFor::Gil), BuiltFor::Abi3, _) | (Some(BuiltFor::Gil), BuiltFor::Unknown, BuiltFor::Abi3) => {
            BuiltFor::Abi3
        }
        (Some(shown), ..) => shown,
        (None, BuiltFor::Unknown, named) => named,
        (None, dll, _) => dll,
    };
    Abi { tag, built_for }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_of_file_names() {
        let of = |name| tag(name, None);
        assert_eq!(of("x.cpython-314t-x86_64-linux-gnu.so").as_deref(), Some("cp314t"));
        assert_eq!(of("x.cp313-win_amd64.pyd").as_deref(), Some("cp313"));
        assert_eq!(of("x.abi3t-x86_64-linux-gnu.so").as_deref(), Some("abi3t"));
        assert_eq!(of("x.abi3.so").as_deref(), Some("abi3"));
        assert_eq!(of("x.so"), None);
    }

    #[test]
    fn the_dll_tells_the_build() {
        let of = |name: &str| of_dll(&["KERNEL32.dll".to_owned(), name.to_owned()]);
        assert_eq!(of("python314t.dll"), BuiltFor::FreeThreaded);
        assert_eq!(of("python314.dll"), BuiltFor::Gil);
        assert_eq!(of("python3.dll"), BuiltFor::Abi3);
        assert_eq!(of("python3t.dll"), BuiltFor::Abi3t);
    }
}
