//! What of a file matters for its imports: a shorter text with the same statements where it counts.
//!
//! Kept are lines that import, the headers of the blocks around them, and the few others that say when an import runs. Every other
//! statement is left out; a block that would be empty gets a `0`. Columns stay as they are, and every row of the short text knows
//! its row in the file.

use std::collections::HashSet;

use gilaudit_model::{Callable, Use};
use memchr::memmem;

use super::logical::{Line, is_word, lines};
use super::mentions::{Mentions, Owner, targets};
use super::uses::{LONGEST, after_lazy, uses};

/// The short text.
#[derive(Debug, Default)]
pub(super) struct Skeleton {
    pub(super) text: Vec<u8>,
    /// The row in the file of every row of the text, both from 0.
    pub(super) rows: Vec<usize>,
    /// Names that the file binds at the outermost level by `def`, `class` or assignment.
    pub(super) binds: Vec<String>,
    /// What the outermost level defines, with the looks at imported names in it and what it mentions. Empty when no function of the
    /// file imports.
    pub(super) callables: Vec<Callable>,
    /// Rows of the text with a lazy import; the word `lazy` itself is left out.
    pub(super) lazy: HashSet<usize>,
    /// Whether lines were left out that CPython itself would refuse.
    pub(super) refused: bool,
}

/// CPython 3.14.7 `Parser/lexer/state.h`: MAXINDENT.
const BLOCKS: usize = 100;

/// Words that make a line matter wherever it stands.
const MATTERS: [&[u8]; 2] = [b"import", b"attach"];

/// The name that makes imports lazy without the word `lazy`.
const LAZY_MODULES: &[u8] = b"__lazy_modules__";

/// Looks at imported names that are kept of the functions of one file.
const MOST_USES: usize = 10_000;

/// The short form of a file.
pub(super) fn of(text: &[u8]) -> Skeleton {
    let mut skeleton = Skeleton::default();
    if !MATTERS.iter().any(|word| memmem::find(text, word).is_some()) {
        return skeleton;
    }
    let mut lines = lines(text);
    let all = lines.len();
    drop_too_deep(&mut lines);
    skeleton.refused = lines.len() < all;
    let mut keep: Vec<bool> = lines.iter().map(|line| matters(slice(text, line))).collect();
    let parents = parents(&lines);
    skeleton.callables = keep_callers(text, &lines, &parents, &mut keep);
    keep_structure(text, &lines, &parents, &mut keep);
    skeleton.binds = lines.iter().filter(|line| line.indent == 0).filter_map(|line| bound(slice(text, line))).collect();
    skeleton.write(text, &lines, &parents, &keep);
    skeleton
}

fn slice<'t>(text: &'t [u8], line: &Line) -> &'t [u8] {
    text.get(line.start..line.end).unwrap_or_default()
}

/// The first word of a statement, after `async`.
fn keyword(statement: &[u8]) -> &[u8] {
    let word = first_word(statement);
    if word == b"async" { first_word(statement.get(5..).unwrap_or_default().trim_ascii_start()) } else { word }
}

fn first_word(statement: &[u8]) -> &[u8] {
    let end = statement.iter().position(|byte| !is_word(*byte)).unwrap_or(statement.len());
    statement.get(..end).unwrap_or_default()
}

fn matters(statement: &[u8]) -> bool {
    match statement.first() {
        // A docstring, or any other text that stands for itself.
        Some(b'"' | b'\'') => false,
        _ => {
            MATTERS.iter().any(|word| memmem::find(statement, word).is_some())
                || statement.starts_with(b"__all__")
                || statement.starts_with(LAZY_MODULES)
                || statement.starts_with(b"def __getattr__")
        }
    }
}

/// Leaves out what nests deeper than CPython takes, which also bounds the work of everything after this.
fn drop_too_deep(lines: &mut Vec<Line>) {
    let mut indents: Vec<usize> = Vec::new();
    lines.retain(|line| {
        while indents.last().is_some_and(|indent| *indent >= line.indent) {
            indents.pop();
        }
        indents.push(line.indent);
        indents.len() <= BLOCKS && !line.too_deep
    });
}

