//! Which functions threads run, and whether two of them can run at the same time.

use std::collections::BTreeSet;
use std::sync::OnceLock;

use foldhash::{HashMap, HashMapExt, HashSet, HashSetExt};
use gilaudit_model::source::python::Target;
use gilaudit_model::source::{Project, Span};
use memchr::memmem;
use rayon::prelude::*;

use super::resolve::{Named, Resolver, Shared};
use super::{Id, functions};

/// A thread, or threads that run the same function.
#[derive(Clone, Debug)]
pub(crate) struct Thread {
    /// The number of the file where it begins.
    pub(crate) file: usize,
    /// Where it begins there.
    pub(crate) span: Span,
    /// Whether there are several.
    pub(crate) many: bool,
    /// What it runs first.
    root: Id,
    /// Whether what it runs is a method of an object that other threads have, too: `target=self.work`.
    shares_object: bool,
    /// What it reaches, worked out when it is asked for.
    reached: OnceLock<HashSet<Id>>,
}

/// The first two threads that reach a function, by their numbers. Whether it is none, this one alone, or others too is all that is asked.
type FirstTwo = [Option<usize>; 2];

/// Which threads reach which functions, by calls of one kind.
struct Reached {
    callees: HashMap<Id, Vec<Id>>,
    first: HashMap<Id, FirstTwo>,
}

impl Reached {
    /// By the threads that are given. A function that two reach is not looked at again, and neither is what it calls: the same two
    /// reach that.
    fn new<'t>(threads: impl Iterator<Item = (usize, &'t Thread)>, callees: HashMap<Id, Vec<Id>>) -> Self {
        let mut first: HashMap<Id, FirstTwo> = HashMap::new();
        for (number, thread) in threads {
            let mut todo = vec![thread.root];
            while let Some(id) = todo.pop() {
                let known = first.entry(id).or_default();
                if known.contains(&Some(number)) {
                    continue;
                }
                if let Some(free) = known.iter_mut().find(|known| known.is_none()) {
                    *free = Some(number);
                    todo.extend(callees.get(&id).into_iter().flatten());
                }
            }
        }
        Self { callees, first }
    }

    fn of(&self, id: Id) -> FirstTwo {
        self.first.get(&id).copied().unwrap_or_default()
    }
}

/// Classes of the standard library whose methods a threading server runs in a thread for each request.
const HANDLERS: [&str; 5] = [
    "BaseRequestHandler",
    "StreamRequestHandler",
    "DatagramRequestHandler",
    "BaseHTTPRequestHandler",
    "SimpleHTTPRequestHandler",
];

/// Calls that wait until other threads are done with something.
const WAITS: [&str; 6] = ["join", "shutdown", "result", "wait", "as_completed", "gather"];

pub(super) struct Reach {
    threads: Vec<Thread>,
    /// By all calls.
    by_call: Reached,
    /// By calls of methods of the same object only.
    on_object: Reached,
    /// The same, by threads that share the object that they run a method of.
    sharing: Reached,
    lock_held: HashSet<Id>,
    /// Functions that only run while their module is imported.
    init_only: HashSet<Id>,
    /// Functions that wait for other threads.
    waiting: HashSet<Id>,
    callers: HashMap<Id, Vec<(Id, bool)>>,
}

impl Reach {
    pub(super) fn new(project: &Project, resolver: &Resolver<'_>) -> Self {
        let mut callees: HashMap<Id, Vec<Id>> = HashMap::new();
        let mut on_self: HashMap<Id, Vec<Id>> = HashMap::new();
        let mut callers: HashMap<Id, Vec<(Id, bool)>> = HashMap::new();
        let mut importing: HashMap<Id, bool> = HashMap::new();
        let mut waiting = HashSet::new();
        // Where the code of each file begins that only runs when the file is the program.
        let main: Vec<u32> = project
            .python
            .par_iter()
            .map(|it| memmem::find(project.file(it.file).text.as_bytes(), b"__main__"))
            .map(|found| found.and_then(|at| u32::try_from(at).ok()).unwrap_or(u32::MAX))
            .collect();
        for (by, function) in functions(project) {
            let main = main[by.0];
            for call in &function.calls {
                let [first, .., last] = call.callee.as_slice() else {
                    if let Some(callee) = resolver.callee(by, &call.callee) {
                        callees.entry(by).or_default().push(callee);
                        callers.entry(callee).or_default().push((by, call.locked));
                        let import = by.1 == 0 && call.span.start < main;
                        importing.entry(callee).and_modify(|known| *known &= import).or_insert(import);
                    }
                    continue;
                };
                if WAITS.contains(&last.as_ref()) {
                    waiting.insert(by);
                }
                let Some(callee) = resolver.callee(by, &call.callee) else { continue };
                callees.entry(by).or_default().push(callee);
                callers.entry(callee).or_default().push((by, call.locked));
                let import = by.1 == 0 && call.span.start < main;
                importing.entry(callee).and_modify(|known| *known &= import).or_insert(import);
                if call.callee.len() == 2 && resolver.object(by, first).is_some() {
                    on_self.entry(by).or_default().push(callee);
                }
            }
        }
        let mut threads = starts(project, resolver);
        threads.extend(classes(project, resolver));
        let threads = merge(threads);
        let by_call = Reached::new(threads.iter().enumerate(), callees);
        let sharing = threads.iter().enumerate().filter(|(_, thread)| thread.shares_object);
        let sharing = Reached::new(sharing, on_self.clone());
        let on_object = Reached::new(threads.iter().enumerate(), on_self);
        let roots: HashSet<Id> = threads.iter().map(|thread| thread.root).collect();
        let lock_held = lock_held(project, &callers, &roots);
        let init_only = importing.into_iter().filter(|(_, import)| *import).map(|(id, _)| id).collect();
        Self { threads, by_call, on_object, sharing, lock_held, init_only, waiting, callers }
    }

