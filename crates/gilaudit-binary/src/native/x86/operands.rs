//! What operands mean: addresses, and what is there.

use gilaudit_model::flow::{Origin, OriginId, StepKind, Term, Value};
use iced_x86::{Instruction, OpKind, Register};

use super::machine::Machine;
use super::state::number;
use crate::image::Cell;

impl Machine<'_, '_, '_> {
    /// The address that a memory operand names.
    pub(super) fn address(&mut self, instruction: &Instruction) -> Value {
        if matches!(instruction.memory_segment(), Register::FS | Register::GS) {
            let offset = instruction.memory_displacement64().cast_signed();
            let fixed = instruction.memory_base() == Register::None && instruction.memory_index() == Register::None;
            let place = self.values.at(Origin::Thread, offset);
            return if fixed { place } else { self.values.element(place) };
        }
        if instruction.is_ip_rel_memory_operand() {
            return self.values.at(Origin::Image, instruction.ip_rel_memory_address().cast_signed());
        }
        let base = number(instruction.memory_base()).map(|register| self.state.get(register));
        let index = number(instruction.memory_index()).map(|register| self.state.get(register));
        let displacement = instruction.memory_displacement64().cast_signed();
        let scale = i64::from(instruction.memory_index_scale());
        let place = match (base, index) {
            (Some(base), None) => base,
            (None, None) => Value::UNKNOWN,
            (None, Some(index)) if scale == 1 => index,
            // A place of the file as a number, which only code at fixed addresses has.
            (None, Some(_)) => Value::UNKNOWN,
            (Some(base), Some(index)) => return self.indexed(base, index, scale, displacement),
        };
        self.values.shift(place, displacement)
    }

    fn indexed(&mut self, base: Value, index: Value, scale: i64, displacement: i64) -> Value {
        if let Some(index) = self.values.as_constant(index) {
            return self.values.shift(base, index.wrapping_mul(scale).wrapping_add(displacement));
        }
        if let (Some(number), 1) = (self.values.as_constant(base), scale) {
            return self.values.shift(index, number.wrapping_add(displacement));
        }
        // Which of the two is the pointer: the one that is known to be one, when only one is.
        if scale == 1 && !self.points(base) && self.points(index) {
            let place = self.values.shift(index, displacement);
            return self.values.element(place);
        }
        let place = self.values.shift(base, displacement);
        self.values.element(place)
    }

    /// Whether a value comes from something that can be a pointer.
    pub(super) fn points(&self, value: Value) -> bool {
        let terms = self.values.terms(value);
        terms.iter().any(|term| !matches!(term.base, OriginId::CONSTANT | OriginId::UNKNOWN))
    }

    /// The value of an operand.
    pub(super) fn operand(&mut self, instruction: &Instruction, operand: u32) -> Value {
        match instruction.op_kind(operand) {
            OpKind::Register => {
                number(instruction.op_register(operand)).map_or(Value::UNKNOWN, |register| self.state.get(register))
            }
            OpKind::Memory => {
                let place = self.address(instruction);
                self.load(place, width(instruction), false)
            }
            OpKind::NearBranch16
            | OpKind::NearBranch32
            | OpKind::NearBranch64
            | OpKind::FarBranch16
            | OpKind::FarBranch32 => Value::UNKNOWN,
            kind if is_immediate(kind) => self.values.constant(instruction.immediate(operand).cast_signed()),
            _ => Value::UNKNOWN,
        }
    }

    /// What is at a place.
    pub(super) fn load(&mut self, place: Value, width: u8, atomic: bool) -> Value {
        let terms: Vec<Term> = self.values.terms(place).to_vec();
        let mut found = Value::NOTHING;
        let mut shared = false;
        for term in terms {
            let value = match (term.base, term.offset) {
                (OriginId::FRAME, Some(offset)) => self.local(offset),
                (OriginId::FRAME | OriginId::CONSTANT | OriginId::UNKNOWN, _) => Value::UNKNOWN,
                (OriginId::IMAGE, Some(at)) => {
                    let value = self.image(at.cast_unsigned(), width);
                    shared |= self.values.as_constant(value).is_none();
                    value
                }
                (base, offset) => {
                    shared = true;
                    self.member(base, offset)
                }
            };
            found = self.values.join(found, value);
        }
        if found == Value::NOTHING {
            found = Value::UNKNOWN;
        }
        if shared {
            self.emit(StepKind::Load { from: place, width, result: found, atomic });
        }
        found
    }

    fn local(&mut self, offset: i64) -> Value {
        if let Some(value) = self.state.at(offset) {
            return value;
        }
        // Above the return address are the arguments that did not fit into registers.
        match u8::try_from((offset - 8) / 8 + 6) {
            Ok(index) if offset >= 8 => self.values.at(Origin::Parameter(index), 0),
            _ => Value::UNKNOWN,
        }
    }

    pub(super) fn member(&mut self, base: OriginId, offset: Option<i64>) -> Value {
        let origin = self.values.origin(Origin::Member(base, offset));
        let offset = (origin != OriginId::UNKNOWN).then_some(0);
        self.values.set(vec![Term { base: origin, offset }])
    }

    /// What is at a place of the file: what the loader puts there, if nobody can write it later.
    fn image(&mut self, at: u64, width: u8) -> Value {
        let image = self.context.image;
        let fixed = !self.context.known.is_writable(image, at) || self.context.is_in_offset_table(at);
        match image.cells().get(at).filter(|_| fixed && width == 8) {
            Some(Cell::Import(import, offset)) => return self.values.at(Origin::Import(import), offset),
            Some(Cell::Address(address)) => return self.values.at(Origin::Image, address.cast_signed()),
            Some(Cell::ThreadOffset(_)) => {
                let place = self.values.at(Origin::Thread, 0);
                return self.values.element(place);
            }
            Some(Cell::ThreadDescriptor(_)) => return Value::UNKNOWN,
            None => {}
        }
        match image.number(at, width).filter(|_| fixed && width <= 8 && !image.is_code(at)) {
            Some(number) => self.values.constant(number.cast_signed()),
            None => self.member(OriginId::IMAGE, Some(at.cast_signed())),
        }
    }
}

pub(super) fn is_immediate(kind: OpKind) -> bool {
    matches!(
        kind,
        OpKind::Immediate8
            | OpKind::Immediate8_2nd
            | OpKind::Immediate16
            | OpKind::Immediate32
            | OpKind::Immediate64
            | OpKind::Immediate8to16
            | OpKind::Immediate8to32
            | OpKind::Immediate8to64
            | OpKind::Immediate32to64
    )
}

/// How many bytes the memory operand has.
pub(super) fn width(instruction: &Instruction) -> u8 {
    u8::try_from(instruction.memory_size().size()).unwrap_or(u8::MAX)
}
