//! The shape of a policy file: what `to_yaml` writes and, in tests, where `policies/schema.json` comes from.
//!
//! Reading does not go through these types, because serde stops at the first mistake. The tests hold the two to each other.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::policy::{Policy, Said};

/// A policy of gilaudit: which extension modules an interpreter may load, and how.
#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(deny_unknown_fields, title = "gilaudit policy"))]
struct Document {
    /// The policy that this one builds on: a built-in one by its name, or a file, relative to this one.
    #[serde(skip_serializing_if = "Option::is_none")]
    extends: Option<String>,
    /// What the policy is for.
    #[serde(skip_serializing_if = "Option::is_none")]
    description: Option<String>,
    /// The interpreters that it is written for.
    #[serde(skip_serializing_if = "Option::is_none")]
    targets: Option<Targets>,
    /// What to do with a module, by what it declares.
    #[serde(skip_serializing_if = "Option::is_none")]
    declarations: Option<Declarations>,
    /// What to do with a module that declares not-used while a finding stands against it.
    #[serde(skip_serializing_if = "Option::is_none")]
    contradicted: Option<Action>,
    /// What to do with a module whose not-used was declared by a tool, without the author's audit.
    #[serde(skip_serializing_if = "Option::is_none")]
    declared_by_tool: Option<Action>,
    /// How much the findings of each rule matter.
    #[serde(skip_serializing_if = "Option::is_none")]
    rules: Option<BTreeMap<String, Level>>,
    /// What stands above all the rest; the first entry that matches decides.
    #[serde(skip_serializing_if = "Option::is_none")]
    exceptions: Option<Vec<Exception>>,
    /// Filters over warnings, written as for python -W (action:message:category:module:line), with a glob over the extension's name
    /// as the module; the last that matches decides.
    #[serde(skip_serializing_if = "Option::is_none")]
    warnings: Option<Vec<String>>,
    /// The least severity of a finding that makes the command fail.
    #[serde(skip_serializing_if = "Option::is_none")]
    fail_on: Option<Severity>,
    /// Containers in C sources that nobody changes once they are published: patterns that are compared with the text of the container,
    /// white space left out; * is any text.
    #[serde(skip_serializing_if = "Option::is_none")]
    frozen: Option<Vec<String>>,
}

/// A range such as ">=3.14t", or a list of ranges.
#[derive(Serialize)]
#[serde(untagged)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
enum Targets {
    /// One range.
    One(String),
    /// Any of several.
    Several(Vec<String>),
}

/// Actions by declaration.
#[derive(Serialize, Default)]
#[serde(rename_all = "kebab-case")]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(deny_unknown_fields))]
struct Declarations {
    /// It declares that it can run without the GIL.
    #[serde(skip_serializing_if = "Option::is_none")]
    not_used: Option<Action>,
    /// It declares that it needs the GIL.
    #[serde(skip_serializing_if = "Option::is_none")]
    used: Option<Action>,
    /// It says nothing, which CPython takes for used.
    #[serde(skip_serializing_if = "Option::is_none")]
    undeclared: Option<Action>,
    /// What it declares could not be told.
    #[serde(skip_serializing_if = "Option::is_none")]
    unknown: Option<Action>,
}

/// An exception.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(deny_unknown_fields))]
struct Exception {
    /// Which extensions; all conditions must hold.
    #[serde(rename = "match")]
    matches: Match,
    /// What to do with them.
    action: Action,
    /// Why.
    reason: String,
    /// The last day on which it holds.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(test, schemars(regex(pattern = r"^[0-9]{4}-[0-9]{2}-[0-9]{2}$")))]
    expires: Option<String>,
}

/// Conditions on an extension, at least one.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(deny_unknown_fields, extend("minProperties" = 1)))]
struct Match {
    /// A glob over the dotted module name; * stands for any characters, dots included.
    #[serde(skip_serializing_if = "Option::is_none")]
    module: Option<String>,
    /// The name of a distribution and a PEP 440 specifier: "lxml >=5, <6".
    #[serde(skip_serializing_if = "Option::is_none")]
    distribution: Option<String>,
    /// The SHA-256 of the file's bytes.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(test, schemars(regex(pattern = r"^[0-9A-Fa-f]{64}$")))]
    sha256: Option<String>,
}