    pub(super) fn is_lock_held(&self, id: Id) -> bool {
        self.lock_held.contains(&id)
    }

    /// The thread in which `a` runs while another thread runs `b` on the same state.
    pub(super) fn concurrent(&self, a: Id, b: Id, what: &Shared) -> Option<&Thread> {
        match what {
            Shared::Instance { .. } => self.meet(&self.sharing, &self.on_object, a, b),
            // Each call of the function has its own variable: threads share it only if they are started inside one call.
            Shared::Closure { file, function, .. } => {
                let own = |thread: &Thread| !self.reaches(thread, (*file, *function));
                let candidates = match self.by_call.of(a) {
                    [None, _] => &[],
                    [Some(only), None] => self.threads.get(only..=only).unwrap_or_default(),
                    [_, Some(_)] => self.threads.as_slice(),
                };
                let meets =
                    |thread: &&Thread| own(thread) && self.reaches(thread, a) && self.meets(&self.by_call, thread, b);
                candidates.iter().find(meets)
            }
            _ => self.meet(&self.by_call, &self.by_call, a, b),
        }
    }

    /// The first thread that reaches `a` while another one runs `b`. If the first does not meet `b`, it is the only one that reaches it,
    /// and any other that reaches `a` does: there is no need to look beyond the second.
    fn meet(&self, reaching: &Reached, others: &Reached, a: Id, b: Id) -> Option<&Thread> {
        let threads = reaching.of(a).into_iter().flatten().filter_map(|number| self.threads.get(number));
        threads.into_iter().find(|thread| self.meets(others, thread, b))
    }

    /// Whether another thread runs `b` while this one runs.
    fn meets(&self, reached: &Reached, thread: &Thread, b: Id) -> bool {
        let is_this = |number: usize| self.threads.get(number).is_some_and(|other| other.root == thread.root);
        let waits = |id: Id| id.1 == 0 || self.init_only.contains(&id) || self.waiting.contains(&id);
        match reached.of(b) {
            [None, _] => !waits(b),
            [Some(only), None] if is_this(only) => {
                // It is also called by code that this thread does not run.
                let outside = |caller: Id| !waits(caller) && !self.runs(reached, thread, only, caller);
                let callers = || self.callers.get(&b).into_iter().flatten();
                thread.many || callers().any(|(caller, _)| outside(*caller))
            }
            _ => true,
        }
    }

    /// Whether a thread reaches a function by calls of one kind.
    fn runs(&self, reached: &Reached, thread: &Thread, number: usize, id: Id) -> bool {
        match reached.of(id) {
            [None, _] => false,
            [first, second] if [first, second].contains(&Some(number)) => true,
            [Some(_), None] => false,
            // More than two may reach it, and of this one it is not known yet.
            [_, Some(_)] => closure(thread.root, &reached.callees).contains(&id),
        }
    }

    fn reaches(&self, thread: &Thread, id: Id) -> bool {
        thread.reached.get_or_init(|| closure(thread.root, &self.by_call.callees)).contains(&id)
    }
}

/// What is reached from a function.
fn closure(root: Id, edges: &HashMap<Id, Vec<Id>>) -> HashSet<Id> {
    let mut reached = HashSet::from_iter([root]);
    let mut todo = vec![root];
    while let Some(id) = todo.pop() {
        for next in edges.get(&id).into_iter().flatten() {
            if reached.insert(*next) {
                todo.push(*next);
            }
        }
    }
    reached
}

fn thread(file: usize, span: Span, many: bool, root: Id, shares_object: bool) -> Thread {
    Thread { file, span, many, root, shares_object, reached: OnceLock::new() }
}

/// The threads that code starts.
fn starts(project: &Project, resolver: &Resolver<'_>) -> Vec<Thread> {
    let mut out = Vec::new();
    for (file, it) in project.python.iter().enumerate() {
        for start in &it.starts {
            let by = (file, start.function);
            let (root, method) = match &start.target {
                Target::Function(function) => (Some((file, *function)), false),
                Target::Path(path) => {
                    (resolver.callee(by, path).or_else(|| only_method(project, file, path)), path.len() > 1)
                }
            };
            if let Some(root) = root {
                let is_method = project.python[root.0].functions[root.1].class.is_some();
                out.push(thread(file, start.span, start.many, root, method && is_method));
            }
        }
    }
    out
}

