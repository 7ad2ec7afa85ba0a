use yaxpeax_arm::armv8::a64::Opcode;

use super::decode::{Decoded, decode_word};
use super::*;
use crate::code::space::Space;
use crate::code::summary::{Flow, Target};
use crate::code::value::SymbolId;
use crate::code::{Origin, run as run_function};
use crate::image::{Cells, Export, Image, Segment, Tables};
use gilaudit_model::{Arch, HookKind, InitResult, Layout, SlotValue, Slots, Version};

const CODE: u64 = 0x1_0000;
const DATA: u64 = 0x2_0000;
const UNKNOWN: Value = Value::Unknown;

struct Fixed(Vec<(u64, Cell)>, Vec<String>);

impl Tables for Fixed {
    fn cells(&self) -> Cells {
        Cells::new(self.0.clone(), self.1.clone())
    }

    fn export(&self, _: &str) -> Option<Export> {
        None
    }

    fn exports_starting(&self, _: &str) -> Vec<String> {
        Vec::new()
    }

    fn needed(&self) -> Vec<String> {
        Vec::new()
    }
}

/// The words at the starts of instructions separated by semicolons; what follows a word is the same in assembly, for the reader.
fn assemble(code: &str) -> Vec<u8> {
    let words = code.split(';').filter_map(|instruction| instruction.split_whitespace().next());
    words.flat_map(|word| u32::from_str_radix(word, 16).unwrap().to_le_bytes()).collect()
}

fn image<'d>(format: Format, code: &'d [u8], data: &'d [u8], cells: &[(u64, Cell)], imports: &[&str]) -> Image<'d> {
    let segment = |address, data: &'d [u8], executable| Segment {
        address,
        size: 0x1000,
        data: data.into(),
        executable,
        writable: !executable,
    };
    let segments = vec![segment(CODE, code, true), segment(DATA, data, false)];
    let imports = imports.iter().map(|name| (*name).to_owned()).collect();
    let tables = Box::new(Fixed(cells.to_vec(), imports));
    Image::new(format, Arch::Aarch64, 8, false, segments, Vec::new(), Some((DATA, 0x100)), tables)
}

/// Runs the code until it leaves straight lines and known branches: the path then, and the step that ended it.
fn run_with(image: &Image<'_>, set: impl Fn(&mut Engine<'_, '_>, &mut Path)) -> (Path, Step) {
    let mut engine = Engine::reader(image, Version::V3_14);
    engine.convention = crate::code::Convention::Arm64;
    let mut path = Path::new(CODE);
    engine.start(&mut path);
    set(&mut engine, &mut path);
    for _ in 0..100 {
        path.at = path.pc;
        match step(&mut engine, &mut path) {
            Step::Next => {}
            Step::Jump(Value::Known(target)) => path.pc = target,
            Step::Branch { condition, target } => match path.decide(&condition) {
                Some(true) => path.pc = target,
                Some(false) => {}
                None => return (path, Step::Branch { condition, target }),
            },
            other => return (path, other),
        }
    }
    panic!("does not end");
}

/// Runs the code, which is ended by a zero word, with these registers.
fn run(lines: &str, registers: &[(usize, Value)]) -> Path {
    let code = assemble(lines);
    let data = [0u8; 64];
    let image = image(Format::Elf, &code, &data, &[], &[]);
    let set = |_: &mut Engine<'_, '_>, path: &mut Path| {
        for (register, value) in registers {
            path.set_register(*register, *value);
        }
    };
    let (path, end) = run_with(&image, set);
    assert!(matches!(end, Step::Stop), "{end:?}");
    path
}

/// What a register holds after the code ran.
fn after(lines: &str, registers: &[(usize, u64)], register: usize) -> Value {
    let registers: Vec<(usize, Value)> =
        registers.iter().map(|(number, value)| (*number, Value::Known(*value))).collect();
    run(lines, &registers).register(register)
}

fn known(bits: u64) -> Value {
    Value::Known(bits)
}

fn symbol() -> Value {
    Value::Symbol(SymbolId(7), 0)
}

#[test]
fn moves() {
    assert_eq!(after("aa0103e0 mov x0, x1", &[(1, 7)], 0), known(7));
    assert_eq!(after("2a0103e0 mov w0, w1", &[(1, 0xffff_ffff_0000_0007)], 0), known(7));
    assert_eq!(after("12800000 mov w0, #-1", &[], 0), known(0xffff_ffff));
    assert_eq!(after("92800020 mov x0, #-2", &[], 0), known(u64::MAX - 1));
    assert_eq!(after("d2e00240 movz x0, #0x12, lsl #48", &[], 0), known(0x12 << 48));
    assert_eq!(after("f2c24680 movk x0, #0x1234, lsl #32", &[(0, 5)], 0), known(0x1234_0000_0005));
    assert_eq!(after("72a24680 movk w0, #0x1234, lsl #16", &[(0, u64::MAX)], 0), known(0x1234_ffff));
    assert_eq!(
        run("f2a24680 movk x0, #0x1234, lsl #16", &[(0, UNKNOWN)]).register(0),
        Value::Partial { bits: 0x1234_0000, known: 0b1100 }
    );
    // Register 31 is the stack pointer in one place, and zero in another.
    assert_eq!(
        after("910003e0 mov x0, sp; 91004000 add x0, x0, #16; 9100001f mov sp, x0", &[(SP, 0x100)], SP),
        known(0x110)
    );
    assert_eq!(after("aa0103ff mov xzr, x1; aa1f03e0 mov x0, xzr", &[(1, 7), (SP, 5)], 0), known(0));
    assert_eq!(run("2a0103e0 mov w0, w1", &[(1, symbol())]).register(0), symbol());
}

#[test]
fn logic() {
    assert_eq!(after("927cec20 and x0, x1, #0xfffffffffffffff0", &[(1, 0x1237)], 0), known(0x1230));
    assert_eq!(after("0ac21020 and w0, w1, w2, ror #4", &[(1, u64::MAX), (2, 0x12)], 0), known(0x2000_0001));
    assert_eq!(after("aa022020 orr x0, x1, x2, lsl #8", &[(1, 1), (2, 2)], 0), known(0x201));
    assert_eq!(after("3204cfe0 orr w0, wzr, #0xf0f0f0f0", &[], 0), known(0xf0f0_f0f0));
    assert_eq!(after("ca020020 eor x0, x1, x2", &[(1, 0xff), (2, 0x0f)], 0), known(0xf0));
    assert_eq!(after("0a220020 bic w0, w1, w2", &[(1, 0xff), (2, 0x0f)], 0), known(0xf0));
    assert_eq!(after("2a2103e0 mvn w0, w1", &[(1, 0xf)], 0), known(0xffff_fff0));
    assert_eq!(after("caa2fc20 eon x0, x1, x2, asr #63", &[(1, 0), (2, 1 << 63)], 0), known(0));
    assert_eq!(run("4a010020 eor w0, w1, w1", &[(1, UNKNOWN)]).register(0), known(0));
    assert_eq!(
        run("12181c20 and w0, w1, #0xff00", &[(1, UNKNOWN)]).register(0),
        Value::Partial { bits: 0, known: 0b1111_1101 }
    );
    assert_eq!(run("8a010020 and x0, x1, x1", &[(1, symbol())]).register(0), symbol());
}

