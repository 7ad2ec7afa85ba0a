//! What each instruction does to what is known.

use gilaudit_model::flow::{Callee, Origin, OriginId, Step, StepKind, Term, Value, Values};
use iced_x86::{FlowControl, Instruction, Mnemonic, OpKind, Register};

use super::super::context::{Budget, Context};
use super::super::fold;
use super::operands::width;
use super::state::{ARGUMENTS, CLOBBERED, SP, State, number};
use crate::functions::Leads;

pub(super) struct Machine<'m, 'i, 'd> {
    pub(super) context: &'m mut Context<'i, 'd>,
    pub(super) values: &'m mut Values,
    pub(super) state: State,
    /// The steps, when they are wanted.
    steps: Option<Vec<Step>>,
    at: u64,
    /// Whether this is a callee that is looked at for a summary: its own callees are not.
    nested: bool,
}

impl<'m, 'i, 'd> Machine<'m, 'i, 'd> {
    pub(super) fn new(
        context: &'m mut Context<'i, 'd>,
        values: &'m mut Values,
        state: State,
        steps: Option<Vec<Step>>,
        nested: bool,
    ) -> Self {
        Self { context, values, state, steps, at: 0, nested }
    }

    pub(super) fn into_state(self) -> State {
        self.state
    }

    pub(super) fn into_steps(self) -> Vec<Step> {
        self.steps.unwrap_or_default()
    }

    pub(super) fn emit(&mut self, kind: StepKind) {
        if let Some(steps) = &mut self.steps {
            steps.push(Step { at: self.at, kind });
        }
    }

