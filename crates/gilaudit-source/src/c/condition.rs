//! Conditions of `#if` and `#elif`, where some of the macros are not known.

use super::token::{Kind, Token, tokens};

/// The value of a condition or of a part of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Value {
    pub(crate) value: i64,
    pub(crate) known: bool,
}

/// What is known of a macro.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Known {
    Value(i64),
    /// Defined, as something that is no number.
    Defined,
    Undefined,
    Unknown,
}

/// Evaluates a condition. What depends on unknown macros is `unknown`, and so marked.
pub(crate) fn evaluate(text: &str, unknown: bool, lookup: &dyn Fn(&str) -> Known) -> Value {
    let source = text.as_bytes();
    let tokens: Vec<Token> = tokens(source).into_iter().filter(|token| token.kind != Kind::Comment).collect();
    let mut parser = Parser { source, tokens: &tokens, at: 0, unknown, lookup, depth: 0 };
    let value = parser.ternary();
    // What could not be read to its end is not known.
    if parser.at < tokens.len() { Value { value: i64::from(unknown), known: false } } else { value }
}

struct Parser<'a> {
    source: &'a [u8],
    tokens: &'a [Token],
    at: usize,
    unknown: bool,
    lookup: &'a dyn Fn(&str) -> Known,
    depth: u32,
}

fn known(value: bool) -> Value {
    Value { value: i64::from(value), known: true }
}

impl Parser<'_> {
    fn peek(&self) -> &str {
        self.tokens.get(self.at).map_or("", |token| token.text(self.source))
    }

    fn take(&mut self, text: &str) -> bool {
        let matches = self.peek() == text;
        self.at += usize::from(matches);
        matches
    }

    fn not_known(&self) -> Value {
        Value { value: i64::from(self.unknown), known: false }
    }

    fn ternary(&mut self) -> Value {
        let condition = self.binary(0);
        if !self.take("?") {
            return condition;
        }
        let yes = self.ternary();
        self.take(":");
        let no = self.ternary();
        let chosen = if condition.value != 0 { yes } else { no };
        Value { known: chosen.known && condition.known, ..chosen }
    }

    fn binary(&mut self, lowest: u8) -> Value {
        let mut left = self.unary();
        loop {
            let op = self.peek().to_owned();
            // Shifts are two tokens.
            let next = self.tokens.get(self.at + 1).map_or("", |token| token.text(self.source));
            let (op, width) = match (op.as_str(), next) {
                ("<", "<") => ("<<", 2),
                (">", ">") => (">>", 2),
                (op, _) => (op, 1),
            };
            let Some(level) = level(op) else { return left };
            if level < lowest || self.depth > 64 {
                return left;
            }
            self.at += width;
            self.depth += 1;
            let right = self.binary(level + 1);
            self.depth -= 1;
            left = self.apply(op, left, right);
        }
    }

    fn apply(&self, op: &str, a: Value, b: Value) -> Value {
        match op {
            "&&" if a.known && a.value == 0 || b.known && b.value == 0 => return known(false),
            "||" if a.known && a.value != 0 || b.known && b.value != 0 => return known(true),
            "&&" => return Value { value: i64::from(a.value != 0 && b.value != 0), known: a.known && b.known },
            "||" => return Value { value: i64::from(a.value != 0 || b.value != 0), known: a.known && b.known },
            _ if !a.known || !b.known => return self.not_known(),
            _ => {}
        }
        let (x, y) = (a.value, b.value);
        let value = match op {
            "==" => i64::from(x == y),
            "!=" => i64::from(x != y),
            "<" => i64::from(x < y),
            "<=" => i64::from(x <= y),
            ">" => i64::from(x > y),
            ">=" => i64::from(x >= y),
            "+" => x.wrapping_add(y),
            "-" => x.wrapping_sub(y),
            "*" => x.wrapping_mul(y),
            "/" => x.checked_div(y).unwrap_or(0),
            "%" => x.checked_rem(y).unwrap_or(0),
            "<<" => x.checked_shl(y as u32).unwrap_or(0),
            ">>" => x.checked_shr(y as u32).unwrap_or(0),
            "&" => x & y,
            "|" => x | y,
            _ => x ^ y,
        };
        Value { value, known: true }
    }

    fn unary(&mut self) -> Value {
        self.depth += 1;
        let value = if self.depth > 64 { self.not_known() } else { self.operand() };
        self.depth -= 1;
        value
    }

    fn operand(&mut self) -> Value {
        if self.take("!") {
            let operand = self.unary();
            return Value { value: i64::from(operand.value == 0), ..operand };
        }
        if self.take("-") {
            let operand = self.unary();
            return Value { value: operand.value.wrapping_neg(), ..operand };
        }
        if self.take("+") {
            return self.unary();
        }
        if self.take("~") {
            let operand = self.unary();
            return Value { value: !operand.value, ..operand };
        }
        if self.take("(") {
            let value = self.ternary();
            self.take(")");
            return value;
        }
        let Some(token) = self.tokens.get(self.at).copied() else { return self.not_known() };
        self.at += 1;
        let text = token.text(self.source);
        match token.kind {
            Kind::Number => number(text).map_or(self.not_known(), |value| Value { value, known: true }),
            Kind::Ident if text == "defined" => {
                let parenthesis = self.take("(");
                let name = self.peek().to_owned();
                self.at += 1;
                if parenthesis {
                    self.take(")");
                }
                match (self.lookup)(&name) {
                    Known::Value(_) | Known::Defined => known(true),
                    Known::Undefined => known(false),
                    Known::Unknown => self.not_known(),
                }
            }
            Kind::Ident => {
                let value = (self.lookup)(text);
                if self.peek() == "(" {
                    self.skip_parentheses();
                    return self.not_known();
                }
                match value {
                    Known::Value(value) => Value { value, known: true },
                    Known::Undefined => known(false),
                    Known::Defined | Known::Unknown => self.not_known(),
                }
            }
            _ => self.not_known(),
        }
    }

    fn skip_parentheses(&mut self) {
        let mut depth = 0;
        while self.at < self.tokens.len() {
            match self.peek() {
                "(" => depth += 1,
                ")" => depth -= 1,
                _ => {}
            }
            self.at += 1;
            if depth == 0 {
                return;
            }
        }
    }
}