#[test]
fn sums() {
    assert_eq!(after("91400420 add x0, x1, #1, lsl #12", &[(1, 5)], 0), known(0x1005));
    assert_eq!(after("11000420 add w0, w1, #1", &[(1, 0xffff_ffff)], 0), known(0));
    assert_eq!(after("8b22c820 add x0, x1, w2, sxtw #2", &[(1, 0x100), (2, 0xffff_ffff)], 0), known(0xfc));
    assert_eq!(after("8b224020 add x0, x1, w2, uxtw", &[(1, 1), (2, u64::MAX)], 0), known(0x1_0000_0000));
    assert_eq!(after("8b224820 add x0, x1, w2, uxtw #2", &[(1, 0), (2, u64::MAX)], 0), known(0x3_ffff_fffc));
    assert_eq!(after("8b228020 add x0, x1, w2, sxtb", &[(1, 0x100), (2, 0x1ff)], 0), known(0xff));
    assert_eq!(after("cb2173ff sub sp, sp, x1, lsl #4", &[(SP, 0x1000), (1, 2)], SP), known(0xfe0));
    assert_eq!(after("4b0103e0 neg w0, w1", &[(1, 1)], 0), known(0xffff_ffff));
    assert_eq!(after("eb02003f cmp x1, x2; da040060 sbc x0, x3, x4", &[(1, 1), (2, 2), (3, 10), (4, 3)], 0), known(6));
    assert_eq!(after("ab020025 adds x5, x1, x2; 9a1f03e0 adc x0, xzr, xzr", &[(1, u64::MAX), (2, 1)], 0), known(1));
    assert_eq!(run("91002020 add x0, x1, #8; d1002000 sub x0, x0, #8", &[(1, symbol())]).register(0), symbol());
    assert_eq!(run("cb010020 sub x0, x1, x1", &[(1, UNKNOWN)]).register(0), known(0));
}

#[test]
fn bit_fields() {
    assert_eq!(after("d37df020 lsl x0, x1, #3", &[(1, 5)], 0), known(40));
    assert_eq!(after("53010020 lsl w0, w1, #31", &[(1, 3)], 0), known(0x8000_0000));
    assert_eq!(after("53047c20 lsr w0, w1, #4", &[(1, 0xf_0000_0010)], 0), known(1));
    assert_eq!(after("13047c20 asr w0, w1, #4", &[(1, 0x8000_0000)], 0), known(0xf800_0000));
    assert_eq!(after("937ffc20 asr x0, x1, #63", &[(1, 1 << 63)], 0), known(u64::MAX));
    assert_eq!(after("d3483c20 ubfx x0, x1, #8, #8", &[(1, 0x1234)], 0), known(0x12));
    assert_eq!(after("d37c0c20 ubfiz x0, x1, #4, #4", &[(1, 0xff)], 0), known(0xf0));
    assert_eq!(after("13000020 sbfx w0, w1, #0, #1", &[(1, 1)], 0), known(0xffff_ffff));
    assert_eq!(after("937c0c20 sbfiz x0, x1, #4, #4", &[(1, 0x8)], 0), known(0xffff_ffff_ffff_ff80));
    assert_eq!(after("b3607c20 bfi x0, x1, #32, #32", &[(0, 1), (1, 2)], 0), known(0x2_0000_0001));
    assert_eq!(after("33041c20 bfxil w0, w1, #4, #4", &[(0, 0xff), (1, 0x120)], 0), known(0xf2));
    assert_eq!(after("93407c20 sxtw x0, w1", &[(1, 0x8000_0000)], 0), known(0xffff_ffff_8000_0000));
    assert_eq!(after("53001c20 uxtb w0, w1", &[(1, 0x1ff)], 0), known(0xff));
    assert_eq!(after("13003c20 sxth w0, w1", &[(1, 0x8000)], 0), known(0xffff_8000));
    assert_eq!(after("93c22020 extr x0, x1, x2, #8", &[(1, 0x12), (2, 0x3456)], 0), known(0x1200_0000_0000_0034));
    assert_eq!(after("13811020 ror w0, w1, #4", &[(1, 0x1f)], 0), known(0xf000_0001));
    assert_eq!(after("9ac22020 lsl x0, x1, x2", &[(1, 1), (2, 65)], 0), known(2));
    assert_eq!(after("1ac22c20 ror w0, w1, w2", &[(1, 1), (2, 33)], 0), known(0x8000_0000));
    // Two halves, of which one is not known: a slot's id and its padding.
    assert_eq!(
        run("b3407c20 bfi x0, x1, #0, #32", &[(0, UNKNOWN), (1, known(4))]).register(0),
        Value::Partial { bits: 4, known: 0x0f }
    );
    assert_eq!(run("93407c20 sxtw x0, w1", &[(1, symbol())]).register(0), symbol());
}

#[test]
fn products_and_rearrangements() {
    assert_eq!(after("9b020c20 madd x0, x1, x2, x3", &[(1, 3), (2, 4), (3, 5)], 0), known(17));
    assert_eq!(after("1b028c20 msub w0, w1, w2, w3", &[(1, 3), (2, 4), (3, 5)], 0), known(0xffff_fff9));
    assert_eq!(after("9b227c20 smull x0, w1, w2", &[(1, 0xffff_ffff), (2, 2)], 0), known(u64::MAX - 1));
    assert_eq!(after("9bc27c20 umulh x0, x1, x2", &[(1, 1 << 63), (2, 4)], 0), known(2));
    assert_eq!(after("9ac20820 udiv x0, x1, x2", &[(1, 7), (2, 2)], 0), known(3));
    assert_eq!(after("1ac20c20 sdiv w0, w1, w2", &[(1, 0xffff_fff9), (2, 2)], 0), known(0xffff_fffd));
    assert_eq!(after("1ac20c20 sdiv w0, w1, w2", &[(1, 0x8000_0000), (2, 0xffff_ffff)], 0), known(0x8000_0000));
    assert_eq!(after("9ac20820 udiv x0, x1, x2", &[(1, 7), (2, 0)], 0), known(0));
    assert_eq!(after("5ac01020 clz w0, w1", &[(1, 1)], 0), known(31));
    assert_eq!(after("5ac01420 cls w0, w1", &[(1, 0xffff_0000)], 0), known(15));
    assert_eq!(after("5ac00020 rbit w0, w1", &[(1, 1)], 0), known(0x8000_0000));
    assert_eq!(after("5ac00820 rev w0, w1", &[(1, 0x1234_5678)], 0), known(0x7856_3412));
    assert_eq!(after("5ac00420 rev16 w0, w1", &[(1, 0x1234_5678)], 0), known(0x3412_7856));
    assert_eq!(after("dac00820 rev32 x0, x1", &[(1, 0x1234_5678_9abc_def0)], 0), known(0x7856_3412_f0de_bc9a));
}

