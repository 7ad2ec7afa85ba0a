//! Loads, stores and atomic instructions.

use yaxpeax_arm::armv8::a64::{Opcode, Operand};

use super::bits::Bits;
use super::decode::{Access, Change, access, size};
use super::{Machine, shifted, vector};
use crate::code::path::{Condition, Test};
use crate::code::value::{Value, mask, sign_extend};

impl Machine<'_, '_, '_> {
    /// Whether the instruction was a transfer between general registers and memory.
    pub(super) fn transfer(&mut self) -> bool {
        let Some(access) = access(self.opcode) else { return false };
        match access {
            Access::Load { width, signed } => {
                let Some(place) = self.place() else { return false };
                let value = self.load(place, self.accessed(width, 0), signed);
                self.write(0, value);
            }
            Access::LoadPair { signed } => {
                let Some(place) = self.place() else { return false };
                let width = if signed { 4 } else { self.width(0) };
                let first = self.load(place, width, signed);
                let second = self.load(beyond(place, width), width, signed);
                self.write(0, first);
                self.write(1, second);
            }
            Access::Store { width } => {
                let value = self.read(0);
                let Some(place) = self.place() else { return false };
                self.engine.store(self.path, place, self.accessed(width, 0), value);
            }
            Access::StorePair => {
                let values = [self.read(0), self.read(1)];
                let Some(place) = self.place() else { return false };
                self.store_pair(place, self.width(0), values);
            }
            Access::StoreExclusive { width } => {
                let value = self.read(1);
                let Some(place) = self.place() else { return false };
                self.engine.store(self.path, place, self.accessed(width, 1), value);
                // Nobody else runs: it succeeds.
                self.write(0, Value::ZERO);
            }
            Access::StoreExclusivePair => {
                let values = [self.read(1), self.read(2)];
                let Some(place) = self.place() else { return false };
                self.store_pair(place, self.width(1), values);
                self.write(0, Value::ZERO);
            }
            Access::Modify { width, change } => {
                let width = self.accessed(width, 0);
                let operand = self.read(0).truncate(width);
                let Some(place) = self.place() else { return false };
                let before = self.load(place, width, false);
                self.engine.store(self.path, place, width, changed(before, operand, change, width));
                self.write(1, before);
            }
            Access::CompareSwap { width } => {
                let width = self.accessed(width, 0);
                let (expected, new) = (self.read(0).truncate(width), self.read(1));
                let Some(place) = self.place() else { return false };
                let before = self.load(place, width, false);
                let equal = Condition::compare(Test::Equal, expected, before, width);
                match self.path.decide(&equal) {
                    // What is expected and not known to differ is there.
                    Some(true) | None => {
                        self.engine.store(self.path, place, width, new);
                        self.write(0, expected);
                    }
                    Some(false) => self.write(0, before),
                }
            }
            Access::CompareSwapPair => return self.compare_swap_pair(),
        }
        true
    }

    fn compare_swap_pair(&mut self) -> bool {
        let (Operand::RegisterPair(code, expected), Operand::RegisterPair(_, new)) = (self.operand(0), self.operand(1))
        else {
            return false;
        };
        let width = size(code);
        let pair = |machine: &Self, first: u16| [first, first + 1].map(|register| machine.register_or_zero(register));
        let (wanted, new) = (pair(self, expected), pair(self, new));
        let Some(place) = self.place() else { return false };
        let before = [place, beyond(place, width)].map(|place| self.load(place, width, false));
        let differs = |(wanted, before): (&Value, &Value)| {
            self.path.decide(&Condition::compare(Test::Equal, *wanted, *before, width)) == Some(false)
        };
        if wanted.iter().zip(&before).any(differs) {
            for (register, value) in [expected, expected + 1].into_iter().zip(before) {
                if register < 31 {
                    self.path.set_register(usize::from(register), value.truncate(width));
                }
            }
        } else {
            self.store_pair(place, width, new);
        }
        true
    }

    /// The width of an access: that of the register if the opcode does not say.
    fn accessed(&self, width: u8, register: usize) -> u8 {
        if width == 0 { self.width(register) } else { width }
    }

    fn load(&mut self, place: Value, width: u8, signed: bool) -> Value {
        let value = self.engine.load(self.path, place, width);
        if signed { value.sign_extended(width) } else { value.truncate(width) }
    }

    fn store_pair(&mut self, place: Value, width: u8, values: [Value; 2]) {
        self.engine.store(self.path, place, width, values[0]);
        self.engine.store(self.path, beyond(place, width), width, values[1]);
    }

    /// The address of the memory operand. Changes the base register if the instruction does.
    pub(super) fn place(&mut self) -> Option<Value> {
        self.instruction.operands.iter().find_map(|operand| {
            let number = |offset: i64| Value::Known(offset.cast_unsigned());
            Some(match *operand {
                Operand::PCOffset(offset) => Value::Known(self.at.wrapping_add_signed(offset)),
                Operand::RegPreIndex(base, offset, change) => {
                    let place = self.register(usize::from(base)).add(number(i64::from(offset)));
                    if change {
                        self.path.set_register(usize::from(base), place);
                    }
                    place
                }
                Operand::RegPostIndex(base, offset) => {
                    let place = self.register(usize::from(base));
                    self.path.set_register(usize::from(base), place.add(number(i64::from(offset))));
                    place
                }
                Operand::RegPostIndexReg(base, index) => {
                    let place = self.register(usize::from(base));
                    let next = place.add(self.register_or_zero(index));
                    self.path.set_register(usize::from(base), next);
                    place
                }
                Operand::RegRegOffset(base, index, code, style, amount) => {
                    let index = shifted(self.register_or_zero(index), style, u32::from(amount), code);
                    self.register(usize::from(base)).add(index)
                }
                _ => return None,
            })
        })
    }

    /// A store whose values are not computed leaves unknown bytes; base registers change all the same.
    pub(super) fn forget_stored(&mut self) {
        let Some(place) = self.place() else { return };
        let stores = match access(self.opcode) {
            Some(Access::Load { .. } | Access::LoadPair { .. }) => false,
            Some(_) => true,
            None => matches!(self.opcode, Opcode::ST1 | Opcode::ST2 | Opcode::ST3 | Opcode::ST4),
        };
        if stores {
            for index in 0..vector::stored_size(self.instruction) {
                self.engine.store(self.path, beyond_by(place, index), 1, Value::Unknown);
            }
        }
    }
}

