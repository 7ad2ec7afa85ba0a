//! The interpreter asked about.

use std::fmt;
use std::str::FromStr;

/// A CPython feature release that gilaudit knows the loading rules of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Version {
    /// CPython 3.13, the first release with a free-threaded build.
    V3_13,
    /// CPython 3.14.
    V3_14,
    /// CPython 3.15: `PyModExport_*`, new slot ids, abi3t.
    V3_15,
}

impl Version {
    /// All known versions, oldest first.
    pub const ALL: [Self; 3] = [Self::V3_13, Self::V3_14, Self::V3_15];

    /// The minor version number: 13, 14 or 15.
    pub fn minor(self) -> u8 {
        match self {
            Self::V3_13 => 13,
            Self::V3_14 => 14,
            Self::V3_15 => 15,
        }
    }

    /// The version with this minor number, if gilaudit knows it.
    pub fn from_minor(minor: u32) -> Option<Self> {
        Self::ALL.into_iter().find(|version| u32::from(version.minor()) == minor)
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "3.{}", self.minor())
    }
}

/// A set of [`Version`]s.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, Hash)]
pub struct Versions(u8);

impl Versions {
    /// Every known version.
    pub const ALL: Self = Self(0b111);
    /// No version.
    pub const NONE: Self = Self(0);

    /// The set of just this version.
    pub fn only(version: Version) -> Self {
        Self(1 << (version.minor() - 13))
    }

    /// Whether the set holds this version.
    pub fn contains(self, version: Version) -> bool {
        self.0 & Self::only(version).0 != 0
    }

    /// The set with this version added.
    #[must_use]
    pub fn with(self, version: Version) -> Self {
        Self(self.0 | Self::only(version).0)
    }
}

/// The `PYTHON_GIL` / `-X gil` setting of the target.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub enum Gil {
    /// Neither `PYTHON_GIL` nor `-X gil` is set.
    #[default]
    Default,
    /// `PYTHON_GIL=0`: the GIL stays off whatever is loaded.
    Off,
    /// `PYTHON_GIL=1`: the GIL is on from the start.
    On,
}

impl Gil {
    /// The word used on the command line and in reports: `default`, `0` or `1`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Default => "default",
            Self::Off => "0",
            Self::On => "1",
        }
    }
}

impl FromStr for Gil {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "default" => Ok(Self::Default),
            "0" => Ok(Self::Off),
            "1" => Ok(Self::On),
            // CPython accepts exactly "0" and "1": Python/initconfig.c, config_read_gil, 3.13 to 3.15.
            _ => Err(format!("'{text}' is not a GIL setting: CPython accepts 0 and 1 (or say default)")),
        }
    }
}

/// The interpreter asked about: version, build and GIL setting. The platform is that of each file, as built.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Target {
    /// The feature release.
    pub version: Version,
    /// Whether it is the free-threaded build (`python3.14t`).
    pub free_threaded: bool,
    /// `PYTHON_GIL` / `-X gil`.
    pub gil: Gil,
}

impl Target {
    /// The six interpreters gilaudit knows, with the default GIL setting, oldest first.
    pub fn all() -> impl Iterator<Item = Self> {
        Version::ALL
            .into_iter()
            .flat_map(|version| [false, true].map(|free_threaded| Self { version, free_threaded, gil: Gil::Default }))
    }

    /// The same interpreter with another GIL setting.
    #[must_use]
    pub fn with_gil(self, gil: Gil) -> Self {
        Self { gil, ..self }
    }
}

impl fmt::Display for Target {
    /// As on the command line: `3.14t`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.version, if self.free_threaded { "t" } else { "" })
    }
}

impl FromStr for Target {
    type Err = String;

    /// Reads `3.14` or `3.14t`; the GIL setting is the default one.
    fn from_str(text: &str) -> Result<Self, String> {
        Self::all()
            .find(|target| target.to_string() == text)
            .ok_or_else(|| format!("unknown target '{text}': known are 3.13, 3.13t, 3.14, 3.14t, 3.15 and 3.15t"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_target_reads_back() {
        let shown: Vec<String> = Target::all().map(|target| target.to_string()).collect();
        assert_eq!(shown, ["3.13", "3.13t", "3.14", "3.14t", "3.15", "3.15t"]);
        for target in Target::all() {
            assert_eq!(target.to_string().parse(), Ok(target));
        }
        assert!("3.12t".parse::<Target>().is_err());
    }

    #[test]
    fn version_sets() {
        let set = Versions::only(Version::V3_13).with(Version::V3_15);
        assert!(set.contains(Version::V3_13) && set.contains(Version::V3_15) && !set.contains(Version::V3_14));
    }
}