#[test]
fn addresses() {
    assert_eq!(after("d503201f nop; 10ffffe0 adr x0, #-4", &[], 0), known(CODE));
    assert_eq!(after("d503201f nop; 90000080 adrp x0, #65536; 91002000 add x0, x0, #8", &[], 0), known(DATA + 8));
    assert_eq!(after("d53bd040 mrs x0, TPIDR_EL0", &[], 0), known(Space::new(8).thread_pointer()));
    assert_eq!(after("d53bd060 mrs x0, TPIDRRO_EL0", &[], 0), known(Space::new(8).thread_pointer()));
    assert_eq!(after("d53b0020 mrs x0, CTR_EL0", &[(0, 5)], 0), UNKNOWN);
}

#[test]
fn loads_and_stores() {
    let at = |offset: u64| [(1, DATA + offset), (2, 0x8877_6655_4433_2211)];
    assert_eq!(after("f9000422 str x2, [x1, #8]; f9400420 ldr x0, [x1, #8]", &at(0), 0), known(0x8877_6655_4433_2211));
    assert_eq!(after("f9000422 str x2, [x1, #8]; b9400c20 ldr w0, [x1, #12]", &at(0), 0), known(0x8877_6655));
    assert_eq!(after("f9000022 str x2, [x1]; 39401c20 ldrb w0, [x1, #7]", &at(0), 0), known(0x88));
    assert_eq!(after("f9000022 str x2, [x1]; 39c01c20 ldrsb w0, [x1, #7]", &at(0), 0), known(0xffff_ff88));
    assert_eq!(after("f9000022 str x2, [x1]; 39801c20 ldrsb x0, [x1, #7]", &at(0), 0), known(0xffff_ffff_ffff_ff88));
    assert_eq!(after("f9000022 str x2, [x1]; 79400c20 ldrh w0, [x1, #6]", &at(0), 0), known(0x8877));
    assert_eq!(after("f9000022 str x2, [x1]; 79800c20 ldrsh x0, [x1, #6]", &at(0), 0), known(0xffff_ffff_ffff_8877));
    assert_eq!(after("f9000022 str x2, [x1]; b9800420 ldrsw x0, [x1, #4]", &at(0), 0), known(0xffff_ffff_8877_6655));
    assert_eq!(
        after("f81f8022 stur x2, [x1, #-8]; f85f8020 ldur x0, [x1, #-8]", &at(8), 0),
        known(0x8877_6655_4433_2211)
    );
    assert_eq!(
        after("39000022 strb w2, [x1]; 79000422 strh w2, [x1, #2]; b9400020 ldr w0, [x1]", &at(0), 0),
        known(0x2211_0011)
    );
    assert_eq!(after("f900003f str xzr, [x1]; f9400020 ldr x0, [x1]", &at(0), 0), known(0));
    assert_eq!(after("18000040 ldr w0, #8; 00000000 udf #0; 00000007 udf #7", &[], 0), known(7));
    assert_eq!(
        after("98000040 ldrsw x0, #8; 00000000 udf #0; fffffff0 .inst 0xfffffff0", &[], 0),
        known(u64::MAX - 15)
    );
    assert_eq!(run("f9400020 ldr x0, [x1]", &[(1, symbol())]).register(0), Value::Symbol(SymbolId(0), 0));
}

#[test]
fn indexed_addresses() {
    let at = [(1, DATA), (2, 0x77), (3, 2), (4, 0xffff_ffff)];
    assert_eq!(after("f8010c22 str x2, [x1, #16]!", &at, 1), known(DATA + 16));
    assert_eq!(after("f8010c22 str x2, [x1, #16]!; f9400020 ldr x0, [x1]", &at, 0), known(0x77));
    assert_eq!(after("f8010422 str x2, [x1], #16; f85f0c20 ldr x0, [x1, #-16]!", &at, 0), known(0x77));
    assert_eq!(after("f8010422 str x2, [x1], #16", &at, 1), known(DATA + 16));
    assert_eq!(after("f9000822 str x2, [x1, #16]; f8637820 ldr x0, [x1, x3, lsl #3]", &at, 0), known(0x77));
    assert_eq!(
        after(
            "f9000422 str x2, [x1, #8]; \
         91004021 add x1, x1, #16; \
         f864d820 ldr x0, [x1, w4, sxtw #3]",
            &at,
            0
        ),
        known(0x77)
    );
    assert_eq!(after("39000822 strb w2, [x1, #2]; 38634820 ldrb w0, [x1, w3, uxtw]", &at, 0), known(0x77));
    assert_eq!(after("f81f0fe2 str x2, [sp, #-16]!; f84107e0 ldr x0, [sp], #16", &at, 0), known(0x77));
    assert_eq!(
        after("f81f0fe2 str x2, [sp, #-16]!; f84107e0 ldr x0, [sp], #16", &at, SP),
        known(Space::new(8).stack_top())
    );
}

#[test]
fn pairs() {
    let at = [(1, DATA), (2, 0x77), (3, 0x8000_0001)];
    let path = run(
        "a9be7bfd stp x29, x30, [sp, #-32]!; \
         aa1f03fd mov x29, xzr; \
         aa1f03fe mov x30, xzr; \
         a8c27bfd ldp x29, x30, [sp], #32",
        &[(29, known(29)), (30, known(30))],
    );
    assert_eq!((path.register(29), path.register(30)), (known(29), known(30)));
    assert_eq!(path.register(SP), known(Space::new(8).stack_top()));
    assert_eq!(after("29000c22 stp w2, w3, [x1]; f9400020 ldr x0, [x1]", &at, 0), known(0x8000_0001_0000_0077));
    assert_eq!(after("29000c22 stp w2, w3, [x1]; 69400024 ldpsw x4, x0, [x1]", &at, 0), known(0xffff_ffff_8000_0001));
    assert_eq!(after("a8000c22 stnp x2, x3, [x1]; a8400024 ldnp x4, x0, [x1]", &at, 0), known(0x8000_0001));
}