/// What to do with a module.
#[derive(Serialize, Clone, Copy)]
#[serde(rename_all = "kebab-case")]
#[cfg_attr(test, derive(schemars::JsonSchema))]
enum Action {
    /// Let CPython do what it does.
    Follow,
    /// Load it without the GIL, whatever it declares.
    Allow,
    /// Load it, and say that it is to blame if something breaks.
    Warn,
    /// Do not load it.
    Refuse,
    /// Load it with the GIL on.
    GilOn,
    /// Load it; its calls may run beside each other.
    Shared,
    /// Load it; its calls exclude every other module's.
    Exclusive,
}

/// How much a finding matters.
#[derive(Serialize, Clone, Copy)]
#[serde(rename_all = "kebab-case")]
#[cfg_attr(test, derive(schemars::JsonSchema))]
enum Severity {
    /// Wrong.
    Error,
    /// Likely to hurt.
    Warning,
    /// Worth knowing.
    Note,
}

/// How much the findings of a rule matter, or that they are not reported.
#[derive(Serialize, Clone, Copy)]
#[serde(rename_all = "kebab-case")]
#[cfg_attr(test, derive(schemars::JsonSchema))]
enum Level {
    /// Wrong.
    Error,
    /// Likely to hurt.
    Warning,
    /// Worth knowing.
    Note,
    /// Not reported.
    Off,
}

/// The policy in YAML. What it extends is already in it, so that it extends nothing.
pub(crate) fn to_yaml(policy: &Policy) -> String {
    let declared = |status| policy.declarations.get(&status).map(action);
    let declarations = Declarations {
        not_used: declared(gilaudit_model::Status::NotUsed),
        used: declared(gilaudit_model::Status::Used),
        undeclared: declared(gilaudit_model::Status::Undeclared),
        unknown: declared(gilaudit_model::Status::Unknown),
    };
    let rules: BTreeMap<_, _> = policy.rules.iter().map(|(rule, said)| (rule.clone(), level(said.value))).collect();
    let exceptions: Vec<_> = policy.exceptions.iter().map(exception).collect();
    let warnings: Vec<_> = policy.warnings.iter().map(|filter| filter.written.clone()).collect();
    let document = Document {
        extends: None,
        description: policy.description.clone(),
        targets: policy.targets.as_ref().map(|said| match said.value.written.as_slice() {
            [one] => Targets::One(one.clone()),
            several => Targets::Several(several.to_vec()),
        }),
        declarations: (!policy.declarations.is_empty()).then_some(declarations),
        contradicted: policy.contradicted.as_ref().map(action),
        declared_by_tool: policy.declared_by_tool.as_ref().map(action),
        rules: (!rules.is_empty()).then_some(rules),
        exceptions: (!exceptions.is_empty()).then_some(exceptions),
        warnings: (!warnings.is_empty()).then_some(warnings),
        fail_on: policy.fail_on.as_ref().map(|said| severity(said.value)),
        frozen: (!policy.frozen.is_empty()).then(|| policy.frozen.clone()),
    };
    // Text, maps with text keys and lists always serialise; an error here could only be shown, not handled.
    serde_yaml::to_string(&document).unwrap_or_else(|error| format!("# {error}\n"))
}

fn exception(exception: &crate::exceptions::Exception) -> Exception {
    let matches = &exception.matches;
    Exception {
        matches: Match {
            module: matches.module.as_ref().map(|glob| glob.written.clone()),
            distribution: matches.distribution.as_ref().map(|range| range.written.clone()),
            sha256: matches.sha256.as_ref().map(|hash| hash.0.clone()),
        },
        action: action_word(exception.action),
        reason: exception.reason.clone(),
        expires: exception.expires.map(|date| date.to_string()),
    }
}

fn action(said: &Said<gilaudit_model::Action>) -> Action {
    action_word(said.value)
}

