//! Which names of a file mention which: what a call may run in turn.
//!
//! A function, method or class mentions what its text mentions: names, and by `.m` every method of the file that is called `m`. A
//! statement outside of functions ties together every name in it: after `HOOKS.append(f)`, whoever mentions `HOOKS` may run `f`.
//! Text is enough, because all of this is only what may happen.

use std::collections::{HashMap, HashSet};

use gilaudit_model::Callable;

use super::logical::is_word;
use super::uses::LONGEST;

/// Words by which code reaches any name of its file.
const ANY_NAME: [&[u8]; 4] = [b"globals", b"vars", b"eval", b"exec"];

/// Methods that put something into a container.
const PUTS: [&[u8]; 9] =
    [b"add", b"append", b"appendleft", b"connect", b"extend", b"insert", b"register", b"setdefault", b"update"];

/// Decorators whose function runs only when it is named.
const QUIET: [&[u8]; 16] = [
    b"abstractmethod",
    b"cache",
    b"cached_property",
    b"classmethod",
    b"contextmanager",
    b"deleter",
    b"deprecated",
    b"final",
    b"getter",
    b"lru_cache",
    b"overload",
    b"override",
    b"property",
    b"setter",
    b"staticmethod",
    b"wraps",
];

/// Classes of the standard library that call no method of a subclass but those between underscores.
const QUIET_BASES: [&[u8]; 24] = [
    b"ABC",
    b"Enum",
    b"Flag",
    b"Generic",
    b"IntEnum",
    b"IntFlag",
    b"Mapping",
    b"MutableMapping",
    b"NamedTuple",
    b"Protocol",
    b"Sequence",
    b"StrEnum",
    b"TypedDict",
    b"abc",
    b"dict",
    b"enum",
    b"float",
    b"int",
    b"list",
    b"object",
    b"set",
    b"str",
    b"tuple",
    b"typing",
];

/// The mentions in one file that are kept; with more, everything is taken to mention everything.
const MOST: usize = 1_000_000;

/// A function or class of the outermost level, or a method: the class and its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Owner<'t> {
    pub(super) outer: &'t [u8],
    pub(super) method: Option<&'t [u8]>,
}

/// The names of a file and who mentions whom, while they are collected.
#[derive(Debug)]
pub(super) struct Mentions<'t> {
    index: HashMap<&'t [u8], usize>,
    methods: HashMap<Owner<'t>, usize>,
    /// All methods of a name.
    by_name: HashMap<&'t [u8], usize>,
    /// Classes with a base that may call any of their methods.
    open: HashSet<usize>,
    /// Names that a `def` or `class` defines.
    defined: HashSet<&'t [u8]>,
    count: usize,
    callables: Vec<Callable>,
}

