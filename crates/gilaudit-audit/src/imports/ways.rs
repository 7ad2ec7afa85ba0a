//! What can be done about a module that turns the GIL on.

use gilaudit_model::framework::advice;
use gilaudit_model::{Init, Outcome};
use gilaudit_policy::imports::{Answer, Blocker};
use gilaudit_policy::quoted;

use super::requirements::Requirements;
use crate::answers::{Judged, Ways};

pub(super) fn ways(blocker: &Blocker, answer: &Answer, requirements: &Requirements, extensions: &[Judged]) -> Ways {
    let own = extensions.iter().find(|judged| judged.extension.origin.to_string() == blocker.file);
    let declare = match own {
        Some(Judged { extension, .. }) => advice(extension.framework.as_ref(), extension.init),
        None => advice(None, Init::Unknown),
    };
    // Another version among the inputs whose module of the same name does not block.
    let newer = extensions.iter().filter(|judged| {
        let other = &judged.extension;
        other.module == blocker.module
            && other.distribution != blocker.distribution
            && own.is_none_or(|own| own.extension.platform() == other.platform())
            && judged.decision.outcome == Outcome::RunsFree
    });
    let newer = newer.filter_map(|judged| judged.extension.distribution.clone()).max();
    let forced: Vec<&str> = answer.blockers.iter().filter(|it| !it.later).map(|it| it.module.as_str()).collect();
    let matches = match &blocker.distribution {
        Some(it) => {
            let distribution = quoted(&format!("{} =={}", it.name, it.version));
            format!("{{module: {}, distribution: {distribution}}}", quoted(&blocker.module))
        }
        None => format!("{{module: {}}}", quoted(&blocker.module)),
    };
    Ways {
        required_by: blocker.distribution.as_ref().map(|it| requirements.responsible(&it.name)).unwrap_or_default(),
        declare: format!("make it safe without the GIL, then declare it and rebuild: {declare}"),
        newer,
        python_gil_0: format!(
            "runs it without the GIL although nobody says it is safe: a data race in {} may crash or corrupt data, without a warning",
            match forced.as_slice() {
                [] | [_] => blocker.module.clone(),
                [_, _] => "it or in the other one that this would force".to_owned(),
                [_, others @ ..] => format!("it or in the {} others that this would force", others.len()),
            }
        ),
        exception: format!(
            "- match: {matches}\n  action: allow\n  reason: 'TODO: why this may run without the GIL here'\n"
        ),
    }
}
