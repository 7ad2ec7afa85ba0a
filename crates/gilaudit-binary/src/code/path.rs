//! The state of one path through an init function, and what a path knows about unknown quantities.

use std::collections::BTreeMap;

use super::layered::Layered;
use super::memory::Memory;
use super::value::{SymbolId, Value, mask, sign_extend};

/// What one path has learnt about an unknown quantity.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Fact {
    pub(crate) value: Option<u64>,
    pub(crate) nonzero: bool,
    pub(crate) negative: Option<bool>,
}

/// An inlined call.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Frame {
    pub(crate) function: u64,
    pub(crate) return_to: u64,
    pub(crate) call_site: u64,
    /// Whether it is followed only for what it does to the memory that it is given.
    pub(crate) moderate: bool,
}

/// A module object that this path created.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Module {
    pub(crate) definition: u64,
    pub(crate) created: CallSite,
    /// The last `PyUnstable_Module_SetGIL` on it: the value, and the call.
    pub(crate) gil: Option<(Option<u64>, CallSite)>,
}

/// A call, and the calls that led there.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct CallSite {
    pub(crate) address: u64,
    /// The calls that led there, outermost first.
    pub(crate) through: Vec<u64>,
}

/// What the last flag-setting instruction compared.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Flags {
    /// `a - b`, with the flags of a subtraction.
    Subtract {
        a: Value,
        b: Value,
        width: u8,
    },
    /// A result of a logical operation: carry and overflow clear.
    Logic {
        result: Value,
        width: u8,
    },
    /// A result whose carry and overflow are not known.
    Result {
        result: Value,
        width: u8,
    },
    /// All known: zero, sign, carry, overflow.
    Exact {
        zero: bool,
        sign: bool,
        carry: bool,
        overflow: bool,
    },
    Unknown,
}

/// A test of two quantities.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Test {
    Equal,
    Below,
    BelowEqual,
    Less,
    LessEqual,
    /// The difference is negative.
    Negative,
}

/// Where addresses lie that the loader and the system choose: numbers here, but not the numbers that they will be.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Addresses {
    /// The memory of the file that can be written.
    pub(crate) image: (u64, u64),
    /// Imports.
    pub(crate) imports: (u64, u64),
}

impl Addresses {
    /// Whether a comparison depends on where the loader puts things.
    fn leaves_open(self, test: Test, a: u64, b: u64) -> bool {
        /// Below, a number is a size, or an address in the first pages, where nothing is loaded.
        const LARGE: u64 = 1 << 24;
        let import = |number: u64| (self.imports.0..self.imports.1).contains(&number);
        let image = |number: u64| (self.image.0..self.image.1).contains(&number);
        if test == Test::Equal {
            // Two names may be one function.
            return a != b && import(a) && import(b);
        }
        image(a) && b >= LARGE && !image(b) || image(b) && a >= LARGE && !image(a)
    }
}

/// What a branch depends on.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Condition {
    Always(bool),
    Compare { test: Test, a: Value, b: Value, width: u8, negated: bool },
    Unknown,
}

impl Condition {
    pub(crate) fn compare(test: Test, a: Value, b: Value, width: u8) -> Self {
        Self::Compare { test, a, b, width, negated: false }
    }

    #[must_use]
    pub(crate) fn negate(self) -> Self {
        match self {
            Self::Always(truth) => Self::Always(!truth),
            Self::Compare { test, a, b, width, negated } => Self::Compare { test, a, b, width, negated: !negated },
            Self::Unknown => Self::Unknown,
        }
    }
}

