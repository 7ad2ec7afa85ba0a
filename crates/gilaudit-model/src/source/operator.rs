//! The operators of C and C++.

/// An operator with two operands that yields a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum BinaryOp {
    /// `+`
    Add,
    /// `-`
    Sub,
    /// `*`
    Mul,
    /// `/`
    Div,
    /// `%`
    Rem,
    /// `&`
    BitAnd,
    /// `|`
    BitOr,
    /// `^`
    BitXor,
    /// `<<`
    Shl,
    /// `>>`
    Shr,
    /// `&&`
    And,
    /// `||`
    Or,
    /// `==`
    Eq,
    /// `!=`
    Ne,
    /// `<`
    Lt,
    /// `<=`
    Le,
    /// `>`
    Gt,
    /// `>=`
    Ge,
}

impl BinaryOp {
    /// The operator that this text spells; the operator of a compound assignment is spelt without its `=`.
    pub fn parse(text: &str) -> Option<Self> {
        Some(match text {
            "+" => Self::Add,
            "-" => Self::Sub,
            "*" => Self::Mul,
            "/" => Self::Div,
            "%" => Self::Rem,
            "&" | "bitand" => Self::BitAnd,
            "|" | "bitor" => Self::BitOr,
            "^" | "xor" => Self::BitXor,
            "<<" => Self::Shl,
            ">>" => Self::Shr,
            "&&" | "and" => Self::And,
            "||" | "or" => Self::Or,
            "==" => Self::Eq,
            "!=" | "not_eq" => Self::Ne,
            "<" => Self::Lt,
            "<=" => Self::Le,
            ">" => Self::Gt,
            ">=" => Self::Ge,
            _ => return None,
        })
    }

    /// Whether it compares.
    pub fn is_comparison(self) -> bool {
        matches!(self, Self::Eq | Self::Ne | Self::Lt | Self::Le | Self::Gt | Self::Ge)
    }
}

/// An operator with one operand.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum UnaryOp {
    /// `*x`
    Deref,
    /// `&x`
    AddressOf,
    /// `!x`
    Not,
    /// `-x`, `+x`, `~x`
    Arithmetic,
    /// `sizeof x`, `alignof x`: the operand is not evaluated.
    SizeOf,
}
