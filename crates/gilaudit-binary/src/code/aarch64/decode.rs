//! Instruction words, and what their opcodes do to registers and memory.

use yaxpeax_arch::{Decoder, U8Reader};
use yaxpeax_arm::armv8::a64::{DecodeError, InstDecoder, Instruction, Opcode, Operand, SIMDSizeCode, SizeCode};

use crate::image::Image;

/// The size of an instruction.
pub(super) const LENGTH: u64 = 4;

/// What is at an address.
#[derive(Clone, Copy, Debug)]
pub(super) enum Decoded {
    Instruction(Instruction),
    /// An instruction that is left alone: SVE and SME, of which general registers only the one in its low bits can be the result.
    Vector(usize),
}

pub(super) fn decode(image: &Image<'_>, address: u64) -> Option<Decoded> {
    if !address.is_multiple_of(LENGTH) {
        return None;
    }
    decode_word(*image.bytes_from(address)?.first_chunk()?)
}

pub(super) fn decode_word(bytes: [u8; 4]) -> Option<Decoded> {
    match InstDecoder::default().decode(&mut U8Reader::new(&bytes)) {
        Ok(instruction) if instruction.opcode == Opcode::Invalid => None,
        Ok(instruction) => Some(Decoded::Instruction(instruction)),
        Err(DecodeError::IncompleteDecoder) => {
            let word = u32::from_le_bytes(bytes);
            // Arm ARM C4.1: op1, bits 25 to 28: 0b0010 is SVE, 0b0000 with the top bit is SME.
            let scalable = word >> 25 & 0xf == 2 || word >> 25 & 0xf == 0 && word >> 31 == 1;
            scalable.then_some(Decoded::Vector((word & 31) as usize))
        }
        Err(_) => None,
    }
}

/// The width of a general register in bytes.
pub(super) fn size(code: SizeCode) -> u8 {
    match code {
        SizeCode::X => 8,
        SizeCode::W => 4,
    }
}

/// The width of a vector register or element in bytes.
pub(super) fn vector_size(code: SIMDSizeCode) -> u8 {
    match code {
        SIMDSizeCode::B => 1,
        SIMDSizeCode::H => 2,
        SIMDSizeCode::S => 4,
        SIMDSizeCode::D => 8,
        SIMDSizeCode::Q => 16,
    }
}

/// What an instruction does with memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Access {
    /// Loads operand 0. A width of 0 is that of the register.
    Load { width: u8, signed: bool },
    /// Loads operands 0 and 1.
    LoadPair { signed: bool },
    /// Stores operand 0.
    Store { width: u8 },
    /// Stores operands 0 and 1.
    StorePair,
    /// Stores operand 1; operand 0 becomes the status.
    StoreExclusive { width: u8 },
    /// Stores operands 1 and 2; operand 0 becomes the status.
    StoreExclusivePair,
    /// Loads operand 1 and stores what operand 0 makes of it.
    Modify { width: u8, change: Change },
    /// Stores operand 1 if memory holds what operand 0 does; operand 0 becomes what it held.
    CompareSwap { width: u8 },
    /// The same with the pairs of registers that the operands start.
    CompareSwapPair,
}

/// What an atomic instruction makes of the value in memory and its operand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Change {
    Swap,
    Add,
    Clear,
    Set,
    Exclusive,
    SignedMaximum,
    SignedMinimum,
    Maximum,
    Minimum,
}

