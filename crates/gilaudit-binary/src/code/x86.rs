//! x86-64 and x86-32.

use iced_x86::{
    ConditionCode, Decoder, DecoderOptions, FlowControl, Instruction, InstructionInfoFactory, MemorySize, Mnemonic,
    OpAccess, OpKind, Register,
};

use super::bits::Bits;
use super::path::{Condition, Flags, Path, Test};
use super::summary::{Flow, Scanned, Target};
use super::value::{Value, mask, sign_extend};
use super::{Engine, Step};
use crate::image::Image;

pub(super) const AX: usize = 0;
const CX: usize = 1;
const DX: usize = 2;
pub(super) const SP: usize = 4;
const BP: usize = 5;
const SI: usize = 6;
const DI: usize = 7;

/// System V x86-64 psABI 1.0: rdi, rsi, rdx, rcx, r8, r9.
pub(super) const SYSTEM_V_ARGUMENTS: [usize; 6] = [DI, SI, DX, CX, 8, 9];
/// Microsoft x64: rcx, rdx, r8, r9.
pub(super) const WINDOWS_ARGUMENTS: [usize; 4] = [CX, DX, 8, 9];
pub(super) const SYSTEM_V_CLOBBERED: [usize; 9] = [AX, CX, DX, SI, DI, 8, 9, 10, 11];
pub(super) const WINDOWS_CLOBBERED: [usize; 7] = [AX, CX, DX, 8, 9, 10, 11];
pub(super) const STACK_CLOBBERED: [usize; 3] = [AX, CX, DX];

fn bits(image: &Image<'_>) -> u32 {
    if image.pointer == 8 { 64 } else { 32 }
}

fn decode(image: &Image<'_>, address: u64) -> Option<Instruction> {
    let bytes = image.bytes_from(address)?;
    let window = bytes.get(..bytes.len().min(16))?;
    let mut decoder = Decoder::with_ip(bits(image), window, address, DecoderOptions::NONE);
    let instruction = decoder.decode();
    (!instruction.is_invalid()).then_some(instruction)
}

/// One instruction, for summaries.
pub(super) fn scan(image: &Image<'_>, address: u64) -> Option<Scanned> {
    let instruction = decode(image, address)?;
    let near = || Target::Address(instruction.near_branch_target());
    let through = || {
        let fixed = instruction.memory_base() == Register::None && instruction.memory_index() == Register::None;
        if instruction.op0_kind() != OpKind::Memory {
            Target::Unknown
        } else if instruction.is_ip_rel_memory_operand() {
            Target::Through(instruction.ip_rel_memory_address())
        } else if fixed {
            Target::Through(instruction.memory_displacement64())
        } else {
            Target::Unknown
        }
    };
    let flow = match instruction.flow_control() {
        FlowControl::Next | FlowControl::XbeginXabortXend => Flow::Next,
        FlowControl::UnconditionalBranch => Flow::Jump(near()),
        FlowControl::IndirectBranch => Flow::Jump(through()),
        FlowControl::ConditionalBranch => Flow::Branch(instruction.near_branch_target()),
        FlowControl::Return => Flow::Return,
        FlowControl::Call => Flow::Call(near()),
        FlowControl::IndirectCall => Flow::Call(through()),
        FlowControl::Interrupt | FlowControl::Exception => Flow::Stop,
    };
    let memory = (0..instruction.op_count()).any(|operand| instruction.op_kind(operand) == OpKind::Memory);
    let mentions = if !memory {
        // 32-bit code without position independence names addresses as numbers.
        (bits(image) == 32 && instruction.op_count() == 2 && instruction.op1_kind() == OpKind::Immediate32)
            .then(|| u64::from(instruction.immediate32()))
    } else if instruction.is_ip_rel_memory_operand() {
        Some(instruction.ip_rel_memory_address())
    } else {
        (instruction.memory_base() == Register::None).then(|| instruction.memory_displacement64())
    };
    // Only asked where an address is named: the answer takes longer than the decoding.
    let reads = mentions.is_some() && memory && instruction.mnemonic() != Mnemonic::Lea && {
        let mut factory = InstructionInfoFactory::new();
        let used = factory.info(&instruction).used_memory();
        used.iter().all(|used| matches!(used.access(), OpAccess::Read | OpAccess::CondRead))
    };
    Some(Scanned { next: instruction.next_ip(), flow, mentions, reads })
}

/// Executes the instruction at the program counter.
pub(super) fn step(engine: &mut Engine<'_, '_>, path: &mut Path) -> Step {
    let Some(instruction) = decode(engine.image, path.pc) else { return Step::Stop };
    let mut machine = Machine { engine, path, instruction: &instruction };
    machine.path.pc = instruction.next_ip();
    machine.execute()
}

struct Machine<'m, 'i, 'd> {
    engine: &'m mut Engine<'i, 'd>,
    path: &'m mut Path,
    instruction: &'m Instruction,
}

