//! Which names of a file mention which: what a call may run in turn.
//!
//! A function or class mentions what its text mentions. A statement outside of functions ties together every name in it: after
//! `HOOKS.append(f)`, whoever mentions `HOOKS` may run `f`. Text is enough, because all of this is only what may happen.

use std::collections::{HashMap, HashSet};

use gilaudit_model::Callable;

use super::logical::is_word;

/// Words by which code reaches any name of its file.
const ANY_NAME: [&[u8]; 4] = [b"globals", b"vars", b"eval", b"exec"];

/// Methods that put something into a container.
const PUTS: [&[u8]; 9] =
    [b"add", b"append", b"appendleft", b"connect", b"extend", b"insert", b"register", b"setdefault", b"update"];

/// The mentions in one file that are kept; with more, everything is taken to mention everything.
const MOST: usize = 200_000;

/// The names of a file and who mentions whom, while they are collected.
#[derive(Debug)]
pub(super) struct Mentions<'t> {
    index: HashMap<&'t [u8], usize>,
    seen: HashSet<(usize, usize)>,
    callables: Vec<Callable>,
}

impl<'t> Mentions<'t> {
    /// Mentions of these names, each once. The first callable has no name, and mentions all.
    pub(super) fn new(names: impl Iterator<Item = &'t [u8]>) -> Self {
        let mut callables = vec![Callable::default()];
        let mut index = HashMap::new();
        for name in names {
            index.entry(name).or_insert_with(|| {
                let name = String::from_utf8_lossy(name).into_owned();
                callables.push(Callable { name, ..Callable::default() });
                callables.len() - 1
            });
        }
        if let Some((all, rest)) = callables.split_first_mut() {
            all.mentions = (1..=rest.len()).collect();
        }
        Self { index, seen: HashSet::new(), callables }
    }

    /// Notes what a statement in a function or class, or in its head, mentions.
    pub(super) fn within(&mut self, owner: &[u8], statement: &[u8]) {
        let Some(owner) = self.index.get(owner).copied() else { return };
        let is_global = statement.starts_with(b"global ");
        for (word, rest) in words(statement) {
            let Some(mentioned) = self.named(word) else { continue };
            self.add(owner, mentioned);
            // Who looks into what is changed here may run what was put there.
            if is_global || changes(rest) {
                self.add(mentioned, owner);
            }
        }
    }

    /// Ties together what a statement outside of functions mentions: its own names, and those that it defines.
    pub(super) fn outside(&mut self, statement: &[u8], defines: Option<&[u8]>) {
        let mut names = words(statement)
            .map(|(word, _)| word)
            .chain(defines)
            .filter_map(|word| self.named(word))
            .collect::<Vec<_>>()
            .into_iter();
        let Some(first) = names.next() else { return };
        for other in names {
            self.add(first, other);
            self.add(other, first);
        }
    }

    /// A callable by its name.
    pub(super) fn get_mut(&mut self, name: &[u8]) -> Option<&mut Callable> {
        self.callables.get_mut(*self.index.get(name)?)
    }

    pub(super) fn into_callables(self) -> Vec<Callable> {
        self.callables
    }

    fn named(&self, word: &[u8]) -> Option<usize> {
        self.index.get(word).copied().or_else(|| ANY_NAME.contains(&word).then_some(0))
    }

    fn add(&mut self, from: usize, to: usize) {
        // The one that mentions all is not tied to those that could name it.
        if from == 0 || from == to || !self.seen.insert((from, to)) {
            return;
        }
        let to = if self.seen.len() > MOST { 0 } else { to };
        if let Some(callable) = self.callables.get_mut(from)
            && callable.mentions.last() != Some(&to)
        {
            callable.mentions.push(to);
        }
    }
}

/// Whether a name is followed by what may put something into a container: `[`, `.append(`.
fn changes(rest: &[u8]) -> bool {
    rest.starts_with(b"[")
        || rest.strip_prefix(b".").is_some_and(|rest| {
            let end = rest.iter().position(|byte| !is_word(*byte)).unwrap_or(rest.len());
            rest.get(..end).is_some_and(|method| PUTS.contains(&method))
        })
}

/// The words of a statement that may be names, not attributes; each with what follows it.
fn words(statement: &[u8]) -> impl Iterator<Item = (&[u8], &[u8])> {
    let mut at = 0;
    std::iter::from_fn(move || {
        loop {
            let rest = statement.get(at..)?;
            let start = at + rest.iter().position(|byte| is_word(*byte))?;
            let word = statement.get(start..)?;
            let length = word.iter().position(|byte| !is_word(*byte)).unwrap_or(word.len());
            at = start + length;
            if !statement.get(..start)?.trim_ascii_end().ends_with(b".") {
                return word.split_at_checked(length);
            }
        }
    })
}

/// The names that an assignment or a `for` of the outermost level binds, when that is plain to see.
pub(super) fn targets(statement: &[u8]) -> impl Iterator<Item = &[u8]> {
    let is_for = statement.strip_prefix(b"for").is_some_and(|rest| rest.first().is_some_and(u8::is_ascii_whitespace));
    let end = if is_for {
        memchr::memmem::find(statement, b" in ")
    } else {
        assignment(statement).filter(|at| memchr::memchr(b'(', statement.get(..*at).unwrap_or_default()).is_none())
    };
    let head = statement.get(..end.unwrap_or(0)).unwrap_or_default();
    words(head.get(if is_for { 3 } else { 0 }..).unwrap_or_default()).map(|(word, _)| word)
}

/// Where the first `=` or `:` of an assignment is.
fn assignment(statement: &[u8]) -> Option<usize> {
    let at = memchr::memchr2(b'=', b':', statement)?;
    let next = statement.get(at + 1).copied();
    let before = at.checked_sub(1).and_then(|before| statement.get(before)).copied();
    (next != Some(b'=') && !matches!(before, Some(b'!' | b'<' | b'>'))).then_some(at)
}
