//! What rules find in the machine code of a module.

use gilaudit_input::{Inventory, Member};
use gilaudit_model::{BinaryFacts, Extension, Finding, Problem, Status};
use gilaudit_rules::check_code;

use crate::guard::guarded;
use crate::settings::Settings;

/// What is found in the code of one file; a problem when it could not be read a second time, or we fail on its code.
pub(crate) fn findings(
    inventory: &Inventory,
    member: &Member,
    facts: &BinaryFacts,
    extension: &Extension,
    settings: &Settings,
) -> Result<Vec<Finding>, Problem> {
    // The slices of a fat file are read by their own offsets, which is for another day.
    if !settings.code || facts.hooks.is_empty() || facts.slice.is_some() {
        return Ok(Vec::new());
    }
    if facts.format != gilaudit_model::Format::Elf || facts.arch != gilaudit_model::Arch::X86_64 {
        return Ok(Vec::new());
    }
    let bytes = inventory.read(member)?;
    let look = || {
        let code = gilaudit_binary::read_code(&bytes, facts, &gilaudit_binary::CodeLimits::default());
        check_code(&code, extension)
    };
    let mut findings = guarded(member, look)?;
    // Without a declaration the GIL still guards this code: what is found stands between it and one.
    let readiness = extension.declaration.status != Status::NotUsed;
    findings.iter_mut().for_each(|finding| finding.readiness = readiness);
    Ok(findings)
}
