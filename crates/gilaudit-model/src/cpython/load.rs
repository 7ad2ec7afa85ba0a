//! From the facts of a file to what one target makes of it.

use super::slots::{GIL_NOT_USED, GIL_USED, SlotError, SlotsRead, check_abi, read_definition, read_export};
use crate::{
    BinaryFacts, BuiltFor, Declaration, Definition, Delegate, Evidence, ExportSlots, FailureKind, Format, Framework,
    GilCall, Hook, HookKind, ImportFailure, Init, InitResult, Layout, Loading, MadeBy, Mechanism, Place, Reason, Site,
    Slot, SlotSource, SlotValue, Slots, Status, Target, Version,
};

/// What `target` makes of the module `name` (dotted; only its last component matters to the file) in this file.
///
/// `None` when the file has no init function for its name: it is a shared library, not an extension.
pub fn load(facts: &BinaryFacts, name: &str, target: &Target) -> Option<Loading> {
    let short = name.rsplit('.').next().unwrap_or(name);
    // CPython 3.15.0rc2, Python/importdl.c, _PyImport_GetModuleExportHooks: PyModExport first; before 3.15 only PyInit.
    let called = |hook: &&Hook| hook.kind == HookKind::Init || target.version >= Version::V3_15;
    let Some(hook) = facts.hooks.iter().filter(called).min_by_key(|hook| hook.kind) else {
        let hook = facts.hooks.first()?;
        let wanted = hook.symbol.replacen("PyModExport", "PyInit", 1);
        return Some(Loading {
            hook: hook.symbol.clone(),
            init: Init::Unknown,
            declaration: Declaration::unknown(Reason::HookNotCalled { target: *target, hook: hook.symbol.clone() }),
            failure: Some(ImportFailure {
                kind: FailureKind::NoHook,
                error: format!("ImportError: dynamic module does not define module export function ({wanted})"),
            }),
        });
    };
    let run = hook.runs.iter().find(|run| run.versions.contains(target.version));
    let mut loading = match run.map(|run| &run.result) {
        Some(InitResult::MultiPhase(definition)) => multi_phase(definition, short, target),
        Some(InitResult::SinglePhase { definition, gil, created }) => {
            single_phase(definition, gil.as_ref(), created, short, target)
        }
        Some(InitResult::Export(slots)) => export(slots, short, target),
        Some(InitResult::Delegated(to)) => {
            let mut declaration = Declaration::unknown(Reason::HandedOn(to.clone()));
            declaration.delegated_to = Some(to.to_string());
            unjudged(declaration)
        }
        Some(InitResult::Fails(why)) => Loading {
            failure: Some(ImportFailure { kind: FailureKind::InitFails, error: why.clone() }),
            ..unjudged(Declaration::unknown(Reason::InitFails(why.clone())))
        },
        Some(InitResult::Unknown(why)) => unjudged(Declaration::unknown(why.clone())),
        None => unjudged(Declaration::unknown(Reason::VersionNotEvaluated {
            hook: hook.symbol.clone(),
            version: target.version,
        })),
    };
    let made_elsewhere =
        matches!(run.map(|run| &run.result), Some(InitResult::Delegated(to)) if loads_all_the_same(facts, to, target));
    if loading.failure.is_none() && !made_elsewhere {
        loading.failure = wrong_build(facts, target);
    }
    loading.declaration.declared_by_tool = declared_by_tool(facts, &loading.declaration);
    Some(Loading { hook: hook.symbol.clone(), ..loading })
}

/// The tool that declares support for every module it makes, whether or not its author looked at thread safety.
fn declared_by_tool(facts: &BinaryFacts, declaration: &Declaration) -> Option<Framework> {
    let MadeBy { framework, version } = facts.framework.as_ref()?;
    let declares = declaration.status == Status::NotUsed && declaration.mechanism == Mechanism::Slot;
    (declares && framework.slot_is_unasked(version.as_deref())).then_some(*framework)
}

fn unjudged(declaration: Declaration) -> Loading {
    Loading { hook: String::new(), init: Init::Unknown, declaration, failure: None }
}