#[test]
fn atomics() {
    let at = [(1, DATA), (2, 5), (3, 9)];
    assert_eq!(after("c89ffc22 stlr x2, [x1]; c8dffc20 ldar x0, [x1]", &at, 0), known(5));
    assert_eq!(after("089ffc22 stlrb w2, [x1]; 38bfc020 ldaprb w0, [x1]", &at, 0), known(5));
    assert_eq!(after("99004022 stlur w2, [x1, #4]; 99404020 ldapur w0, [x1, #4]", &at, 0), known(5));
    let path = run(
        "c85ffc20 ldaxr x0, [x1]; \
         91000400 add x0, x0, #1; \
         c804fc20 stlxr w4, x0, [x1]; \
         35ffffa4 cbnz w4, #-12; \
         f9400025 ldr x5, [x1]",
        &[(1, known(DATA)), (4, UNKNOWN)],
    );
    assert_eq!((path.register(4), path.register(5)), (known(0), known(1)));
    assert_eq!(after("c8200c22 stxp w0, x2, x3, [x1]; c87f1424 ldxp x4, x5, [x1]", &at, 5), known(9));
    assert_eq!(after("b9000022 str w2, [x1]; b8e30020 ldaddal w3, w0, [x1]", &at, 0), known(5));
    assert_eq!(after("b9000022 str w2, [x1]; b8e30020 ldaddal w3, w0, [x1]; f9400020 ldr x0, [x1]", &at, 0), known(14));
    assert_eq!(after("b9000022 str w2, [x1]; 38231020 ldclrb w3, w0, [x1]; f9400020 ldr x0, [x1]", &at, 0), known(4));
    assert_eq!(after("b9000022 str w2, [x1]; b823303f stset w3, [x1]; f9400020 ldr x0, [x1]", &at, 0), known(13));
    assert_eq!(after("b9000022 str w2, [x1]; b8236020 ldumax w3, w0, [x1]; f9400020 ldr x0, [x1]", &at, 0), known(9));
    assert_eq!(after("b9000022 str w2, [x1]; b8e38020 swpal w3, w0, [x1]; f9400024 ldr x4, [x1]", &at, 4), known(9));
    assert_eq!(
        after(
            "b9000022 str w2, [x1]; \
         528000a0 mov w0, #5; \
         88e0fc23 casal w0, w3, [x1]; \
         f9400024 ldr x4, [x1]",
            &at,
            4
        ),
        known(9)
    );
    assert_eq!(after("b9000022 str w2, [x1]; 528000c0 mov w0, #6; 88e0fc23 casal w0, w3, [x1]", &at, 0), known(5));
    assert_eq!(
        after(
            "b9000022 str w2, [x1]; \
         528000c0 mov w0, #6; \
         88e0fc23 casal w0, w3, [x1]; \
         f9400024 ldr x4, [x1]",
            &at,
            4
        ),
        known(5)
    );
    assert_eq!(
        after(
            "a9000c22 stp x2, x3, [x1]; \
         d28000a4 mov x4, #5; \
         d2800125 mov x5, #9; \
         d2800026 mov x6, #1; \
         d2800047 mov x7, #2; \
         48247c26 casp x4, x5, x6, x7, [x1]; \
         f9400420 ldr x0, [x1, #8]",
            &at,
            0
        ),
        known(2)
    );
    assert_eq!(
        after(
            "a9000c22 stp x2, x3, [x1]; \
         d28000a4 mov x4, #5; \
         d2800105 mov x5, #8; \
         48247c26 casp x4, x5, x6, x7, [x1]; \
         aa0503e0 mov x0, x5",
            &at,
            0
        ),
        known(9)
    );
}

#[test]
fn structures_pass_through_vectors() {
    let at = |value| [(1, known(DATA)), (2, known(DATA + 32)), (3, value)];
    let copied = |lines, register| run(lines, &at(symbol())).register(register);
    assert_eq!(
        copied(
            "f9000423 str x3, [x1, #8]; \
         3dc00020 ldr q0, [x1]; \
         3d800040 str q0, [x2]; \
         f9400440 ldr x0, [x2, #8]",
            0
        ),
        symbol()
    );
    assert_eq!(
        copied(
            "f9000c23 str x3, [x1, #24]; \
         ad400420 ldp q0, q1, [x1]; \
         ad000440 stp q0, q1, [x2]; \
         f9400c40 ldr x0, [x2, #24]",
            0
        ),
        symbol()
    );
    assert_eq!(
        copied(
            "f9000023 str x3, [x1]; \
         fc400020 ldur d0, [x1]; \
         6d000040 stp d0, d0, [x2]; \
         f9400440 ldr x0, [x2, #8]",
            0
        ),
        symbol()
    );
    assert_eq!(
        copied(
            "9e670060 fmov d0, x3; \
         4e181c20 mov v0.d[1], x1; \
         3d800040 str q0, [x2]; \
         a9400044 ldp x4, x0, [x2]",
            4
        ),
        symbol()
    );
    assert_eq!(
        copied(
            "9e670020 fmov d0, x1; \
         4e181c60 mov v0.d[1], x3; \
         4ea01c01 mov v1.16b, v0.16b; \
         4e183c20 mov x0, v1.d[1]",
            0
        ),
        symbol()
    );
    assert_eq!(copied("4e080c60 dup v0.2d, x3; 9e660000 fmov x0, d0", 0), symbol());
    assert_eq!(copied("4e080c60 dup v0.2d, x3; 9eae0000 fmov x0, v0.d[1]", 0), symbol());
    assert_eq!(
        copied(
            "9e670020 fmov d0, x1; \
         9e670061 fmov d1, x3; \
         4ec13800 zip1 v0.2d, v0.2d, v1.2d; \
         4e183c00 mov x0, v0.d[1]",
            0
        ),
        symbol()
    );
    assert_eq!(
        copied(
            "9e670020 fmov d0, x1; \
         9e670061 fmov d1, x3; \
         6e180420 mov v0.d[1], v1.d[0]; \
         6e004000 ext v0.16b, v0.16b, v0.16b, #8; \
         9e660000 fmov x0, d0",
            0
        ),
        symbol()
    );
    assert_eq!(
        copied(
            "9e670061 fmov d1, x3; \
         0d9f8441 st1 {v1.d}[0], [x2], #8; \
         f85f8040 ldr x0, [x2, #-8]",
            0
        ),
        symbol()
    );
    assert_eq!(
        copied(
            "f9000c23 str x3, [x1, #24]; \
         4cdfa022 ld1 {v2.16b, v3.16b}, [x1], #32; \
         4e183c60 mov x0, v3.d[1]",
            0
        ),
        symbol()
    );
    assert_eq!(
        copied(
            "f9000023 str x3, [x1]; \
         4d40cc22 ld1r {v2.2d}, [x1]; \
         4c007c42 st1 {v2.2d}, [x2]; \
         f9400440 ldr x0, [x2, #8]",
            0
        ),
        symbol()
    );
    // The upper half is cleared by writing the lower.
    assert_eq!(copied("4e080c60 dup v0.2d, x3; 9e670060 fmov d0, x3; 4e183c00 mov x0, v0.d[1]", 0), known(0));
    // An id in 4 bytes beside padding that is not known.
    let path = run(
        "f9000023 str x3, [x1]; \
         52800084 mov w4, #4; \
         b9000024 str w4, [x1]; \
         3dc00020 ldr q0, [x1]; \
         3d800040 str q0, [x2]; \
         b9400040 ldr w0, [x2]",
        &at(UNKNOWN),
    );
    assert_eq!(path.register(0), known(4));
}

