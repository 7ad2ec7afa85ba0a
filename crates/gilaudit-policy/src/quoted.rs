//! Text from elsewhere in a policy that is written by a program.

/// A text in YAML that is read as just this text. Names come from strangers: one with a quote in it would end there and say more.
#[must_use]
pub fn quoted(text: &str) -> String {
    let is_plain = |c: char| c == ' ' || c.is_ascii_graphic() || c.is_alphanumeric();
    if text.chars().all(is_plain) {
        return format!("'{}'", text.replace('\'', "''"));
    }
    let mut out = "\"".to_owned();
    for c in text.chars() {
        match c {
            '"' | '\\' => out.extend(['\\', c]),
            c if is_plain(c) => out.push(c),
            c => out.push_str(&format!("\\U{:08x}", u32::from(c))),
        }
    }
    out + "\""
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Date, Known, Policy};

    #[test]
    fn a_quoted_text_is_read_as_it_was() {
        let base = |_: &str| Err("it extends nothing".to_owned());
        let known = Known { rules: &[], today: Date::from_unix_seconds(0), base: &base, shows_bases: true };
        for text in ["a.b", "it's", "a'}\n  action: allow", "\u{202e}\u{1b}\"\\\u{e0041}", "日本 ==1.0", "#", "{x: y}"]
        {
            let (policy, diagnostics) = Policy::parse("x.yaml", &format!("description: {}\n", quoted(text)), &known);
            let Some(policy) = policy else { panic!("{text:?} is no policy") };
            assert_eq!(policy.description(), Some(text), "{diagnostics:?}");
        }
    }
}
