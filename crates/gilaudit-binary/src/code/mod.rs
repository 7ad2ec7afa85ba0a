//! A bounded abstract interpreter of module init functions.
//!
//! It runs an init function as a first import in a fresh process would: guards are still clear, nothing is cached. What the file
//! and the code settle is computed exactly; what they leave open (results of other libraries, contents of their objects) is an
//! unknown quantity with an identity. A branch on such a quantity is followed both ways, with what the branch says about it
//! remembered on each side. Calls that can lead to no decisive call are passed over ([`summary`]); decisive calls and the rest of
//! the outside world are modelled in [`imports`]. Running out of a budget ends in "unknown", never in a guess.

mod aarch64;
mod access;
mod bits;
mod doubt;
mod imports;
mod layered;
mod memory;
mod outcome;
mod path;
mod space;
mod summary;
mod value;
mod x86;

use std::hash::{BuildHasher, Hash, Hasher};

use foldhash::fast::FixedState;
use foldhash::{HashMap, HashMapExt, HashSet, HashSetExt};

use gilaudit_model::{Arch, Budget as Spent, Format, HookKind, InitResult, Reason, Version};

use crate::image::Image;
pub(crate) use path::Path;
use path::{Condition, Flags, Frame};
pub(crate) use space::Region;
use space::Space;
use summary::Summaries;
use value::SymbolId;
pub(crate) use value::Value;

/// How many paths may come to one branch in the same situation, and the same turn of a loop, with different numbers in registers
/// and on the stack. One path more is taken for one that was seen already, as is one that agrees with an earlier one in all of it.
const ARRIVALS: usize = 2;
/// How often a path follows both sides of a branch that it comes back to.
const FORKS: u16 = 2;
/// How often a path comes back to a branch before it takes the other side: a loop that only something unknown ends. Loops over
/// tables in the file end by themselves, after fewer turns. The branch that closes the loop gives way first, much later any other,
/// which may belong to a loop inside a loop; then the path is given up.
const TURNS: u16 = 3_000;
const TURNS_INSIDE: u16 = 8 * TURNS;
/// Unknown quantities of one run: each takes about a hundred bytes, and a load can make one.
const SYMBOLS: usize = 400_000;
/// Calls inlined into each other.
const DEPTH: usize = 32;
/// Callees of moderate size followed inside each other.
const MODERATE_DEPTH: usize = 2;
/// How often the function is run again with more callees inlined.
const RERUNS: usize = 4;

/// Bounds on one run of an init function.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Budget {
    pub(crate) instructions: usize,
    pub(crate) paths: usize,
    /// Four-byte groups of memory that one path may hold.
    pub(crate) memory: usize,
}

/// What one instruction does to the flow.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Step {
    Next,
    Jump(Value),
    Branch {
        condition: Condition,
        target: u64,
    },
    /// A register becomes one of two values, by a condition that is not known.
    Select {
        condition: Condition,
        register: usize,
        holds: Value,
        fails: Value,
    },
    Call {
        target: Value,
        return_to: u64,
    },
    Return {
        to: Value,
    },
    /// A trap, or bytes that are no instruction.
    Stop,
}

/// Where an unknown quantity comes from.
#[derive(Clone, Debug)]
pub(crate) enum Origin {
    /// The result of an imported function.
    Import { import: u32, arguments: [Value; 4], status: bool },
    /// The result of a call through a pointer that is not known.
    Indirect { target: Value },
    /// The result of a callee that was passed over.
    Skipped(u64),
    /// Contents of memory that another library owns.
    Contents,
}

/// An object made at run time.
#[derive(Clone, Copy, Debug)]
struct Object {
    /// Whether its memory starts as zeros; else its contents are unknown.
    zeroed: bool,
    /// The quantity that turned out to be its address.
    symbol: Option<SymbolId>,
}

/// Calling conventions, as far as arguments, results and clobbered registers go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Convention {
    SystemV,
    Windows64,
    Stack32,
    Arm64,
}

