//! AArch64.

use super::Step;
use super::path::Path;
use super::summary::Scanned;
use crate::image::Image;

pub(super) const SP: usize = 31;
pub(super) const LINK: usize = 30;
/// AAPCS64: x0 to x18.
pub(super) const CLOBBERED: [usize; 19] = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18];

/// Addresses that `adrp` put into registers.
#[derive(Clone, Debug, Default)]
pub(super) struct Pages([Option<u64>; 32]);

pub(super) fn scan(_image: &Image<'_>, _address: u64, _pages: &mut Pages) -> Option<Scanned> {
    None
}

pub(super) fn step(_engine: &mut super::Engine<'_, '_>, _path: &mut Path) -> Step {
    Step::Stop
}