#[test]
fn vector_elements() {
    let at = [(1, DATA), (2, 0x8877_6655_4433_2211)];
    assert_eq!(
        after("6f00e400 movi v0.2d, #0; 3d800020 str q0, [x1]; f9400420 ldr x0, [x1, #8]", &[(1, DATA)], 0),
        known(0)
    );
    assert_eq!(after("4f000420 movi v0.4s, #1; 9e660000 fmov x0, d0", &at, 0), known(0x1_0000_0001));
    assert_eq!(after("4f00c420 movi v0.4s, #1, msl #8; 9e660000 fmov x0, d0", &at, 0), known(0x1ff_0000_01ff));
    assert_eq!(after("6f000400 mvni v0.4s, #0; 4e183c00 mov x0, v0.d[1]", &at, 0), known(u64::MAX));
    assert_eq!(after("0f00e460 movi v0.8b, #3; 4e183c00 mov x0, v0.d[1]", &at, 0), known(0));
    assert_eq!(after("6f05e540 movi v0.2d, #0xff00ff00ff00ff00; 1e260000 fmov w0, s0", &at, 0), known(0xff00_ff00));
    assert_eq!(after("9e670040 fmov d0, x2; 0e073c00 umov w0, v0.b[3]", &at, 0), known(0x44));
    assert_eq!(after("9e670040 fmov d0, x2; 0e0c3c00 mov w0, v0.s[1]", &at, 0), known(0x8877_6655));
    assert_eq!(after("9e670040 fmov d0, x2; 4e0c2c00 smov x0, v0.s[1]", &at, 0), known(0xffff_ffff_8877_6655));
    assert_eq!(
        after("6f00e400 movi v0.2d, #0; 4e1c1c40 mov v0.s[3], w2; 4e183c00 mov x0, v0.d[1]", &at, 0),
        known(0x4433_2211_0000_0000)
    );
    assert_eq!(after("4e020c40 dup v0.8h, w2; 4e183c00 mov x0, v0.d[1]", &at, 0), known(0x2211_2211_2211_2211));
    assert_eq!(
        after("9e670040 fmov d0, x2; 4e0c0401 dup v1.4s, v0.s[1]; 4e183c20 mov x0, v1.d[1]", &at, 0),
        known(0x8877_6655_8877_6655)
    );
    assert_eq!(
        after(
            "9e670040 fmov d0, x2; \
         5e080401 mov d1, v0.d[0]; \
         6e201c00 eor v0.16b, v0.16b, v0.16b; \
         4ea11c00 orr v0.16b, v0.16b, v1.16b; \
         9e660000 fmov x0, d0",
            &at,
            0
        ),
        known(0x8877_6655_4433_2211)
    );
    assert_eq!(after("9e670040 fmov d0, x2; 4ee08400 add v0.2d, v0.2d, v0.2d; 9e660000 fmov x0, d0", &at, 0), UNKNOWN);
}

/// Whether a conditional branch behind the code is taken.
fn taken(lines: &str, registers: &[(usize, u64)]) -> bool {
    after(lines, registers, 0) == known(1)
}

#[test]
fn conditions() {
    let compare = |a: u64, b: u64| [(1, a), (2, b)];
    assert!(taken("eb02003f cmp x1, x2; 1a9f17e0 cset w0, eq", &compare(3, 3)));
    assert!(taken("6b02003f cmp w1, w2; 1a9f17e0 cset w0, eq", &compare(3, 0x1_0000_0003)));
    assert!(taken("eb02003f cmp x1, x2; 1a9f27e0 cset w0, lo", &compare(3, u64::MAX)));
    assert!(taken("eb02003f cmp x1, x2; 1a9fd7e0 cset w0, gt", &compare(3, u64::MAX)));
    assert!(taken("eb02003f cmp x1, x2; 1a9f37e0 cset w0, hs", &compare(3, 3)));
    assert!(!taken("eb02003f cmp x1, x2; 1a9f97e0 cset w0, hi", &compare(3, 3)));
    assert!(taken("eb02003f cmp x1, x2; 1a9f87e0 cset w0, ls", &compare(3, 3)));
    assert!(taken("eb02003f cmp x1, x2; 1a9f57e0 cset w0, mi", &compare(2, 3)));
    assert!(taken("eb02003f cmp x1, x2; 1a9fc7e0 cset w0, le", &compare(u64::MAX, 3)));
    assert!(taken("eb02003f cmp x1, x2; 1a9fb7e0 cset w0, ge", &compare(3, 3)));
    assert!(taken("eb22003f cmp x1, w2, uxtb; 1a9f17e0 cset w0, eq", &compare(3, 0x103)));
    // -1 tested by adding 1.
    assert!(taken("3100043f cmn w1, #1; 1a9f17e0 cset w0, eq", &compare(0xffff_ffff, 0)));
    assert!(taken("3100043f cmn w1, #1; 1a9f37e0 cset w0, hs", &compare(0xffff_ffff, 0)));
    assert!(!taken("b100003f cmn x1, #0; 1a9f37e0 cset w0, hs", &compare(3, 0)));
    assert!(taken("2b020023 adds w3, w1, w2; 1a9f77e0 cset w0, vs", &compare(0x7fff_ffff, 1)));
    assert!(taken("721f003f tst w1, #2; 1a9f07e0 cset w0, ne", &compare(3, 0)));
    assert!(taken("6a01003f tst w1, w1; 1a9f87e0 cset w0, ls", &compare(0, 0)));
    assert!(!taken("6a01003f tst w1, w1; 1a9f97e0 cset w0, hi", &compare(3, 0)));
    assert!(taken("ea020023 ands x3, x1, x2; 1a9f57e0 cset w0, mi", &compare(1 << 63, u64::MAX)));
    assert!(taken("6a22003f bics wzr, w1, w2; 1a9f17e0 cset w0, eq", &compare(1, 3)));
    assert!(taken("eb02003f cmp x1, x2; fa01005f sbcs xzr, x2, x1; 1a9f27e0 cset w0, lo", &compare(5, 3)));
    assert_eq!(after("eb02003f cmp x1, x2; da9f03e0 csetm x0, ne", &compare(1, 2), 0), known(u64::MAX));
    assert_eq!(after("eb02003f cmp x1, x2; 9a82b020 csel x0, x1, x2, lt", &compare(1, 2), 0), known(1));
    assert_eq!(after("eb02003f cmp x1, x2; 5a820020 csinv w0, w1, w2, eq", &compare(1, 2), 0), known(0xffff_fffd));
    assert_eq!(after("eb02003f cmp x1, x2; da820420 csneg x0, x1, x2, eq", &compare(1, 2), 0), known(u64::MAX - 1));
    assert_eq!(after("eb02003f cmp x1, x2; 9a820420 csinc x0, x1, x2, eq", &compare(1, 2), 0), known(3));
    // A comparison that is made only if the one before held.
    assert!(taken("f100043f cmp x1, #1; fa420840 ccmp x2, #2, #0, eq; 1a9f17e0 cset w0, eq", &compare(1, 2)));
    assert!(!taken("f100043f cmp x1, #1; fa420840 ccmp x2, #2, #0, eq; 1a9f17e0 cset w0, eq", &compare(0, 2)));
    assert!(taken("f100043f cmp x1, #1; fa421844 ccmp x2, #2, #4, ne; 1a9f17e0 cset w0, eq", &compare(1, 3)));
    assert!(taken("f100043f cmp x1, #1; 3a410844 ccmn w2, #1, #4, eq; 1a9f17e0 cset w0, eq", &compare(1, 0xffff_ffff)));
}

