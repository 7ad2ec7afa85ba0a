//! Functions called from several threads: without the GIL, and once more with it, which shows what is the program's own doing.
//!
//! A crash, a time limit, another kind of exception or, for a function that always returned the same, another result only counts when the
//! run with the GIL on has none of it.

use std::collections::BTreeSet;

use super::child::{End, Event, Runner, Seen, Task};
use super::compare::warned;

/// How often the run without the GIL is repeated: a race does not show every time.
const RUNS: usize = 3;

/// What is asked of the functions.
#[derive(Clone, Debug)]
pub(crate) struct Question {
    pub(crate) functions: Vec<String>,
    pub(crate) threads: u16,
    pub(crate) calls: u32,
    pub(crate) folder: Option<String>,
}

/// What calling a function from several threads showed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Stressed {
    pub(crate) function: String,
    /// What happened without the GIL, and not with it; sorted.
    pub(crate) differences: Vec<String>,
    /// Why nothing can be said, if that is so.
    pub(crate) not_tested: Option<String>,
    /// What happened with the GIL on.
    pub(crate) control: Vec<String>,
    /// The module for which the interpreter would turn the GIL on: then its functions run with the GIL unless PYTHON_GIL=0 is set.
    pub(crate) needs_gil: Option<String>,
}

/// Stresses one function.
pub(crate) fn stress(runner: &Runner<'_>, question: &Question, function: &String) -> Stressed {
    let task = || Task {
        steps: Vec::new(),
        folder: question.folder.clone(),
        stress: std::slice::from_ref(function),
        threads: question.threads,
        calls: question.calls,
    };
    let control = runner.run(&task(), "1", false);
    let as_is = runner.run(&Task { calls: 0, ..task() }, "default", false);
    let mut out = Stressed {
        function: function.clone(),
        differences: Vec::new(),
        not_tested: None,
        control: outcomes(&control).into_iter().map(|outcome| outcome.said).collect(),
        needs_gil: warned(&as_is.events).map(|event| event.module.clone()),
    };
    let failed = control.events.iter().find(|event| event.event == "done").and_then(|event| event.error.clone());
    if let Some(error) = failed {
        out.not_tested = Some(error);
        return out;
    }
    if control.end != End::Done {
        out.not_tested = Some(format!("the control run with the GIL on ended before its end: {}", ended(&control)));
        return out;
    }
    let known = outcomes(&control);
    // One that returns something else every time shows nothing by doing so without the GIL.
    let is_constant = known.iter().filter(|outcome| outcome.returned).count() == 1;
    let mut differences = BTreeSet::new();
    for _ in 0..RUNS {
        let seen = runner.run(&task(), "0", false);
        if seen.end != End::Done {
            differences.insert(ended(&seen));
        }
        let new = outcomes(&seen).into_iter().filter(|outcome| {
            !known.iter().any(|other| (other.returned, &other.what) == (outcome.returned, &outcome.what))
                && (!outcome.returned || is_constant)
        });
        differences.extend(new.map(|outcome| outcome.said));
    }
    out.differences = differences.into_iter().collect();
    out
}

struct Outcome {
    returned: bool,
    /// What tells it from others.
    what: String,
    said: String,
}

fn outcomes(seen: &Seen) -> Vec<Outcome> {
    let called = |event: &&Event| event.event == "called";
    let all = seen.events.iter().find(called).map(|event| event.outcomes.as_slice()).unwrap_or_default();
    let mut outcomes: Vec<Outcome> = all
        .iter()
        .map(|(how, what, text, _)| Outcome {
            returned: how == "returned",
            what: what.clone(),
            said: format!("{how} {text}"),
        })
        .collect();
    // Errors of one type are one outcome: their texts name numbers.
    outcomes.sort_by(|a, b| (a.returned, &a.what, &a.said).cmp(&(b.returned, &b.what, &b.said)));
    outcomes.dedup_by(|a, b| (a.returned, &a.what) == (b.returned, &b.what));
    outcomes
}

fn ended(seen: &Seen) -> String {
    match &seen.end {
        End::Done => "it ended well".to_owned(),
        End::TimedOut => "it did not end within the time limit: a deadlock, or too many calls".to_owned(),
        End::Crashed(how) => format!("the interpreter crashed: {how}"),
        End::Left(how) | End::NotStarted(how) => format!("the interpreter ended: {how}"),
    }
}
