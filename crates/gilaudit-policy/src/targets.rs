//! `targets`: which interpreters a policy is written for.

use gilaudit_model::{Target, Version};

/// A set of interpreters, the GIL setting aside.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Targets {
    /// As written: a range, or the items of a list.
    pub(crate) written: Vec<String>,
    members: Vec<Target>,
}

impl Targets {
    pub(crate) fn contains(&self, target: &Target) -> bool {
        self.members
            .iter()
            .any(|member| (member.version, member.free_threaded) == (target.version, target.free_threaded))
    }

    /// The union of ranges, or why one of them is none (with its index).
    pub(crate) fn parse(written: &[&str]) -> Result<Self, (usize, String)> {
        let mut members = Vec::new();
        for (index, text) in written.iter().enumerate() {
            members.extend(range(text).map_err(|error| (index, error))?);
        }
        Ok(Self { written: written.iter().map(|text| (*text).to_owned()).collect(), members })
    }
}

/// The interpreters of `3.14t` (exactly that one), or of bounds such as `>=3.13t, <3.15`.
///
/// A `t` in any bound keeps the free-threaded builds only; bounds without one are about the version and say nothing of the build.
fn range(text: &str) -> Result<Vec<Target>, String> {
    let mut members: Vec<Target> = Target::all().collect();
    for bound in text.split(',').map(str::trim) {
        let (operator, rest) = split_operator(bound);
        let version = rest.trim();
        if operator.is_empty() {
            let exact: Target = version.parse()?;
            members.retain(|member| *member == exact);
            continue;
        }
        let (number, free_threaded) = match version.strip_suffix('t') {
            Some(number) => (number, true),
            None => (version, false),
        };
        let minor = number.strip_prefix("3.").and_then(|minor| {
            minor.bytes().all(|byte| byte.is_ascii_digit()).then(|| minor.parse::<u32>().ok()).flatten()
        });
        let minor = minor.ok_or_else(|| {
            format!("'{bound}' is not a bound on the interpreter: an operator and a version, as in '>=3.14t'")
        })?;
        members.retain(|member| {
            let ordering = u32::from(member.version.minor()).cmp(&minor);
            let within = match operator {
                ">=" => ordering.is_ge(),
                "<=" => ordering.is_le(),
                ">" => ordering.is_gt(),
                "<" => ordering.is_lt(),
                "!=" => ordering.is_ne(),
                _ => ordering.is_eq(),
            };
            within && (member.free_threaded || !free_threaded)
        });
    }
    if members.is_empty() {
        let (first, last) = (Version::ALL[0], Version::ALL[Version::ALL.len() - 1]);
        return Err(format!(
            "'{text}' holds none of the interpreters that gilaudit knows: {first} to {last}, with and without t"
        ));
    }
    Ok(members)
}

fn split_operator(bound: &str) -> (&str, &str) {
    for operator in [">=", "<=", "==", "!=", ">", "<"] {
        if let Some(rest) = bound.strip_prefix(operator) {
            return (operator, rest);
        }
    }
    ("", bound)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn members(text: &str) -> String {
        match Targets::parse(&[text]) {
            Ok(targets) => targets.members.iter().map(Target::to_string).collect::<Vec<_>>().join(" "),
            Err((_, error)) => error,
        }
    }

    #[test]
    fn ranges() {
        assert_eq!(members(">=3.14t"), "3.14t 3.15t");
        assert_eq!(members(">=3.13t, <3.15"), "3.13t 3.14t");
        assert_eq!(members(">=3.14"), "3.14 3.14t 3.15 3.15t");
        assert_eq!(members("==3.14"), "3.14 3.14t");
        assert_eq!(members("3.14"), "3.14");
        assert_eq!(members("!=3.14t"), "3.13t 3.15t");
        assert!(members(">=3.16").contains("none of the interpreters"));
        assert!(members(">=3.15t, <3.15").contains("none of the interpreters"));
        assert!(members(">=4").contains("not a bound"));
        assert!(members("").contains("unknown target"));
        assert!(members(">=3.+14").contains("not a bound"));
        assert!(members(">=3.99999999999").contains("not a bound"));
    }
}