/// One path.
#[derive(Debug)]
pub(crate) struct Path {
    pub(crate) pc: u64,
    /// The instruction being executed.
    pub(crate) at: u64,
    /// The last call or jump outside import stubs, for evidence.
    pub(crate) transfer: u64,
    pub(crate) registers: [Value; 32],
    /// Vector registers, as far as whole structures are copied through them: 32 bytes.
    pub(crate) vectors: [[Value; 4]; 32],
    pub(crate) flags: Flags,
    pub(crate) memory: Memory,
    pub(crate) facts: Layered<SymbolId, Fact>,
    pub(crate) addresses: Addresses,
    pub(crate) frames: Vec<Frame>,
    /// Definitions that `PyModuleDef_Init` was called on.
    pub(crate) definitions: BTreeMap<u64, CallSite>,
    pub(crate) modules: BTreeMap<u64, Module>,
    /// `PySlot` arrays that `PyModule_FromSlotsAndSpec` was called with.
    pub(crate) from_slots: Vec<u64>,
    /// Callees that were passed over because they cannot reach a decisive call, each with an address that it was given, or 0.
    pub(crate) skipped: Layered<(u64, u64), ()>,
    /// Places in the file's writable memory that were read as they are in the file: address and width.
    pub(crate) reads: Layered<(u64, u8), ()>,
    /// Functions of the file that an import was given, which may have run them.
    pub(crate) handed: Layered<u64, ()>,
    /// Sum over everything stored outside the stack, so that paths that differ there are not taken for the same.
    pub(crate) stored: u64,
    /// The same sum over the numbers on the stack.
    pub(crate) locals: u64,
    /// Where on the stack registers and return addresses are kept: pushed and not yet popped.
    pub(crate) saved: Layered<u64, bool>,
    /// Functions still to be run, the last one first.
    pub(crate) queue: Vec<u64>,
    /// Whether an exception is set.
    pub(crate) raised: bool,
    /// Whether one was set when it was last taken away.
    pub(crate) took_raised: bool,
    /// How often this path came to each undecided branch, by situation.
    pub(crate) turns: Layered<u64, u16>,
    /// The imports whose results decided a branch.
    pub(crate) depends_on: Vec<u32>,
    /// Whether a module was passed to `PyUnstable_Module_SetGIL` that could not be told.
    pub(crate) unclear_module: bool,
    /// Pointers that an import was given, and the import.
    pub(crate) given: Vec<(u64, u32)>,
    /// Memory that was given back: the next that is allocated may be the same.
    pub(crate) freed: Vec<u64>,
    /// An import that returns twice.
    pub(crate) twice: Option<u32>,
}

impl Path {
    pub(crate) fn new(entry: u64) -> Self {
        Self {
            pc: entry,
            at: entry,
            transfer: entry,
            registers: [Value::Unknown; 32],
            vectors: [[Value::Unknown; 4]; 32],
            flags: Flags::Unknown,
            memory: Memory::default(),
            facts: Layered::default(),
            addresses: Addresses::default(),
            frames: Vec::new(),
            definitions: BTreeMap::new(),
            modules: BTreeMap::new(),
            from_slots: Vec::new(),
            skipped: Layered::default(),
            reads: Layered::default(),
            handed: Layered::default(),
            stored: 0,
            locals: 0,
            saved: Layered::default(),
            queue: Vec::new(),
            raised: false,
            took_raised: false,
            turns: Layered::default(),
            depends_on: Vec::new(),
            unclear_module: false,
            given: Vec::new(),
            freed: Vec::new(),
            twice: None,
        }
    }

    /// Notes that a place on the stack keeps a register or return address, or no longer does.
    pub(crate) fn keep(&mut self, place: Value, kept: bool) {
        if let Value::Known(place) = place {
            self.saved.insert(place, kept);
        }
    }

    /// A second path that goes on from here.
    pub(crate) fn fork(&mut self) -> Self {
        Self {
            pc: self.pc,
            at: self.at,
            transfer: self.transfer,
            registers: self.registers,
            vectors: self.vectors,
            flags: self.flags,
            memory: self.memory.fork(),
            facts: self.facts.fork(),
            addresses: self.addresses,
            frames: self.frames.clone(),
            definitions: self.definitions.clone(),
            modules: self.modules.clone(),
            from_slots: self.from_slots.clone(),
            skipped: self.skipped.fork(),
            reads: self.reads.fork(),
            handed: self.handed.fork(),
            stored: self.stored,
            locals: self.locals,
            saved: self.saved.fork(),
            queue: self.queue.clone(),
            raised: self.raised,
            took_raised: self.took_raised,
            turns: self.turns.fork(),
            depends_on: self.depends_on.clone(),
            unclear_module: self.unclear_module,
            given: self.given.clone(),
            freed: self.freed.clone(),
            twice: self.twice,
        }
    }

    /// The value as far as this path knows it.
    pub(crate) fn resolve(&self, value: Value) -> Value {
        if let Value::Symbol(id, offset) = value
            && let Some(known) = self.facts.get(&id).and_then(|fact| fact.value)
        {
            return Value::Known(known.wrapping_add_signed(offset));
        }
        value
    }

