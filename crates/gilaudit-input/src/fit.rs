//! Whether an interpreter can install a wheel, by its file name (PEP 425, PEP 600, PEP 703, PEP 803).

use gilaudit_model::{Target, Version, WheelTags};

use crate::platform_tags;
use crate::wheel_name::WheelName;

/// What a wheel is to an interpreter on a platform.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fit {
    /// It is not for this interpreter or platform.
    No,
    /// It is for the stable ABI of GIL builds, and the interpreter is free-threaded.
    Abi3Only,
    /// It is pure Python, as far as its name says.
    Pure,
    /// It can be installed; the higher, the sooner pip takes it.
    Loads(u32),
}

/// The platform tags of a system, `linux-x86_64` or the like, or of this machine; `None` when the name is not known.
pub fn wheel_platforms(name: Option<&str>) -> Option<Vec<String>> {
    name.map_or_else(|| Some(platform_tags::platform_tags()), platform_tags::tags_of)
}

/// What a file is to an interpreter on a platform with these tags, the most specific first.
pub fn fit(file_name: &str, target: &Target, platforms: &[String]) -> Fit {
    let Some(WheelName { tags, .. }) = WheelName::parse(file_name) else { return Fit::No };
    let Some(platform) = platform_rank(&tags, platforms) else { return Fit::No };
    let minor = target.version.minor();
    let own = format!("cp3{minor}{}", if target.free_threaded { "t" } else { "" });
    let exact = tags.python.iter().any(|tag| *tag == format!("cp3{minor}"));
    let not_newer = |tag: &String, prefix: &str| {
        tag.strip_prefix(prefix).is_some_and(|rest| rest.parse::<u32>().is_ok_and(|it| it <= u32::from(minor)))
    };
    let stable = tags.python.iter().any(|tag| not_newer(tag, "cp3"));
    let plain = exact || tags.python.iter().any(|tag| tag == "py3" || not_newer(tag, "py3"));
    let mut best = Fit::No;
    for abi in &tags.abi {
        let rank = platform.saturating_mul(8);
        best = best.max(match abi.as_str() {
            abi if abi == own && exact => Fit::Loads(rank.saturating_add(4)),
            "abi3t" if stable && target.version >= Version::V3_15 => Fit::Loads(rank.saturating_add(3)),
            "abi3" if stable && !target.free_threaded => Fit::Loads(rank.saturating_add(2)),
            "abi3" if stable => Fit::Abi3Only,
            "none" if plain && tags.platform.iter().any(|tag| tag == "any") => Fit::Pure,
            "none" if plain => Fit::Loads(rank),
            _ => Fit::No,
        });
    }
    best
}

/// How specific the best of a wheel's platforms is; `None` when none is this one.
fn platform_rank(tags: &WheelTags, platforms: &[String]) -> Option<u32> {
    let rank = |tag: &String| {
        if tag == "any" {
            return Some(0);
        }
        let at = platforms.iter().position(|platform| is_on(tag, platform))?;
        u32::try_from(platforms.len().saturating_sub(at)).ok()
    };
    tags.platform.iter().filter_map(rank).max()
}

/// Whether a wheel for `tag` runs on a system whose newest tag is `platform`.
fn is_on(tag: &str, platform: &str) -> bool {
    let mac = |tag: &str| {
        let mut parts = tag.strip_prefix("macosx_")?.splitn(3, '_');
        let (major, minor) = (parts.next()?.parse::<u32>().ok()?, parts.next()?.parse::<u32>().ok()?);
        Some((major, minor, parts.next()?.to_owned()))
    };
    match (mac(tag), mac(platform)) {
        (Some(wheel), Some(system)) => {
            (wheel.0, wheel.1) <= (system.0, system.1) && (wheel.2 == system.2 || wheel.2 == "universal2")
        }
        _ => tag == platform,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wheels_by_name() {
        let on = |system: &str, target: &str, name: &str| {
            fit(name, &target.parse().unwrap(), &wheel_platforms(Some(system)).unwrap())
        };
        let linux = |target: &str, name: &str| on("linux-x86_64", target, name);
        assert!(matches!(linux("3.14t", "x-1-cp314-cp314t-manylinux_2_28_x86_64.whl"), Fit::Loads(_)));
        assert_eq!(linux("3.14t", "x-1-cp314-cp314-manylinux_2_28_x86_64.whl"), Fit::No);
        assert_eq!(linux("3.14t", "x-1-cp39-abi3-manylinux2014_x86_64.whl"), Fit::Abi3Only);
        assert!(matches!(linux("3.14", "x-1-cp39-abi3-manylinux2014_x86_64.whl"), Fit::Loads(_)));
        assert!(matches!(linux("3.15t", "x-1-cp315-abi3.abi3t-manylinux_2_28_x86_64.whl"), Fit::Loads(_)));
        assert_eq!(linux("3.14t", "x-1-py2.py3-none-any.whl"), Fit::Pure);
        assert!(matches!(linux("3.14t", "x-1-py3-none-manylinux_2_17_x86_64.manylinux2014_x86_64.whl"), Fit::Loads(_)));
        assert_eq!(linux("3.14t", "x-1-cp314-cp314t-win_amd64.whl"), Fit::No);
        assert_eq!(linux("3.14t", "x-1.tar.gz"), Fit::No);
        assert!(matches!(on("macos-arm64", "3.14t", "x-1-cp314-cp314t-macosx_11_0_arm64.whl"), Fit::Loads(_)));
        assert!(matches!(on("macos-arm64", "3.14t", "x-1-cp314-cp314t-macosx_10_9_universal2.whl"), Fit::Loads(_)));
        assert_eq!(on("macos-arm64", "3.14t", "x-1-cp314-cp314t-macosx_11_0_x86_64.whl"), Fit::No);
        assert!(linux("3.14t", "x-1-cp314-cp314t-manylinux_2_28_x86_64.whl") > linux("3.14t", "x-1-py3-none-any.whl"));
        assert_eq!(wheel_platforms(Some("amiga-m68k")), None);
    }
}