#[test]
fn branches() {
    let skipped = |lines: &str, value: u64| after(lines, &[(0, 0), (1, value)], 0) == known(0);
    assert!(skipped("b4000041 cbz x1, #8; d2800020 mov x0, #1", 0));
    assert!(!skipped("35000041 cbnz w1, #8; d2800020 mov x0, #1", 1 << 32));
    assert!(skipped("36000041 tbz w1, #0, #8; d2800020 mov x0, #1", 2));
    assert!(skipped("b7400041 tbnz x1, #40, #8; d2800020 mov x0, #1", 1 << 40));
    assert!(skipped("f100003f cmp x1, #0; 54000040 b.eq #8; d2800020 mov x0, #1", 0));
    assert!(skipped("14000002 b #8; d2800020 mov x0, #1", 0));
    assert!(skipped(
        "d503201f nop; \
         d503233f paciasp; \
         d503245f bti c; \
         d50323bf autiasp; \
         d50320ff xpaclri; \
         d5033bbf dmb ish; \
         d5033fdf isb; \
         f9800020 prfm pldl1keep, [x1]; \
         d5033f5f clrex; \
         d51b4401 msr FPCR, x1",
        0
    ));
}

fn ends(lines: &str, registers: &[(usize, Value)]) -> Step {
    let code = assemble(lines);
    let image = image(Format::Elf, &code, &[], &[], &[]);
    let set = |_: &mut Engine<'_, '_>, path: &mut Path| {
        for (register, value) in registers {
            path.set_register(*register, *value);
        }
    };
    run_with(&image, set).1
}

#[test]
fn calls_and_returns() {
    let call = |lines: &str| ends(lines, &[(8, known(0x5000)), (30, known(0x6000))]);
    assert!(
        matches!(call("94000010 bl #64"), Step::Call { target: Value::Known(target), return_to } if target == CODE + 64 && return_to == CODE + 4)
    );
    for lines in ["d63f0100 blr x8", "d63f091f blraaz x8", "d73f0d09 blrab x8, x9"] {
        assert!(matches!(call(lines), Step::Call { target: Value::Known(0x5000), .. }));
    }
    for lines in ["d65f03c0 ret", "d65f0bff retaa", "d65f0fff retab"] {
        assert!(matches!(call(lines), Step::Return { to: Value::Known(0x6000) }));
    }
    assert!(matches!(call("d65f0100 ret x8"), Step::Return { to: Value::Known(0x5000) }));
    for lines in ["d4200020 brk #1", "00000000 udf #0", "d4000001 svc #0", "d4400000 hlt #0"] {
        assert!(matches!(call(lines), Step::Stop));
    }
    assert!(matches!(ends("d61f0100 br x8", &[(8, symbol())]), Step::Jump(Value::Symbol(..))));
    assert!(matches!(ends("d71f0909 braa x8, x9", &[(8, symbol())]), Step::Jump(Value::Symbol(..))));
}

#[test]
fn tests_of_unknown_quantities() {
    let test = |lines: &str| match ends(lines, &[(0, symbol()), (1, symbol()), (2, UNKNOWN)]) {
        Step::Branch { condition: Condition::Compare { test, b, width, negated, .. }, .. } => (test, b, width, negated),
        other => panic!("{other:?}"),
    };
    assert_eq!(test("35000040 cbnz w0, #8"), (Test::Equal, Value::ZERO, 4, true));
    assert_eq!(test("37f80040 tbnz w0, #31, #8"), (Test::Less, Value::ZERO, 4, false));
    assert_eq!(test("b6f80040 tbz x0, #63, #8"), (Test::Less, Value::ZERO, 8, true));
    assert_eq!(test("3100041f cmn w0, #1; 54000040 b.eq #8"), (Test::Equal, known(0xffff_ffff), 4, false));
    assert_eq!(test("6a00001f tst w0, w0; 54000044 b.mi #8"), (Test::Less, Value::ZERO, 4, false));
    // Comparing on condition: both sides of the condition are followed.
    assert_eq!(
        test("f100001f cmp x0, #0; 7a401844 ccmp w2, #0, #4, ne; 54000040 b.eq #8"),
        (Test::Equal, Value::ZERO, 8, true)
    );
    assert!(matches!(ends("36000042 tbz w2, #0, #8", &[]), Step::Branch { condition: Condition::Unknown, .. }));
    let choice = |lines: &str| match ends(lines, &[(0, symbol()), (19, known(5)), (2, UNKNOWN)]) {
        Step::Select { register, holds, fails, .. } => (register, holds, fails),
        other => panic!("{other:?}"),
    };
    assert_eq!(choice("7100001f cmp w0, #0; 9a9f0260 csel x0, x19, xzr, eq"), (0, known(5), known(0)));
    assert_eq!(choice("7100001f cmp w0, #0; 1a9f17e1 cset w1, eq"), (1, known(0), known(1)));
    assert_eq!(choice("131f7c01 asr w1, w0, #31"), (1, known(0xffff_ffff), known(0)));
    assert_eq!(choice("d37ffc01 lsr x1, x0, #63"), (1, known(1), known(0)));
    assert_eq!(
        run("f100005f cmp x2, #0; 1a9f17e0 cset w0, eq", &[(0, known(5)), (2, UNKNOWN)]).register(0).known(),
        None
    );
}

