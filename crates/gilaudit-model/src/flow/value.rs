//! Where a value comes from.

use std::collections::HashMap;

/// The number of an origin in its function.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct OriginId(pub u32);

/// The number of a set of terms in its function. Equal sets have the same number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Value(pub u32);

/// One thing that a value may be: an origin, and how far from it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Term {
    /// What it starts from.
    pub base: OriginId,
    /// What was added to it; `None` when that varies.
    pub offset: Option<i64>,
}

/// What a term starts from.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Origin {
    /// Nothing: the offset alone is the number.
    Constant,
    /// The file: the offset is an address in it.
    Image,
    /// Some element of the array at this address of the file.
    Array(u64),
    /// An argument of the function, from 0.
    Parameter(u8),
    /// What the call at this place returned.
    Result(u64),
    /// What the call at this place stored where its argument of this number points.
    Stored(u64, u8),
    /// What is in memory at an origin plus an offset.
    Member(OriginId, Option<i64>),
    /// A name that another file provides: the address of it.
    Import(u32),
    /// The function's own frame.
    Frame,
    /// What each thread has for itself.
    Thread,
    /// Anything.
    Unknown,
}

/// Most terms of one value. What would have more can be anything.
const MOST_TERMS: usize = 8;

/// Most members of members that are told apart.
const DEEPEST: u8 = 5;

/// The origins and values of one function, each once.
#[derive(Clone, Debug)]
pub struct Values {
    origins: Vec<(Origin, u8)>,
    numbers: HashMap<Origin, OriginId>,
    sets: Vec<Box<[Term]>>,
    known: HashMap<Box<[Term]>, Value>,
    joins: HashMap<(Value, Value), Value>,
}

impl Default for Values {
    fn default() -> Self {
        let mut values = Self {
            origins: Vec::new(),
            numbers: HashMap::new(),
            sets: Vec::new(),
            known: HashMap::new(),
            joins: HashMap::new(),
        };
        // The order that the constants below name.
        for origin in [Origin::Unknown, Origin::Constant, Origin::Image, Origin::Frame, Origin::Thread] {
            values.origin(origin);
        }
        values.set(Vec::new());
        values.set(vec![Term { base: OriginId::UNKNOWN, offset: None }]);
        values
    }
}

impl OriginId {
    /// [`Origin::Unknown`].
    pub const UNKNOWN: Self = Self(0);
    /// [`Origin::Constant`].
    pub const CONSTANT: Self = Self(1);
    /// [`Origin::Image`].
    pub const IMAGE: Self = Self(2);
    /// [`Origin::Frame`].
    pub const FRAME: Self = Self(3);
    /// [`Origin::Thread`].
    pub const THREAD: Self = Self(4);
}

impl Value {
    /// Nothing was put there yet.
    pub const NOTHING: Self = Self(0);
    /// Anything.
    pub const UNKNOWN: Self = Self(1);
}

impl Values {
    /// The number of an origin. One that is nested too deep is unknown.
    pub fn origin(&mut self, origin: Origin) -> OriginId {
        if let Some(known) = self.numbers.get(&origin) {
            return *known;
        }
        let depth = if let Origin::Member(of, _) = &origin { self.depth(*of).saturating_add(1) } else { 0 };
        let Some(number) = u32::try_from(self.origins.len()).ok().filter(|_| depth <= DEEPEST) else {
            return OriginId::UNKNOWN;
        };
        let number = OriginId(number);
        self.origins.push((origin.clone(), depth));
        self.numbers.insert(origin, number);
        number
    }

    fn depth(&self, origin: OriginId) -> u8 {
        self.origins.get(origin.0 as usize).map_or(0, |(_, depth)| *depth)
    }

    /// The origin with this number.
    pub fn get(&self, origin: OriginId) -> &Origin {
        self.origins.get(origin.0 as usize).map_or(&Origin::Unknown, |(origin, _)| origin)
    }

    /// The terms of a value, sorted.
    pub fn terms(&self, value: Value) -> &[Term] {
        self.sets.get(value.0 as usize).map_or(&[], |terms| terms)
    }

    /// The value that may be each of these terms.
    pub fn set(&mut self, mut terms: Vec<Term>) -> Value {
        terms.sort_unstable();
        terms.dedup();
        // Several distances from one origin are any distance from it; but two numbers are two numbers, and two places two places.
        let mut merged: Vec<Term> = Vec::with_capacity(terms.len());
        for term in terms {
            match merged.last_mut() {
                Some(last) if last.base == term.base && !matches!(term.base, OriginId::CONSTANT | OriginId::IMAGE) => {
                    last.offset = None;
                }
                _ => merged.push(term),
            }
        }
        if merged.len() > MOST_TERMS {
            return Value::UNKNOWN;
        }
        if let Some(known) = self.known.get(merged.as_slice()) {
            return *known;
        }
        let Ok(number) = u32::try_from(self.sets.len()) else { return Value::UNKNOWN };
        let terms = merged.into_boxed_slice();
        self.sets.push(terms.clone());
        self.known.insert(terms, Value(number));
        Value(number)
    }

