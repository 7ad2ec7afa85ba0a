//! Installed distributions and wheel tags.

/// A distribution (what PyPI calls a package) and its version.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Distribution {
    /// The name as its metadata spells it.
    pub name: String,
    /// The version, PEP 440.
    pub version: String,
}

/// The compatibility tags of a wheel (PEP 425), each a set because a wheel may name several.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct WheelTags {
    /// Python tags: `cp314`, `py3`.
    pub python: Vec<String>,
    /// ABI tags: `cp314t`, `abi3`, `abi3t`, `none`.
    pub abi: Vec<String>,
    /// Platform tags: `manylinux_2_28_x86_64`, `win_amd64`, `any`.
    pub platform: Vec<String>,
}

impl WheelTags {
    /// Reads the last three dash-separated parts of a wheel's file name: `cp314-cp314t-win_amd64`.
    pub fn parse(python: &str, abi: &str, platform: &str) -> Self {
        let set = |text: &str| text.split('.').map(str::to_owned).collect();
        Self { python: set(python), abi: set(abi), platform: set(platform) }
    }

    /// Whether this is a wheel of pure Python as far as its tags say: ABI `none`, platform `any`.
    pub fn is_pure(&self) -> bool {
        self.abi == ["none"] && self.platform == ["any"]
    }
}