pub(crate) struct Engine<'i, 'd> {
    pub(crate) image: &'i Image<'d>,
    space: Space,
    version: Version,
    convention: Convention,
    symbols: Vec<Origin>,
    objects: Vec<Object>,
    summaries: Summaries,
    effects: HashMap<u32, imports::Effect>,
    /// Whether callees of moderate size are followed although they cannot reach a decisive call.
    follow_moderate: bool,
    /// Whether tables that a callee is given are looked through for functions that it may call.
    through_tables: bool,
    /// The file's initialisers that are run before the function, because the result depends on memory that they may write.
    initializers: Vec<u64>,
    /// Functions that must not be passed over.
    inline: HashSet<u64>,
    /// The paths that came to undecided branches, by situation and turn: digests of their numbers.
    arrivals: HashMap<u64, Vec<[u32; ARRIVALS]>>,
    budget: Budget,
    exhausted: Option<Spent>,
    /// Whether a path was given up in a loop.
    gave_up: bool,
    /// Whether what the function does may depend on the interpreter's version.
    pub(crate) version_consulted: bool,
}

/// Whether code of the file's architecture is evaluated.
pub(crate) fn evaluates(image: &Image<'_>) -> bool {
    matches!(image.arch, Arch::X86_64 | Arch::X86 | Arch::Aarch64) && !image.big_endian
}

/// The address that a function of the file returns, when every path returns the same: what an indirect function resolves to.
pub(crate) fn resolve_indirect(image: &Image<'_>, resolver: u64, budget: Budget) -> Option<u64> {
    let mut engine = Engine { budget, convention: convention(image)?, ..Engine::reader(image, Version::V3_14) };
    let mut start = Path::new(resolver);
    engine.start(&mut start);
    let mut waiting = vec![start];
    let mut found = None;
    while let Some(path) = waiting.pop() {
        let Some(done) = engine.follow(path, &mut waiting) else { continue };
        let Value::Known(address) = engine.result(&done) else { return None };
        if found.is_some_and(|other| other != address) {
            return None;
        }
        found = Some(address);
    }
    found.filter(|_| engine.exhausted.is_none())
}

fn convention(image: &Image<'_>) -> Option<Convention> {
    match (image.arch, image.format) {
        (Arch::X86_64, Format::Pe) => Some(Convention::Windows64),
        (Arch::X86_64, _) => Some(Convention::SystemV),
        (Arch::X86, _) => Some(Convention::Stack32),
        (Arch::Aarch64, _) => Some(Convention::Arm64),
        _ => None,
    }
}

/// Runs an init function under one interpreter version. The flag says whether the version was looked at. The instructions are taken
/// from the budget, which is one for all runs of a file: reruns, versions and hooks would multiply it otherwise.
pub(crate) fn run(
    image: &Image<'_>,
    hook: HookKind,
    entry: u64,
    version: Version,
    budget: &mut Budget,
) -> (InitResult, bool) {
    let Some(convention) = convention(image) else {
        return (InitResult::Unknown(Reason::Architecture(image.arch, None)), false);
    };
    let space = Space::new(image.pointer);
    let beyond = |end: u64| image.segments.iter().any(|segment| segment.address.saturating_add(segment.size) > end);
    if beyond(space.image_end) || image.cells().import_names().len() as u64 > space.import_count() {
        return (InitResult::Unknown(Reason::AddressRange), false);
    }
    let mut known = (HashSet::new(), Summaries::default());
    let mut initializers: Vec<u64> = Vec::new();
    let mut consulted = false;
    // Callees are passed over first, which is fast and settles most modules. What that leaves open, or would call undeclared, is
    // looked at again with callees of moderate size followed, which may set what was taken for unset; and at last with tables of
    // functions looked through: a closure that creates the module is called through one.
    let mut first = None;
    for (follow_moderate, through_tables) in [(false, false), (true, false), (true, true)] {
        if through_tables {
            known.1.look_through_tables();
        }
        let (mut result, mut exhausted) = (None, false);
        for _ in 0..=RERUNS {
            let (inline, summaries) = known;
            let mut engine = Engine {
                inline,
                summaries,
                budget: *budget,
                convention,
                follow_moderate,
                through_tables,
                ..Engine::reader(image, version)
            };
            engine.initializers.clone_from(&initializers);
            let ends = engine.explore(entry, hook);
            consulted |= engine.version_consulted;
            exhausted = engine.exhausted.is_some();
            let conclusion = engine.conclude(ends);
            budget.instructions = engine.budget.instructions;
            known = (engine.inline, engine.summaries);
            match conclusion {
                outcome::Conclusion::Result(found) => {
                    result = Some(*found);
                    break;
                }
                outcome::Conclusion::Inline(functions) => known.0.extend(functions),
                outcome::Conclusion::Initialize(functions) => initializers = functions,
            }
        }
        let result = result.unwrap_or(InitResult::Unknown(Reason::Callees));
        match (first.take(), &result) {
            (None, _) if exhausted || outcome::is_settled(&result) => return (result, consulted),
            (None, _) => first = Some(result),
            (Some(_), _) if outcome::is_settled(&result) => return (result, consulted),
            // Looked at more closely it says less: the first answer stays, unless there was none.
            (Some(before), InitResult::Unknown(_) | InitResult::Fails(_)) => first = Some(before),
            (Some(_), _) => first = Some(result),
        }
    }
    let result = first.unwrap_or(InitResult::Unknown(Reason::NotEvaluated));
    (result, consulted)
}