impl Machine<'_, '_, '_> {
    fn execute(&mut self) -> Step {
        let instruction = self.instruction;
        match instruction.flow_control() {
            FlowControl::UnconditionalBranch => return Step::Jump(Value::Known(instruction.near_branch_target())),
            FlowControl::ConditionalBranch => return self.conditional(),
            FlowControl::Call => {
                let target = Value::Known(instruction.near_branch_target());
                return Step::Call { target, return_to: instruction.next_ip() };
            }
            FlowControl::IndirectCall => {
                let target = self.read(0);
                return Step::Call { target, return_to: instruction.next_ip() };
            }
            FlowControl::IndirectBranch => {
                let target = self.read(0);
                return Step::Jump(target);
            }
            FlowControl::Return => {
                let to = self.pop();
                if instruction.op_count() == 1 {
                    let top = self.path.register(SP).add(Value::Known(u64::from(instruction.immediate16())));
                    self.path.set_register(SP, top);
                }
                return Step::Return { to };
            }
            FlowControl::Interrupt | FlowControl::Exception => return Step::Stop,
            FlowControl::Next | FlowControl::XbeginXabortXend => {}
        }
        if is_conditional_move(instruction.mnemonic()) {
            return self.conditional_move();
        }
        self.compute();
        Step::Next
    }

    fn conditional(&mut self) -> Step {
        let instruction = self.instruction;
        let condition = match instruction.mnemonic() {
            Mnemonic::Jrcxz => Condition::compare(Test::Equal, self.path.register(CX), Value::ZERO, 8),
            Mnemonic::Jecxz => Condition::compare(Test::Equal, self.path.register(CX), Value::ZERO, 4),
            Mnemonic::Jcxz | Mnemonic::Loop | Mnemonic::Loope | Mnemonic::Loopne => Condition::Unknown,
            _ => self.condition(instruction.condition_code()),
        };
        Step::Branch { condition, target: instruction.near_branch_target() }
    }

    /// What a condition code tests, given the last flag-setting instruction.
    fn condition(&self, code: ConditionCode) -> Condition {
        let (code, negated) = match code {
            ConditionCode::ne => (ConditionCode::e, true),
            ConditionCode::ae => (ConditionCode::b, true),
            ConditionCode::a => (ConditionCode::be, true),
            ConditionCode::ge => (ConditionCode::l, true),
            ConditionCode::g => (ConditionCode::le, true),
            ConditionCode::ns => (ConditionCode::s, true),
            ConditionCode::no => (ConditionCode::o, true),
            other => (other, false),
        };
        let condition = match (self.path.flags, code) {
            (Flags::Exact { zero, sign, carry, overflow }, _) => match code {
                ConditionCode::e => Condition::Always(zero),
                ConditionCode::b => Condition::Always(carry),
                ConditionCode::be => Condition::Always(carry || zero),
                ConditionCode::l => Condition::Always(sign != overflow),
                ConditionCode::le => Condition::Always(zero || sign != overflow),
                ConditionCode::s => Condition::Always(sign),
                ConditionCode::o => Condition::Always(overflow),
                _ => Condition::Unknown,
            },
            (Flags::Subtract { a, b, width }, _) => match code {
                ConditionCode::e => Condition::compare(Test::Equal, a, b, width),
                ConditionCode::b => Condition::compare(Test::Below, a, b, width),
                ConditionCode::be => Condition::compare(Test::BelowEqual, a, b, width),
                ConditionCode::l => Condition::compare(Test::Less, a, b, width),
                ConditionCode::le => Condition::compare(Test::LessEqual, a, b, width),
                ConditionCode::s => Condition::compare(Test::Negative, a, b, width),
                _ => Condition::Unknown,
            },
            (Flags::Logic { .. }, ConditionCode::b | ConditionCode::o) => Condition::Always(false),
            (Flags::Logic { result, width }, _) => match code {
                ConditionCode::e | ConditionCode::be => Condition::compare(Test::Equal, result, Value::ZERO, width),
                ConditionCode::l | ConditionCode::s => Condition::compare(Test::Less, result, Value::ZERO, width),
                ConditionCode::le => Condition::compare(Test::LessEqual, result, Value::ZERO, width),
                _ => Condition::Unknown,
            },
            (Flags::Result { result, width }, ConditionCode::e) => {
                Condition::compare(Test::Equal, result, Value::ZERO, width)
            }
            (Flags::Result { result, width }, ConditionCode::s) => {
                Condition::compare(Test::Less, result, Value::ZERO, width)
            }
            (Flags::Result { .. } | Flags::Unknown, _) => Condition::Unknown,
        };
        if negated { condition.negate() } else { condition }
    }

    // Operands.

    fn width(&self, operand: u32) -> u8 {
        let size = match self.instruction.op_kind(operand) {
            OpKind::Register => self.instruction.op_register(operand).size(),
            OpKind::Memory => self.instruction.memory_size().size(),
            _ => return self.width(0),
        };
        u8::try_from(size).unwrap_or(0)
    }

    fn read(&mut self, operand: u32) -> Value {
        match self.instruction.op_kind(operand) {
            OpKind::Register => self.read_register(self.instruction.op_register(operand)),
            OpKind::Memory => {
                let width = self.width(operand);
                if !matches!(width, 1 | 2 | 4 | 8) {
                    return Value::Unknown;
                }
                let place = self.address();
                self.engine.load(self.path, place, width)
            }
            OpKind::NearBranch16 | OpKind::NearBranch32 | OpKind::NearBranch64 => {
                Value::Known(self.instruction.near_branch_target())
            }
            // Immediates, sign-extended as the operand's form says.
            _ => Value::Known(self.instruction.immediate(operand) & mask(self.width(0))),
        }
    }

    fn write(&mut self, operand: u32, value: Value) {
        match self.instruction.op_kind(operand) {
            OpKind::Register => self.write_register(self.instruction.op_register(operand), value),
            OpKind::Memory => {
                let width = self.width(operand);
                let place = self.address();
                if matches!(width, 1 | 2 | 4 | 8) {
                    self.engine.store(self.path, place, width, value);
                }
            }
            _ => {}
        }
    }

    fn read_register(&self, register: Register) -> Value {
        if matches!(register, Register::AH | Register::CH | Register::DH | Register::BH) {
            let full = self.path.register(register.full_register().number());
            return full.known().map_or(Value::Unknown, |bits| Value::Known(bits >> 8 & 0xff));
        }
        if !register.is_gpr() {
            return Value::Unknown;
        }
        let width = u8::try_from(register.size()).unwrap_or(8);
        self.path.register(register.full_register().number()).truncate(width)
    }

    fn write_register(&mut self, register: Register, value: Value) {
        if register.is_xmm() || register.is_ymm() || register.is_zmm() {
            self.path.set_vector(register.number(), [Value::Unknown; 4]);
            return;
        }
        if !register.is_gpr() {
            return;
        }
        let number = register.full_register().number();
        let value = match register.size() {
            8 => value,
            // Writing 32 bits clears the upper half.
            4 => value.truncate(4),
            _ if matches!(register, Register::AH | Register::CH | Register::DH | Register::BH) => Value::Unknown,
            size => {
                let width = u8::try_from(size).unwrap_or(1);
                self.path.register(number).with_low(value.truncate(width), width)
            }
        };
        self.path.set_register(number, value);
    }

    /// The address of the memory operand.
    fn address(&mut self) -> Value {
        let instruction = self.instruction;
        let segment = match instruction.memory_segment() {
            Register::FS | Register::GS => Value::Known(self.engine.space.thread_pointer()),
            _ => Value::ZERO,
        };
        if instruction.is_ip_rel_memory_operand() {
            return segment.add(Value::Known(instruction.ip_rel_memory_address()));
        }
        let mut sum = Value::Known(instruction.memory_displacement64());
        if instruction.memory_base() != Register::None {
            sum = sum.add(self.path.register(instruction.memory_base().full_register().number()));
        }
        if instruction.memory_index() != Register::None {
            let index = self.path.register(instruction.memory_index().full_register().number());
            let scaled = match (index, instruction.memory_index_scale()) {
                (Value::Known(index), scale) => Value::Known(index.wrapping_mul(u64::from(scale))),
                (index, 1) => index,
                _ => Value::Unknown,
            };
            sum = sum.add(scaled);
        }
        match sum.add(segment) {
            Value::Known(address) => Value::Known(address & mask(self.engine.image.pointer)),
            other => other,
        }
    }

    fn pop(&mut self) -> Value {
        let width = self.engine.image.pointer;
        let top = self.path.register(SP);
        let value = self.engine.load(self.path, top, width);
        self.path.keep(top, false);
        self.path.set_register(SP, top.add(Value::Known(u64::from(width))));
        value
    }

    fn push(&mut self, value: Value) {
        let width = self.engine.image.pointer;
        let top = self.path.register(SP).sub(Value::Known(u64::from(width)));
        self.path.set_register(SP, top);
        self.engine.store(self.path, top, width, value);
        self.path.keep(top, true);
    }

    // Instructions.

    fn compute(&mut self) {
        let instruction = self.instruction;
        match instruction.mnemonic() {
            Mnemonic::Mov | Mnemonic::Movnti => {
                let value = self.read(1);
                self.write(0, value);
            }
            Mnemonic::Movzx => {
                let value = self.read(1).truncate(self.width(1));
                self.write(0, if matches!(value, Value::Symbol(..)) { Value::Unknown } else { value });
            }
            Mnemonic::Movsx | Mnemonic::Movsxd => {
                let value = self.read(1).sign_extended(self.width(1));
                self.write(0, value);
            }
            Mnemonic::Lea => {
                let value = self.address();
                self.write(0, value);
            }
            Mnemonic::Push => {
                let value = match instruction.op0_kind() {
                    OpKind::Register | OpKind::Memory => self.read(0),
                    _ => Value::Known(instruction.immediate(0) & mask(self.engine.image.pointer)),
                };
                self.push(value);
            }
            Mnemonic::Pop => {
                let value = self.pop();
                self.write(0, value);
            }
            Mnemonic::Leave => {
                let frame = self.path.register(BP);
                self.path.set_register(SP, frame);
                let value = self.pop();
                self.path.set_register(BP, value);
            }
            Mnemonic::Nop
            | Mnemonic::Endbr64
            | Mnemonic::Endbr32
            | Mnemonic::Pause
            | Mnemonic::Lfence
            | Mnemonic::Mfence
            | Mnemonic::Sfence
            | Mnemonic::Prefetcht0
            | Mnemonic::Prefetchw
            | Mnemonic::Vzeroupper
            | Mnemonic::Cld => {}
            Mnemonic::Add | Mnemonic::Sub | Mnemonic::Cmp => self.add_subtract(),
            Mnemonic::Inc | Mnemonic::Dec | Mnemonic::Neg => self.step_one(),
            Mnemonic::And | Mnemonic::Or | Mnemonic::Xor | Mnemonic::Test => self.logic(),
            Mnemonic::Not => {
                let value = self.read(0).known().map_or(Value::Unknown, |bits| Value::Known(!bits));
                self.write(0, value);
            }
            Mnemonic::Shl | Mnemonic::Sal | Mnemonic::Shr | Mnemonic::Sar => self.shift(),
            Mnemonic::Rol | Mnemonic::Ror => self.rotate(),
            Mnemonic::Bt => self.bit_test(),
            Mnemonic::Bswap => {
                let width = self.width(0);
                let swapped =
                    |bits: u64| if width == 8 { bits.swap_bytes() } else { u64::from((bits as u32).swap_bytes()) };
                let value = self.read(0).known().map_or(Value::Unknown, |bits| Value::Known(swapped(bits)));
                self.write(0, value);
            }
            Mnemonic::Imul if instruction.op_count() > 1 => self.multiply(),
            Mnemonic::Sbb
                if instruction.op0_kind() == OpKind::Register
                    && instruction.op0_register() == instruction.op1_register() =>
            {
                // All ones or zero, by the carry.
                let carry = self.path.decide(&self.condition(ConditionCode::b));
                let width = self.width(0);
                let value = carry.map_or(Value::Unknown, |carry| Value::Known(if carry { mask(width) } else { 0 }));
                self.write(0, value);
                self.path.flags = Flags::Unknown;
            }
            Mnemonic::Cdqe => self.widen(4, Register::RAX, Register::EAX),
            Mnemonic::Cwde => self.widen(2, Register::EAX, Register::AX),
            Mnemonic::Cqo => self.spread(Register::RAX, Register::RDX),
            Mnemonic::Cdq => self.spread(Register::EAX, Register::EDX),
            Mnemonic::Xchg => {
                let (a, b) = (self.read(0), self.read(1));
                self.write(0, b);
                self.write(1, a);
            }
            Mnemonic::Xadd => {
                let (a, b) = (self.read(0), self.read(1));
                let width = self.width(0);
                self.write(1, a);
                self.write(0, a.add(b).truncate(width));
                self.path.flags = Flags::Result { result: a.add(b), width };
            }
            Mnemonic::Cmpxchg => self.compare_exchange(),
            _ if instruction.condition_code() != ConditionCode::None => {
                // setcc.
                let condition = self.condition(instruction.condition_code());
                let value = self.path.decide(&condition).map_or(Value::Unknown, |truth| Value::Known(u64::from(truth)));
                self.write(0, value);
            }
            Mnemonic::Stosb
            | Mnemonic::Stosw
            | Mnemonic::Stosd
            | Mnemonic::Stosq
            | Mnemonic::Movsb
            | Mnemonic::Movsw
            | Mnemonic::Movsd
            | Mnemonic::Movsq
            | Mnemonic::Cmpsb
                if instruction.is_string_instruction() =>
            {
                self.text_instruction();
            }
            _ if self.vector_move() => {}
            _ => self.unmodelled(),
        }
    }

    fn add_subtract(&mut self) {
        let width = self.width(0);
        let (a, b) = (self.read(0).truncate(width), self.read(1).truncate(width));
        let mnemonic = self.instruction.mnemonic();
        if mnemonic == Mnemonic::Add {
            let result = match (a, b) {
                (Value::Known(x), Value::Known(y)) => {
                    let sum = x.wrapping_add(y) & mask(width);
                    let sign = |bits: u64| sign_extend(bits, width).cast_signed() < 0;
                    let overflow = sign(x) == sign(y) && sign(sum) != sign(x);
                    self.path.flags = Flags::Exact { zero: sum == 0, sign: sign(sum), carry: sum < x, overflow };
                    Value::Known(sum)
                }
                _ => {
                    let result = a.add(b);
                    self.path.flags = Flags::Result { result, width };
                    result
                }
            };
            self.write(0, result);
            return;
        }
        self.path.flags = Flags::Subtract { a, b, width };
        if mnemonic == Mnemonic::Sub {
            let same = self.instruction.op0_kind() == OpKind::Register
                && self.instruction.op1_kind() == OpKind::Register
                && self.instruction.op0_register() == self.instruction.op1_register();
            let result = if same { Value::ZERO } else { a.sub(b).truncate(width) };
            self.write(0, result);
        }
    }

    fn step_one(&mut self) {
        let width = self.width(0);
        let value = self.read(0).truncate(width);
        let result = match self.instruction.mnemonic() {
            Mnemonic::Inc => value.add(Value::Known(1)),
            Mnemonic::Dec => value.sub(Value::Known(1)),
            _ => {
                self.path.flags = Flags::Subtract { a: Value::ZERO, b: value, width };
                let result = Value::ZERO.sub(value).truncate(width);
                self.write(0, result);
                return;
            }
        }
        .truncate(width);
        // Inc and Dec leave the carry alone, which nothing after them tests.
        self.path.flags = Flags::Result { result, width };
        self.write(0, result);
    }

    fn logic(&mut self) {
        let width = self.width(0);
        let mnemonic = self.instruction.mnemonic();
        let (a, b) = (self.read(0).truncate(width), self.read(1).truncate(width));
        let same = self.instruction.op0_kind() == OpKind::Register
            && self.instruction.op1_kind() == OpKind::Register
            && self.instruction.op0_register() == self.instruction.op1_register();
        let result = match (mnemonic, a, b) {
            (Mnemonic::Xor, ..) if same => Value::ZERO,
            (Mnemonic::And | Mnemonic::Test | Mnemonic::Or, ..) if same => a,
            (_, Value::Partial { .. }, Value::Known(_)) | (_, Value::Known(_), Value::Partial { .. }) => {
                let (a, b) = (Bits::of(a, width), Bits::of(b, width));
                match mnemonic {
                    Mnemonic::Xor => a.xor(b),
                    Mnemonic::Or => a.or(b),
                    _ => a.and(b),
                }
                .value()
            }
            (_, Value::Known(x), Value::Known(y)) => Value::Known(match mnemonic {
                Mnemonic::Xor => x ^ y,
                Mnemonic::Or => x | y,
                _ => x & y,
            }),
            (Mnemonic::And | Mnemonic::Test, Value::Known(0), _)
            | (Mnemonic::And | Mnemonic::Test, _, Value::Known(0)) => Value::ZERO,
            (Mnemonic::Or, _, Value::Known(all)) if all == mask(width) => Value::Known(all),
            (Mnemonic::Or | Mnemonic::Xor, other, Value::Known(0))
            | (Mnemonic::Or | Mnemonic::Xor, Value::Known(0), other) => other,
            (Mnemonic::And | Mnemonic::Test, other, Value::Known(all)) if all == mask(width) => other,
            _ => Value::Unknown,
        };
        self.path.flags = Flags::Logic { result, width };
        if mnemonic != Mnemonic::Test {
            self.write(0, result);
        }
    }

    fn shift(&mut self) {
        let width = self.width(0);
        let (value, count) = (self.read(0), self.read(1));
        let result = match (value.truncate(width), count.truncate(1)) {
            (Value::Known(bits), Value::Known(count)) => {
                let count = (count & if width == 8 { 63 } else { 31 }) as u32;
                Value::Known(
                    match self.instruction.mnemonic() {
                        Mnemonic::Shr => bits.checked_shr(count).unwrap_or(0),
                        Mnemonic::Sar => (sign_extend(bits, width).cast_signed() >> count.min(63)).cast_unsigned(),
                        _ => bits.checked_shl(count).unwrap_or(0),
                    } & mask(width),
                )
            }
            (other, Value::Known(0)) => other,
            (value @ Value::Partial { .. }, Value::Known(count)) => {
                let count = (count & if width == 8 { 63 } else { 31 }) as u32;
                let bits = Bits::of(value, width);
                match self.instruction.mnemonic() {
                    Mnemonic::Shr => bits.right(count).value(),
                    Mnemonic::Sar => Value::Unknown,
                    _ => bits.left(count).keep(mask(width)).value(),
                }
            }
            _ => Value::Unknown,
        };
        self.path.flags = Flags::Result { result, width };
        self.write(0, result);
    }

    fn rotate(&mut self) {
        let width = self.width(0);
        let size = 8 * u32::from(width);
        let (value, count) = (self.read(0).truncate(width), self.read(1).truncate(1));
        let result = match (value, count) {
            (Value::Known(bits), Value::Known(count)) => {
                let count = (count as u32) % size;
                let left = if self.instruction.mnemonic() == Mnemonic::Rol { count } else { (size - count) % size };
                let low = if left == 0 { 0 } else { bits >> (size - left) };
                Value::Known((bits << left | low) & mask(width))
            }
            _ => Value::Unknown,
        };
        self.path.flags = Flags::Unknown;
        self.write(0, result);
    }

    /// `bt`: the carry becomes the bit; the flags that it leaves alone are not looked at after it.
    fn bit_test(&mut self) {
        let width = self.width(0);
        let in_register = self.instruction.op0_kind() == OpKind::Register;
        let (value, bit) = (self.read(0), self.read(1));
        self.path.flags = match (value, bit) {
            (Value::Known(bits), Value::Known(bit)) if in_register => {
                let carry = bits >> (bit % (8 * u64::from(width))) & 1 == 1;
                Flags::Exact { zero: false, sign: false, carry, overflow: false }
            }
            _ => Flags::Unknown,
        };
    }

    fn multiply(&mut self) {
        let width = self.width(0);
        let last = self.instruction.op_count() - 1;
        let (a, b) = (self.read(last - 1), self.read(last));
        let result = match (a, b) {
            (Value::Known(a), Value::Known(b)) => Value::Known(a.wrapping_mul(b) & mask(width)),
            _ => Value::Unknown,
        };
        self.path.flags = Flags::Unknown;
        self.write(0, result);
    }

    fn widen(&mut self, width: u8, to: Register, from: Register) {
        let value = self.read_register(from).sign_extended(width);
        self.write_register(to, value);
    }

    fn spread(&mut self, from: Register, to: Register) {
        let width = u8::try_from(from.size()).unwrap_or(8);
        let value = self.read_register(from).known().map_or(Value::Unknown, |bits| {
            Value::Known(if sign_extend(bits, width).cast_signed() < 0 { mask(width) } else { 0 })
        });
        self.write_register(to, value);
    }

    fn compare_exchange(&mut self) {
        let width = self.width(0);
        let accumulator = match width {
            8 => Register::RAX,
            4 => Register::EAX,
            2 => Register::AX,
            _ => Register::AL,
        };
        let (current, expected, new) = (self.read(0), self.read_register(accumulator), self.read(1));
        let equal = Condition::compare(Test::Equal, expected, current, width);
        self.path.flags = Flags::Subtract { a: expected, b: current, width };
        match self.path.decide(&equal) {
            // Nobody else runs: what is expected and not known to differ is there.
            Some(true) | None => {
                self.write(0, new);
                self.path.flags = Flags::Exact { zero: true, sign: false, carry: false, overflow: false };
            }
            Some(false) => self.write_register(accumulator, current),
        }
    }

    /// `cmovcc`: both values are followed when the condition is not known, since one of them may be what the function returns.
    fn conditional_move(&mut self) -> Step {
        let condition = self.condition(self.instruction.condition_code());
        let width = self.width(0);
        let (holds, fails) = (self.read(1).truncate(width), self.read(0).truncate(width));
        match self.path.decide(&condition) {
            Some(truth) => self.write(0, if truth { holds } else { fails }),
            None if holds == fails => self.write(0, holds),
            None if width < 4 => self.write(0, Value::Unknown),
            None => {
                let register = self.instruction.op0_register().full_register().number();
                return Step::Select { condition, register, holds, fails };
            }
        }
        Step::Next
    }

    /// `rep movs`, `rep stos`, `repe cmps`, and the same without a prefix.
    fn text_instruction(&mut self) {
        let instruction = self.instruction;
        let unit: u64 = match instruction.mnemonic() {
            Mnemonic::Stosb | Mnemonic::Movsb | Mnemonic::Cmpsb => 1,
            Mnemonic::Stosw | Mnemonic::Movsw => 2,
            Mnemonic::Stosd | Mnemonic::Movsd => 4,
            _ => 8,
        };
        let repeated = instruction.has_rep_prefix() || instruction.has_repe_prefix() || instruction.has_repne_prefix();
        let count = if repeated { self.path.register(CX) } else { Value::Known(1) };
        let (source, target) = (self.path.register(SI), self.path.register(DI));
        let length = count.known().map_or(Value::Unknown, |count| Value::Known(count.wrapping_mul(unit)));
        let moves =
            matches!(instruction.mnemonic(), Mnemonic::Movsb | Mnemonic::Movsw | Mnemonic::Movsd | Mnemonic::Movsq);
        if instruction.mnemonic() == Mnemonic::Cmpsb {
            // With the repeat prefix this is memcmp; the pointers afterwards are used for nothing but the flags.
            let result = match length {
                Value::Known(length) => self.engine.compare(self.path, source, target, length, false),
                _ => Value::Unknown,
            };
            self.path.flags = match result.known() {
                Some(difference) => {
                    let below = difference.cast_signed() < 0;
                    Flags::Exact { zero: difference == 0, sign: below, carry: below, overflow: false }
                }
                None => Flags::Unknown,
            };
        } else if moves {
            self.engine.copy(self.path, target, source, length);
        } else {
            let mut done = 0u64;
            self.engine.charge(length.known().map_or(0, |length| length.min(0x1_0000)));
            let value = self.path.register(AX).truncate(unit as u8);
            while let Value::Known(length) = length
                && done < length.min(0x1_0000)
            {
                self.engine.store(self.path, target.add(Value::Known(done)), unit as u8, value);
                done += unit;
            }
        }
        if repeated {
            self.path.set_register(CX, Value::ZERO);
        }
        if moves || instruction.mnemonic() == Mnemonic::Cmpsb {
            self.path.set_register(SI, source.add(length));
        }
        self.path.set_register(DI, target.add(length));
    }

    // Vectors: whole structures are copied through them, 8, 16 or 32 bytes at a time.

    /// Moves and clears of vector registers. Whether the instruction was one.
    fn vector_move(&mut self) -> bool {
        let instruction = self.instruction;
        match instruction.mnemonic() {
            Mnemonic::Movaps
            | Mnemonic::Movups
            | Mnemonic::Movapd
            | Mnemonic::Movupd
            | Mnemonic::Movdqa
            | Mnemonic::Movdqu
            | Mnemonic::Lddqu
            | Mnemonic::Movntdq
            | Mnemonic::Movntps
            | Mnemonic::Vmovaps
            | Mnemonic::Vmovups
            | Mnemonic::Vmovapd
            | Mnemonic::Vmovupd
            | Mnemonic::Vmovdqa
            | Mnemonic::Vmovdqu
            | Mnemonic::Vlddqu
            | Mnemonic::Vmovntdq
            | Mnemonic::Vmovdqa64
            | Mnemonic::Vmovdqu64
            | Mnemonic::Vmovdqu8
            | Mnemonic::Vmovdqa32
            | Mnemonic::Vmovdqu32
                if instruction.op_count() == 2 =>
            {
                let width = self.vector_width();
                if width > 4 {
                    return false;
                }
                let value = self.read_vector(1, width);
                self.write_vector(0, value, width);
            }
            Mnemonic::Movq
            | Mnemonic::Vmovq
            | Mnemonic::Movd
            | Mnemonic::Vmovd
            | Mnemonic::Movsd
            | Mnemonic::Movss
            | Mnemonic::Vmovsd
            | Mnemonic::Vmovss
                if instruction.op_count() == 2 =>
            {
                self.scalar_move();
            }
            Mnemonic::Movlps | Mnemonic::Movlpd | Mnemonic::Movhps | Mnemonic::Movhpd
                if instruction.op_count() == 2 =>
            {
                let half = usize::from(matches!(instruction.mnemonic(), Mnemonic::Movhps | Mnemonic::Movhpd));
                if instruction.op0_kind() == OpKind::Memory {
                    let value = self.path.vector(instruction.op1_register().number());
                    self.write(0, value.get(half).copied().unwrap_or(Value::Unknown));
                } else {
                    let mut value = self.path.vector(instruction.op0_register().number());
                    let loaded = self.read(1);
                    if let Some(place) = value.get_mut(half) {
                        *place = loaded;
                    }
                    self.path.set_vector(instruction.op0_register().number(), value);
                }
            }
            Mnemonic::Punpcklqdq | Mnemonic::Vpunpcklqdq | Mnemonic::Movlhps | Mnemonic::Unpcklpd => {
                let last = instruction.op_count() - 1;
                let low = self.read_vector(last - 1, 2);
                let high = self.read_vector(last, 2);
                self.write_vector(0, [low[0], high[0], Value::ZERO, Value::ZERO], 2);
            }
            Mnemonic::Pinsrq | Mnemonic::Vpinsrq => {
                let last = instruction.op_count() - 1;
                let mut value = self.read_vector(last.saturating_sub(2), 2);
                let inserted = self.read(last - 1);
                let half = (instruction.immediate8() & 1) as usize;
                if let Some(place) = value.get_mut(half) {
                    *place = inserted;
                }
                self.write_vector(0, value, 2);
            }
            Mnemonic::Pxor
            | Mnemonic::Xorps
            | Mnemonic::Xorpd
            | Mnemonic::Vpxor
            | Mnemonic::Vxorps
            | Mnemonic::Vxorpd
            | Mnemonic::Vpxord
            | Mnemonic::Vpxorq => {
                let last = instruction.op_count() - 1;
                let zero = instruction.op_kind(last) == OpKind::Register
                    && instruction.op_register(last) == instruction.op_register(last - 1);
                if !zero {
                    return false;
                }
                self.path.set_vector(instruction.op0_register().number(), [Value::ZERO; 4]);
            }
            _ => return false,
        }
        true
    }

    /// The operand width in units of 8 bytes.
    fn vector_width(&self) -> usize {
        let register = if self.instruction.op0_kind() == OpKind::Register {
            self.instruction.op0_register()
        } else {
            self.instruction.op1_register()
        };
        register.size() / 8
    }

    fn read_vector(&mut self, operand: u32, width: usize) -> [Value; 4] {
        if self.instruction.op_kind(operand) == OpKind::Register {
            return self.path.vector(self.instruction.op_register(operand).number());
        }
        let place = self.address();
        let mut value = [Value::ZERO; 4];
        for (index, part) in value.iter_mut().enumerate().take(width) {
            *part = self.engine.load(self.path, place.add(Value::Known(8 * index as u64)), 8);
        }
        value
    }

    fn write_vector(&mut self, operand: u32, value: [Value; 4], width: usize) {
        if self.instruction.op_kind(operand) == OpKind::Register {
            let mut value = value;
            for part in value.iter_mut().skip(width) {
                *part = Value::ZERO;
            }
            self.path.set_vector(self.instruction.op_register(operand).number(), value);
            return;
        }
        let place = self.address();
        for (index, part) in value.into_iter().enumerate().take(width) {
            self.engine.store(self.path, place.add(Value::Known(8 * index as u64)), 8, part);
        }
    }

    fn scalar_move(&mut self) {
        let instruction = self.instruction;
        let width = match instruction.mnemonic() {
            Mnemonic::Movd | Mnemonic::Vmovd | Mnemonic::Movss | Mnemonic::Vmovss => 4,
            _ => 8,
        };
        let vector = |register: Register| register.is_xmm();
        let value = match instruction.op1_kind() {
            OpKind::Register if vector(instruction.op1_register()) => {
                self.path.vector(instruction.op1_register().number())[0].truncate(width)
            }
            OpKind::Register => self.read(1).truncate(width),
            _ => {
                let place = self.address();
                self.engine.load(self.path, place, width)
            }
        };
        match instruction.op0_kind() {
            OpKind::Register if vector(instruction.op0_register()) => {
                let number = instruction.op0_register().number();
                self.path.set_vector(number, [value, Value::ZERO, Value::ZERO, Value::ZERO]);
            }
            OpKind::Register => self.write(0, value),
            _ => {
                let place = self.address();
                self.engine.store(self.path, place, width, value);
            }
        }
    }

    /// An instruction whose result is not computed: everything that it writes is unknown afterwards.
    fn unmodelled(&mut self) {
        let mut factory = InstructionInfoFactory::new();
        let info = factory.info(self.instruction);
        let written = |access: OpAccess| {
            matches!(access, OpAccess::Write | OpAccess::CondWrite | OpAccess::ReadWrite | OpAccess::ReadCondWrite)
        };
        for used in info.used_registers().iter().filter(|used| written(used.access())) {
            if used.register().is_gpr() {
                self.path.set_register(used.register().full_register().number(), Value::Unknown);
            } else if used.register().is_xmm() || used.register().is_ymm() || used.register().is_zmm() {
                self.path.set_vector(used.register().number(), [Value::Unknown; 4]);
            }
        }
        let stores = info.used_memory().iter().any(|used| written(used.access()));
        if stores && (0..self.instruction.op_count()).any(|operand| self.instruction.op_kind(operand) == OpKind::Memory)
        {
            let place = self.address();
            let size = if self.instruction.memory_size() == MemorySize::Unknown {
                8
            } else {
                self.instruction.memory_size().size()
            };
            for index in 0..size.min(64) as u64 {
                self.engine.store(self.path, place.add(Value::Known(index)), 1, Value::Unknown);
            }
        }
        if self.instruction.rflags_modified() != 0 {
            self.path.flags = Flags::Unknown;
        }
    }
}

fn is_conditional_move(mnemonic: Mnemonic) -> bool {
    matches!(
        mnemonic,
        Mnemonic::Cmova
            | Mnemonic::Cmovae
            | Mnemonic::Cmovb
            | Mnemonic::Cmovbe
            | Mnemonic::Cmove
            | Mnemonic::Cmovne
            | Mnemonic::Cmovg
            | Mnemonic::Cmovge
            | Mnemonic::Cmovl
            | Mnemonic::Cmovle
            | Mnemonic::Cmovs
            | Mnemonic::Cmovns
            | Mnemonic::Cmovo
            | Mnemonic::Cmovno
            | Mnemonic::Cmovp
            | Mnemonic::Cmovnp
    )
}
