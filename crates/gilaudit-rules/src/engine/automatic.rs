//! C++ classes whose objects are only automatic variables, or members by value of such: the exemption E3 for `this`.
//!
//! Types inside templates' arguments are not modelled, so this is read off the text: each place where the name of a class stands says
//! whether an object of it could live longer than a call. What is not understood counts as such.

use std::collections::{HashMap, HashSet};

use gilaudit_model::source::{File, FileId, Language, Name, Project, Span};

/// The classes, by name. A name that several definitions share is none.
pub(super) fn classes(project: &Project) -> HashSet<Name> {
    let mut spans: HashMap<&str, (Name, FileId, Span)> = HashMap::new();
    let mut out: HashSet<Name> = HashSet::new();
    for class in &project.structs {
        for name in &class.names {
            let text = project.text(*name);
            let other = spans.insert(text, (*name, class.file, class.span));
            if class.is_object || other.is_some_and(|(_, file, span)| (file, span) != (class.file, class.span)) {
                out.insert(*name);
            }
        }
    }
    let mut automatic: HashSet<Name> = HashSet::new();
    for (file, number) in project.files.iter().zip(0u32..).filter(|(file, _)| file.language == Language::Cpp) {
        for word in words(file) {
            let Some((name, own_file, own)) =
                file.text.get(word.start as usize..word.end as usize).and_then(|text| spans.get(text))
            else {
                continue;
            };
            // What a class does with its own kind belongs to the object that does it.
            if *own_file == FileId(number) && own.contains(word) {
                continue;
            }
            match mention(&file.text, word) {
                Mention::Automatic => {
                    automatic.insert(*name);
                }
                Mention::Neutral => {}
                Mention::Other => {
                    out.insert(*name);
                }
            }
        }
    }
    let class_of = |base: Name| spans.get(last_part(project.text(base))).map(|(name, ..)| *name);
    for function in &project.functions {
        if function.result.pointers == 0 && !function.result.reference {
            out.extend(class_of(function.result.base));
        }
        for local in function.body.locals.iter().filter(|local| local.ty.pointers == 0 && !local.ty.reference) {
            let Some(class) = class_of(local.ty.base) else { continue };
            if local.is_static {
                out.insert(class)
            } else {
                automatic.insert(class)
            };
        }
    }
    out.extend(project.globals.iter().filter_map(|global| class_of(global.ty.base)));
    out.extend(project.typedefs.values().filter_map(|meant| class_of(*meant)));
    // A member or a base lives as long as what it is a part of.
    let mut parts: Vec<(Name, Name)> = Vec::new();
    for whole in &project.structs {
        let by_value = whole.fields.iter().filter(|field| field.ty.pointers == 0 && !field.ty.reference);
        out.extend(by_value.clone().filter(|field| field.is_static).filter_map(|field| class_of(field.ty.base)));
        let held = by_value.map(|field| field.ty.base).chain(whole.bases.iter().copied()).filter_map(class_of);
        for part in held {
            parts.extend(whole.names.iter().map(|whole| (part, *whole)));
            if whole.names.is_empty() {
                out.insert(part);
            }
        }
    }
    loop {
        let before = (out.len(), automatic.len());
        for (part, whole) in &parts {
            if out.contains(whole) {
                out.insert(*part);
            } else if automatic.contains(whole) {
                automatic.insert(*part);
            }
        }
        if before == (out.len(), automatic.len()) {
            break;
        }
    }
    automatic.retain(|class| !out.contains(class));
    automatic
}

/// `C` of `a::C<T>`.
fn last_part(base: &str) -> &str {
    let base = base.split('<').next().unwrap_or(base).trim();
    base.rsplit("::").next().unwrap_or(base)
}

/// The identifiers of a file outside of comments, strings and directives of the preprocessor.
fn words(file: &File) -> Vec<Span> {
    let (text, mut out) = (file.text.as_bytes(), Vec::new());
    let mut comments = file.comments.iter().peekable();
    let is_word = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_' || byte >= 0x80;
    let mut at = 0usize;
    while let Some(byte) = text.get(at).copied() {
        while comments.next_if(|comment| (comment.end as usize) <= at).is_some() {}
        if let Some(comment) = comments.peek().filter(|comment| comment.start as usize <= at) {
            at = (comment.end as usize).max(at.saturating_add(1));
        } else if byte == b'"' {
            at = at.saturating_add(1);
            while text.get(at).is_some_and(|byte| !matches!(byte, b'"' | b'\n')) {
                at = at.saturating_add(if text.get(at) == Some(&b'\\') { 2 } else { 1 });
            }
            at = at.saturating_add(1);
        } else if is_word(byte) {
            let start = at;
            while text.get(at).copied().is_some_and(is_word) {
                at = at.saturating_add(1);
            }
            out.push(Span { start: start as u32, end: at as u32 });
        } else {
            at = at.saturating_add(1);
        }
    }
    out
}

/// What the name of a class is used for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mention {
    /// An object that ends with its block is made: `C(…)`, `C{…}`, `C x` (its kind is known from the declarations).
    Automatic,
    /// A declaration, a pointer or reference to an object that somebody else made, a qualified name.
    Neutral,
    /// Anything else: `new C`, `vector<C>`, `return C(…)`, another name for it.
    Other,
}

fn mention(text: &str, word: Span) -> Mention {
    let before = text.get(..word.start as usize).unwrap_or_default();
    let after = text.get(word.end as usize..).unwrap_or_default();
    // `a::b::` in front of it, and the word before that.
    let is_path = |letter: char| letter.is_alphanumeric() || letter == '_' || letter == ':';
    let before = before.trim_end();
    let before = if before.ends_with("::") { before.trim_end_matches(is_path).trim_end() } else { before };
    let last = before.rsplit(|letter: char| !letter.is_alphanumeric() && letter != '_').next().unwrap_or_default();
    match last {
        "class" | "struct" | "friend" | "public" | "protected" | "private" | "virtual" => return Mention::Neutral,
        "new" | "return" | "using" | "typedef" | "co_return" | "throw" => return Mention::Other,
        _ => {}
    }
    if before.ends_with('~') {
        return Mention::Neutral;
    }
    let Some(after) = past_template(after.trim_start()) else { return Mention::Other };
    let after = after.trim_start();
    match after.chars().next() {
        Some('(' | '{') => Mention::Automatic,
        Some('*' | '&') => Mention::Neutral,
        Some(':') if after.starts_with("::") => Mention::Neutral,
        // A variable, a parameter, a member, a function: the declarations say which.
        Some(letter) if letter.is_alphabetic() || letter == '_' => Mention::Neutral,
        _ => Mention::Other,
    }
}

/// What follows the arguments of a template, if there are any.
fn past_template(text: &str) -> Option<&str> {
    /// Longer ones are not read.
    const LIMIT: usize = 400;
    if !text.starts_with('<') {
        return Some(text);
    }
    let mut depth = 0usize;
    for (at, letter) in text.char_indices().take(LIMIT) {
        match letter {
            '<' => depth = depth.saturating_add(1),
            '>' if depth == 1 => return text.get(at.saturating_add(1)..),
            '>' => depth = depth.saturating_sub(1),
            ';' | '{' => return None,
            _ => {}
        }
    }
    None
}
