//! Operating systems, processor architectures and object-file formats.

use std::fmt;

/// An object-file format.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Format {
    /// Linux and the other Unixes.
    Elf,
    /// macOS.
    MachO,
    /// Windows.
    Pe,
    /// None yet: a module that a source distribution or a source tree would build.
    Source,
}

impl Format {
    /// The word used in reports.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Elf => "elf",
            Self::MachO => "macho",
            Self::Pe => "pe",
            Self::Source => "source",
        }
    }

    /// The operating system whose interpreters load this format.
    pub fn os(self) -> Os {
        match self {
            Self::Elf => Os::Linux,
            Self::MachO => Os::MacOs,
            Self::Pe => Os::Windows,
            Self::Source => Os::Any,
        }
    }
}

/// An operating system, as far as it changes which file names an interpreter searches.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Os {
    /// Linux (and other ELF systems, whose suffixes are alike but for the platform triplet).
    Linux,
    /// macOS.
    MacOs,
    /// Windows.
    Windows,
    /// Whatever it is built on.
    Any,
}

impl Os {
    /// The word used in reports and platform names.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Linux => "linux",
            Self::MacOs => "macos",
            Self::Windows => "windows",
            Self::Any => "any",
        }
    }
}

/// A processor architecture.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Arch {
    /// 64-bit x86.
    X86_64,
    /// 32-bit x86.
    X86,
    /// 64-bit Arm.
    Aarch64,
    /// 32-bit Arm.
    Arm,
    /// 64-bit PowerPC, either byte order.
    Ppc64,
    /// 64-bit RISC-V.
    Riscv64,
    /// 64-bit IBM Z.
    S390x,
    /// 64-bit LoongArch.
    Loongarch64,
    /// Anything else.
    Other,
    /// Whatever it is built on.
    Any,
}

impl Arch {
    /// The word used in reports.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::X86_64 => "x86_64",
            Self::X86 => "x86",
            Self::Aarch64 => "aarch64",
            Self::Arm => "arm",
            Self::Ppc64 => "ppc64",
            Self::Riscv64 => "riscv64",
            Self::S390x => "s390x",
            Self::Loongarch64 => "loongarch64",
            Self::Other => "other",
            Self::Any => "any",
        }
    }
}

/// Where a file runs: operating system and architecture. Shown as `linux-x86_64`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Platform {
    /// The operating system.
    pub os: Os,
    /// The architecture.
    pub arch: Arch,
}

impl fmt::Display for Platform {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.os, self.arch) {
            (Os::Any, Arch::Any) => f.write_str("any"),
            (os, arch) => write!(f, "{}-{}", os.as_str(), arch.as_str()),
        }
    }
}