#[rustfmt::skip]
pub(super) fn access(opcode: Opcode) -> Option<Access> {
    use Opcode as O;
    let load = |width| Some(Access::Load { width, signed: false });
    let load_signed = |width| Some(Access::Load { width, signed: true });
    let modify = |width, change| Some(Access::Modify { width, change });
    match opcode {
        O::LDR | O::LDUR | O::LDTR | O::LDAR | O::LDLAR | O::LDAPR | O::LDAPUR | O::LDXR | O::LDAXR | O::LDRAA | O::LDRAB => load(0),
        O::LDRB | O::LDURB | O::LDTRB | O::LDARB | O::LDLARB | O::LDAPRB | O::LDAPURB | O::LDXRB | O::LDAXRB => load(1),
        O::LDRH | O::LDURH | O::LDTRH | O::LDARH | O::LDLARH | O::LDAPRH | O::LDAPURH | O::LDXRH | O::LDAXRH => load(2),
        O::LDRSB | O::LDURSB | O::LDTRSB | O::LDAPURSB => load_signed(1),
        O::LDRSH | O::LDURSH | O::LDTRSH | O::LDAPURSH => load_signed(2),
        O::LDRSW | O::LDURSW | O::LDTRSW | O::LDAPURSW => load_signed(4),
        O::LDP | O::LDNP | O::LDXP | O::LDAXP => Some(Access::LoadPair { signed: false }),
        O::LDPSW => Some(Access::LoadPair { signed: true }),
        O::STR | O::STUR | O::STTR | O::STLR | O::STLLR | O::STLUR => Some(Access::Store { width: 0 }),
        O::STRB | O::STURB | O::STTRB | O::STLRB | O::STLLRB | O::STLURB => Some(Access::Store { width: 1 }),
        O::STRH | O::STURH | O::STTRH | O::STLRH | O::STLLRH | O::STLURH => Some(Access::Store { width: 2 }),
        O::STP | O::STNP => Some(Access::StorePair),
        O::STXR | O::STLXR => Some(Access::StoreExclusive { width: 0 }),
        O::STXRB | O::STLXRB => Some(Access::StoreExclusive { width: 1 }),
        O::STXRH | O::STLXRH => Some(Access::StoreExclusive { width: 2 }),
        O::STXP | O::STLXP => Some(Access::StoreExclusivePair),
        O::CAS(_) => Some(Access::CompareSwap { width: 0 }),
        O::CASB(_) => Some(Access::CompareSwap { width: 1 }),
        O::CASH(_) => Some(Access::CompareSwap { width: 2 }),
        O::CASP(_) => Some(Access::CompareSwapPair),
        O::SWP(_) => modify(0, Change::Swap),
        O::SWPB(_) => modify(1, Change::Swap),
        O::SWPH(_) => modify(2, Change::Swap),
        O::LDADD(_) => modify(0, Change::Add),
        O::LDADDB(_) => modify(1, Change::Add),
        O::LDADDH(_) => modify(2, Change::Add),
        O::LDCLR(_) => modify(0, Change::Clear),
        O::LDCLRB(_) => modify(1, Change::Clear),
        O::LDCLRH(_) => modify(2, Change::Clear),
        O::LDSET(_) => modify(0, Change::Set),
        O::LDSETB(_) => modify(1, Change::Set),
        O::LDSETH(_) => modify(2, Change::Set),
        O::LDEOR(_) => modify(0, Change::Exclusive),
        O::LDEORB(_) => modify(1, Change::Exclusive),
        O::LDEORH(_) => modify(2, Change::Exclusive),
        O::LDSMAX(_) => modify(0, Change::SignedMaximum),
        O::LDSMAXB(_) => modify(1, Change::SignedMaximum),
        O::LDSMAXH(_) => modify(2, Change::SignedMaximum),
        O::LDSMIN(_) => modify(0, Change::SignedMinimum),
        O::LDSMINB(_) => modify(1, Change::SignedMinimum),
        O::LDSMINH(_) => modify(2, Change::SignedMinimum),
        O::LDUMAX(_) => modify(0, Change::Maximum),
        O::LDUMAXB(_) => modify(1, Change::Maximum),
        O::LDUMAXH(_) => modify(2, Change::Maximum),
        O::LDUMIN(_) => modify(0, Change::Minimum),
        O::LDUMINB(_) => modify(1, Change::Minimum),
        O::LDUMINH(_) => modify(2, Change::Minimum),
        _ => None,
    }
}