    pub(crate) fn register(&self, index: usize) -> Value {
        self.registers.get(index).map_or(Value::Unknown, |value| self.resolve(*value))
    }

    pub(crate) fn set_register(&mut self, index: usize, value: Value) {
        if let Some(register) = self.registers.get_mut(index) {
            *register = value;
        }
    }

    pub(crate) fn vector(&self, index: usize) -> [Value; 4] {
        self.vectors.get(index).map_or([Value::Unknown; 4], |halves| halves.map(|value| self.resolve(value)))
    }

    pub(crate) fn set_vector(&mut self, index: usize, value: [Value; 4]) {
        if let Some(register) = self.vectors.get_mut(index) {
            *register = value;
        }
    }

    /// Whether the condition holds, as far as this path knows.
    pub(crate) fn decide(&self, condition: &Condition) -> Option<bool> {
        let (test, a, b, width, negated) = match condition {
            Condition::Always(truth) => return Some(*truth),
            Condition::Unknown => return None,
            Condition::Compare { test, a, b, width, negated } => (*test, *a, *b, *width, *negated),
        };
        let (a, b) = (self.resolve(a).truncate(width), self.resolve(b).truncate(width));
        let reused = |address: Value| address.known().is_some_and(|address| self.freed.contains(&address));
        if test == Test::Equal && a != b && a != Value::ZERO && b != Value::ZERO && (reused(a) || reused(b)) {
            return None;
        }
        let truth = match (a, b) {
            (Value::Known(a), Value::Known(b)) if width < 8 || !self.addresses.leaves_open(test, a, b) => {
                Some(compare(test, a, b, width))
            }
            (Value::Symbol(a, x), Value::Symbol(b, y)) if a == b => match test {
                Test::Equal => Some(x == y),
                _ if x == y => Some(matches!(test, Test::BelowEqual | Test::LessEqual)),
                _ => None,
            },
            (Value::Symbol(id, 0), Value::Known(b)) => self.decide_symbol(test, id, b, width),
            (Value::Known(a), Value::Symbol(id, 0)) if test == Test::Equal => self.decide_symbol(test, id, a, width),
            (Value::Partial { bits: x, known }, Value::Known(y))
            | (Value::Known(y), Value::Partial { bits: x, known })
                if test == Test::Equal =>
            {
                let differs = (0..8).any(|byte| known >> byte & 1 == 1 && (x ^ y) >> (8 * byte) & 0xff != 0);
                differs.then_some(false)
            }
            (Value::Partial { .. }, Value::Known(_)) | (Value::Known(_), Value::Partial { .. })
                if matches!(test, Test::Below | Test::BelowEqual) =>
            {
                let least = compare(test, bounds(a, true), bounds(b, false), width);
                let most = compare(test, bounds(a, false), bounds(b, true), width);
                (least == most).then_some(least)
            }
            _ => None,
        };
        truth.map(|truth| truth != negated)
    }

    fn decide_symbol(&self, test: Test, id: SymbolId, b: u64, width: u8) -> Option<bool> {
        let fact = self.facts.get(&id).unwrap_or_default();
        let b_negative = sign_extend(b, width).cast_signed() < 0;
        match (test, b) {
            (Test::Equal | Test::BelowEqual, 0) if fact.nonzero => Some(false),
            (Test::Below, 0) => Some(false),
            (Test::Less | Test::Negative, 0) => fact.negative,
            (Test::LessEqual, 0) => match fact.negative {
                Some(true) => Some(true),
                Some(false) if fact.nonzero => Some(false),
                _ => None,
            },
            (Test::Equal, _) if b_negative && fact.negative == Some(false) => Some(false),
            (Test::Equal, _) if !b_negative && fact.negative == Some(true) => Some(false),
            _ => None,
        }
    }