impl<'i, 'd> Engine<'i, 'd> {
    /// An engine that has run nothing: it reads memory as it is in the file.
    pub(crate) fn reader(image: &'i Image<'d>, version: Version) -> Self {
        Engine {
            image,
            space: Space::new(image.pointer),
            version,
            convention: Convention::SystemV,
            symbols: Vec::new(),
            objects: Vec::new(),
            summaries: Summaries::default(),
            effects: HashMap::new(),
            follow_moderate: false,
            through_tables: false,
            initializers: Vec::new(),
            inline: HashSet::new(),
            arrivals: HashMap::new(),
            budget: Budget { instructions: 0, paths: 0, memory: 0 },
            exhausted: None,
            gave_up: false,
            version_consulted: false,
        }
    }
}

impl Engine<'_, '_> {
    /// Follows every path of the function and reads what each leads to.
    fn explore(&mut self, entry: u64, hook: HookKind) -> Vec<outcome::End> {
        // The initialisers that matter come first.
        let mut queue = self.initializers.clone();
        queue.push(entry);
        queue.reverse();
        let mut start = Path::new(queue.pop().unwrap_or(entry));
        start.queue = queue;
        self.start(&mut start);
        start.addresses = self.addresses();
        let mut waiting = vec![start];
        let mut ends = Vec::new();
        while let Some(path) = waiting.pop() {
            if let Some(done) = self.follow(path, &mut waiting) {
                ends.push(self.end(done, hook));
            }
            if self.exhausted.is_some() {
                break;
            }
        }
        ends
    }

    fn addresses(&self) -> path::Addresses {
        let writable = self.image.segments.iter().filter(|segment| segment.writable);
        let ranges = writable.map(|segment| (segment.address, segment.address.saturating_add(segment.size)));
        let image = ranges.reduce(|a, b| (a.0.min(b.0), a.1.max(b.1))).unwrap_or_default();
        path::Addresses { image, imports: self.space.imports() }
    }

    /// Sets up the stack as if the interpreter had called the function.
    fn start(&self, path: &mut Path) {
        let top = self.space.stack_top();
        match self.convention {
            Convention::Arm64 => {
                path.set_register(aarch64::SP, Value::Known(top));
                path.set_register(aarch64::LINK, Value::Known(self.space.exit));
            }
            _ => {
                let pointer = self.image.pointer;
                path.set_register(x86::SP, Value::Known(top));
                path.memory.store(top, pointer, Value::Known(self.space.exit), path.pc);
            }
        }
    }

