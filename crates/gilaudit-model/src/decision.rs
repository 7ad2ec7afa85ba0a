//! What happens at import, and what the policy says about it.

/// What CPython itself does when the module is imported under the target.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Outcome {
    /// The GIL stays off, as the module declared.
    RunsFree,
    /// The import turns the GIL on for the whole process.
    EnablesGil,
    /// The module did not declare support, but `PYTHON_GIL=0` keeps the GIL off all the same.
    RunsFreeForced,
    /// The GIL is on whatever the module says.
    RunsWithGil,
    /// The import fails, or the file is not found.
    CannotImport,
    /// Could not tell.
    Undetermined,
}

impl Outcome {
    /// All outcomes in the order reports list them.
    pub const ALL: [Self; 6] = [
        Self::RunsFree,
        Self::EnablesGil,
        Self::RunsFreeForced,
        Self::RunsWithGil,
        Self::CannotImport,
        Self::Undetermined,
    ];

    /// The word used in reports.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::RunsFree => "runs-free",
            Self::EnablesGil => "enables-gil",
            Self::RunsFreeForced => "runs-free-forced",
            Self::RunsWithGil => "runs-with-gil",
            Self::CannotImport => "cannot-import",
            Self::Undetermined => "undetermined",
        }
    }
}

/// What the policy says about a module.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Action {
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

impl Action {
    /// All actions.
    pub const ALL: [Self; 7] =
        [Self::Follow, Self::Allow, Self::Warn, Self::Refuse, Self::GilOn, Self::Shared, Self::Exclusive];

    /// The word used in policies and reports.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Follow => "follow",
            Self::Allow => "allow",
            Self::Warn => "warn",
            Self::Refuse => "refuse",
            Self::GilOn => "gil-on",
            Self::Shared => "shared",
            Self::Exclusive => "exclusive",
        }
    }
}

/// An exception of a policy that is about a module: in force, or out of date.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Waiver {
    /// What it matches, as written.
    pub matches: String,
    /// Why it is there.
    pub reason: String,
    /// Its place in the policy, `file:line:column`.
    pub at: String,
    /// Its last day, `YYYY-MM-DD`.
    pub expires: Option<String>,
    /// How many days are left after today; negative when it is out of date.
    pub days_left: Option<i64>,
}

impl Waiver {
    /// Whether its last day is over.
    pub fn expired(&self) -> bool {
        self.days_left.is_some_and(|days| days < 0)
    }
}

/// What happens to one module: CPython's outcome, the policy's action, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decision {
    /// What CPython does.
    pub outcome: Outcome,
    /// What the policy says.
    pub action: Action,
    /// The place in the policy that decided, `file:line:column`; `None` when a built-in default did.
    pub policy_at: Option<String>,
    /// The text of the warning that CPython would print, when it would.
    pub warning: Option<String>,
    /// Why, one reason a line, the most important first. Never empty.
    pub because: Vec<String>,
    /// The exception that decided, or the one that would have if it were not out of date.
    pub waiver: Option<Waiver>,
}

impl Decision {
    /// The exception that lets the module in, although the policy's other entries would not, or might not.
    pub fn accepted(&self) -> Option<&Waiver> {
        self.waiver.as_ref().filter(|waiver| !waiver.expired() && self.action == Action::Allow)
    }

    /// The exception that is out of date.
    pub fn lapsed(&self) -> Option<&Waiver> {
        self.waiver.as_ref().filter(|waiver| waiver.expired())
    }
}
