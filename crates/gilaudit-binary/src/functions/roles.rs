//! What a slot of a type is for, and what its function is given.

use gilaudit_model::flow::{Parameter, Role};

use Parameter::{Argument, ArgumentArray, Arguments, Itself, KeywordNames, Keywords, Other, Type};

/// What the functions of a slot are: its name in `PyTypeObject`, what it is for, its arguments.
pub(super) type Slot = (&'static str, Role, &'static [Parameter]);

/// Ids of slots that do not hold functions of the type itself: `tp_methods`, `tp_members`, `tp_getset`.
pub(super) const TP_METHODS: u32 = 64;
pub(super) const TP_GETSET: u32 = 73;

const UNARY: &[Parameter] = &[Itself];
const ITEM: &[Parameter] = &[Itself, Argument, Argument];
const BINARY: &[Parameter] = &[Argument, Argument, Argument];
const INDEX: &[Parameter] = &[Itself, Other, Argument];

/// The slot with this id. CPython 3.13 to 3.15, `Include/typeslots.h`.
pub(super) fn slot(id: u32) -> Option<Slot> {
    Some(match id {
        1 => ("bf_getbuffer", Role::Buffer, &[Itself, Other, Other]),
        2 => ("bf_releasebuffer", Role::Buffer, &[Itself, Other]),
        3 => ("mp_ass_subscript", Role::Python, ITEM),
        4 => ("mp_length", Role::Python, UNARY),
        5 => ("mp_subscript", Role::Python, ITEM),
        6 => ("nb_absolute", Role::Python, UNARY),
        7 => ("nb_add", Role::Python, BINARY),
        8 => ("nb_and", Role::Python, BINARY),
        9 => ("nb_bool", Role::Python, UNARY),
        10 => ("nb_divmod", Role::Python, BINARY),
        11 => ("nb_float", Role::Python, UNARY),
        12 => ("nb_floor_divide", Role::Python, BINARY),
        13 => ("nb_index", Role::Python, UNARY),
        26 => ("nb_int", Role::Python, UNARY),
        27 => ("nb_invert", Role::Python, UNARY),
        30 => ("nb_negative", Role::Python, UNARY),
        32 => ("nb_positive", Role::Python, UNARY),
        14..=25 | 28 | 29 | 31 | 33..=38 | 75 | 76 => ("number slot", Role::Python, BINARY),
        39 => ("sq_ass_item", Role::Python, INDEX),
        40 => ("sq_concat", Role::Python, ITEM),
        41 => ("sq_contains", Role::Python, ITEM),
        42 => ("sq_inplace_concat", Role::Python, ITEM),
        43 => ("sq_inplace_repeat", Role::Python, INDEX),
        44 => ("sq_item", Role::Python, INDEX),
        45 => ("sq_length", Role::Python, UNARY),
        46 => ("sq_repeat", Role::Python, INDEX),
        47 => ("tp_alloc", Role::LifeCycle, &[Type, Other]),
        50 => ("tp_call", Role::Python, &[Itself, Arguments, Keywords]),
        51 => ("tp_clear", Role::LifeCycle, UNARY),
        52 => ("tp_dealloc", Role::LifeCycle, UNARY),
        53 => ("tp_del", Role::LifeCycle, UNARY),
        54 => ("tp_descr_get", Role::Python, ITEM),
        55 => ("tp_descr_set", Role::Python, ITEM),
        57 => ("tp_getattr", Role::Python, &[Itself, Other]),
        58 => ("tp_getattro", Role::Python, ITEM),
        59 => ("tp_hash", Role::Python, UNARY),
        60 => ("tp_init", Role::LifeCycle, &[Itself, Arguments, Keywords]),
        61 => ("tp_is_gc", Role::LifeCycle, UNARY),
        62 => ("tp_iter", Role::Python, UNARY),
        63 => ("tp_iternext", Role::Python, UNARY),
        65 => ("tp_new", Role::LifeCycle, &[Type, Arguments, Keywords]),
        66 => ("tp_repr", Role::Python, UNARY),
        67 => ("tp_richcompare", Role::Python, &[Itself, Argument, Other]),
        68 => ("tp_setattr", Role::Python, &[Itself, Other, Argument]),
        69 => ("tp_setattro", Role::Python, ITEM),
        70 => ("tp_str", Role::Python, UNARY),
        71 => ("tp_traverse", Role::LifeCycle, &[Itself, Other, Other]),
        74 => ("tp_free", Role::LifeCycle, &[Other]),
        77 => ("am_await", Role::Python, UNARY),
        78 => ("am_aiter", Role::Python, UNARY),
        79 => ("am_anext", Role::Python, UNARY),
        80 => ("tp_finalize", Role::LifeCycle, UNARY),
        81 => ("am_send", Role::Python, &[Itself, Argument, Other]),
        82 => ("tp_vectorcall", Role::LifeCycle, &[Type, ArgumentArray, Other, KeywordNames]),
        _ => return None,
    })
}