fn multi_phase(definition: &Definition, name: &str, target: &Target) -> Loading {
    let negative_size = definition.size.filter(|size| *size < 0).map(|_| {
        let error = format!("SystemError: module {name}: m_size may not be negative for multi-phase initialization");
        ImportFailure { kind: FailureKind::Slots, error }
    });
    let (declaration, refused) =
        from_slots(read_definition(&definition.slots, target.version, name), &definition.at, name, target);
    Loading {
        hook: String::new(),
        init: Init::MultiPhase,
        declaration,
        failure: wrong_layout(definition, Init::MultiPhase, name, target).or(refused).or(negative_size),
    }
}

fn export(export: &ExportSlots, name: &str, target: &Target) -> Loading {
    let (declaration, failure) = from_slots(read_export(&export.slots, name), &export.at, name, target);
    Loading { hook: String::new(), init: Init::ModuleExport, declaration, failure }
}

fn single_phase(
    definition: &Definition,
    gil: Option<&GilCall>,
    created: &Place,
    name: &str,
    target: &Target,
) -> Loading {
    let mut declaration = match gil {
        None => {
            let mut declaration = Declaration::new(Status::Undeclared, Mechanism::None);
            declaration.evidence.push(Evidence {
                what: "module created, no PyUnstable_Module_SetGIL before the init function returns".to_owned(),
                at: Site::Binary(created.clone()).into(),
            });
            declaration
        }
        Some(call) => {
            let status = call.value.map_or(Status::Unknown, |value| status_of(value, target.version));
            let mut declaration = Declaration::new(status, Mechanism::SetGil);
            declaration.evidence.push(Evidence {
                what: format!("PyUnstable_Module_SetGIL({})", value_text(call.value)),
                at: Site::Binary(call.at.clone()).into(),
            });
            if call.value.is_none() {
                declaration.mechanism = Mechanism::None;
                declaration.reason = Some(Reason::SetGilValue);
            }
            declaration
        }
    };
    // CPython 3.13 to 3.15, Objects/moduleobject.c: PyModule_Create refuses a definition with slots.
    let failure = match &definition.slots {
        Slots::Array(slots) if !slots.is_empty() => Some(ImportFailure {
            kind: FailureKind::Slots,
            error: format!("SystemError: module {name}: PyModule_Create is incompatible with m_slots"),
        }),
        _ => None,
    };
    let failure = wrong_layout(definition, Init::SinglePhase, name, target).or(failure);
    if !target.free_threaded && declaration.status == Status::Undeclared {
        declaration.reason = Some(Reason::GilBuild);
    }
    Loading { hook: String::new(), init: Init::SinglePhase, declaration, failure }
}

/// Whether the GIL is needed for this value differs: 3.13 and 3.14 test for `Py_MOD_GIL_USED`, 3.15 for anything but
/// `Py_MOD_GIL_NOT_USED`.
///
/// CPython 3.13.15 and 3.14.7 `Python/import.c`, `_PyImport_CheckGILForModule`; 3.15.0rc2 `Objects/moduleobject.c`,
/// `module_from_slots_and_spec` and `PyUnstable_Module_SetGIL`.
fn status_of(value: u64, version: Version) -> Status {
    let used = if version >= Version::V3_15 { value != GIL_NOT_USED } else { value == GIL_USED };
    if used { Status::Used } else { Status::NotUsed }
}

fn value_text(value: Option<u64>) -> String {
    match value {
        Some(GIL_USED) => "Py_MOD_GIL_USED".to_owned(),
        Some(GIL_NOT_USED) => "Py_MOD_GIL_NOT_USED".to_owned(),
        Some(other) => format!("{other:#x}"),
        None => "a value that is not known".to_owned(),
    }
}

