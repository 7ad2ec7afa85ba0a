//! What a function can lead to, from its code alone: whether a decisive call can be reached from it, whether it returns.

use std::collections::{HashMap, HashSet};
use std::rc::Rc;

use gilaudit_model::Arch;

use super::imports::{is_decisive, is_no_return};
use super::{aarch64, x86};
use crate::image::{Cell, Image};

/// Instructions looked at in one function.
const FUNCTION: usize = 20_000;
/// Instructions looked at in all functions of a file.
const TOTAL: usize = 2_000_000;
/// Functions looked at in searches for what mentions an address.
const SEARCHED: usize = 200_000;
/// A function of at most this many instructions, without loops and calls into the file, is followed rather than passed over.
const SMALL: usize = 48;
/// A function of at most this many instructions is of moderate size.
const MODERATE: usize = 400;

/// Where control goes from an instruction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Flow {
    Next,
    Jump(Target),
    Branch(u64),
    Call(Target),
    Return,
    Stop,
}

/// Where a jump or call goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Target {
    Address(u64),
    /// Through the pointer at this place.
    Through(u64),
    Unknown,
}

/// One instruction, as far as summaries need it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Scanned {
    pub(super) next: u64,
    pub(super) flow: Flow,
    /// An address that it forms or accesses.
    pub(super) mentions: Option<u64>,
    /// Whether it does no more than read there.
    pub(super) reads: bool,
}

/// What one function can lead to.
#[derive(Clone, Debug, Default)]
pub(super) struct Summary {
    /// Whether a decisive call can be reached.
    pub(super) decisive: bool,
    /// Whether it can return.
    pub(super) returns: bool,
    /// Whether it is short and simple enough to be followed always.
    pub(super) small: bool,
    /// Whether it is short enough to be followed where something depends on it.
    pub(super) moderate: bool,
}

/// The code of one function, without its callees.
#[derive(Debug, Default)]
struct Body {
    callees: Vec<u64>,
    imports: Vec<String>,
    /// The addresses of data that it forms or accesses.
    data: Vec<u64>,
    /// Those of them that it may write to, or hand on to who does.
    written: Vec<u64>,
    instructions: usize,
    loops: bool,
    returns: bool,
    /// Whether a limit cut the scan short.
    cut: bool,
}

/// Summaries of the functions of one file, made on demand.
#[derive(Debug, Default)]
pub(super) struct Summaries {
    bodies: HashMap<u64, Rc<Body>>,
    in_progress: HashSet<u64>,
    decisive: HashMap<u64, bool>,
    scanned: usize,
    searched: usize,
    /// Whether functions that a mentioned table points at (a closure's vtable) count as callees when it is asked what can be reached.
    through_tables: bool,
}

/// Pointers looked at in a table: a Rust vtable has its calls at 3, 4 and 5.
const TABLE: u64 = 6;

/// The functions that the first pointers of a table in the file lead to.
pub(super) fn functions_in_table(image: &Image<'_>, table: u64) -> impl Iterator<Item = u64> {
    (0..TABLE).filter_map(move |index| {
        let place = table.checked_add(index.checked_mul(u64::from(image.pointer))?)?;
        let function = match image.cells().get(place) {
            Some(Cell::Address(address)) => address,
            Some(_) => return None,
            None => image.number(place, image.pointer)?,
        };
        image.is_code(function).then_some(function)
    })
}

impl Summaries {
    pub(super) fn of(&mut self, image: &Image<'_>, function: u64) -> Summary {
        let body = self.body(image, function, 0);
        let small = body.instructions <= SMALL && !body.loops && body.callees.is_empty() && !body.cut;
        let moderate = body.instructions <= MODERATE && !body.cut;
        Summary { decisive: self.is_decisive(image, function), returns: body.returns, small, moderate }
    }

    /// From now on tables of functions are looked through.
    pub(super) fn look_through_tables(&mut self) {
        self.through_tables = true;
        self.decisive.clear();
    }

    /// Whether the function or anything it calls may write to one of the ranges, as far as its code names addresses in them.
    pub(super) fn may_write(&mut self, image: &Image<'_>, function: u64, ranges: &[(u64, u64)]) -> bool {
        if ranges.is_empty() {
            return false;
        }
        let inside = |address: &u64| ranges.iter().any(|(from, to)| (*from..*to).contains(address));
        self.reachable(image, function).into_iter().any(|body| body.written.iter().any(inside))
    }

    fn reachable(&mut self, image: &Image<'_>, function: u64) -> Vec<Rc<Body>> {
        let mut seen = HashSet::from([function]);
        let mut waiting = vec![function];
        let mut bodies = Vec::new();
        while let Some(next) = waiting.pop() {
            self.searched += 1;
            if self.searched > SEARCHED {
                break;
            }
            let body = self.body(image, next, 0);
            waiting.extend(body.callees.iter().filter(|callee| seen.insert(**callee)));
            bodies.push(body);
        }
        bodies
    }