fn level(op: &str) -> Option<u8> {
    Some(match op {
        "||" => 0,
        "&&" => 1,
        "|" => 2,
        "^" => 3,
        "&" => 4,
        "==" | "!=" => 5,
        "<" | ">" | "<=" | ">=" => 6,
        "<<" | ">>" => 7,
        "+" | "-" => 8,
        "*" | "/" | "%" => 9,
        _ => return None,
    })
}

/// The value of an integer constant.
pub(crate) fn number(text: &str) -> Option<i64> {
    let text = text.trim_end_matches(['u', 'U', 'l', 'L', 'z', 'Z']).replace('\'', "");
    let parse = |digits: &str, radix| u64::from_str_radix(digits, radix).ok().map(|value| value as i64);
    if let Some(hex) = text.strip_prefix("0x").or_else(|| text.strip_prefix("0X")) {
        parse(hex, 16)
    } else if let Some(binary) = text.strip_prefix("0b") {
        parse(binary, 2)
    } else if text.len() > 1 && text.starts_with('0') {
        parse(&text, 8)
    } else {
        parse(&text, 10)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn three_valued() {
        let lookup = |name: &str| match name {
            "PY_VERSION_HEX" => Known::Value(0x030E_07F0),
            "Py_GIL_DISABLED" => Known::Defined,
            "PYPY" => Known::Undefined,
            _ => Known::Unknown,
        };
        let value = |text| evaluate(text, true, &lookup);
        assert_eq!(value("PY_VERSION_HEX >= 0x030D0000 && defined(Py_GIL_DISABLED)"), known(true));
        assert_eq!(value("defined PYPY || PY_VERSION_HEX < 0x030D00A1"), known(false));
        assert_eq!(value("defined(FOO) && defined(PYPY)"), known(false));
        assert_eq!(value("!defined(FOO)"), Value { value: 0, known: false });
        assert_eq!(value("FOO > 3"), Value { value: 1, known: false });
        assert_eq!(evaluate("FOO > 3", false, &lookup), Value { value: 0, known: false });
        assert_eq!(value("(1 << 3) == 8 ? 1 : 0"), known(true));
    }
}