    /// One origin and a distance.
    pub fn at(&mut self, origin: Origin, offset: i64) -> Value {
        let base = self.origin(origin);
        self.set(vec![Term { base, offset: Some(offset) }])
    }

    /// A number.
    pub fn constant(&mut self, number: i64) -> Value {
        self.set(vec![Term { base: OriginId::CONSTANT, offset: Some(number) }])
    }

    /// The number that a value is for sure.
    pub fn as_constant(&self, value: Value) -> Option<i64> {
        match self.terms(value) {
            [Term { base: OriginId::CONSTANT, offset }] => *offset,
            _ => None,
        }
    }

    /// The place of the file that a value is for sure.
    pub fn as_place(&self, value: Value) -> Option<u64> {
        match self.terms(value) {
            [Term { base: OriginId::IMAGE, offset: Some(at) }] => Some(at.cast_unsigned()),
            _ => None,
        }
    }

    /// A value that may be either.
    pub fn join(&mut self, a: Value, b: Value) -> Value {
        if a == b || b == Value::NOTHING {
            return a;
        }
        if a == Value::NOTHING {
            return b;
        }
        let pair = (a.min(b), a.max(b));
        if let Some(known) = self.joins.get(&pair) {
            return *known;
        }
        let terms = self.terms(a).iter().chain(self.terms(b)).copied().collect();
        let joined = self.set(terms);
        self.joins.insert(pair, joined);
        joined
    }

    /// A value and a number more.
    pub fn shift(&mut self, value: Value, by: i64) -> Value {
        if by == 0 || value == Value::UNKNOWN {
            return value;
        }
        let move_on = |term: &Term| Term { offset: term.offset.map(|offset| offset.wrapping_add(by)), ..*term };
        let terms = self.terms(value).iter().map(move_on).collect();
        self.set(terms)
    }

    /// A value and something that varies more: an element of what is there.
    pub fn element(&mut self, value: Value) -> Value {
        let terms: Vec<Term> = self.terms(value).to_vec();
        let mut elements = Vec::with_capacity(terms.len());
        for term in terms {
            let base = match (term.base, term.offset) {
                (OriginId::CONSTANT, _) => OriginId::UNKNOWN,
                (OriginId::IMAGE, Some(at)) => self.origin(Origin::Array(at.cast_unsigned())),
                (base, _) => base,
            };
            elements.push(Term { base, offset: None });
        }
        self.set(elements)
    }

    /// How many values and origins there are.
    pub fn size(&self) -> usize {
        self.sets.len() + self.origins.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_join_keeps_every_origin_and_loses_distances() {
        let mut values = Values::default();
        let first = values.at(Origin::Parameter(0), 8);
        let second = values.at(Origin::Parameter(1), 0);
        let moved = values.shift(first, 8);
        let joined = values.join(first, second);
        assert_eq!(values.terms(joined).len(), 2);
        let varies = values.join(first, moved);
        assert_eq!(values.terms(varies), &[Term { base: values.terms(first)[0].base, offset: None }]);
        let numbers = (values.constant(1), values.constant(2));
        let either = values.join(numbers.0, numbers.1);
        assert_eq!(values.terms(either).len(), 2, "two numbers stay two numbers");
    }

    #[test]
    fn what_may_be_too_much_is_anything() {
        let mut values = Values::default();
        let mut all = Value::NOTHING;
        for number in 0..20 {
            let next = values.constant(number);
            all = values.join(all, next);
        }
        assert!(values.terms(all).iter().any(|term| term.base == OriginId::UNKNOWN));
        assert!(values.terms(all).len() <= MOST_TERMS);
        let mut deep = values.origin(Origin::Parameter(0));
        // Members of what is not known are told apart again, so this is asked on the way.
        let steps = (0..=DEEPEST).take_while(|_| {
            deep = values.origin(Origin::Member(deep, Some(8)));
            deep != OriginId::UNKNOWN
        });
        assert!(steps.count() <= usize::from(DEEPEST));
        assert_eq!(deep, OriginId::UNKNOWN);
    }

    #[test]
    fn an_element_of_a_place_remembers_the_place() {
        let mut values = Values::default();
        let table = values.at(Origin::Image, 0x4000);
        let element = values.element(table);
        let term = values.terms(element)[0];
        assert_eq!(values.get(term.base), &Origin::Array(0x4000));
    }
}