fn from_slots(
    read: Result<SlotsRead<'_>, SlotError>,
    array: &Place,
    name: &str,
    target: &Target,
) -> (Declaration, Option<ImportFailure>) {
    let read = match read {
        Ok(read) => read,
        Err(SlotError::Unreadable(why)) => return (Declaration::unknown(why), None),
        Err(SlotError::Refused(failure)) => {
            let reason = Reason::SlotsRefused { target: *target, error: failure.error.clone() };
            return (Declaration::unknown(reason), Some(failure));
        }
    };
    let mut failure = None;
    for slot in &read.abi {
        match &slot.abi {
            Some(info) => failure = failure.or(check_abi(info, name, target.free_threaded)),
            None if slot.value == SlotValue::Number(0) => {}
            None => return (Declaration::unknown(Reason::AbiInfoUnreadable), None),
        }
    }
    let declaration = match (read.gil, read.gil_value()) {
        (None, _) => {
            let mut declaration = Declaration::new(Status::Undeclared, Mechanism::None);
            declaration
                .evidence
                .push(Evidence { what: "slots without Py_mod_gil".to_owned(), at: Site::Binary(array.clone()).into() });
            declaration.reason = (!target.free_threaded).then_some(Reason::GilBuild);
            declaration
        }
        (Some(slot), Some(value)) => {
            let mut declaration = Declaration::new(status_of(value, target.version), Mechanism::Slot);
            declaration.evidence.push(slot_evidence(slot, Some(value)));
            declaration
        }
        (Some(slot), None) => {
            let mut declaration = Declaration::unknown(Reason::SlotValue);
            declaration.evidence.push(slot_evidence(slot, None));
            declaration
        }
    };
    (declaration, failure)
}

fn slot_evidence(slot: &Slot, value: Option<u64>) -> Evidence {
    let at = match &slot.source {
        SlotSource::Static => Site::Binary(slot.at.clone()),
        SlotSource::Stored(by) => Site::Stored { slot: slot.at.clone(), by: by.clone() },
    };
    Evidence { what: format!("Py_mod_gil = {}", value_text(value)), at: at.into() }
}

/// Whether the target reads the definition with another layout than it was compiled with, and what comes of it.
fn wrong_layout(definition: &Definition, init: Init, name: &str, target: &Target) -> Option<ImportFailure> {
    // CPython 3.15.0rc2, Objects/moduleobject.c, PyModuleDef_Init: _Py_STATICALLY_ALLOCATED_FLAG (4) set and
    // _Py_LEGACY_ABI_CHECK_FLAG (2) clear. A definition whose head was zeroed instead of written by PyModuleDef_HEAD_INIT
    // fails it as well.
    let flags_refused = target.free_threaded
        && target.version >= Version::V3_15
        && definition.header.ob_flags.is_some_and(|flags| flags & 6 != 4);
    let error = match (definition.layout, target.free_threaded) {
        _ if flags_refused => {
            "SystemError: invalid PyModuleDef, extension possibly compiled for non-free-threaded Python".to_owned()
        }
        (Some(Layout::Gil), true) => match init {
            // With the offsets of a free-threaded build, ob_type is m_index, 0, and m_index is m_name, not 0, so that
            // PyModuleDef_Init leaves both alone.
            Init::MultiPhase => format!("SystemError: init function of {name} returned uninitialized object"),
            _ => "the interpreter crashes: the module definition has the layout of GIL builds".to_owned(),
        },
        (Some(Layout::FreeThreaded), false) => {
            "the module definition has the layout of free-threaded builds, which a GIL build reads at the wrong offsets"
                .to_owned()
        }
        _ => return None,
    };
    Some(ImportFailure { kind: FailureKind::WrongAbi, error })
}

/// Whether a free-threaded interpreter loads a file of the other layout without complaint, because another module makes the module
/// object and nothing looks at a definition of the file's own. On Windows the loader refuses it for its python DLL.
///
/// `python-cffi/cffi` v2.0.0, `src/cffi/_cffi_include.h`: the init function hands a table to
/// `_cffi_backend._init_cffi_1_0_external_module`, whose definition is made there. Seen with 3.14.7t and gevent's modules.
fn loads_all_the_same(facts: &BinaryFacts, to: &Delegate, target: &Target) -> bool {
    *to == Delegate::CffiBackend && target.free_threaded && facts.format != Format::Pe
}

/// Whether a file whose definition shows no layout was built for the other kind of interpreter.
fn wrong_build(facts: &BinaryFacts, target: &Target) -> Option<ImportFailure> {
    let built_for = match (facts.abi.built_for, target.free_threaded) {
        (BuiltFor::Gil, true) => "GIL builds",
        (BuiltFor::Abi3, true) => "the stable ABI of GIL builds",
        (BuiltFor::FreeThreaded, false) => "free-threaded builds",
        _ => return None,
    };
    let consequence = if facts.format == Format::Pe {
        "the python DLL that it needs is not the interpreter's"
    } else {
        "its structures have another layout than the interpreter's"
    };
    Some(ImportFailure { kind: FailureKind::WrongAbi, error: format!("built for {built_for}: {consequence}") })
}