/// `x.work`, where only one class of the file has a method of that name.
fn only_method(project: &Project, file: usize, path: &[Box<str>]) -> Option<Id> {
    let name = path.last().filter(|_| path.len() > 1)?;
    let functions = project.python[file].functions.iter().enumerate();
    let mut found = functions.filter(|(_, function)| function.class.is_some() && function.name == *name);
    let first = found.next()?;
    found.next().is_none().then_some((file, first.0))
}

/// Where an object of a class is made.
struct Site {
    file: usize,
    span: Span,
    looped: bool,
}

/// The threads that objects are: subclasses of `Thread`, handlers of a server with threads.
fn classes(project: &Project, resolver: &Resolver<'_>) -> Vec<Thread> {
    let serves = project.python.iter().any(|it| {
        let text = &project.file(it.file).text;
        ["ThreadingMixIn", "ThreadingHTTPServer", "ThreadingTCPServer"].iter().any(|word| text.contains(word))
    });
    let mut made: HashMap<(usize, usize), Vec<Site>> = HashMap::new();
    for (by, function) in functions(project) {
        for call in &function.calls {
            if let Some(class) = resolver.class_of_call(by, &call.callee) {
                made.entry(class).or_default().push(Site { file: by.0, span: call.span, looped: call.looped });
            }
        }
    }
    let mut out = Vec::new();
    for (file, it) in project.python.iter().enumerate() {
        for class in 0..it.classes.len() {
            if inherits(project, resolver, file, class, &["Thread", "Timer"], 0) {
                let Some(root) = resolver.method(file, class, "run", 0) else { continue };
                let sites = made.get(&(file, class)).map_or(&[][..], Vec::as_slice);
                let many = sites.len() > 1 || sites.iter().any(|site| site.looped);
                if let Some(site) = sites.first() {
                    out.push(thread(site.file, site.span, many, root, false));
                }
            } else if serves && inherits(project, resolver, file, class, &HANDLERS, 0) {
                for index in resolver.methods(file, class).into_iter().collect::<BTreeSet<_>>() {
                    let function = &it.functions[index];
                    if function.name.as_ref() == "handle" || function.name.starts_with("do_") {
                        out.push(thread(file, function.span, true, (file, index), false));
                    }
                }
            }
        }
    }
    out
}

fn inherits(
    project: &Project,
    resolver: &Resolver<'_>,
    file: usize,
    class: usize,
    names: &[&str],
    depth: usize,
) -> bool {
    let bases = &project.python[file].classes[class].bases;
    depth < 8
        && bases.iter().any(|base| match resolver.named_path(file, base) {
            Some(Named::Class(file, class)) => inherits(project, resolver, file, class, names, depth + 1),
            _ => base.last().is_some_and(|last| names.contains(&last.as_ref())),
        })
}

/// One thread for each function: started in two places, there are several.
fn merge(threads: Vec<Thread>) -> Vec<Thread> {
    let mut out: Vec<Thread> = Vec::new();
    let mut known: HashMap<Id, usize> = HashMap::new();
    for thread in threads {
        let number = *known.entry(thread.root).or_insert(out.len());
        match out.get_mut(number) {
            Some(known) => {
                known.many = true;
                known.shares_object |= thread.shares_object;
            }
            None => out.push(thread),
        }
    }
    out
}

/// Functions of which every call holds a lock, or that say so by their name.
fn lock_held(project: &Project, callers: &HashMap<Id, Vec<(Id, bool)>>, roots: &HashSet<Id>) -> HashSet<Id> {
    let named = |name: &str| ["_locked", "_lock_held", "_with_lock"].iter().any(|end| name.ends_with(end));
    let mut held: HashSet<Id> =
        functions(project).filter(|(_, function)| named(&function.name)).map(|(id, _)| id).collect();
    // Assume it of all that have callers, then take it away where a call shows otherwise, and from those that they call.
    let mut assumed: HashSet<Id> = callers.keys().filter(|id| !roots.contains(id)).copied().collect();
    let mut unlocked: HashMap<Id, Vec<Id>> = HashMap::new();
    let mut wrong: Vec<Id> = Vec::new();
    let mut all: Vec<(&Id, &Vec<(Id, bool)>)> = callers.iter().collect();
    all.sort_unstable();
    for (id, calls) in all {
        for (caller, _) in calls.iter().filter(|(_, locked)| !locked) {
            unlocked.entry(*caller).or_default().push(*id);
            if !assumed.contains(caller) && !held.contains(caller) {
                wrong.push(*id);
            }
        }
    }
    while let Some(id) = wrong.pop() {
        if assumed.remove(&id) && !held.contains(&id) {
            wrong.extend(unlocked.get(&id).into_iter().flatten());
        }
    }
    // A cycle of functions that only call each other is called by somebody we do not see.
    assumed.retain(|id| callers.get(id).is_some_and(|calls| calls.iter().any(|(_, locked)| *locked)));
    held.extend(assumed);
    held
}