/// For every line, the header of the block that it is in.
fn parents(lines: &[Line]) -> Vec<Option<usize>> {
    let mut open: Vec<(usize, usize)> = Vec::new();
    let mut parents = Vec::with_capacity(lines.len());
    for (index, line) in lines.iter().enumerate() {
        while open.last().is_some_and(|(indent, _)| *indent >= line.indent) {
            open.pop();
        }
        parents.push(open.last().map(|(_, header)| *header));
        if line.opens {
            open.push((line.indent, index));
        }
    }
    parents
}

/// Keeps lines outside functions that look at what is imported, or call something which the file defines or imports by `from`:
/// functions import, too. Gives what functions look at and mention.
fn keep_callers(text: &[u8], lines: &[Line], parents: &[Option<usize>], keep: &mut [bool]) -> Vec<Callable> {
    let mut names: HashSet<&[u8]> = HashSet::new();
    let mut local = Vec::new();
    let mut imports_in_functions = false;
    // With lazy imports, a name on its own is a look as well.
    let mut lazy = false;
    for (index, line) in lines.iter().enumerate() {
        let statement = slice(text, line);
        let outside = definitions(text, lines, parents, index).next().is_none();
        if let Some(name) = defined(statement).filter(|_| outside) {
            local.push(name);
        }
        if keep.get(index) == Some(&true) {
            imports_in_functions |= !outside;
            let import = after_lazy(statement);
            lazy |= import.is_some() || statement.starts_with(LAZY_MODULES);
            let import = import.unwrap_or(statement);
            if outside && (import.starts_with(b"from") || import.starts_with(b"import")) {
                names.extend(import.split(|byte| !is_word(*byte)).filter(|word| !word.is_empty()));
            }
        }
    }
    let mut in_functions: HashSet<(Option<Owner<'_>>, &[u8])> = HashSet::new();
    let mut found = Vec::new();
    for (index, line) in lines.iter().enumerate() {
        let statement = slice(text, line);
        // Neither a docstring nor an import looks at anything.
        if matches!(statement.first(), Some(b'"' | b'\''))
            || matches!(first_word(statement), b"import" | b"from" | b"lazy")
        {
            continue;
        }
        let used = uses(statement, &names, lazy);
        if used.is_empty() {
            continue;
        }
        let outside = definitions(text, lines, parents, index).next().is_none();
        let is_head = keyword(statement) == b"def";
        // Of a function's head only the default values are evaluated in any case.
        if outside
            && (!is_head || memchr::memchr(b'=', statement).is_some())
            && let Some(keep) = keep.get_mut(index)
        {
            *keep = true;
        }
        // The body may stand on the same line: `def f(): return skimage.data`.
        let inside = !outside || is_head && !statement.trim_ascii_end().ends_with(b":");
        if inside && found.len() < MOST_USES {
            let line = u32::try_from(line.row.saturating_add(1)).unwrap_or(u32::MAX);
            let owner = owner(text, lines, parents, index);
            let new = used.into_iter().filter(|name| in_functions.insert((owner, name)));
            found.extend(new.map(|name| (owner, Use { name: String::from_utf8_lossy(name).into_owned(), line })));
        }
    }
    let mut callables = Vec::new();
    let decorated = decorated(text, lines);
    // What calls the file's own functions matters only if any of them imports.
    if imports_in_functions || !found.is_empty() {
        names.extend(local);
        let mut mentions = mentions(text, lines, parents, &decorated);
        for (owner, used) in found {
            if let Some(callable) = owner.and_then(|owner| mentions.get_mut(&owner)) {
                callable.uses.push(used);
            }
        }
        callables = mentions.into_callables();
    }
    let mut kept_to = 0;
    for (index, line) in lines.iter().enumerate() {
        let statement = slice(text, line);
        let candidate = !matches!(keyword(statement), b"def" | b"class");
        let kept = keep.get(index) == Some(&true);
        let calls = |statement| calls(statement, &names) && definitions(text, lines, parents, index).next().is_none();
        if candidate && (kept && statement.starts_with(b"@") || !kept && calls(statement)) {
            // A decorator stands before a definition, which must not be missing.
            let last = decorated.get(index).copied().flatten().unwrap_or(index);
            let first = index.max(kept_to);
            keep.iter_mut().take(last + 1).skip(first).for_each(|keep| *keep = true);
            kept_to = kept_to.max(last);
        }
    }
    callables
}

/// For every line that is a decorator, the definition that it stands before.
fn decorated(text: &[u8], lines: &[Line]) -> Vec<Option<usize>> {
    let mut decorated = vec![None; lines.len()];
    let mut definition = None;
    for (index, line) in lines.iter().enumerate().rev() {
        if !slice(text, line).starts_with(b"@") {
            definition = Some(index);
        } else if let Some(place) = decorated.get_mut(index) {
            *place = definition;
        }
    }
    decorated
}

/// What a line is in, or begins.
fn owner<'t>(text: &'t [u8], lines: &[Line], parents: &[Option<usize>], index: usize) -> Option<Owner<'t>> {
    let parent = |index: &usize| parents.get(*index).copied().flatten();
    let (mut outer, mut inner) = (None, None);
    for index in std::iter::successors(Some(index), parent) {
        let statement = slice_at(text, lines, index);
        if let Some(name) = defined(statement) {
            (outer, inner) = (Some((name, keyword(statement))), outer);
        }
    }
    let (outer, kind) = outer?;
    let method = inner.filter(|(_, inner)| kind == b"class" && *inner == b"def").map(|(name, _)| name);
    Some(Owner { outer, method })
}