    /// Follows one path to its end. `None` when it ends without returning: a trap, an exception, a situation seen before.
    fn follow(&mut self, mut path: Path, waiting: &mut Vec<Path>) -> Option<Path> {
        loop {
            if path.pc == self.space.exit {
                let Some(next) = path.queue.pop() else { return Some(path) };
                self.start(&mut path);
                path.pc = next;
            }
            let step = match self.space.region(path.pc) {
                Some(Region::Import(index, 0)) => match self.call_import(&mut path, index) {
                    imports::Called::Returned => Step::Return { to: self.link(&mut path) },
                    imports::Called::Entered => Step::Next,
                    imports::Called::Ended => return None,
                },
                _ if !self.image.is_code(path.pc) => return None,
                _ => {
                    if self.budget.instructions == 0 {
                        self.exhausted = Some(Spent::Instructions);
                        return None;
                    }
                    self.budget.instructions -= 1;
                    path.at = path.pc;
                    match self.convention {
                        Convention::Arm64 => aarch64::step(self, &mut path),
                        _ => x86::step(self, &mut path),
                    }
                }
            };
            let going = match step {
                Step::Next => true,
                Step::Stop => false,
                Step::Jump(target) => {
                    self.note_transfer(&mut path);
                    self.jump(&mut path, target)
                }
                Step::Return { to } => self.leave(&mut path, to),
                Step::Call { target, return_to } => {
                    self.note_transfer(&mut path);
                    self.call(&mut path, target, return_to)
                }
                Step::Branch { condition, target } => {
                    let (next, backward) = (path.pc, target <= path.at);
                    let sides = (|path: &mut Path| path.pc = target, |path: &mut Path| path.pc = next);
                    self.branch(&mut path, &condition, backward, sides, waiting)
                }
                Step::Select { condition, register, holds, fails } => {
                    let holds = |path: &mut Path| path.set_register(register, holds);
                    let fails = |path: &mut Path| path.set_register(register, fails);
                    self.branch(&mut path, &condition, false, (holds, fails), waiting)
                }
            };
            if !going {
                return None;
            }
            if path.memory.len() > self.budget.memory {
                self.exhausted = Some(Spent::Memory);
                return None;
            }
        }
    }

    fn note_transfer(&self, path: &mut Path) {
        if !self.image.is_stub(path.at) {
            path.transfer = path.at;
        }
    }

    fn jump(&mut self, path: &mut Path, target: Value) -> bool {
        match path.resolve(target) {
            Value::Known(target) => {
                path.pc = target;
                true
            }
            // A tail call through a pointer that is not known: its result is what this function returns.
            target => {
                let result = self.symbol(Origin::Indirect { target });
                self.set_result(path, result);
                let to = self.link(path);
                self.leave(path, to)
            }
        }
    }

    /// Goes back to where a call came from.
    fn leave(&self, path: &mut Path, to: Value) -> bool {
        if let Value::Known(to) = path.resolve(to) {
            while let Some(frame) = path.frames.pop() {
                if frame.return_to == to {
                    break;
                }
            }
            path.pc = to;
        } else {
            // The return address is lost among what a callee was taken to overwrite; the calls say where it was.
            path.pc = path.frames.pop().map_or(self.space.exit, |frame| frame.return_to);
        }
        true
    }