    /// Executes one instruction.
    pub(super) fn step(&mut self, instruction: &Instruction, budget: &mut Budget) -> Result<(), &'static str> {
        self.at = instruction.ip();
        match instruction.flow_control() {
            FlowControl::Call | FlowControl::IndirectCall => return self.call(instruction, budget),
            FlowControl::Next => {}
            _ => return Ok(()),
        }
        match instruction.mnemonic() {
            Mnemonic::Mov | Mnemonic::Movzx | Mnemonic::Movsx | Mnemonic::Movsxd => {
                let value = self.operand(instruction, 1);
                self.write(instruction, value);
            }
            Mnemonic::Lea => {
                let value = self.address(instruction);
                self.write(instruction, value);
            }
            Mnemonic::Push => {
                let value = self.operand(instruction, 0);
                let top = self.values.shift(self.state.get(SP), -8);
                self.state.set(SP, top);
                self.store(top, 8, value, false);
            }
            Mnemonic::Pop => {
                let top = self.state.get(SP);
                let value = self.load(top, 8, false);
                let top = self.values.shift(top, 8);
                self.state.set(SP, top);
                self.write(instruction, value);
            }
            Mnemonic::Leave => {
                let base = self.state.get(5);
                let value = self.load(base, 8, false);
                let top = self.values.shift(base, 8);
                self.state.set(SP, top);
                self.state.set(5, value);
            }
            Mnemonic::Xor | Mnemonic::Sub | Mnemonic::Pxor | Mnemonic::Xorps | Mnemonic::Vpxor | Mnemonic::Vxorps
                if is_cleared(instruction) =>
            {
                let zero = self.values.constant(0);
                self.write(instruction, zero);
                if let Some(register) = number(instruction.op0_register()).filter(|register| *register >= 16) {
                    self.state.set(register + 1, zero);
                }
            }
            Mnemonic::Add | Mnemonic::Inc => self.add(instruction, 1),
            Mnemonic::Sub | Mnemonic::Dec => {
                if instruction.mnemonic() == Mnemonic::Sub && instruction.op0_kind() == OpKind::Register {
                    let (first, second) = (self.operand(instruction, 0), self.operand(instruction, 1));
                    self.emit(StepKind::Test { value: first, against: second, bits: false });
                }
                self.add(instruction, -1);
            }
            Mnemonic::Xadd => self.exchange_and_add(instruction),
            Mnemonic::Xchg => self.exchange(instruction),
            Mnemonic::Cmpxchg => self.compare_and_exchange(instruction),
            Mnemonic::And => self.and(instruction),
            Mnemonic::Or if self.is_all_ones(instruction) => {
                let ones = self.values.constant(-1);
                self.write(instruction, ones);
            }
            Mnemonic::Cmp | Mnemonic::Test | Mnemonic::Bt => {
                let (value, against) = (self.operand(instruction, 0), self.operand(instruction, 1));
                let bits = instruction.mnemonic() != Mnemonic::Cmp;
                let against = if instruction.mnemonic() == Mnemonic::Bt {
                    let bit =
                        self.values.as_constant(against).and_then(|bit| 1i64.checked_shl(u32::try_from(bit).ok()?));
                    bit.map_or(Value::UNKNOWN, |bit| self.values.constant(bit))
                } else {
                    against
                };
                self.emit(StepKind::Test { value, against, bits });
            }
            Mnemonic::Movq | Mnemonic::Movd | Mnemonic::Vmovq | Mnemonic::Vmovd => {
                let value = self.operand(instruction, 1);
                self.write(instruction, value);
            }
            Mnemonic::Punpcklqdq | Mnemonic::Vpunpcklqdq | Mnemonic::Movhps | Mnemonic::Pinsrq => {
                self.upper_half(instruction)
            }
            mnemonic if is_vector_move(mnemonic) => self.vector_move(instruction),
            mnemonic if is_conditional_move(mnemonic) => {
                let (old, new) = (self.operand(instruction, 0), self.operand(instruction, 1));
                let value = self.values.join(old, new);
                self.write(instruction, value);
            }
            Mnemonic::Stosq
            | Mnemonic::Stosd
            | Mnemonic::Stosb
            | Mnemonic::Movsq
            | Mnemonic::Movsd
            | Mnemonic::Movsb
                if instruction.op0_kind() != OpKind::Register =>
            {
                let place = self.values.element(self.state.get(7));
                self.store(place, 8, Value::UNKNOWN, false);
                for register in [1, 6, 7] {
                    self.state.set(register, Value::UNKNOWN);
                }
            }
            Mnemonic::Mul | Mnemonic::Div | Mnemonic::Idiv | Mnemonic::Cqo | Mnemonic::Cdq | Mnemonic::Cpuid => {
                self.state.set(0, Value::UNKNOWN);
                self.state.set(2, Value::UNKNOWN);
            }
            Mnemonic::Nop | Mnemonic::Endbr64 | Mnemonic::Ud2 | Mnemonic::Mfence | Mnemonic::Pause => {}
            mnemonic => self.other(instruction, mnemonic),
        }
        Ok(())
    }

    /// Anything else: what it writes is not known.
    fn other(&mut self, instruction: &Instruction, mnemonic: Mnemonic) {
        for operand in 1..instruction.op_count() {
            if instruction.op_kind(operand) == OpKind::Memory {
                self.operand(instruction, operand);
            }
        }
        match instruction.op0_kind() {
            OpKind::Memory if changes(mnemonic) => {
                let place = self.address(instruction);
                self.update(place, width(instruction), None, instruction.has_lock_prefix());
            }
            OpKind::Memory if !only_reads(mnemonic) => self.write(instruction, Value::UNKNOWN),
            OpKind::Register if !only_reads(mnemonic) => self.write(instruction, Value::UNKNOWN),
            _ => {}
        }
    }

    /// Writes the first operand.
    fn write(&mut self, instruction: &Instruction, value: Value) {
        match instruction.op0_kind() {
            OpKind::Register => {
                if let Some(register) = number(instruction.op0_register()) {
                    self.state.set(register, value);
                }
            }
            OpKind::Memory => {
                let place = self.address(instruction);
                self.store(place, width(instruction), value, false);
            }
            _ => {}
        }
    }

    /// Writes to memory.
    fn store(&mut self, place: Value, width: u8, value: Value, atomic: bool) {
        let terms: Vec<Term> = self.values.terms(place).to_vec();
        let mut shared = false;
        for term in &terms {
            match (term.base, term.offset) {
                (OriginId::FRAME, Some(offset)) if terms.len() == 1 => self.state.put(offset, value),
                (OriginId::FRAME, Some(offset)) => {
                    let old = self.state.at(offset).unwrap_or(Value::NOTHING);
                    let either = self.values.join(old, value);
                    self.state.put(offset, either);
                }
                (OriginId::FRAME, None) => {}
                _ => shared = true,
            }
        }
        if shared && self.steps.is_some() {
            for kind in fold::store(self.context, self.values, place, width, value, atomic) {
                self.emit(kind);
            }
        }
    }

    /// Changes memory in one instruction.
    fn update(&mut self, place: Value, width: u8, by: Option<i64>, atomic: bool) {
        let mut shared = false;
        for term in self.values.terms(place).to_vec() {
            match (term.base, term.offset) {
                (OriginId::FRAME, Some(offset)) => {
                    let old = self.state.at(offset).unwrap_or(Value::UNKNOWN);
                    let new = by.map_or(Value::UNKNOWN, |by| self.values.shift(old, by));
                    self.state.put(offset, new);
                }
                (OriginId::FRAME, None) => {}
                _ => shared = true,
            }
        }
        if shared && self.steps.is_some() {
            let kind = fold::update(self.context, self.values, place, width, by, atomic);
            self.emit(kind);
        }
    }

    fn add(&mut self, instruction: &Instruction, sign: i64) {
        let by = match instruction.op_count() {
            1 => self.values.constant(1),
            _ => self.operand(instruction, 1),
        };
        let number_of = self.values.as_constant(by).map(|by| by.wrapping_mul(sign));
        if instruction.op0_kind() == OpKind::Memory {
            let place = self.address(instruction);
            self.update(place, width(instruction), number_of, instruction.has_lock_prefix());
            return;
        }
        let old = self.operand(instruction, 0);
        let new = match number_of {
            Some(by) => self.values.shift(old, by),
            None if sign < 0 => self.values.element(old),
            None if !self.points(old) && self.points(by) => self.values.element(by),
            None => self.values.element(old),
        };
        self.write(instruction, new);
    }

    fn and(&mut self, instruction: &Instruction) {
        if instruction.op0_kind() == OpKind::Memory {
            let place = self.address(instruction);
            self.update(place, width(instruction), None, instruction.has_lock_prefix());
            return;
        }
        let (old, mask) = (self.operand(instruction, 0), self.operand(instruction, 1));
        self.emit(StepKind::Test { value: old, against: mask, bits: true });
        let is_stack = instruction.op0_register() == Register::RSP;
        // Alignment of the frame: where it begins does not matter.
        if !is_stack {
            let zero = self.values.as_constant(mask) == Some(0);
            let value = if zero { mask } else { self.values.element(old) };
            self.write(instruction, value);
        }
    }

    fn is_all_ones(&mut self, instruction: &Instruction) -> bool {
        instruction.op0_kind() == OpKind::Register && {
            let value = self.operand(instruction, 1);
            self.values.as_constant(value) == Some(-1)
        }
    }

    fn exchange_and_add(&mut self, instruction: &Instruction) {
        if instruction.op0_kind() == OpKind::Memory {
            let place = self.address(instruction);
            let by = self.operand(instruction, 1);
            let by = self.values.as_constant(by);
            self.update(place, width(instruction), by, instruction.has_lock_prefix());
        }
        if let Some(register) = number(instruction.op1_register()) {
            self.state.set(register, Value::UNKNOWN);
        }
    }

    /// An exchange with memory locks the bus by itself (Intel SDM volume 2, XCHG).
    fn exchange(&mut self, instruction: &Instruction) {
        let operand = u32::from(instruction.op0_kind() != OpKind::Memory);
        let (first, second) = (self.operand(instruction, 0), self.operand(instruction, 1));
        if instruction.op_kind(operand) == OpKind::Memory {
            let place = self.address(instruction);
            let (given, register) = if operand == 0 { (second, 1) } else { (first, 0) };
            let old = if operand == 0 { first } else { second };
            self.store(place, width(instruction), given, true);
            if let Some(register) = number(instruction.op_register(register)) {
                self.state.set(register, old);
            }
            return;
        }
        for (operand, value) in [(0, second), (1, first)] {
            if let Some(register) = number(instruction.op_register(operand)) {
                self.state.set(register, value);
            }
        }
    }

    fn compare_and_exchange(&mut self, instruction: &Instruction) {
        if instruction.op0_kind() == OpKind::Memory {
            let place = self.address(instruction);
            let (expected, new) = (self.state.get(0), self.operand(instruction, 1));
            if self.steps.is_some() {
                let kind = fold::compare_and_exchange(self.values, place, width(instruction), expected, new);
                self.emit(kind);
            }
            if !self.values.terms(place).iter().all(|term| term.base == OriginId::FRAME) {
                let old = self.load(place, width(instruction), true);
                self.state.set(0, old);
                return;
            }
        }
        self.state.set(0, Value::UNKNOWN);
    }

    fn upper_half(&mut self, instruction: &Instruction) {
        let value = self.operand(instruction, instruction.op_count().saturating_sub(1).max(1));
        match number(instruction.op0_register()).filter(|register| *register >= 16) {
            Some(register) => self.state.set(register + 1, value),
            None if instruction.op0_kind() == OpKind::Memory => {
                let place = self.address(instruction);
                let upper = number(instruction.op1_register()).map_or(Value::UNKNOWN, |it| self.state.get(it + 1));
                self.store(place, 8, upper, false);
            }
            None => {}
        }
    }

    /// Two pointers at once.
    fn vector_move(&mut self, instruction: &Instruction) {
        let (from, to) = (number(instruction.op1_register()), number(instruction.op0_register()));
        let halves = match (instruction.op1_kind(), from) {
            (OpKind::Register, Some(from)) if from >= 16 => (self.state.get(from), self.state.get(from + 1)),
            (OpKind::Memory, _) => {
                let place = self.address(instruction);
                let lower = self.load(place, 8, false);
                let above = self.values.shift(place, 8);
                (lower, if width(instruction) >= 16 { self.load(above, 8, false) } else { Value::UNKNOWN })
            }
            _ => (Value::UNKNOWN, Value::UNKNOWN),
        };
        match (instruction.op0_kind(), to) {
            (OpKind::Register, Some(to)) if to >= 16 => {
                self.state.set(to, halves.0);
                self.state.set(to + 1, halves.1);
            }
            (OpKind::Memory, _) => {
                let place = self.address(instruction);
                let size = width(instruction);
                self.store(place, size.min(8), halves.0, false);
                for step in 1..i64::from(size) / 8 {
                    let above = self.values.shift(place, step * 8);
                    self.store(above, 8, if step == 1 { halves.1 } else { Value::UNKNOWN }, false);
                }
            }
            _ => {}
        }
    }

    fn arguments(&self) -> Vec<Value> {
        ARGUMENTS.iter().map(|register| self.state.get(*register)).collect()
    }

    /// What an instruction that leaves for elsewhere calls.
    fn callee(&mut self, instruction: &Instruction) -> Callee {
        match instruction.flow_control() {
            FlowControl::Call | FlowControl::UnconditionalBranch => {
                let target = instruction.near_branch_target();
                match self.context.stubs.leads(self.context.image, target) {
                    Leads::Import(import) => Callee::Import(import),
                    Leads::Here => Callee::Local(target),
                }
            }
            _ => {
                let target = self.operand(instruction, 0);
                match self.values.terms(target) {
                    [Term { base, offset: Some(0) }] => match self.values.get(*base) {
                        Origin::Import(import) => Callee::Import(*import),
                        _ => Callee::Value(target),
                    },
                    [Term { base: OriginId::IMAGE, offset: Some(at) }]
                        if self.context.image.is_code(at.cast_unsigned()) =>
                    {
                        Callee::Local(at.cast_unsigned())
                    }
                    _ => Callee::Value(target),
                }
            }
        }
    }

    fn call(&mut self, instruction: &Instruction, budget: &mut Budget) -> Result<(), &'static str> {
        let callee = self.callee(instruction);
        let arguments = self.arguments();
        let result = self.values.at(Origin::Result(instruction.ip()), 0);
        let result = self.called(&callee, &arguments, result, budget)?;
        self.stored(instruction.ip(), &callee, &arguments);
        for register in CLOBBERED.into_iter().chain(16..48) {
            self.state.set(register, Value::UNKNOWN);
        }
        self.state.set(0, result);
        Ok(())
    }

    /// Tells of a call, and of what is known of the callee. Gives what it returns.
    fn called(
        &mut self,
        callee: &Callee,
        arguments: &[Value],
        result: Value,
        budget: &mut Budget,
    ) -> Result<Value, &'static str> {
        let mut result = result;
        let mut more = Vec::new();
        match callee {
            Callee::Import(import) => {
                let name = self.context.image.cells().import_name(*import);
                result = fold::returned(name, arguments, result);
                if name == "__tls_get_addr" {
                    let place = self.values.at(Origin::Thread, 0);
                    result = self.values.element(place);
                }
                more = fold::call(name, arguments);
            }
            Callee::Local(target) if !self.nested => {
                if let Some(summary) = super::super::summary::of(self.context, *target, budget)? {
                    result = summary.result(arguments, result);
                    more = summary.steps(self.values, arguments);
                }
            }
            _ => {}
        }
        self.emit(StepKind::Call { callee: callee.clone(), arguments: arguments.to_vec(), result });
        more.into_iter().for_each(|kind| self.emit(kind));
        Ok(result)
    }

    /// What a call stores where its arguments point into the frame.
    fn stored(&mut self, site: u64, callee: &Callee, arguments: &[Value]) {
        let name = match callee {
            Callee::Import(import) => self.context.image.cells().import_name(*import),
            _ => "",
        };
        if fold::keeps_frame(name) {
            return;
        }
        let mut given: Vec<(u8, Value)> = (0u8..).zip(arguments.iter().copied()).collect();
        if fold::takes_many(name) {
            // Arguments that did not fit into registers lie at the top of the frame.
            if let [Term { base: OriginId::FRAME, offset: Some(top) }] = self.values.terms(self.state.get(SP)) {
                let top = *top;
                given.extend(
                    (0u8..16).filter_map(|index| Some((6 + index, self.state.at(top + 8 * i64::from(index))?))),
                );
            }
        }
        for (index, argument) in given {
            let [Term { base: OriginId::FRAME, offset: Some(offset) }] = self.values.terms(argument) else { continue };
            let offset = *offset;
            let new = self.values.at(Origin::Stored(site, index), 0);
            let old = self.state.at(offset).unwrap_or(Value::NOTHING);
            let either = self.values.join(old, new);
            self.state.put(offset, either);
        }
    }

    /// The end of a block that leaves the function.
    pub(super) fn leave(&mut self, last: Option<&Instruction>) {
        let Some(last) = last else { return };
        self.at = last.ip();
        if last.flow_control() == FlowControl::Return {
            let value = self.state.get(0);
            self.emit(StepKind::Return(value));
            return;
        }
        let callee = self.callee(last);
        let arguments = self.arguments();
        let result = self.values.at(Origin::Result(last.ip()), 0);
        // What a summary costs was paid for by the first visit, or is not paid for here.
        let result = self.called(&callee, &arguments, result, &mut Budget::none()).unwrap_or(result);
        self.emit(StepKind::Return(result));
    }
}