/// What the callables of a file mention.
fn mentions<'t>(
    text: &'t [u8],
    lines: &[Line],
    parents: &[Option<usize>],
    decorated: &[Option<usize>],
) -> Mentions<'t> {
    let owners: Vec<_> = (0..lines.len()).map(|index| owner(text, lines, parents, index)).collect();
    let statements = || lines.iter().map(|line| slice(text, line)).zip(&owners);
    let variables = statements().flat_map(|(statement, owner)| {
        let word = first_word(statement);
        let assigns = owner.is_none() && (!is_clause(word) || word == b"for");
        targets(if assigns { statement } else { b"" })
    });
    let mut mentions = Mentions::new(&owners, variables);
    for (index, (statement, owner)) in statements().enumerate() {
        // Neither a docstring nor the list of what is public runs anything.
        if matches!(statement.first(), Some(b'"' | b'\'')) || statement.starts_with(b"__all__") {
            continue;
        }
        let decorates = decorated.get(index).copied().flatten();
        match owner {
            Some(owner) => {
                mentions.within(owner, statement, keyword(statement) == b"def");
                if keyword(statement) == b"class" && defined(statement) == Some(owner.outer) {
                    mentions.class(owner.outer, statement);
                }
                if let Some(Some(method)) = decorates.and_then(|definition| owners.get(definition)) {
                    mentions.decorated_method(statement, method);
                }
            }
            None => match decorates.and_then(|definition| defined(slice_at(text, lines, definition))) {
                Some(name) => mentions.decorated(statement, name),
                None => mentions.outside(statement),
            },
        }
    }
    mentions
}

/// Whether a statement calls one of these names, or something of it: `name(`, `name.part(`, `@name`.
fn calls(statement: &[u8], names: &HashSet<&[u8]>) -> bool {
    if let Some(decorator) = statement.strip_prefix(b"@") {
        return names.contains(first_word(decorator.trim_ascii_start()));
    }
    let statement = statement.get(..statement.len().min(LONGEST)).unwrap_or_default();
    memchr::memchr_iter(b'(', statement).any(|bracket| {
        let before = statement.get(..bracket).unwrap_or_default();
        let start = before.iter().rposition(|byte| !is_word(*byte) && *byte != b'.').map_or(0, |at| at + 1);
        let callee = before.get(start..).unwrap_or_default();
        names.contains(callee.split(|byte| *byte == b'.').next().unwrap_or_default())
    })
}

fn slice_at<'t>(text: &'t [u8], lines: &[Line], index: usize) -> &'t [u8] {
    lines.get(index).map(|line| slice(text, line)).unwrap_or_default()
}

/// The functions that a line is in, innermost first; a class counts at the outermost place only.
fn definitions<'a>(
    text: &'a [u8],
    lines: &'a [Line],
    parents: &'a [Option<usize>],
    index: usize,
) -> impl Iterator<Item = usize> + 'a {
    let parent = |index: &usize| parents.get(*index).copied().flatten();
    let mut functions = 0_usize;
    std::iter::successors(parent(&index), parent).filter(move |header| match keyword(slice_at(text, lines, *header)) {
        b"def" => {
            functions += 1;
            true
        }
        b"class" => functions > 0,
        _ => false,
    })
}