pub(super) fn beyond(place: Value, width: u8) -> Value {
    beyond_by(place, u64::from(width))
}

pub(super) fn beyond_by(place: Value, offset: u64) -> Value {
    place.add(Value::Known(offset))
}

/// What an atomic instruction leaves in memory.
fn changed(before: Value, operand: Value, change: Change, width: u8) -> Value {
    let (a, b) = (Bits::of(before, width), Bits::of(operand, width));
    let pick = |test: Test, if_true: bool| match (before, operand) {
        (Value::Known(x), Value::Known(y)) => {
            let less = if test == Test::Less {
                sign_extend(x, width).cast_signed() < sign_extend(y, width).cast_signed()
            } else {
                x < y
            };
            Value::Known(if less == if_true { x } else { y })
        }
        _ => Value::Unknown,
    };
    match change {
        Change::Swap => operand,
        Change::Add => match before.add(operand) {
            Value::Known(sum) => Value::Known(sum & mask(width)),
            sum => sum,
        },
        Change::Clear => a.and(b.not()).value(),
        Change::Set => a.or(b).value(),
        Change::Exclusive => a.xor(b).value(),
        Change::SignedMinimum => pick(Test::Less, true),
        Change::SignedMaximum => pick(Test::Less, false),
        Change::Minimum => pick(Test::Below, true),
        Change::Maximum => pick(Test::Below, false),
    }
}
