//! What registers and the frame hold at one place of a function.

use gilaudit_model::flow::{Origin, Value, Values};
use iced_x86::Register;

/// General registers, and the two halves of the vector registers.
const REGISTERS: usize = 16 + 32;

/// The number of `rsp`.
pub(super) const SP: usize = 4;

/// System V x86-64 psABI 1.0: rdi, rsi, rdx, rcx, r8, r9.
pub(super) const ARGUMENTS: [usize; 6] = [7, 6, 2, 1, 8, 9];

/// What a call may change: rax, rcx, rdx, rsi, rdi, r8 to r11.
pub(super) const CLOBBERED: [usize; 9] = [0, 1, 2, 6, 7, 8, 9, 10, 11];

/// Most places of the frame that are told apart.
const MOST_PLACES: usize = 1024;

/// What is known before an instruction.
#[derive(Clone, Debug)]
pub(super) struct State {
    registers: [Value; REGISTERS],
    /// By distance from the return address, sorted.
    frame: Vec<(i64, Value)>,
}

/// The number of a general register, whatever part of it is named; of a vector register, that of its lower half.
pub(super) fn number(register: Register) -> Option<usize> {
    let full = register.full_register();
    if full.is_gpr64() {
        Some(full.number())
    } else if register.is_vector_register() && full.number() < 16 {
        Some(16 + 2 * full.number())
    } else {
        None
    }
}

impl State {
    /// Where a function begins.
    pub(super) fn entry(values: &mut Values) -> Self {
        let mut state = Self { registers: [Value::UNKNOWN; REGISTERS], frame: Vec::new() };
        for (index, register) in (0u8..).zip(ARGUMENTS) {
            state.set(register, values.at(Origin::Parameter(index), 0));
        }
        state.set(SP, values.at(Origin::Frame, 0));
        state
    }

    pub(super) fn get(&self, register: usize) -> Value {
        self.registers.get(register).copied().unwrap_or(Value::UNKNOWN)
    }

    pub(super) fn set(&mut self, register: usize, value: Value) {
        if let Some(known) = self.registers.get_mut(register) {
            *known = value;
        }
    }

    /// What is in the frame at this distance, if anything was put there.
    pub(super) fn at(&self, offset: i64) -> Option<Value> {
        let index = self.frame.binary_search_by_key(&offset, |(offset, _)| *offset).ok()?;
        self.frame.get(index).map(|(_, value)| *value)
    }

    pub(super) fn put(&mut self, offset: i64, value: Value) {
        match self.frame.binary_search_by_key(&offset, |(offset, _)| *offset) {
            Ok(index) => {
                if let Some(place) = self.frame.get_mut(index) {
                    place.1 = value;
                }
            }
            Err(index) if self.frame.len() < MOST_PLACES => self.frame.insert(index, (offset, value)),
            Err(_) => {}
        }
    }

    /// Takes in what another way brings. Whether that changed anything.
    pub(super) fn join(&mut self, other: &Self, values: &mut Values) -> bool {
        let mut changed = false;
        for (known, new) in self.registers.iter_mut().zip(other.registers) {
            let joined = values.join(*known, new);
            changed |= std::mem::replace(known, joined) != joined;
        }
        if self.frame != other.frame {
            let mut joined = Vec::with_capacity(self.frame.len().max(other.frame.len()));
            // What only one way has put there is what that way has: the other never reads it.
            let (mut ours, mut theirs) = (self.frame.iter().peekable(), other.frame.iter().peekable());
            loop {
                let next = match (ours.peek(), theirs.peek()) {
                    (Some(a), Some(b)) if a.0 == b.0 => (a.0, values.join(a.1, b.1)),
                    (Some(a), Some(b)) if a.0 < b.0 => **a,
                    (Some(a), None) => **a,
                    (_, Some(b)) => **b,
                    (None, None) => break,
                };
                ours.next_if(|place| place.0 == next.0);
                theirs.next_if(|place| place.0 == next.0);
                if joined.len() < MOST_PLACES {
                    joined.push(next);
                }
            }
            if joined != self.frame {
                changed = true;
                self.frame = joined;
            }
        }
        changed
    }
}