/// Whether the instruction changes neither a register nor memory that anything depends on: hints, barriers, caches, and pointer
/// authentication, whose signatures are taken to be no part of a pointer.
#[rustfmt::skip]
pub(super) fn is_idle(opcode: Opcode) -> bool {
    use Opcode as O;
    matches!(
        opcode,
        O::HINT | O::ISB | O::DSB(_) | O::DMB(_) | O::SB | O::CLREX | O::SSBB | O::PSSBB | O::PRFM | O::PRFUM | O::SYS(_)
        | O::PACIASP | O::PACIBSP | O::PACIAZ | O::PACIBZ | O::PACIA1716 | O::PACIB1716
        | O::AUTIASP | O::AUTIBSP | O::AUTIAZ | O::AUTIBZ | O::AUTIA1716 | O::AUTIB1716 | O::XPACLRI | O::PACM
        | O::PACIA171615 | O::PACIB171615 | O::PACIASPPC | O::PACIBSPPC | O::PACNBIASPPC | O::PACNBIBSPPC
        | O::AUTIA171615 | O::AUTIB171615 | O::AUTIASPPC | O::AUTIBSPPC | O::AUTIASPPCR | O::AUTIBSPPCR
        | O::PACIA | O::PACIB | O::PACDA | O::PACDB | O::PACIZA | O::PACIZB | O::PACDZA | O::PACDZB
        | O::AUTIA | O::AUTIB | O::AUTDA | O::AUTDB | O::AUTIZA | O::AUTIZB | O::AUTDZA | O::AUTDZB | O::XPACI | O::XPACD
    )
}

/// Control goes elsewhere by a trap, or to the operating system.
#[rustfmt::skip]
pub(super) fn is_trap(opcode: Opcode) -> bool {
    use Opcode as O;
    matches!(
        opcode,
        O::Invalid | O::UDF | O::BRK | O::HLT | O::SVC | O::HVC | O::SMC | O::DCPS1 | O::DCPS2 | O::DCPS3
        | O::ERET | O::ERETAA | O::ERETAB | O::DRPS
    )
}

pub(super) fn is_indirect_jump(opcode: Opcode) -> bool {
    use Opcode as O;
    matches!(opcode, O::BR | O::BRAA | O::BRAAZ | O::BRAB | O::BRABZ)
}

pub(super) fn is_indirect_call(opcode: Opcode) -> bool {
    use Opcode as O;
    matches!(opcode, O::BLR | O::BLRAA | O::BLRAAZ | O::BLRAB | O::BLRABZ)
}

pub(super) fn is_return(opcode: Opcode) -> bool {
    use Opcode as O;
    matches!(opcode, O::RET | O::RETAA | O::RETAB | O::RETAASPPC | O::RETABSPPC | O::RETAASPPCR | O::RETABSPPCR)
}

/// Whether the instruction sets the flags, of those whose effect on them is not modelled.
pub(super) fn sets_flags(opcode: Opcode) -> bool {
    use Opcode as O;
    matches!(
        opcode,
        O::FCMP | O::FCMPE | O::FCCMP | O::FCCMPE | O::MSR | O::RMIF | O::SETF8 | O::SETF16 | O::SUBPS | O::GMI
    )
}

/// The base register of the memory operand, if the instruction changes it.
pub(super) fn written_base(instruction: &Instruction) -> Option<usize> {
    instruction.operands.iter().find_map(|operand| match operand {
        Operand::RegPreIndex(base, _, true) | Operand::RegPostIndex(base, _) | Operand::RegPostIndexReg(base, _) => {
            Some(usize::from(*base))
        }
        _ => None,
    })
}

/// The general registers that the instruction changes, except a base. Register 31 is the stack pointer.
pub(super) fn written(instruction: &Instruction) -> [Option<usize>; 2] {
    use Opcode as O;
    let operand = |index: usize| match instruction.operands.get(index) {
        Some(Operand::Register(_, register)) if *register != 31 => Some(usize::from(*register)),
        Some(Operand::RegisterOrSP(_, register) | Operand::RegisterPair(_, register)) => Some(usize::from(*register)),
        _ => None,
    };
    match access(instruction.opcode) {
        Some(Access::Store { .. } | Access::StorePair) => return [None; 2],
        Some(Access::LoadPair { .. }) => return [operand(0), operand(1)],
        Some(Access::Modify { .. }) => return [operand(1), None],
        Some(Access::CompareSwapPair) => return [operand(0), operand(0).map(|register| register + 1)],
        _ => {}
    }
    match instruction.opcode {
        O::CBZ | O::CBNZ | O::TBZ | O::TBNZ | O::CCMP | O::CCMN | O::MSR | O::RMIF | O::SETF8 | O::SETF16 => [None; 2],
        O::STG | O::STZG | O::ST2G | O::STZ2G | O::STGM | O::STZGM => [None; 2],
        opcode if is_idle(opcode) || is_trap(opcode) || is_indirect_jump(opcode) || is_return(opcode) => [None; 2],
        opcode if is_indirect_call(opcode) => [None; 2],
        _ => [operand(0), None],
    }
}