#[test]
fn what_is_not_modelled_is_not_known() {
    let path = run(
        "9ac24c20 crc32x w0, w1, x2; \
         9ac23023 pacga x3, x1, x2; \
         9e780004 fcvtzs x4, d0; \
         0420e3e5 cntb x5",
        &[0, 1, 2, 3, 4, 5, 6].map(|register| (register, known(9))),
    );
    for register in [0, 3, 4, 5] {
        assert_eq!(path.register(register).known(), None);
    }
    assert_eq!((path.register(1), path.register(6)), (known(9), known(9)));
    // Stores change memory, and base registers, all the same.
    let path = run(
        "f9000022 str x2, [x1]; \
         4c9f8c20 st2 {v0.2d, v1.2d}, [x1], #32; \
         f85e0020 ldr x0, [x1, #-32]",
        &[(1, known(DATA)), (2, known(9))],
    );
    assert_eq!((path.register(0).known(), path.register(1)), (None, known(DATA + 32)));
    let path = run("4cc28c20 ld2 {v0.2d, v1.2d}, [x1], x2; 9e660020 fmov x0, d1", &[(1, known(DATA)), (2, known(32))]);
    assert_eq!((path.register(0), path.register(1)), (UNKNOWN, known(DATA + 32)));
    let path = run("eb01003f cmp x1, x1; 1e612000 fcmp d0, d1; 1a9f17e0 cset w0, eq", &[(1, known(1))]);
    assert_eq!(path.register(0).known(), None);
}

#[test]
fn thread_local_variables_of_elf() {
    let code = assemble(
        "90000080 adrp x0, #65536; \
         f9400801 ldr x1, [x0, #16]; \
         91004000 add x0, x0, #16; \
         d63f0020 blr x1; \
         d53bd042 mrs x2, TPIDR_EL0; \
         f8606843 ldr x3, [x2, x0]",
    );
    let data = 0x77u64.to_le_bytes();
    let mut block = [0u8; 32];
    block[8..16].copy_from_slice(&data);
    // The descriptor at 16 is of the variable at offset 8.
    let image = image(Format::Elf, &code, &block, &[(DATA + 16, Cell::ThreadDescriptor(8))], &[]);
    let (path, end) = run_with(&image, |_, _| {});
    assert!(matches!(end, Step::Stop), "{end:?}");
    assert_eq!(path.register(3), known(0x77));
}

#[test]
fn windows_threads_and_stack_probes() {
    let code = assemble(
        "f9402e48 ldr x8, [x18, #0x58]; \
         d280004f mov x15, #2; \
         94000010 bl #64; \
         cb2f73ff sub sp, sp, x15, uxtx #4",
    );
    let image = image(Format::Pe, &code, &[], &[], &[]);
    let (path, end) = run_with(&image, |_, path| path.set_register(PLATFORM, UNKNOWN));
    assert!(matches!(end, Step::Stop), "{end:?}");
    assert!(path.register(8).known().is_some());
    assert_eq!(path.register(SP), known(Space::new(8).stack_top() - 32));
}

/// Where the last of the instructions goes.
fn flow(lines: &str, cells: &[(u64, Cell)]) -> Flow {
    let code = assemble(lines);
    let image = image(Format::Elf, &code, &[], cells, &["PyModuleDef_Init"]);
    let mut pages = Pages::default();
    let mut at = CODE;
    let mut last = Flow::Stop;
    while at < CODE + code.len() as u64 {
        let scanned = scan(&image, at, &mut pages).unwrap();
        last = scanned.flow;
        at = scanned.next;
    }
    last
}

#[test]
fn summaries_see_through_stubs() {
    let through = Target::Through(DATA + 16);
    // ELF, Mach-O and Windows.
    assert_eq!(
        flow(
            "d503245f bti c; \
         90000090 adrp x16, #65536; \
         f9400a11 ldr x17, [x16, #16]; \
         91004210 add x16, x16, #16; \
         d61f0220 br x17",
            &[]
        ),
        Flow::Jump(through)
    );
    assert_eq!(
        flow("90000090 adrp x16, #65536; f9400a10 ldr x16, [x16, #16]; d61f0200 br x16", &[]),
        Flow::Jump(through)
    );
    assert_eq!(
        flow(
            "90000091 adrp x17, #65536; \
         91004231 add x17, x17, #16; \
         f9400230 ldr x16, [x17]; \
         d71f0a11 braa x16, x17",
            &[]
        ),
        Flow::Jump(through)
    );
    assert_eq!(flow("90000088 adrp x8, #65536; f9400908 ldr x8, [x8, #16]; d63f0100 blr x8", &[]), Flow::Call(through));
    assert_eq!(
        flow(
            "90000093 adrp x19, #65536; \
         94000010 bl #64; \
         f9400a68 ldr x8, [x19, #16]; \
         aa0803e0 mov x0, x8; \
         d63f0000 blr x0",
            &[]
        ),
        Flow::Call(through)
    );
    // Callees may change the registers that belong to them.
    assert_eq!(
        flow(
            "90000088 adrp x8, #65536; \
         94000010 bl #64; \
         f9400908 ldr x8, [x8, #16]; \
         d63f0100 blr x8",
            &[]
        ),
        Flow::Call(Target::Unknown)
    );
    // A pointer to the file's own memory, which holds another.
    let cells = [(DATA + 16, Cell::Address(DATA + 32))];
    assert_eq!(
        flow(
            "90000088 adrp x8, #65536; \
         f9400908 ldr x8, [x8, #16]; \
         f9400509 ldr x9, [x8, #8]; \
         d63f0120 blr x9",
            &cells
        ),
        Flow::Call(Target::Through(DATA + 40))
    );
    assert_eq!(flow("10000208 adr x8, #64; d61f0100 br x8", &[]), Flow::Jump(Target::Address(CODE + 64)));
    assert_eq!(flow("94000010 bl #64", &[]), Flow::Call(Target::Address(CODE + 64)));
    assert_eq!(flow("54000201 b.ne #64", &[]), Flow::Branch(CODE + 64));
    assert_eq!(flow("36000200 tbz w0, #0, #64", &[]), Flow::Branch(CODE + 64));
    assert_eq!(flow("5400020e b.al #64", &[]), Flow::Jump(Target::Address(CODE + 64)));
    assert_eq!(flow("d4200020 brk #1", &[]), Flow::Stop);
    assert_eq!(flow("d65f0bff retaa", &[]), Flow::Return);
    // Exclusive stores succeed, so there is no loop.
    assert_eq!(flow("c808fc20 stlxr w8, x0, [x1]; 35ffffe8 cbnz w8, #-4", &[]), Flow::Next);
    assert_eq!(
        flow("c808fc20 stlxr w8, x0, [x1]; 2a0903e8 mov w8, w9; 35ffffc8 cbnz w8, #-8", &[]),
        Flow::Branch(CODE)
    );
}