    fn call(&mut self, path: &mut Path, target: Value, return_to: u64) -> bool {
        let target = path.resolve(target);
        let Value::Known(address) = target else {
            let result = self.symbol(Origin::Indirect { target });
            self.pass_over(path, result, return_to);
            return true;
        };
        if matches!(self.space.region(address), Some(Region::Import(..))) {
            self.enter(path, address, return_to);
            return true;
        }
        if address == return_to && self.convention != Convention::Arm64 {
            // `call next; next: pop ebx`: how 32-bit code takes its own address. Nothing returns from there.
            let pointer = self.image.pointer;
            let top = path.register(x86::SP).sub(Value::Known(u64::from(pointer)));
            path.set_register(x86::SP, top);
            self.store(path, top, pointer, Value::Known(return_to));
            path.pc = return_to;
            return true;
        }
        if !self.image.is_code(address) {
            let result = self.symbol(Origin::Indirect { target });
            self.pass_over(path, result, return_to);
            return true;
        }
        let pointers = self.pointer_arguments(path);
        let summary = self.summaries.of(self.image, address);
        let callbacks = pointers.iter().any(|pointer| {
            self.code_pointers(path, *pointer).into_iter().any(|code| self.summaries.of(self.image, code).decisive)
        });
        // A callee of moderate size matters through the memory that it is given, and is followed without its own such callees.
        let moderate = self.follow_moderate
            && summary.moderate
            && !pointers.is_empty()
            && path.frames.iter().filter(|frame| frame.moderate).count() < MODERATE_DEPTH;
        let wanted = summary.decisive || summary.small || callbacks || self.inline.contains(&address) || moderate;
        if wanted && path.frames.len() < DEPTH {
            self.enter(path, address, return_to);
            if let Some(frame) = path.frames.last_mut() {
                frame.moderate = !summary.decisive && !summary.small;
            }
            return true;
        }
        if !summary.returns {
            return false;
        }
        path.skipped.insert((address, 0), ());
        for pointer in &pointers {
            path.skipped.insert((address, *pointer), ());
        }
        // What the callee leaves in the memory it was given is not known: results returned by address on the stack, which may be
        // structures, and globals.
        for pointer in pointers {
            let length = match self.space.region(pointer) {
                Some(Region::Stack) => 128,
                None if self.image.segment(pointer).is_some_and(|segment| segment.writable) => 8,
                _ => 0,
            };
            for offset in (0..length).step_by(usize::from(self.image.pointer)) {
                self.forget(path, pointer.wrapping_add(offset));
            }
        }
        let result = self.symbol(Origin::Skipped(address));
        self.pass_over(path, result, return_to);
        true
    }

    /// A pointer-sized place that a callee was given is no longer known. But a module that it is given by reference, it fills in and
    /// does not replace; and where the caller keeps registers and return addresses, no local lies.
    fn forget(&self, path: &mut Path, place: u64) {
        let held = path.memory.load(place, self.image.pointer);
        let module = matches!(held, memory::Stored::All(Value::Known(address)) if path.modules.contains_key(&address));
        let saved = path.saved.get(&place) == Some(true);
        if !module && !saved {
            path.memory.store(place, self.image.pointer, Value::Unknown, path.at);
        }
    }

    /// Continues in the callee.
    fn enter(&mut self, path: &mut Path, function: u64, return_to: u64) {
        match self.convention {
            Convention::Arm64 => path.set_register(aarch64::LINK, Value::Known(return_to)),
            _ => {
                let pointer = self.image.pointer;
                let top = path.register(x86::SP).sub(Value::Known(u64::from(pointer)));
                path.set_register(x86::SP, top);
                self.store(path, top, pointer, Value::Known(return_to));
                path.keep(top, true);
            }
        }
        path.frames.push(Frame { function, return_to, call_site: path.at, moderate: false });
        path.pc = function;
    }

    /// Continues after a call that is not followed.
    fn pass_over(&mut self, path: &mut Path, result: Value, return_to: u64) {
        self.set_result(path, result);
        path.pc = return_to;
    }

    /// Takes the return address of the current function.
    fn link(&mut self, path: &mut Path) -> Value {
        match self.convention {
            Convention::Arm64 => path.register(aarch64::LINK),
            _ => {
                let pointer = self.image.pointer;
                let top = path.register(x86::SP);
                let to = self.load(path, top, pointer);
                path.keep(top, false);
                path.set_register(x86::SP, top.add(Value::Known(u64::from(pointer))));
                to
            }
        }
    }

