//! Which functions threads run, and whether two of them can run at the same time.

use std::collections::{BTreeSet, HashMap, HashSet};

use gilaudit_model::source::python::Target;
use gilaudit_model::source::{Project, Span};

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
    reached: HashSet<Id>,
    /// What it reaches by calling methods of the same object only.
    on_object: HashSet<Id>,
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
        for (by, function) in functions(project) {
            let file = project.file(project.python[by.0].file);
            let main = file.text.find("__main__").map_or(u32::MAX, |at| u32::try_from(at).unwrap_or(u32::MAX));
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
        let mut threads = merge(threads);
        for thread in &mut threads {
            thread.reached = closure(thread.root, &callees);
            thread.on_object = closure(thread.root, &on_self);
        }
        let roots: HashSet<Id> = threads.iter().map(|thread| thread.root).collect();
        let lock_held = lock_held(project, &callers, &roots);
        let init_only = importing.into_iter().filter(|(_, import)| *import).map(|(id, _)| id).collect();
        Self { threads, lock_held, init_only, waiting, callers }
    }

    pub(super) fn is_lock_held(&self, id: Id) -> bool {
        self.lock_held.contains(&id)
    }

    /// The thread in which `a` runs while another thread runs `b` on the same state.
    pub(super) fn concurrent(&self, a: Id, b: Id, what: &Shared) -> Option<&Thread> {
        self.threads.iter().find(|thread| match what {
            Shared::Instance { .. } => thread.shares_object && self.meet(thread, a, b, |thread| &thread.on_object),
            // Each call of the function has its own variable: threads share it only if they are started inside one call.
            Shared::Closure { file, function, .. } => {
                !thread.reached.contains(&(*file, *function)) && self.meet(thread, a, b, |thread| &thread.reached)
            }
            _ => self.meet(thread, a, b, |thread| &thread.reached),
        })
    }

    fn meet(&self, thread: &Thread, a: Id, b: Id, reached: fn(&Thread) -> &HashSet<Id>) -> bool {
        if !reached(thread).contains(&a) {
            return false;
        }
        let both = reached(thread).contains(&b);
        if both && thread.many || self.others(thread).any(|other| reached(other).contains(&b)) {
            return true;
        }
        let outside = |id: Id| {
            !reached(thread).contains(&id) && id.1 != 0 && !self.init_only.contains(&id) && !self.waiting.contains(&id)
        };
        match both {
            // It is also called by code that this thread does not run.
            true => self.callers.get(&b).is_some_and(|callers| callers.iter().any(|(caller, _)| outside(*caller))),
            false => outside(b),
        }
    }

    fn others(&self, thread: &Thread) -> impl Iterator<Item = &Thread> {
        let root = thread.root;
        self.threads.iter().filter(move |other| other.root != root)
    }
}

/// What is reached from a function.
fn closure(root: Id, edges: &HashMap<Id, Vec<Id>>) -> HashSet<Id> {
    let mut reached = HashSet::from([root]);
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
    Thread { file, span, many, root, shares_object, reached: HashSet::new(), on_object: HashSet::new() }
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
    for thread in threads {
        match out.iter_mut().find(|known| known.root == thread.root) {
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
    // Assume it of all that have callers, then take it away where a call shows otherwise.
    let mut assumed: HashSet<Id> = callers.keys().filter(|id| !roots.contains(id)).copied().collect();
    loop {
        let wrong: Vec<Id> = assumed
            .iter()
            .filter(|id| {
                let calls = callers.get(id).map_or(&[][..], Vec::as_slice);
                calls.iter().any(|(caller, locked)| !locked && !assumed.contains(caller) && !held.contains(caller))
            })
            .copied()
            .collect();
        if wrong.is_empty() {
            break;
        }
        wrong.iter().for_each(|id| {
            assumed.remove(id);
        });
    }
    // A cycle of functions that only call each other is called by somebody we do not see.
    assumed.retain(|id| callers.get(id).is_some_and(|calls| calls.iter().any(|(_, locked)| *locked)));
    held.extend(assumed);
    held
}