    /// Remembers that the condition was found to be `truth`.
    pub(crate) fn assume(&mut self, condition: &Condition, truth: bool) {
        let Condition::Compare { test, a, b, width, negated } = *condition else { return };
        let truth = truth != negated;
        let (a, b) = (self.resolve(a), self.resolve(b));
        let (id, offset, b) = match (a, b.truncate(width)) {
            (Value::Symbol(id, offset), Value::Known(b)) => (id, offset, b),
            (_, Value::Symbol(id, offset)) if test == Test::Equal => match a.truncate(width) {
                Value::Known(a) => (id, offset, a),
                _ => return,
            },
            _ => return,
        };
        let mut fact = self.facts.get(&id).unwrap_or_default();
        match (test, truth) {
            (Test::Equal, true) => fact.value = Some(sign_extend(b, width).wrapping_sub(offset.cast_unsigned())),
            (Test::BelowEqual, true) if b == 0 && offset == 0 => fact.value = Some(0),
            (Test::Equal | Test::BelowEqual, false) if b == 0 && offset == 0 => fact.nonzero = true,
            (Test::Less | Test::Negative, _) if b == 0 && offset == 0 => {
                fact.negative = Some(truth);
                fact.nonzero |= truth;
            }
            (Test::LessEqual, false) if b == 0 && offset == 0 => {
                fact.negative = Some(false);
                fact.nonzero = true;
            }
            _ => return,
        }
        self.facts.insert(id, fact);
    }
}

/// The lowest or highest number that a value can be.
fn bounds(value: Value, highest: bool) -> u64 {
    match value {
        Value::Known(bits) => bits,
        Value::Partial { bits, known } => {
            let open = (0..8).filter(|byte| known >> byte & 1 == 0).fold(0u64, |open, byte| open | 0xff << (8 * byte));
            if highest { bits | open } else { bits & !open }
        }
        Value::Symbol(..) | Value::Unknown => {
            if highest {
                u64::MAX
            } else {
                0
            }
        }
    }
}

fn compare(test: Test, a: u64, b: u64, width: u8) -> bool {
    let (a, b) = (a & mask(width), b & mask(width));
    let signed = |bits| sign_extend(bits, width).cast_signed();
    match test {
        Test::Equal => a == b,
        Test::Below => a < b,
        Test::BelowEqual => a <= b,
        Test::Less => signed(a) < signed(b),
        Test::LessEqual => signed(a) <= signed(b),
        Test::Negative => signed(a.wrapping_sub(b) & mask(width)) < 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_null_test_is_remembered() {
        let mut path = Path::new(0);
        let symbol = Value::Symbol(SymbolId(1), 0);
        let is_null = Condition::compare(Test::Equal, symbol, Value::ZERO, 8);
        assert_eq!(path.decide(&is_null), None);
        let mut null = path.fork();
        null.assume(&is_null, true);
        path.assume(&is_null, false);
        assert_eq!(null.decide(&is_null), Some(true));
        assert_eq!(null.resolve(symbol), Value::Known(0));
        assert_eq!(path.decide(&is_null), Some(false));
        assert_eq!(path.decide(&is_null.negate()), Some(true));
    }

    #[test]
    fn minus_one_is_not_a_success() {
        let mut path = Path::new(0);
        let status = Value::Symbol(SymbolId(1), 0);
        path.assume(&Condition::compare(Test::Less, status, Value::ZERO, 4), false);
        let failed = Condition::compare(Test::Equal, status, Value::Known(0xffff_ffff), 4);
        assert_eq!(path.decide(&failed), Some(false));
    }

    #[test]
    fn a_version_of_which_the_patch_level_is_not_known_is_ordered_by_what_is() {
        let path = Path::new(0);
        let version = Value::Partial { bits: 0x030e_0000, known: 0b1111_1100 };
        let below = |number| path.decide(&Condition::compare(Test::Below, version, Value::Known(number), 8));
        assert_eq!(below(0x030f_0000), Some(true));
        assert_eq!(below(0x030d_00f0), Some(false));
        assert_eq!(below(0x030e_07f0), None);
    }

    #[test]
    fn where_the_loader_puts_things_decides_nothing() {
        let addresses = Addresses { image: (0x4000, 0x5000), imports: (0x7f10_0000_0000, 0x7f1f_0000_0000) };
        let path = Path { addresses, ..Path::new(0) };
        let decide = |test, a, b| path.decide(&Condition::compare(test, Value::Known(a), Value::Known(b), 8));
        assert_eq!(decide(Test::Below, 0x4010, 0x1_0000_0000), None);
        assert_eq!(decide(Test::Below, 0x4010, 0x4020), Some(true));
        assert_eq!(decide(Test::Below, 0x4010, 0x100), Some(false));
        assert_eq!(decide(Test::Equal, 0x7f10_0000_0000, 0x7f10_0000_1000), None);
        assert_eq!(decide(Test::Equal, 0x7f10_0000_0000, 0), Some(false));
    }
}