    /// Takes the side of a branch that holds, or follows both: `sides` are what happens when the condition holds and when it fails.
    /// `backward` says that the side where it holds closes a loop. Whether the path goes on.
    fn branch(
        &mut self,
        path: &mut Path,
        condition: &Condition,
        backward: bool,
        (holds, fails): (impl Fn(&mut Path), impl Fn(&mut Path)),
        waiting: &mut Vec<Path>,
    ) -> bool {
        let take = |path: &mut Path, truth: bool| if truth { holds(path) } else { fails(path) };
        if let Some(truth) = path.decide(condition) {
            take(path, truth);
            return true;
        }
        let situation = situation(path);
        let turn = path.turns.get(&situation).unwrap_or(0).saturating_add(1);
        path.turns.insert(situation, turn);
        let arrivals = self.arrivals.entry(situation).or_default();
        if arrivals.len() < usize::from(turn) {
            arrivals.resize(usize::from(turn), [0; ARRIVALS]);
        }
        let exact = exact(path);
        let Some(arrivals) = arrivals.get_mut(usize::from(turn) - 1) else { return false };
        let Some(place) = arrivals.iter_mut().take_while(|other| **other != exact).find(|other| **other == 0) else {
            return false;
        };
        *place = exact;
        let usual = self.usual(path, condition);
        if turn > FORKS {
            let closes = usual && backward;
            let truth = usual == (turn <= if closes { TURNS } else { TURNS_INSIDE });
            path.assume(condition, truth);
            take(path, truth);
            let goes_on = turn <= TURNS_INSIDE + TURNS;
            self.gave_up |= !goes_on;
            return goes_on;
        }
        if self.budget.paths == 0 {
            self.exhausted = Some(Spent::Paths);
            return false;
        }
        self.budget.paths -= 1;
        if let Condition::Compare { a, b, .. } = condition {
            for side in [*a, *b] {
                if let Value::Symbol(id, _) = path.resolve(side)
                    && let Some(Origin::Import { import, .. }) = self.origin(id)
                    && !path.depends_on.contains(import)
                {
                    path.depends_on.push(*import);
                }
            }
        }
        let mut other = path.fork();
        for (side, truth) in [(&mut *path, usual), (&mut other, !usual)] {
            side.assume(condition, truth);
            take(side, truth);
        }
        waiting.push(other);
        true
    }

    /// The side of a branch that a successful import takes: statuses are 0, pointers are not NULL, nothing is -1.
    fn usual(&self, path: &Path, condition: &Condition) -> bool {
        let Condition::Compare { a, b, test, negated, width } = condition else { return false };
        let symbol = match (path.resolve(*a), path.resolve(*b)) {
            (Value::Symbol(id, _), _) | (_, Value::Symbol(id, _)) => id,
            _ => return false,
        };
        let status = matches!(self.symbols.get(symbol.0 as usize), Some(Origin::Import { status: true, .. }));
        let assumed = if status || *width < self.image.pointer { 0 } else { 1 };
        let probe =
            Condition::Compare { a: Value::Known(assumed), b: *b, test: *test, negated: *negated, width: *width };
        path.decide(&probe).unwrap_or(false)
    }

    /// A new unknown quantity.
    fn symbol(&mut self, origin: Origin) -> Value {
        if self.symbols.len() >= SYMBOLS {
            self.exhausted = Some(Spent::Unknowns);
            return Value::Unknown;
        }
        self.symbols.push(origin);
        Value::Symbol(SymbolId(u32::try_from(self.symbols.len() - 1).unwrap_or(u32::MAX)), 0)
    }

    fn origin(&self, id: SymbolId) -> Option<&Origin> {
        self.symbols.get(id.0 as usize)
    }

    /// A new object; its address.
    fn object(&mut self, zeroed: bool, symbol: Option<SymbolId>) -> Value {
        let index = self.objects.len() as u64;
        if index >= self.space.object_count() {
            self.exhausted = Some(Spent::Objects);
            return Value::Unknown;
        }
        self.objects.push(Object { zeroed, symbol });
        Value::Known(self.space.object(u32::try_from(index).unwrap_or(u32::MAX)))
    }

    /// Argument `index` (from 0) of a function that was just entered.
    fn argument(&mut self, path: &mut Path, index: usize) -> Value {
        let registers: &[usize] = match self.convention {
            Convention::SystemV => &x86::SYSTEM_V_ARGUMENTS,
            Convention::Windows64 => &x86::WINDOWS_ARGUMENTS,
            Convention::Arm64 => &[0, 1, 2, 3, 4, 5, 6, 7],
            Convention::Stack32 => &[],
        };
        if let Some(register) = registers.get(index) {
            return path.register(*register);
        }
        if self.convention == Convention::Stack32 {
            let top = path.register(x86::SP).add(Value::Known(4 + 4 * index as u64));
            return self.load(path, top, 4);
        }
        Value::Unknown
    }