/// The members of `PyTypeObject` behind `tp_name`, by their number of words from it, that are slots: the slot's id.
/// CPython 3.13 to 3.15, `Include/cpython/object.h`, `struct _typeobject`.
pub(super) const STATIC_TYPE: [(u64, u32); 24] = [
    (3, 52),
    (5, 57),
    (6, 68),
    (8, 66),
    (12, 59),
    (13, 50),
    (14, 70),
    (15, 58),
    (16, 69),
    (20, 71),
    (21, 51),
    (22, 67),
    (24, 62),
    (25, 63),
    (26, TP_METHODS),
    (28, TP_GETSET),
    (31, 54),
    (32, 55),
    (34, 60),
    (35, 47),
    (36, 65),
    (37, 74),
    (38, 61),
    (46, 80),
];

/// Members of `PyTypeObject` that point at more slots, by words from `tp_name`: where they are, and the ids in their order (0: none).
/// `Include/cpython/object.h`: `PyNumberMethods`, `PySequenceMethods`, `PyMappingMethods`, `PyAsyncMethods`, `PyBufferProcs`.
pub(super) const SUITES: [(u64, &[u32]); 5] = [
    (7, &[77, 78, 79, 81]),
    (
        9,
        &[
            7, 36, 29, 34, 10, 33, 30, 32, 6, 9, 27, 28, 35, 8, 38, 31, 26, 0, 11, 14, 23, 18, 21, 20, 17, 22, 15, 25,
            19, 12, 37, 16, 24, 13, 75, 76,
        ],
    ),
    (10, &[45, 40, 46, 44, 0, 39, 0, 41, 42, 43]),
    (11, &[4, 5, 3]),
    (17, &[1, 2]),
];

/// What a method is given, by its flags. CPython 3.13 to 3.15, `Include/methodobject.h`, `METH_*`; `None` for flags that no method has.
pub(super) fn method(flags: u32) -> Option<&'static [Parameter]> {
    // METH_VARARGS, METH_KEYWORDS, METH_NOARGS, METH_O, METH_FASTCALL, METH_METHOD; the others do not change what is given.
    const OTHERS: u32 = 0x10 | 0x20 | 0x40;
    Some(match flags & !OTHERS {
        0x1 => &[Itself, Arguments],
        0x3 => &[Itself, Arguments, Keywords],
        0x4 => &[Itself, Other],
        0x8 => &[Itself, Argument],
        0x80 => &[Itself, ArgumentArray, Other],
        0x82 => &[Itself, ArgumentArray, Other, KeywordNames],
        0x282 => &[Itself, Type, ArgumentArray, Other, KeywordNames],
        _ => return None,
    })
}

/// What the functions of a `PyGetSetDef` are given.
pub(super) const GETTER: &[Parameter] = &[Itself, Other];
pub(super) const SETTER: &[Parameter] = &[Itself, Argument, Other];
