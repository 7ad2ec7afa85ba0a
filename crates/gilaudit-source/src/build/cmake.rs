//! `CMakeLists.txt`: the commands that make Python modules, and where they are installed.

use gilaudit_model::source::Span;
use gilaudit_model::source::build::{BuildDirective, BuildFile, BuildModule, Maker};

use super::{by_hand, join, macros};

pub(super) fn read(text: &str, folder: &str, build: &mut BuildFile) {
    let commands = commands(text);
    build.by_hand = by_hand::find(&commands);
    defined(&commands, build);
    for command in commands {
        let words: Vec<&str> = command.arguments.iter().map(|(word, _)| *word).collect();
        let maker = match command.name.to_ascii_lowercase().as_str() {
            "pybind11_add_module" => Maker::Pybind11,
            "nanobind_add_module" => Maker::Nanobind { free_threaded: words.contains(&"FREE_THREADED") },
            "python_add_library" | "python3_add_library" | "python_add_module" => Maker::Compiler,
            "install" => {
                install(&words, build);
                continue;
            }
            _ => {
                directives(&command, build);
                continue;
            }
        };
        directives(&command, build);
        let Some(&(name, span)) = command.arguments.first() else { continue };
        if name.contains('$') {
            build.computed = true;
            continue;
        }
        let sources = words.iter().skip(1).filter(|word| word.contains('.')).filter_map(|word| {
            let word = word.strip_prefix("${CMAKE_CURRENT_SOURCE_DIR}/").unwrap_or(word);
            (!word.contains('$')).then(|| join(folder, word)).flatten()
        });
        build.modules.push(BuildModule {
            name: name.into(),
            span,
            sources: sources.collect(),
            maker,
            limited_api: words.contains(&"STABLE_ABI") || words.contains(&"USE_SABI"),
        });
    }
}

/// Macros of Python's own, in commands that define macros and among the arguments of others.
fn defined(commands: &[Command<'_>], build: &mut BuildFile) {
    // For each `if` that is open, whether it asks for more than the platform.
    let mut open: Vec<bool> = Vec::new();
    for command in commands {
        let name = command.name.to_ascii_lowercase();
        match name.as_str() {
            "if" => {
                let words: Vec<&str> = command.arguments.iter().map(|(word, _)| *word).collect();
                open.push(!macros::is_platform_only(&words.join(" ")));
            }
            "endif" => {
                open.pop();
            }
            _ => {}
        }
        let defines = name.ends_with("compile_definitions") || name.starts_with("set_") && name.contains("propert");
        let conditional = open.contains(&true);
        for (argument, span) in &command.arguments {
            for word in argument.split_whitespace() {
                let found = macros::argument(word, conditional, *span)
                    .or_else(|| macros::defined(word, conditional, *span).filter(|_| defines));
                build.macros.extend(found);
            }
        }
    }
}

/// `-X freethreading_compatible=True` among the arguments of a command that runs Cython.
fn directives(command: &Command<'_>, build: &mut BuildFile) {
    for (word, span) in &command.arguments {
        for part in word.split_whitespace() {
            let part = part.strip_prefix("-X").or_else(|| part.strip_prefix("--directive=")).unwrap_or(part);
            if let Some(value) = part.strip_prefix("freethreading_compatible=") {
                build.directives.push(BuildDirective {
                    name: "freethreading_compatible".into(),
                    value: value.into(),
                    condition: None,
                    span: *span,
                });
            }
        }
    }
}

/// `install(TARGETS a b LIBRARY DESTINATION folder)`
fn install(words: &[&str], build: &mut BuildFile) {
    const KEYWORDS: [&str; 8] =
        ["EXPORT", "LIBRARY", "RUNTIME", "ARCHIVE", "DESTINATION", "COMPONENT", "OBJECTS", "PERMISSIONS"];
    if words.first() != Some(&"TARGETS") {
        return;
    }
    let destination =
        words.iter().position(|word| *word == "DESTINATION").and_then(|at| words.get(at.saturating_add(1)));
    let Some(destination) = destination else { return };
    for target in words.iter().skip(1).take_while(|word| !KEYWORDS.contains(word)) {
        build.installs.push(((*target).into(), (*destination).into()));
    }
}

pub(super) struct Command<'t> {
    pub(super) name: &'t str,
    pub(super) arguments: Vec<(&'t str, Span)>,
}

/// The commands of a file, in order. `if` and the like are commands too, and every branch is listed.
fn commands(text: &str) -> Vec<Command<'_>> {
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