#[test]
fn summaries_see_addresses() {
    let mentioned = |lines: &str| {
        let code = assemble(lines);
        let image = image(Format::Elf, &code, &[], &[], &[]);
        let mut pages = Pages::default();
        let places =
            (0..code.len() as u64).step_by(4).map(|offset| scan(&image, CODE + offset, &mut pages).unwrap().mentions);
        places.collect::<Vec<_>>()
    };
    assert_eq!(
        mentioned("90000080 adrp x0, #65536; 91004000 add x0, x0, #16; 91002000 add x0, x0, #8"),
        [None, Some(DATA + 16), Some(DATA + 24)]
    );
    assert_eq!(mentioned("90000088 adrp x8, #65536; 39000d00 strb w0, [x8, #3]"), [None, Some(DATA + 3)]);
    assert_eq!(
        mentioned("90000088 adrp x8, #65536; a9810500 stp x0, x1, [x8, #16]!; f9000100 str x0, [x8]"),
        [None, Some(DATA + 16), None]
    );
    assert_eq!(mentioned("58000800 ldr x0, #0x100"), [Some(CODE + 0x100)]);
}

/// A definition with one slot array, laid out by hand: the name at 0, the definition at 16.
fn definition() -> (Vec<u8>, Vec<(u64, Cell)>) {
    let mut data = vec![0u8; 0x200];
    data[..2].copy_from_slice(b"m\0");
    // ob_ref_local of an immortal object.
    data[16 + 12..16 + 16].fill(0xff);
    let slots = vec![(DATA + 16 + 32 + 24, Cell::Address(DATA)), (DATA + 16 + 32 + 56, Cell::Address(DATA + 0x100))];
    (data, slots)
}

#[test]
fn a_section_anchor_leads_to_the_definition() {
    let code = assemble(
        "d503245f bti c; \
         90000080 adrp x0, #65536; \
         91002000 add x0, x0, #8; \
         91002000 add x0, x0, #8; \
         14000001 b #4; \
         90000090 adrp x16, #65536; \
         f940fa11 ldr x17, [x16, #0x1f0]; \
         9107c210 add x16, x16, #0x1f0; \
         d61f0220 br x17",
    );
    let (mut data, mut cells) = definition();
    data[0x100] = 4;
    data[0x108] = 1;
    cells.push((DATA + 0x1f0, Cell::Import(0, 0)));
    cells.sort_by_key(|cell| cell.0);
    let image = image(Format::Elf, &code, &data, &cells, &["PyModuleDef_Init"]);
    declares_gil_not_used(&image);
}

#[test]
fn slots_assembled_on_the_stack_and_copied() {
    let code = assemble(
        "a9bc7bfd stp x29, x30, [sp, #-64]!; \
         910003fd mov x29, sp; \
         52800088 mov w8, #4; \
         52800029 mov w9, #1; \
         b90013e8 str w8, [sp, #16]; \
         f9000fe9 str x9, [sp, #24]; \
         9000008a adrp x10, #65536; \
         9104014a add x10, x10, #0x100; \
         3dc007e0 ldr q0, [sp, #16]; \
         6f00e401 movi v1.2d, #0; \
         ad000540 stp q0, q1, [x10]; \
         90000088 adrp x8, #65536; \
         f940f908 ldr x8, [x8, #0x1f0]; \
         d103c140 add x0, x10, #-240; \
         d63f0100 blr x8; \
         a8c47bfd ldp x29, x30, [sp], #64; \
         d65f03c0 ret",
    );
    let (data, mut cells) = definition();
    cells.push((DATA + 0x1f0, Cell::Import(0, 0)));
    cells.sort_by_key(|cell| cell.0);
    let image = image(Format::MachO, &code, &data, &cells, &["PyModuleDef_Init"]);
    declares_gil_not_used(&image);
}

fn declares_gil_not_used(image: &Image<'_>) {
    let mut budget = crate::code::Budget { instructions: 1_000, paths: 10, memory: 1_000 };
    let (result, _) = run_function(image, HookKind::Init, CODE, Version::V3_14, &mut budget);
    let InitResult::MultiPhase(definition) = result else { panic!("{result:?}") };
    assert_eq!(definition.layout, Some(Layout::FreeThreaded));
    let Slots::Array(slots) = definition.slots else { panic!("{:?}", definition.slots) };
    assert_eq!(slots.len(), 2);
    assert_eq!((slots[0].id, &slots[0].value), (4, &SlotValue::Number(1)));
}

#[test]
fn results_on_the_stack_of_callees_that_are_passed_over() {
    // The callee is given where to put a structure, and is not followed because it loops.
    let code = assemble(
        "d10083ff sub sp, sp, #32; \
         f90007ff str xzr, [sp, #8]; \
         910023e8 add x8, sp, #8; \
         94000003 bl #12; \
         f94007e0 ldr x0, [sp, #8]; \
         d65f03c0 ret; \
         d1000529 sub x9, x9, #1; \
         b5ffffe9 cbnz x9, #-4; \
         d65f03c0 ret",
    );
    let image = image(Format::Elf, &code, &[], &[], &[]);
    let mut engine = Engine::reader(&image, Version::V3_14);
    engine.convention = crate::code::Convention::Arm64;
    engine.budget = crate::code::Budget { instructions: 100, paths: 10, memory: 100 };
    let mut path = Path::new(CODE);
    engine.start(&mut path);
    let done = engine.follow(path, &mut Vec::new()).unwrap();
    assert_eq!(done.register(0).known(), None);
}

#[test]
fn any_word_is_decoded_or_refused() {
    // Words all over the encoding space, executed on a path that knows nothing or knows addresses, and scanned.
    let mut pages = Pages::default();
    let mut invalid = 0u64;
    let mut path = Path::new(CODE);
    for word in (0..=u32::MAX).step_by(10_007) {
        let code = word.to_le_bytes();
        let one = image(Format::Elf, &code, &[], &[], &[]);
        let Some(decoded) = decode_word(code) else {
            invalid += 1;
            continue;
        };
        if let Decoded::Instruction(instruction) = decoded {
            assert_ne!(instruction.opcode, Opcode::Invalid);
        }
        let mut engine = Engine::reader(&one, Version::V3_14);
        engine.convention = crate::code::Convention::Arm64;
        path.pc = CODE;
        path.memory = crate::code::path::Path::new(CODE).memory;
        for register in 0..32 {
            path.set_register(
                register,
                if word & 1 == 0 { engine.symbol(Origin::Contents) } else { Value::Known(u64::MAX - 3) },
            );
        }
        step(&mut engine, &mut path);
        scan(&one, CODE, &mut pages);
    }
    assert!(invalid > 0);
}
