//! Files read in parallel: in one order whatever the number of threads, within a budget each, and so that a mistake of ours costs one
//! file and nothing else.

use std::ops::ControlFlow;

use gilaudit_model::source::{File, FileId, Span, Steps, Unread};
use gilaudit_model::{Stage, panics};
use rayon::prelude::*;
use tree_sitter::{ParseOptions, ParseState, Parser, Tree};

use crate::project::Limits;

/// What of the code of a file must parse: with less, nothing can be said of it.
const PARSED: u64 = 80;

/// What reading one file gave, and the steps that it took.
pub(crate) struct Done<T> {
    pub(crate) file: FileId,
    pub(crate) result: Result<T, Unread>,
}

/// Reads the files that are wanted, as far as the limits admit them, and notes in each what it took and why it was not read.
pub(crate) fn each<S, T: Send>(
    files: &mut [File],
    limits: &Limits,
    wanted: impl Fn(&File) -> bool,
    thread: impl Fn() -> S + Sync + Send,
    read: impl Fn(&mut S, FileId, &File, &Steps) -> Result<T, Unread> + Sync + Send,
) -> Vec<(FileId, T)> {
    let mut left = limits.project_bytes;
    let mut work: Vec<(FileId, &File, Result<(), Unread>)> = Vec::new();
    for (file, id) in files.iter().zip((0u32..).map(FileId)).filter(|(file, _)| file.unread.is_none() && wanted(file)) {
        let size = file.text.len();
        let admitted = if size > limits.file_bytes {
            Err(too_large(size, limits.file_bytes))
        } else if size > left {
            Err(unread(
                Stage::Limits,
                format!("the sources before it are {} bytes already, the most that are read", limits.project_bytes),
            ))
        } else {
            left -= size;
            Ok(())
        };
        work.push((id, file, admitted));
    }
    let done: Vec<(Done<T>, u64)> = work
        .into_par_iter()
        .map_init(thread, |state, (id, file, admitted)| {
            let steps = Steps::new(file.steps, limits.steps);
            let result = admitted.and_then(|()| guarded(|| read(state, id, file, &steps)));
            let result = if steps.are_spent() { Err(too_many(limits.steps)) } else { result };
            (Done { file: id, result }, steps.taken())
        })
        .collect();
    let mut out = Vec::with_capacity(done.len());
    for (Done { file: id, result }, steps) in done {
        let Some(file) = files.get_mut(id.0 as usize) else { continue };
        file.steps = steps;
        file.c_api = true;
        match result {
            Ok(facts) => out.push((id, facts)),
            Err(unread) => {
                file.unparsed = u32::try_from(file.text.len()).unwrap_or(u32::MAX);
                file.unparsed_spans = vec![Span { start: 0, end: file.unparsed }];
                file.unread = Some(unread);
            }
        }
    }
    out
}

pub(crate) fn guarded<T>(read: impl FnOnce() -> Result<T, Unread>) -> Result<T, Unread> {
    panics::caught(read).unwrap_or_else(|panic| Err(unread(Stage::Internal, panics::failed_on("this file", &panic))))
}

/// What a grammar makes of a text; nothing, if that takes more steps than are left. `old` is the tree of a similar text, told where this
/// one differs.
pub(crate) fn parse(parser: &mut Parser, text: &str, old: Option<&Tree>, steps: &Steps) -> Option<Tree> {
    // The parser reports its progress every hundred operations.
    let mut progress = |_: &ParseState| {
        if steps.take(100) { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
    };
    let options = ParseOptions::new().progress_callback(&mut progress);
    let bytes = text.as_bytes();
    let tree = parser.parse_with_options(&mut |at, _| bytes.get(at..).unwrap_or_default(), old, Some(options));
    if tree.is_none() {
        parser.reset();
    }
    tree
}

pub(crate) fn unread(stage: Stage, why: String) -> Unread {
    Unread { stage, why: why.into() }
}

pub(crate) fn too_large(size: usize, most: usize) -> Unread {
    unread(Stage::Limits, format!("{size} bytes of source are more than the {most} that are read"))
}

fn too_many(most: u64) -> Unread {
    unread(Stage::Limits, format!("reading it takes more than the {most} steps that a file may take"))
}

/// Why a file cannot be judged of which too little parsed. `code` is its text in which all that is no code is blank.
pub(crate) fn parsed(code: &[u8], unparsed: &[Span]) -> Result<(), Unread> {
    let count = |bytes: &[u8]| bytes.iter().filter(|byte| !byte.is_ascii_whitespace()).count() as u64;
    let (mut lost, mut at) = (0, 0);
    // One part can lie in another.
    let mut parts = unparsed.to_vec();
    parts.sort_unstable();
    for part in parts {
        let start = at.max(part.start as usize);
        lost += count(code.get(start..part.end as usize).unwrap_or_default());
        at = at.max(part.end as usize);
    }
    if lost == 0 {
        return Ok(());
    }
    let share = 100 - 100 * lost / count(code).max(1);
    if share >= PARSED {
        return Ok(());
    }
    Err(unread(Stage::Parse, format!("only {share} % of it could be parsed")))
}

/// A text in which some parts are blank.
pub(crate) fn without(text: &str, parts: &[Span]) -> Vec<u8> {
    let mut bytes = text.as_bytes().to_vec();
    for part in parts {
        for byte in bytes.get_mut(part.start as usize..part.end as usize).into_iter().flatten() {
            if *byte != b'\n' {
                *byte = b' ';
            }
        }
    }
    bytes
}

#[cfg(test)]
mod tests {
    use gilaudit_model::source::Span;

    #[test]
    fn what_is_blank_does_not_count() {
        let code = [b"abcde".as_slice(), &b" ".repeat(1000), b"fghij"].concat();
        let part = |start, end| Span { start, end };
        assert!(super::parsed(&code, &[]).is_ok());
        assert!(super::parsed(&code, &[part(0, 2)]).is_ok());
        let unread = super::parsed(&code, &[part(0, 3), part(1, 2)]).unwrap_err();
        assert_eq!(&*unread.why, "only 70 % of it could be parsed");
    }
}
