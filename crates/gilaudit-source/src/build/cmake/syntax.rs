//! The commands of a `CMakeLists.txt`, as they are written.

use gilaudit_model::source::Span;

/// One command.
#[derive(Clone, Debug)]
pub(in crate::build) struct Command<'t> {
    pub(in crate::build) name: &'t str,
    /// Its arguments, without quotes.
    pub(in crate::build) arguments: Vec<(&'t str, Span)>,
}

/// The commands of a file, in order. `if` and the like are commands too, and every branch is listed.
pub(in crate::build) fn commands(text: &str) -> Vec<Command<'_>> {
    let bytes = text.as_bytes();
    let mut commands: Vec<Command<'_>> = Vec::new();
    let mut at = 0;
    let mut word: Option<usize> = None;
    let mut depth = 0usize;
    let take = |start: usize, end: usize| {
        (text.get(start..end).unwrap_or_default(), Span { start: start as u32, end: end as u32 })
    };
    while let Some(&byte) = bytes.get(at) {
        let is_word = byte.is_ascii_alphanumeric() || byte == b'_' || (depth > 0 && !b" \t\r\n()\"#;".contains(&byte));
        if is_word {
            word.get_or_insert(at);
            at += 1;
            continue;
        }
        let ended = word.take().map(|start| take(start, at));
        if depth > 0
            && let (Some(argument), Some(command)) = (ended, commands.last_mut())
        {
            command.arguments.push(argument);
        }
        match byte {
            b'#' => {
                at = bytes.get(at..).and_then(|rest| memchr::memchr(b'\n', rest)).map_or(bytes.len(), |end| at + end)
            }
            b'"' if depth > 0 => {
                let start = at + 1;
                at = start;
                while let Some(&inner) = bytes.get(at) {
                    match inner {
                        b'\\' => at += 1,
                        b'"' => break,
                        _ => {}
                    }
                    at += 1;
                }
                let end = at.min(bytes.len());
                if let Some(command) = commands.last_mut() {
                    command.arguments.push(take(start, end));
                }
                at += 1;
            }
            b'(' => {
                if depth == 0
                    && let Some((name, _)) = ended.or_else(|| last_word(text, at))
                {
                    commands.push(Command { name, arguments: Vec::new() });
                    depth = 1;
                } else if depth > 0 {
                    depth += 1;
                }
                at += 1;
            }
            b')' => {
                depth = depth.saturating_sub(1);
                at += 1;
            }
            _ => at += 1,
        }
    }
    commands
}

/// The word before the spaces before a parenthesis.
fn last_word(text: &str, at: usize) -> Option<(&str, Span)> {
    let before = text.get(..at)?.trim_end_matches([' ', '\t']);
    let start = before.rfind(|letter: char| !letter.is_ascii_alphanumeric() && letter != '_').map_or(0, |at| at + 1);
    let name = before.get(start..).filter(|name| !name.is_empty())?;
    Some((name, Span { start: start as u32, end: before.len() as u32 }))
}