fn action_word(action: gilaudit_model::Action) -> Action {
    match action {
        gilaudit_model::Action::Follow => Action::Follow,
        gilaudit_model::Action::Allow => Action::Allow,
        gilaudit_model::Action::Warn => Action::Warn,
        gilaudit_model::Action::Refuse => Action::Refuse,
        gilaudit_model::Action::GilOn => Action::GilOn,
        gilaudit_model::Action::Shared => Action::Shared,
        gilaudit_model::Action::Exclusive => Action::Exclusive,
    }
}

fn severity(severity: gilaudit_model::Severity) -> Severity {
    match severity {
        gilaudit_model::Severity::Error => Severity::Error,
        gilaudit_model::Severity::Warning => Severity::Warning,
        gilaudit_model::Severity::Note => Severity::Note,
    }
}

fn level(level: crate::Level) -> Level {
    match level {
        crate::Level::Off => Level::Off,
        crate::Level::At(gilaudit_model::Severity::Error) => Level::Error,
        crate::Level::At(gilaudit_model::Severity::Warning) => Level::Warning,
        crate::Level::At(gilaudit_model::Severity::Note) => Level::Note,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;
    use crate::validate::KEYS;

    /// The keys that may stand there with nothing below them, as when all their entries are commented out.
    const MAY_BE_EMPTY: [&str; 4] = ["declarations", "rules", "exceptions", "warnings"];

    fn generated() -> Value {
        let mut schema = schemars::schema_for!(Document).to_value();
        let definitions = schema["$defs"].as_object_mut().unwrap();
        definitions.values_mut().for_each(|definition| forbid_null(definition, &[]));
        forbid_null(&mut schema, &MAY_BE_EMPTY);
        schema
    }

    /// schemars takes an `Option` for "or null"; a key without a value is a mistake.
    fn forbid_null(definition: &mut Value, but_for: &[&str]) {
        let Some(properties) = definition.get_mut("properties").and_then(Value::as_object_mut) else { return };
        for (_, property) in properties.iter_mut().filter(|(key, _)| !but_for.contains(&key.as_str())) {
            if let Some(Value::Array(types)) = property.get("type") {
                property["type"] = types[0].clone();
            }
            if let Some(Value::Array(choices)) = property.get("anyOf") {
                property["$ref"] = choices[0]["$ref"].clone();
                property.as_object_mut().unwrap().remove("anyOf");
            }
        }
    }

    #[test]
    fn the_schema_is_checked_in() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../policies/schema.json");
        if std::env::var_os("UPDATE").is_some() {
            std::fs::write(path, serde_json::to_string_pretty(&generated()).unwrap() + "\n").unwrap();
        }
        // Compared as values: the order of keys depends on how other crates in the build configure serde_json.
        let kept: Value = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
        assert_eq!(kept, generated(), "policies/schema.json differs; UPDATE=1 rewrites it");
    }

    #[test]
    fn the_schema_and_the_validation_know_the_same_words() {
        let schema = generated();
        let keys_of = |value: &Value| {
            let mut keys: Vec<String> = value["properties"].as_object().unwrap().keys().cloned().collect();
            keys.sort();
            keys
        };
        let sorted = |words: &[&str]| {
            let mut words: Vec<String> = words.iter().map(|word| (*word).to_owned()).collect();
            words.sort();
            words
        };
        assert_eq!(keys_of(&schema), sorted(&KEYS));
        let definitions = &schema["$defs"];
        assert_eq!(
            keys_of(&definitions["Declarations"]),
            sorted(&gilaudit_model::Status::ALL.map(gilaudit_model::Status::as_str))
        );
        assert_eq!(keys_of(&definitions["Exception"]), sorted(&["match", "action", "reason", "expires"]));
        let words_of = |name: &str| {
            let choices = definitions[name]["oneOf"].as_array().unwrap().iter();
            choices.map(|choice| choice["const"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
        };
        assert_eq!(words_of("Action"), gilaudit_model::Action::ALL.map(gilaudit_model::Action::as_str));
        assert_eq!(words_of("Level"), crate::Level::ALL.map(crate::Level::as_str));
        assert_eq!(words_of("Severity"), ["error", "warning", "note"]);
    }
}
