//! The progress bar, on standard error and only where a person looks at it.

use std::io::IsTerminal;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// A bar for `members` files; invisible unless standard error is a terminal and `wanted`.
pub(crate) fn bar(members: usize, wanted: bool) -> ProgressBar {
    of(members, "files", wanted)
}

/// Makes one step; the last one makes the bar vanish.
pub(crate) fn step(bar: &ProgressBar) {
    bar.inc(1);
    if bar.length().is_some_and(|length| bar.position() >= length) {
        bar.finish_and_clear();
    }
}

/// The same for other things than files.
pub(crate) fn of(members: usize, things: &str, wanted: bool) -> ProgressBar {
    if !wanted || !std::io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let bar = ProgressBar::with_draw_target(Some(members as u64), ProgressDrawTarget::stderr());
    // The template is a constant; should it ever be wrong, the default one does as well.
    if let Ok(style) = ProgressStyle::with_template(&format!("{{bar:30}} {{pos}}/{{len}} {things}, {{elapsed}}")) {
        bar.set_style(style);
    }
    bar
}