    fn is_decisive(&mut self, image: &Image<'_>, function: u64) -> bool {
        if let Some(known) = self.decisive.get(&function) {
            return *known;
        }
        let mut seen = HashSet::from([function]);
        let mut waiting = vec![function];
        let mut found = false;
        while let Some(next) = waiting.pop() {
            match self.decisive.get(&next) {
                Some(true) => {
                    found = true;
                    break;
                }
                Some(false) => continue,
                None => {}
            }
            let body = self.body(image, next, 0);
            if body.imports.iter().any(|name| is_decisive(name)) {
                self.decisive.insert(next, true);
                found = true;
                break;
            }
            waiting.extend(body.callees.iter().filter(|callee| seen.insert(**callee)));
            if self.through_tables {
                let tables = body.data.iter().flat_map(|table| functions_in_table(image, *table));
                waiting.extend(tables.filter(|function| seen.insert(*function)));
            }
        }
        if found {
            self.decisive.insert(function, true);
        } else {
            // Nothing decisive in the whole closure, so none in that of any function in it.
            self.decisive.extend(seen.into_iter().map(|other| (other, false)));
        }
        found
    }

    fn body(&mut self, image: &Image<'_>, function: u64, depth: usize) -> Rc<Body> {
        if let Some(body) = self.bodies.get(&function) {
            return Rc::clone(body);
        }
        if depth > 64 || !self.in_progress.insert(function) {
            // In progress: a recursive call. It is taken to return.
            return Rc::new(Body { returns: true, cut: true, ..Body::default() });
        }
        let body = Rc::new(self.scan(image, function, depth));
        self.in_progress.remove(&function);
        self.bodies.insert(function, Rc::clone(&body));
        body
    }

    fn scan(&mut self, image: &Image<'_>, function: u64, depth: usize) -> Body {
        let mut body = Body::default();
        let mut seen = HashSet::new();
        let mut waiting = vec![(function, aarch64::Pages::default())];
        while let Some((start, mut registers)) = waiting.pop() {
            let mut at = start;
            loop {
                if !seen.insert(at) {
                    break;
                }
                if body.instructions >= FUNCTION || self.scanned >= TOTAL {
                    body.cut = true;
                    body.returns = true;
                    return body;
                }
                let scanned = match image.arch {
                    Arch::Aarch64 => aarch64::scan(image, at, &mut registers),
                    _ => x86::scan(image, at),
                };
                let Some(scanned) = scanned else { break };
                body.instructions += 1;
                self.scanned += 1;
                let data = |address: &u64| image.segment(*address).is_some_and(|segment| !segment.executable);
                if let Some(address) = scanned.mentions.filter(data) {
                    body.data.push(address);
                    if !scanned.reads {
                        body.written.push(address);
                    }
                }
                match scanned.flow {
                    Flow::Next => {}
                    Flow::Return => {
                        body.returns = true;
                        break;
                    }
                    Flow::Stop => break,
                    Flow::Branch(target) => {
                        body.loops |= target <= at;
                        waiting.push((target, registers.clone()));
                    }
                    Flow::Jump(target) => {
                        match resolve(image, target) {
                            Reached::Code(target) => {
                                body.loops |= target <= at && target >= function;
                                waiting.push((target, registers));
                            }
                            Reached::Import(name) => {
                                body.returns |= !is_no_return(&name);
                                body.imports.push(name);
                            }
                            Reached::Nothing => body.returns = true,
                        }
                        break;
                    }
                    Flow::Call(target) => match resolve(image, target) {
                        Reached::Code(callee) => {
                            let known = self.body(image, callee, depth + 1);
                            // Stubs of imports count as the import itself.
                            if known.instructions <= 4 && known.callees.is_empty() && known.imports.len() == 1 {
                                body.imports.extend(known.imports.iter().cloned());
                            } else {
                                body.callees.push(callee);
                            }
                            if !known.returns {
                                break;
                            }
                        }
                        Reached::Import(name) => {
                            let ends = is_no_return(&name);
                            body.imports.push(name);
                            if ends {
                                break;
                            }
                        }
                        Reached::Nothing => {}
                    },
                }
                at = scanned.next;
            }
        }
        body
    }
}

enum Reached {
    Code(u64),
    Import(String),
    Nothing,
}

fn resolve(image: &Image<'_>, target: Target) -> Reached {
    match target {
        Target::Address(address) if image.is_code(address) => Reached::Code(address),
        Target::Through(place) => match image.cells().get(place) {
            Some(Cell::Import(index, _)) => Reached::Import(image.cells().import_name(index).to_owned()),
            Some(Cell::Address(address)) if image.is_code(address) => Reached::Code(address),
            Some(_) => Reached::Nothing,
            // Formats whose pointers are right in the file have no cell for an address of their own.
            None => match image.number(place, image.pointer) {
                Some(address) if image.is_code(address) => Reached::Code(address),
                _ => Reached::Nothing,
            },
        },
        Target::Address(_) | Target::Unknown => Reached::Nothing,
    }
}