/// The name that a `def` or `class` defines.
fn defined(statement: &[u8]) -> Option<&[u8]> {
    let statement = statement.strip_prefix(b"async").map_or(statement, <[u8]>::trim_ascii_start);
    let rest = statement.strip_prefix(b"def").or_else(|| statement.strip_prefix(b"class"))?;
    let name = first_word(rest.trim_ascii_start());
    (!name.is_empty() && !first_word(rest).starts_with(name)).then_some(name)
}

/// The name that a statement of the outermost level binds, when that is plain to see.
fn bound(statement: &[u8]) -> Option<String> {
    let name = defined(statement).or_else(|| {
        let name = first_word(statement);
        let rest = statement.get(name.len()..)?.trim_ascii_start();
        let assigns = rest.starts_with(b"=") && !rest.starts_with(b"==") || rest.starts_with(b":");
        (assigns && !name.is_empty() && !is_clause(name)).then_some(name)
    })?;
    std::str::from_utf8(name).ok().map(str::to_owned)
}

/// Whether a keyword opens a block that is not a definition.
fn is_clause(keyword: &[u8]) -> bool {
    matches!(
        keyword,
        b"if" | b"elif" | b"else" | b"try" | b"except" | b"finally" | b"with" | b"for" | b"while" | b"match" | b"case"
    )
}

/// Keeps the headers around what is kept, the other clauses of the same statements, and `raise` beside them.
fn keep_structure(text: &[u8], lines: &[Line], parents: &[Option<usize>], keep: &mut [bool]) {
    // From the end, because a header stands before its block.
    for index in (0..lines.len()).rev() {
        if keep.get(index) == Some(&true)
            && let Some(parent) = parents.get(index).copied().flatten()
            && let Some(keep) = keep.get_mut(parent)
        {
            *keep = true;
        }
    }
    // What is in the same block as something kept: clauses belong together, and a raise ends the block.
    let mut interesting: Vec<bool> = vec![false; lines.len() + 1];
    for (index, kept) in keep.iter().enumerate() {
        if *kept
            && let Some(place) =
                interesting.get_mut(parents.get(index).copied().flatten().map_or(0, |parent| parent + 1))
        {
            *place = true;
        }
    }
    for (index, line) in lines.iter().enumerate() {
        let parent = parents.get(index).copied().flatten().map_or(0, |parent| parent + 1);
        if interesting.get(parent) != Some(&true) {
            continue;
        }
        let word = keyword(slice(text, line));
        // `match` and `case` are names elsewhere; the others are clauses also with their block on the same line.
        let clause = is_clause(word) && (line.opens || !matches!(word, b"match" | b"case"));
        let matters = clause || word == b"raise";
        if matters && let Some(keep) = keep.get_mut(index) {
            *keep = true;
            if let Some(place) = interesting.get_mut(index + 1) {
                *place |= line.opens;
            }
        }
    }
}

impl Skeleton {
    fn write(&mut self, text: &[u8], lines: &[Line], parents: &[Option<usize>], keep: &[bool]) {
        let mut in_block: Vec<bool> = vec![false; lines.len()];
        // Whether anything inside a block is kept, so that the others get a placeholder.
        for (index, kept) in keep.iter().enumerate() {
            if *kept
                && let Some(parent) = parents.get(index).copied().flatten()
                && let Some(place) = in_block.get_mut(parent)
            {
                *place = true;
            }
        }
        for (index, line) in lines.iter().enumerate() {
            let parent = parents.get(index).copied().flatten();
            let empties = |parent: usize| {
                parent + 1 == index && keep.get(parent) == Some(&true) && in_block.get(parent) == Some(&false)
            };
            if keep.get(index) == Some(&true) {
                let statement = slice(text, line);
                if let Some(import) = after_lazy(statement) {
                    self.lazy.insert(self.rows.len());
                    self.push(text.get(line.line_start..line.start), import, line.row);
                    continue;
                }
                self.push(text.get(line.line_start..line.start), statement, line.row);
            } else if parent.is_some_and(empties) {
                self.push(text.get(line.line_start..line.start), b"0", line.row);
            }
        }
    }

    fn push(&mut self, indentation: Option<&[u8]>, statement: &[u8], row: usize) {
        self.text.extend_from_slice(indentation.unwrap_or_default());
        self.text.extend_from_slice(statement);
        self.text.push(b'\n');
        let more = memchr::memchr_iter(b'\n', statement).count();
        self.rows.extend((0..=more).map(|offset| row + offset));
    }
}
