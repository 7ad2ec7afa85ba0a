//! The platform tags of wheels that this machine can install, the most specific first, as `pip download --platform` wants them.

use std::env::consts::{ARCH, OS};
use std::fs;
use std::path::Path;

/// The newest glibc 2.x that manylinux tags are asked for. Wheels are tagged with the oldest version they run on, so a tag that is
/// newer than the machine's own C library is harmless: nothing is run.
const NEWEST_GLIBC: u32 = 41;
/// The newest musl 1.x, likewise.
const NEWEST_MUSL: u32 = 5;
/// The newest macOS; pip itself adds the older ones.
const NEWEST_MACOS: u32 = 26;

/// The tags of the machine that gilaudit runs on; empty when no wheels exist for it.
pub(crate) fn platform_tags() -> Vec<String> {
    tags(OS, ARCH, OS == "linux" && has_musl())
}

/// The tags of a system by its name: `linux-x86_64`, `musllinux-aarch64`, `macos-arm64`, `windows-amd64`.
pub(crate) fn tags_of(name: &str) -> Option<Vec<String>> {
    let (os, arch) = name.split_once('-')?;
    let arch = match arch {
        "amd64" | "x64" | "x86-64" => "x86_64",
        "arm64" => "aarch64",
        "i686" | "win32" => "x86",
        other => other,
    };
    let tags = match os {
        "linux" | "manylinux" => tags("linux", arch, false),
        "musllinux" => tags("linux", arch, true),
        "macos" | "darwin" => tags("macos", arch, false),
        "windows" | "win" => tags("windows", arch, false),
        _ => Vec::new(),
    };
    (!tags.is_empty()).then_some(tags)
}

fn tags(os: &str, arch: &str, musl: bool) -> Vec<String> {
    match (os, arch) {
        ("linux", _) => {
            let Some(arch) = linux_arch(arch) else { return Vec::new() };
            let mut tags = if musl {
                (1..=NEWEST_MUSL).rev().map(|minor| format!("musllinux_1_{minor}_{arch}")).collect()
            } else {
                manylinux(arch)
            };
            tags.push(format!("linux_{arch}"));
            tags
        }
        ("macos", "aarch64") => vec![format!("macosx_{NEWEST_MACOS}_0_arm64")],
        ("macos", _) => vec![format!("macosx_{NEWEST_MACOS}_0_x86_64")],
        ("windows", "x86_64") => vec!["win_amd64".to_owned()],
        ("windows", "x86") => vec!["win32".to_owned()],
        ("windows", "aarch64") => vec!["win_arm64".to_owned()],
        _ => Vec::new(),
    }
}

/// The name that wheels have for an architecture of Rust's list.
fn linux_arch(arch: &str) -> Option<&'static str> {
    Some(match arch {
        "x86_64" => "x86_64",
        "x86" => "i686",
        "aarch64" => "aarch64",
        "arm" => "armv7l",
        "powerpc64" if cfg!(target_endian = "little") => "ppc64le",
        "powerpc64" => "ppc64",
        "s390x" => "s390x",
        "riscv64" => "riscv64",
        "loongarch64" => "loongarch64",
        _ => return None,
    })
}

/// `manylinux_2_N` (PEP 600) with the three names that came before it, each after the glibc it stands for.
fn manylinux(arch: &str) -> Vec<String> {
    let x86 = matches!(arch, "x86_64" | "i686");
    // The first two standards are for x86 alone; the others begin with manylinux2014.
    let oldest = if x86 { 5 } else { 17 };
    let mut tags = Vec::new();
    for minor in (oldest..=NEWEST_GLIBC).rev() {
        tags.push(format!("manylinux_2_{minor}_{arch}"));
        let alias = match minor {
            17 => "manylinux2014",
            12 => "manylinux2010",
            5 => "manylinux1",
            _ => continue,
        };
        tags.push(format!("{alias}_{arch}"));
    }
    tags
}

/// Whether this Linux is built on musl: its loader is there, and the cache of glibc's is not (Debian can have both loaders).
fn has_musl() -> bool {
    let loader = |entry: fs::DirEntry| entry.file_name().as_encoded_bytes().starts_with(b"ld-musl-");
    let found = fs::read_dir("/lib").is_ok_and(|folder| folder.flatten().any(loader));
    found && !Path::new("/etc/ld.so.cache").exists()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn linux() {
        let glibc = tags("linux", "x86_64", false);
        assert_eq!(glibc.first().unwrap(), "manylinux_2_41_x86_64");
        for tag in ["manylinux_2_28_x86_64", "manylinux2014_x86_64", "manylinux1_x86_64", "linux_x86_64"] {
            assert!(glibc.iter().any(|known| known == tag), "{tag}");
        }
        let arm = tags("linux", "aarch64", false);
        assert!(!arm.iter().any(|tag| tag.contains("2010") || tag.contains("_2_16_")), "{arm:?}");
        let musl = tags("linux", "x86_64", true);
        assert_eq!(musl.first().unwrap(), "musllinux_1_5_x86_64");
        assert!(musl.iter().all(|tag| !tag.starts_with("many")));
    }

    #[test]
    fn others() {
        assert_eq!(tags("macos", "aarch64", false), ["macosx_26_0_arm64"]);
        assert_eq!(tags("windows", "x86_64", false), ["win_amd64"]);
        assert!(tags("freebsd", "x86_64", false).is_empty() && tags("linux", "sparc64", false).is_empty());
    }
}
