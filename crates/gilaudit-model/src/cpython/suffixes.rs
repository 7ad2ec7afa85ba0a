//! Which file names an interpreter takes for an extension module.

use crate::{Arch, Os, Platform, Target, Version};

/// The part of a file name before its first dot, without folders. Only that part can be the name of an extension module: a
/// module's name has no dot, and every suffix starts with one.
pub fn module_stem(file_name: &str) -> &str {
    file_name.split('.').next().unwrap_or_default()
}

/// The platform triplets that CPython's `configure` puts into `SOABI` for this architecture: a file is judged as built, so either
/// C library's triplet fits.
///
/// CPython 3.14.7 `Misc/platform_triplet.c`; for iOS `configure.ac`, `SOABI_PLATFORM`. In an application for iOS, `.fwork` files with these
/// names stand for the binaries, which are elsewhere: what is given here is the binary.
fn triplets(platform: Platform) -> &'static [&'static str] {
    match (platform.os, platform.arch) {
        // iOS and its simulator have Mach-O files as well, and names of their own.
        (Os::MacOs, _) => &["darwin", "iphoneos", "iphonesimulator"],
        (Os::Windows, Arch::X86_64) => &["win_amd64"],
        (Os::Windows, Arch::X86) => &["win32"],
        (Os::Windows, Arch::Aarch64) => &["win_arm64"],
        (Os::Windows, Arch::Arm) => &["win_arm32"],
        (Os::Linux, Arch::X86_64) => {
            &["x86_64-linux-gnu", "x86_64-linux-musl", "x86_64-linux-gnux32", "x86_64-linux-android"]
        }
        (Os::Linux, Arch::X86) => &["i386-linux-gnu", "i386-linux-musl", "i686-linux-android"],
        (Os::Linux, Arch::Aarch64) => {
            &["aarch64-linux-gnu", "aarch64-linux-musl", "aarch64_be-linux-gnu", "aarch64-linux-android"]
        }
        (Os::Linux, Arch::Arm) => &[
            "arm-linux-gnueabihf",
            "arm-linux-musleabihf",
            "arm-linux-gnueabi",
            "arm-linux-musleabi",
            "armeb-linux-gnueabi",
            "armeb-linux-gnueabihf",
            "arm-linux-androideabi",
        ],
        (Os::Linux, Arch::Ppc64) => &["powerpc64le-linux-gnu", "powerpc64le-linux-musl", "powerpc64-linux-gnu"],
        (Os::Linux, Arch::Riscv64) => &["riscv64-linux-gnu", "riscv64-linux-musl"],
        (Os::Linux, Arch::S390x) => &["s390x-linux-gnu", "s390x-linux-musl"],
        (Os::Linux, Arch::Loongarch64) => &["loongarch64-linux-gnu", "loongarch64-linux-musl"],
        (Os::Windows | Os::Linux | Os::Any, _) => &[],
    }
}

/// The suffixes that the target's import system searches on a platform, in its order.
///
/// CPython `Python/dynload_shlib.c`, `_PyImport_DynLoadFiletab` (3.13.15, 3.14.7, 3.15.0rc2), and for Windows
/// `Python/dynload_win.c` with `Include/internal/pycore_importdl.h`, which has neither abi3 nor abi3t suffixes. Debug builds are
/// not modelled.
pub fn suffixes(target: &Target, platform: Platform) -> Vec<String> {
    let tag = format!("3{}{}", target.version.minor(), if target.free_threaded { "t" } else { "" });
    let triplets = triplets(platform);
    if platform.os == Os::Windows {
        let tagged = triplets.iter().map(|triplet| format!(".cp{tag}-{triplet}.pyd"));
        return tagged.chain([".pyd".to_owned()]).collect();
    }
    let mut list: Vec<String> = triplets.iter().map(|triplet| format!(".cpython-{tag}-{triplet}.so")).collect();
    let mut stable = |tag: &str| {
        if target.version >= Version::V3_15 {
            list.extend(triplets.iter().map(|triplet| format!(".{tag}-{triplet}.so")));
        }
        list.push(format!(".{tag}.so"));
    };
    match (target.version, target.free_threaded) {
        // 3.13t and 3.14t kept .abi3.so in the list although they cannot load such a file.
        (Version::V3_13 | Version::V3_14, _) => stable("abi3"),
        (Version::V3_15, false) => {
            stable("abi3");
            stable("abi3t");
        }
        (Version::V3_15, true) => stable("abi3t"),
    }
    list.push(".so".to_owned());
    list
}

/// How the target's import system sees a file name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Found {
    /// It is searched for, by this suffix.
    By(String),
    /// It is not a name that the target searches for.
    NotSearched,
}

/// Whether the target searches for a file of this name. The longest suffix is stripped, and what remains must not contain a dot.
///
/// Based on `Lib/importlib/_bootstrap_external.py`, `FileFinder` (3.13 to 3.15): it looks for `tail + suffix`, where `tail` is
/// the last component of the module's name.
pub fn find(file_name: &str, target: &Target, platform: Platform) -> Found {
    let suffix = suffixes(target, platform)
        .into_iter()
        .filter(|suffix| file_name.strip_suffix(suffix.as_str()).is_some_and(|stem| !stem.is_empty()))
        .max_by_key(String::len);
    match suffix {
        Some(suffix) if file_name.len() == module_stem(file_name).len() + suffix.len() => Found::By(suffix),
        _ => Found::NotSearched,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LINUX: Platform = Platform { os: Os::Linux, arch: Arch::X86_64 };
    const WINDOWS: Platform = Platform { os: Os::Windows, arch: Arch::X86_64 };

    /// The targets that search for this name, in one line.
    fn searched(name: &str, platform: Platform) -> String {
        let found: Vec<String> = Target::all()
            .filter(|target| find(name, target, platform) != Found::NotSearched)
            .map(|t| t.to_string())
            .collect();
        found.join(" ")
    }

    #[test]
    fn linux() {
        assert_eq!(searched("x.cpython-314t-x86_64-linux-gnu.so", LINUX), "3.14t");
        assert_eq!(searched("x.cpython-314-x86_64-linux-gnu.so", LINUX), "3.14");
        assert_eq!(searched("x.cpython-314t-aarch64-linux-gnu.so", LINUX), "");
        assert_eq!(searched("x.abi3.so", LINUX), "3.13 3.13t 3.14 3.14t 3.15");
        assert_eq!(searched("x.abi3t.so", LINUX), "3.15 3.15t");
        assert_eq!(searched("x.abi3t-x86_64-linux-gnu.so", LINUX), "3.15 3.15t");
        assert_eq!(searched("x.so", LINUX), "3.13 3.13t 3.14 3.14t 3.15 3.15t");
        assert_eq!(searched("libx.so.1", LINUX), "");
        assert_eq!(searched(".so", LINUX), "");
        let mac = Platform { os: Os::MacOs, arch: Arch::Aarch64 };
        assert_eq!(searched("x.cpython-314t-darwin.so", mac), "3.14t");
        assert_eq!(searched("x.cpython-314-iphoneos.so", mac), "3.14");
        assert_eq!(searched("x.abi3-iphonesimulator.so", mac), "3.15");
    }

    #[test]
    fn windows_has_no_stable_abi_suffix() {
        assert_eq!(searched("x.cp314t-win_amd64.pyd", WINDOWS), "3.14t");
        assert_eq!(searched("x.pyd", WINDOWS), "3.13 3.13t 3.14 3.14t 3.15 3.15t");
        assert_eq!(searched("x.abi3.pyd", WINDOWS), "");
        assert_eq!(searched("x.dll", WINDOWS), "");
    }
}