impl<'t> Mentions<'t> {
    /// Mentions of what these own, and of these variables. The first callable has no name, and mentions all.
    pub(super) fn new(owners: &[Option<Owner<'t>>], variables: impl Iterator<Item = &'t [u8]>) -> Self {
        let mut this = Self {
            index: HashMap::new(),
            methods: HashMap::new(),
            by_name: HashMap::new(),
            open: HashSet::new(),
            defined: owners.iter().flatten().map(|owner| owner.outer).collect(),
            count: 0,
            callables: vec![Callable::default()],
        };
        for owner in owners.iter().flatten() {
            let class = this.name(owner.outer);
            let Some(method) = owner.method.filter(|_| !this.methods.contains_key(owner)) else { continue };
            let own = this.push([owner.outer, b".", method].concat());
            this.methods.insert(*owner, own);
            let all = match this.by_name.get(method) {
                Some(all) => *all,
                None => {
                    let all = this.push([b".", method].concat());
                    this.by_name.insert(method, all);
                    all
                }
            };
            this.add(all, own);
            if method.starts_with(b"_") && method.ends_with(b"_") {
                this.add(class, own);
            }
            if let Some(class) = this.callables.get_mut(class) {
                class.methods.push(own);
            }
        }
        for name in variables {
            this.name(name);
        }
        let every = 1..this.callables.len();
        if let Some(all) = this.callables.first_mut() {
            all.mentions = every.collect();
        }
        this
    }

    fn push(&mut self, name: Vec<u8>) -> usize {
        let name = String::from_utf8_lossy(&name).into_owned();
        self.callables.push(Callable { name, ..Callable::default() });
        self.callables.len() - 1
    }

    fn name(&mut self, name: &'t [u8]) -> usize {
        if let Some(known) = self.index.get(name) {
            return *known;
        }
        let new = self.push(name.to_vec());
        self.index.insert(name, new);
        new
    }

    fn owner(&self, owner: &Owner<'t>) -> Option<usize> {
        match owner.method {
            Some(_) => self.methods.get(owner).copied(),
            None => self.index.get(owner.outer).copied(),
        }
    }

    /// Notes what a statement in a function, method or class, or the head of a `def`, mentions.
    pub(super) fn within(&mut self, owner: &Owner<'t>, statement: &[u8], is_head: bool) {
        let Some(owner) = self.owner(owner) else { return };
        let is_global = statement.starts_with(b"global ");
        let plain = if is_head { head_without_annotations(statement) } else { Vec::new() };
        let statement = if is_head { &plain } else { statement };
        for word in words(statement) {
            if let Some(methods) = self.by_name.get(word.text).copied() {
                self.add(owner, methods);
            }
            let Some(mentioned) = self.named(word.text).filter(|_| !word.is_attribute) else { continue };
            self.add(owner, mentioned);
            // Who looks into what is changed here may run what was put there.
            if is_global || changes(word.rest) {
                self.add(mentioned, owner);
            }
        }
    }

    /// Notes the bases of a class: one of another file may call any method.
    pub(super) fn class(&mut self, name: &[u8], head: &[u8]) {
        let Some(class) = self.index.get(name).copied() else { return };
        let bases = head.iter().position(|byte| *byte == b'(').and_then(|at| head.get(at..)).unwrap_or_default();
        let is_open = words(bases).filter(|word| !word.is_attribute).any(|word| match self.index.get(word.text) {
            Some(base) => self.open.contains(base),
            None => {
                !QUIET_BASES.contains(&word.text)
                    && !word.text.ends_with(b"Error")
                    && !word.text.ends_with(b"Exception")
            }
        });
        if is_open {
            self.open.insert(class);
            let methods = self.callables.get(class).map(|class| class.methods.clone()).unwrap_or_default();
            methods.into_iter().for_each(|method| self.add(class, method));
        }
    }

    /// Notes what decorates a method: what takes note of it may run it.
    pub(super) fn decorated_method(&mut self, decorator: &[u8], method: &Owner<'t>) {
        let callee = decorator.split(|byte| *byte == b'(').next().unwrap_or_default();
        let last = callee.rsplit(|byte| !is_word(*byte)).next().unwrap_or_default();
        let class = Owner { outer: method.outer, method: None };
        if let (Some(class), Some(own)) = (self.owner(&class), self.owner(method))
            && !QUIET.contains(&last)
        {
            self.add(class, own);
        }
    }

    /// Ties together what a statement outside of functions mentions.
    pub(super) fn outside(&mut self, statement: &[u8]) {
        // `name: annotation = value`.
        let annotation = assignment(statement).filter(|at| {
            let name = statement.get(..*at).unwrap_or_default().trim_ascii_end();
            let is_clause = matches!(name, b"else" | b"try" | b"finally");
            statement.get(*at) == Some(&b':') && !is_clause && name.iter().all(|byte| is_word(*byte))
        });
        let value = annotation.and_then(|at| statement.get(at..)).map_or(statement, after_annotation);
        let target = statement.get(..annotation.unwrap_or(0)).unwrap_or_default();
        let plain = words(target).chain(words(value)).filter(|word| !word.is_attribute);
        let mut names = plain.filter_map(|word| self.named(word.text)).collect::<Vec<_>>().into_iter();
        let Some(first) = names.next() else { return };
        for other in names {
            self.add(first, other);
            self.add(other, first);
        }
    }

    /// Notes what decorates a function or class. A variable takes note of it; a function of the file may do anything with it.
    pub(super) fn decorated(&mut self, decorator: &[u8], defines: &[u8]) {
        self.outside(decorator);
        let Some(own) = self.index.get(defines).copied() else { return };
        let first = words(decorator).next().map(|word| word.text).unwrap_or_default();
        for word in words(decorator).filter(|word| !word.is_attribute) {
            let Some(name) = self.named(word.text) else { continue };
            if word.text == first && !self.defined.contains(first) {
                if let Some(variable) = self.callables.get_mut(name).filter(|_| name != 0) {
                    variable.registers.push(own);
                }
            } else {
                self.add(name, own);
                self.add(own, name);
            }
        }
    }

    /// A callable by its place.
    pub(super) fn get_mut(&mut self, owner: &Owner<'t>) -> Option<&mut Callable> {
        let owner = self.owner(owner)?;
        self.callables.get_mut(owner)
    }

    pub(super) fn into_callables(mut self) -> Vec<Callable> {
        for callable in &mut self.callables {
            callable.mentions.sort_unstable();
            callable.mentions.dedup();
        }
        self.callables
    }

    fn named(&self, word: &[u8]) -> Option<usize> {
        self.index.get(word).copied().or_else(|| ANY_NAME.contains(&word).then_some(0))
    }

    fn add(&mut self, from: usize, to: usize) {
        // The one that mentions all is not tied to those that could name it.
        if from == 0 || from == to {
            return;
        }
        self.count += 1;
        let to = if self.count > MOST { 0 } else { to };
        if let Some(callable) = self.callables.get_mut(from)
            && callable.mentions.last() != Some(&to)
        {
            callable.mentions.push(to);
        }
    }
}

/// Whether a name is followed by what puts something into a container: `[key] =`, `.append(`.
fn changes(rest: &[u8]) -> bool {
    is_stored(rest)
        || rest.strip_prefix(b".").is_some_and(|rest| {
            let end = rest.iter().position(|byte| !is_word(*byte)).unwrap_or(rest.len());
            rest.get(..end).is_some_and(|method| PUTS.contains(&method))
        })
}

/// What follows the annotation that a text begins with.
fn after_annotation(text: &[u8]) -> &[u8] {
    let mut depth = 0_usize;
    let equals = text.iter().position(|byte| {
        match byte {
            b'(' | b'[' | b'{' => depth += 1,
            b')' | b']' | b'}' => depth = depth.saturating_sub(1),
            _ => {}
        }
        depth == 0 && *byte == b'='
    });
    equals.and_then(|at| text.get(at..)).unwrap_or_default()
}

/// The text of a `def` without annotations: looking at a type runs nothing of it.
fn head_without_annotations(statement: &[u8]) -> Vec<u8> {
    let (mut depth, mut is_default, mut is_annotation) = (0_usize, false, false);
    let mut text = Vec::with_capacity(statement.len());
    for (at, byte) in statement.iter().enumerate() {
        match byte {
            b'(' | b'[' | b'{' => depth += 1,
            b')' | b']' | b'}' => {
                depth = depth.saturating_sub(1);
                is_annotation &= depth > 0;
                if depth == 0 && *byte == b')' {
                    // The result's annotation ends with the colon before the body.
                    let rest = statement.get(at..).unwrap_or_default();
                    let body = rest.iter().position(|byte| *byte == b':').and_then(|colon| rest.get(colon..));
                    text.extend_from_slice(body.unwrap_or_default());
                    return text;
                }
            }
            b',' if depth == 1 => (is_default, is_annotation) = (false, false),
            b'=' if depth == 1 => (is_default, is_annotation) = (true, false),
            b':' if depth == 1 && !is_default => is_annotation = true,
            _ => {}
        }
        if !is_annotation {
            text.push(*byte);
        }
    }
    text
}

/// Whether a text begins with a subscript that is assigned to.
fn is_stored(rest: &[u8]) -> bool {
    let mut depth = 0_usize;
    if !rest.starts_with(b"[") {
        return false;
    }
    let rest = rest.get(..rest.len().min(LONGEST)).unwrap_or_default();
    let end = rest.iter().position(|byte| {
        match byte {
            b'[' => depth += 1,
            b']' => depth -= 1,
            _ => {}
        }
        depth == 0
    });
    let after = end.and_then(|end| rest.get(end + 1..)).unwrap_or_default().trim_ascii_start();
    after.starts_with(b",") || after.starts_with(b"[") || after.starts_with(b"=") && !after.starts_with(b"==")
}

struct Word<'t> {
    text: &'t [u8],
    is_attribute: bool,
    /// What follows it.
    rest: &'t [u8],
}

/// The words of a statement.
fn words(statement: &[u8]) -> impl Iterator<Item = Word<'_>> {
    let mut at = 0;
    std::iter::from_fn(move || {
        let start = at + statement.get(at..)?.iter().position(|byte| is_word(*byte))?;
        let (before, word) = statement.split_at_checked(start)?;
        let length = word.iter().position(|byte| !is_word(*byte)).unwrap_or(word.len());
        at = start + length;
        let (text, rest) = word.split_at_checked(length)?;
        Some(Word { text, is_attribute: before.trim_ascii_end().ends_with(b"."), rest })
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
    let names = words(head.get(if is_for { 3 } else { 0 }..).unwrap_or_default());
    names.filter(|word| !word.is_attribute).map(|word| word.text)
}

/// Where the first `=` or `:` of an assignment is.
fn assignment(statement: &[u8]) -> Option<usize> {
    let at = memchr::memchr2(b'=', b':', statement)?;
    let next = statement.get(at + 1).copied();
    let before = at.checked_sub(1).and_then(|before| statement.get(before)).copied();
    (next != Some(b'=') && !matches!(before, Some(b'!' | b'<' | b'>'))).then_some(at)
}
