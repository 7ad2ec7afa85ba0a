//! Values of which it does not matter which thread stored them.

use gilaudit_model::source::cython::{ExprKind, StmtKind};
use gilaudit_model::source::{ExprId, Name};

use super::code::Code;

/// How many locals that stand for each other are followed, and how many conditional expressions in each other.
const STEPS: u32 = 4;

impl Code<'_> {
    /// Whether a value outlives whoever stored it, so that nothing is freed when another one takes its place: `None`, a truth value, or a
    /// literal, which the module keeps; directly, or through a local that is never anything else.
    pub(crate) fn is_constant(&self, of: u32, value: ExprId) -> bool {
        self.is_constant_within(of, value, STEPS)
    }

    fn is_constant_within(&self, of: u32, value: ExprId, steps: u32) -> bool {
        let Some(left) = steps.checked_sub(1) else { return false };
        let value = self.strip(value);
        match self.file.kind(value) {
            ExprKind::None | ExprKind::Bool(_) | ExprKind::Number(_) | ExprKind::Not(_) => true,
            ExprKind::Str => {
                // A formatted string is a new object each time.
                let text = self.project.file(self.file.file).text_of(self.file.span(value));
                let prefix = text.split(['"', '\'']).next().unwrap_or_default();
                !prefix.contains(['f', 'F', 't', 'T'])
            }
            ExprKind::Call { callee, .. } => {
                matches!(self.file.kind(callee), ExprKind::Name(name) if self.text(name) == "bool")
            }
            ExprKind::Conditional { then, otherwise, .. } => {
                self.is_constant_within(of, then, left) && self.is_constant_within(of, otherwise, left)
            }
            ExprKind::Name(name) => self.is_constant_local(of, name, left),
            _ => false,
        }
    }

    fn is_constant_local(&self, of: u32, name: Name, steps: u32) -> bool {
        let is_parameter = self
            .file
            .functions
            .get(of as usize)
            .is_none_or(|function| function.parameters.iter().any(|parameter| parameter.name == name));
        if is_parameter {
            return false;
        }
        let mut values = Vec::new();
        for id in self.body(of) {
            match &self.file.stmt(id).kind {
                StmtKind::Declare(first, end) => {
                    let declared = self.file.variables.get(*first as usize..*end as usize).unwrap_or_default();
                    let own = declared.iter().filter(|variable| variable.name == name);
                    values.extend(own.filter_map(|variable| variable.init));
                }
                StmtKind::Global(names) if names.contains(&name) => return false,
                StmtKind::Assign { targets, value, augmented } => {
                    let targets = self.file.list(*targets);
                    if targets.iter().any(|target| self.file.kind(*target) == ExprKind::Name(name)) {
                        // Of an unpacked tuple it is not known which part is meant.
                        if *augmented || matches!(self.file.kind(*value), ExprKind::Display { .. }) {
                            return false;
                        }
                        values.push(*value);
                    }
                }
                StmtKind::For { targets, .. }
                    if self.file.list(*targets).iter().any(|it| self.file.kind(*it) == ExprKind::Name(name)) =>
                {
                    return false;
                }
                _ => {}
            }
        }
        !values.is_empty() && values.iter().all(|value| self.is_constant_within(of, *value, steps))
    }
}