    /// Sets what a call returns, and forgets the registers that a callee may change.
    fn set_result(&mut self, path: &mut Path, result: Value) {
        let (result_register, clobbered, vectors): (usize, &[usize], std::ops::Range<usize>) = match self.convention {
            Convention::SystemV => (x86::AX, &x86::SYSTEM_V_CLOBBERED, 0..16),
            Convention::Windows64 => (x86::AX, &x86::WINDOWS_CLOBBERED, 0..6),
            Convention::Stack32 => (x86::AX, &x86::STACK_CLOBBERED, 0..8),
            Convention::Arm64 => (0, &aarch64::CLOBBERED, 0..8),
        };
        for register in clobbered {
            path.set_register(*register, Value::Unknown);
        }
        for register in vectors {
            path.set_vector(register, [Value::Unknown; 4]);
        }
        path.set_register(result_register, result);
        path.flags = Flags::Unknown;
    }

    fn result(&self, path: &Path) -> Value {
        path.register(if self.convention == Convention::Arm64 { 0 } else { x86::AX })
    }

    /// The arguments of the call about to be made that are addresses of memory that can be changed.
    fn pointer_arguments(&mut self, path: &mut Path) -> Vec<u64> {
        let count = if self.convention == Convention::Stack32 { 4 } else { 6 };
        let mut pointers = Vec::new();
        for index in 0..count {
            let value = if self.convention == Convention::Stack32 {
                // Before the call: the return address is not yet there.
                let place = path.register(x86::SP).add(Value::Known(4 * index as u64));
                self.load(path, place, 4)
            } else {
                self.argument(path, index)
            };
            if let Value::Known(address) = path.resolve(value)
                && (self.image.segment(address).is_some() || self.space.region(address).is_some())
            {
                pointers.push(address);
            }
        }
        if self.convention == Convention::Arm64
            && let Value::Known(address) = path.register(aarch64::INDIRECT_RESULT)
            && self.space.region(address) == Some(Region::Stack)
        {
            pointers.push(address);
        }
        pointers
    }

    /// The functions that an argument leads to: itself, or pointers in the structure it points at (a closure and its environment).
    fn code_pointers(&mut self, path: &mut Path, pointer: u64) -> Vec<u64> {
        if self.image.is_code(pointer) {
            return vec![pointer];
        }
        if self.through_tables && self.image.segment(pointer).is_some() {
            return summary::functions_in_table(self.image, pointer).collect();
        }
        if self.space.region(pointer) != Some(Region::Stack) {
            return Vec::new();
        }
        let width = self.image.pointer;
        let mut found = Vec::new();
        for index in 0..8u64 {
            let place = pointer.wrapping_add(index * u64::from(width));
            if let memory::Stored::All(value) = path.memory.load(place, width)
                && let Value::Known(code) = path.resolve(value)
                && self.image.is_code(code)
            {
                found.push(code);
            }
        }
        found
    }
}

/// A digest, never 0, of every number that registers and the stack hold: two paths that agree in it, in the same situation, differ in
/// unknown quantities only.
fn exact(path: &Path) -> u32 {
    let mut hasher = FixedState::default().build_hasher();
    path.locals.hash(&mut hasher);
    for register in path.registers {
        path.resolve(register).known().hash(&mut hasher);
    }
    (hasher.finish() >> 32) as u32 | 1
}

/// What tells the turns of a loop from other situations: where, called from where, with which modules, after which stores.
fn situation(path: &Path) -> u64 {
    let mut hasher = FixedState::default().build_hasher();
    path.at.hash(&mut hasher);
    for frame in &path.frames {
        (frame.function, frame.return_to).hash(&mut hasher);
    }
    path.modules.hash(&mut hasher);
    path.definitions.len().hash(&mut hasher);
    path.stored.hash(&mut hasher);
    hasher.finish()
}
