//! `extends`: a policy on top of another.

use crate::policy::Policy;

/// `own` on top of `base`: what `own` says wins; its exceptions are asked first and its warning filters last.
pub(crate) fn on_top_of(base: Policy, own: Policy) -> Policy {
    let mut declarations = base.declarations;
    declarations.extend(own.declarations);
    let mut rules = base.rules;
    rules.extend(own.rules);
    let mut exceptions = own.exceptions;
    exceptions.extend(base.exceptions.into_iter().map(|mut exception| {
        exception.inherited = true;
        exception
    }));
    let mut frozen = base.frozen;
    frozen.extend(own.frozen);
    let mut warnings = base.warnings;
    warnings.extend(own.warnings);
    Policy {
        name: own.name,
        description: own.description,
        targets: own.targets.or(base.targets),
        declarations,
        contradicted: own.contradicted.or(base.contradicted),
        declared_by_tool: own.declared_by_tool.or(base.declared_by_tool),
        rules,
        exceptions,
        warnings,
        fail_on: own.fail_on.or(base.fail_on),
        frozen,
    }
}

/// Whether `extends` names a file, as against a built-in policy.
pub(crate) fn is_file(named: &str) -> bool {
    named.contains(['/', '\\', '.'])
}

/// The path of a file named in `extends`, seen from the folder of the file that names it. A built-in policy is a bare word and stays
/// one. Only text is looked at, so `/` separates on every system, and `\` too where a file is named with it.
pub(crate) fn join(from: &str, named: &str) -> String {
    let absolute = named.starts_with(['/', '\\']) || named.get(1..2) == Some(":");
    if !is_file(named) || absolute {
        return named.to_owned();
    }
    let folder = from.rfind(['/', '\\']).map_or("", |at| &from[..=at]);
    let mut named = named;
    while let Some(rest) = named.strip_prefix("./") {
        named = rest;
    }
    format!("{folder}{named}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths() {
        assert_eq!(join("ci/policy.yaml", "nogil"), "nogil");
        assert_eq!(join("ci/policy.yaml", "./base.yaml"), "ci/base.yaml");
        assert_eq!(join("policy.yaml", "../base.yaml"), "../base.yaml");
        assert_eq!(join("ci/policy.yaml", "/etc/base.yaml"), "/etc/base.yaml");
        assert_eq!(join("ci\\policy.yaml", "C:\\base.yaml"), "C:\\base.yaml");
    }
}