/// Whether an instruction sets a register to zero by itself.
fn is_cleared(instruction: &Instruction) -> bool {
    let last = instruction.op_count().saturating_sub(1);
    instruction.op0_kind() == OpKind::Register
        && (0..=last).all(|operand| instruction.op_kind(operand) == OpKind::Register)
        && instruction.op_register(last) == instruction.op_register(last.saturating_sub(1))
        && (last < 2 || instruction.op_register(1) == instruction.op_register(2))
}

fn is_conditional_move(mnemonic: Mnemonic) -> bool {
    use Mnemonic as M;
    matches!(
        mnemonic,
        M::Cmova
            | M::Cmovae
            | M::Cmovb
            | M::Cmovbe
            | M::Cmove
            | M::Cmovg
            | M::Cmovge
            | M::Cmovl
            | M::Cmovle
            | M::Cmovne
            | M::Cmovno
            | M::Cmovnp
            | M::Cmovns
            | M::Cmovo
            | M::Cmovp
            | M::Cmovs
    )
}

fn is_vector_move(mnemonic: Mnemonic) -> bool {
    use Mnemonic as M;
    matches!(
        mnemonic,
        M::Movaps
            | M::Movups
            | M::Movapd
            | M::Movupd
            | M::Movdqa
            | M::Movdqu
            | M::Vmovaps
            | M::Vmovups
            | M::Vmovdqa
            | M::Vmovdqu
            | M::Vmovapd
            | M::Vmovupd
    )
}

/// Whether an instruction changes what its first operand, in memory, has.
fn changes(mnemonic: Mnemonic) -> bool {
    use Mnemonic as M;
    matches!(
        mnemonic,
        M::Or
            | M::Xor
            | M::Not
            | M::Neg
            | M::Shl
            | M::Shr
            | M::Sar
            | M::Rol
            | M::Ror
            | M::Adc
            | M::Sbb
            | M::Bts
            | M::Btr
            | M::Btc
    )
}

/// Whether an instruction writes none of its operands.
fn only_reads(mnemonic: Mnemonic) -> bool {
    use Mnemonic as M;
    matches!(
        mnemonic,
        M::Ucomisd
            | M::Ucomiss
            | M::Comisd
            | M::Comiss
            | M::Ptest
            | M::Prefetcht0
            | M::Prefetcht1
            | M::Prefetcht2
            | M::Prefetchnta
            | M::Prefetchw
            | M::Fld
            | M::Fild
            | M::Fadd
            | M::Fmul
            | M::Ldmxcsr
            | M::Fldcw
    )
}
