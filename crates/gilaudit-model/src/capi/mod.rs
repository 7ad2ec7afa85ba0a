//! What is known of CPython's C API and of locks: the tables in this folder, by name.

use std::collections::HashMap;
use std::sync::LazyLock;

/// What a lock belongs to. Locks of different families never stand for each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum LockFamily {
    /// `Py_BEGIN_CRITICAL_SECTION` and its kin: released while the thread state is detached or another section is waited for.
    Section,
    /// `PyMutex`
    PyMutex,
    /// `PyThread_acquire_lock`
    PyThread,
    /// `pthread_mutex_lock`, `pthread_rwlock_…`
    Posix,
    /// `sem_wait`: a lock only when it starts at one, and meant to be held for long.
    Semaphore,
    /// `EnterCriticalSection`, `AcquireSRWLock…`
    Windows,
    /// `mtx_lock`
    C11,
    /// `std::mutex` and its guards.
    Cpp,
    /// Of a kind that is not known: `foo_lock(x)` and `foo_unlock(x)`, whose definitions are elsewhere.
    Named,
    /// Not a lock: data is kept in its place, or from other processes: `SDL_LockSurface`. It has to be released all the same.
    Pinned,
    /// Not a lock: the thread state is detached (`Py_BEGIN_ALLOW_THREADS`, `PyEval_SaveThread`, `gil_scoped_release`).
    Detached,
    /// Not a lock any more: `PyGILState_Ensure`, `gil_scoped_acquire`.
    Gil,
}

impl LockFamily {
    /// Whether it excludes other threads.
    pub fn is_lock(self) -> bool {
        !matches!(self, Self::Pinned | Self::Detached | Self::Gil)
    }

    /// Whether a thread that waits for it stays attached, so that stop-the-world waits for it too.
    pub fn blocks_attached(self) -> bool {
        matches!(self, Self::Posix | Self::Windows | Self::C11 | Self::Cpp)
    }
}

/// A function, macro or method that takes or releases a lock.
#[derive(Clone, Copy, Debug)]
pub struct Primitive {
    /// The kind of lock.
    pub family: LockFamily,
    /// Whether it takes the lock.
    pub acquires: bool,
    /// Which argument says what is locked.
    pub object: Option<usize>,
    /// `m.lock()`, not `lock(m)`.
    pub method: bool,
}

/// The table of allocators and what releases their memory: name, what it does, domain.
pub const ALLOCATORS: &str = include_str!("allocators.tsv");

/// The rows of the table of locks: acquire, release, kind, family, object.
fn lock_rows() -> impl Iterator<Item = (&'static str, &'static str, &'static str, LockFamily, Option<usize>)> {
    rows(include_str!("locks.tsv")).filter_map(|row| {
        let [acquire, release, kind, family, object, ..] = row.as_slice() else { return None };
        let object = object.split(',').next().and_then(|index| index.parse().ok());
        Some((*acquire, *release, *kind, family_named(family)?, object))
    })
}

static PRIMITIVES: LazyLock<HashMap<&'static str, Primitive>> = LazyLock::new(|| {
    let mut primitives = HashMap::new();
    for (acquire, release, kind, family, object) in lock_rows() {
        if !matches!(kind, "function" | "macro" | "method") {
            continue;
        }
        let method = kind == "method";
        // `Py_END_CRITICAL_SECTION()` and the ends of the thread state's regions do not say what they end.
        let named = matches!(family, LockFamily::Section) || !family.is_lock();
        let release_object = if named { None } else { object };
        for (name, acquires, object) in [(acquire, true, object), (release, false, release_object)] {
            let primitive = Primitive { family, acquires, object, method };
            primitives.entry(name.trim_start_matches('.')).or_insert(primitive);
        }
    }
    primitives
});

static GUARDS: LazyLock<HashMap<&'static str, LockFamily>> = LazyLock::new(|| {
    let guards = lock_rows().filter(|(_, _, kind, _, _)| *kind == "guard");
    guards.map(|(name, _, _, family, _)| (name.rsplit("::").next().unwrap_or(name), family)).collect()
});

fn family_named(name: &str) -> Option<LockFamily> {
    Some(match name {
        "critical-section" | "critical-section2" => LockFamily::Section,
        "pymutex" => LockFamily::PyMutex,
        "pythread" => LockFamily::PyThread,
        "pthread" | "darwin" | "glib" | "libuv" | "sdl" | "openmp" => LockFamily::Posix,
        "semaphore" => LockFamily::Semaphore,
        "win32" => LockFamily::Windows,
        "c11" => LockFamily::C11,
        "c++" => LockFamily::Cpp,
        // The world is stopped: it excludes everybody, and is no mutex.
        "world" => LockFamily::Named,
        "allow-threads" | "savethread" => LockFamily::Detached,
        "gilstate" | "threadstate" => LockFamily::Gil,
        _ => return None,
    })
}

/// The rows of a table: tab-separated, `#` begins a comment line.
pub fn rows(table: &'static str) -> impl Iterator<Item = Vec<&'static str>> {
    table.lines().filter(|line| !line.is_empty() && !line.starts_with('#')).map(|line| line.split('\t').collect())
}

/// What the function or macro of this name does to a lock.
pub fn lock_primitive(name: &str) -> Option<Primitive> {
    PRIMITIVES.get(name).copied()
}

/// What is locked to keep it in its place, or against other processes, not against other threads: `SDL_LockSurface`, `LockBits`,
/// `lock_file`.
const PINNED: [&str; 10] =
    ["surface", "texture", "pixel", "pixels", "bits", "bitmap", "rect", "memory", "file", "flock"];

/// The family of a lock of unknown kind, by the name of the function that takes it.
pub fn family_named_like(name: &str) -> LockFamily {
    let is_pinned = words(name).iter().any(|word| PINNED.contains(&word.as_str()));
    if is_pinned { LockFamily::Pinned } else { LockFamily::Named }
}

/// What the function is called that releases what this one takes, by their names: `foo_unlock` for `foo_lock`, `UnlockX` for `LockX`.
pub fn unlock_named_like(name: &str) -> Option<String> {
    let pairs = [("lock", "unlock"), ("Lock", "Unlock"), ("LOCK", "UNLOCK")];
    pairs.into_iter().find_map(|(lock, unlock)| {
        let at = name.rfind(lock)?;
        let (before, behind) = (name.get(..at)?, name.get(at + lock.len()..)?);
        // A word of its own: not `block`, `Unlock`, `LockFree` or `clock`.
        let begins = before.ends_with('_')
            || before.is_empty()
            || lock == "Lock" && before.ends_with(|c: char| c.is_lowercase());
        let ends =
            !behind.starts_with(|c: char| c.is_lowercase()) && !before.ends_with("un") && !before.ends_with("Un");
        (begins && ends).then(|| format!("{before}{unlock}{behind}"))
    })
}

/// The family that a variable of this C++ type holds until it goes out of scope; `base` may carry namespaces and template arguments.
pub fn guard_family(base: &str) -> Option<LockFamily> {
    let plain = base.split('<').next().unwrap_or(base).trim();
    GUARDS.get(plain.rsplit("::").next().unwrap_or(plain)).copied()
}

static FRESH: LazyLock<HashMap<&'static str, &'static str>> =
    LazyLock::new(|| rows(include_str!("fresh.tsv")).filter_map(|row| Some((*row.first()?, *row.get(1)?))).collect());

/// Whether what this function returns is known to nobody else yet.
pub fn is_fresh(name: &str) -> bool {
    FRESH.contains_key(name)
}

/// Whether this allocates an object or a buffer.
pub fn allocates(name: &str) -> bool {
    matches!(
        name,
        "PyObject_New"
            | "PyObject_GC_New"
            | "PyObject_NewVar"
            | "PyObject_GC_NewVar"
            | "PyType_GenericAlloc"
            | "PyType_GenericNew"
            | "tp_alloc"
            | "tp_new"
            | "_PyObject_New"
            | "_PyObject_GC_New"
            | "PyObject_NEW"
            | "PyObject_Init"
            | "malloc"
            | "calloc"
            | "realloc"
            | "PyMem_Malloc"
            | "PyMem_Calloc"
            | "PyMem_New"
            | "PyMem_RawMalloc"
            | "PyMem_RawCalloc"
            | "PyMem_NEW"
            | "PyObject_Malloc"
            | "PyObject_Calloc"
            | "new"
            | "PyMem_MALLOC"
            | "PyObject_MALLOC"
            | "PyMem_Realloc"
    )
}

/// Whether a function is named like one that makes what it returns: `node_new`, `PyFoo_Create`, `alloc_shell`, `matrix_copy`.
pub fn is_named_like_maker(name: &str) -> bool {
    let mut makes = false;
    for word in words(name) {
        match word.as_str() {
            "new" | "alloc" | "allocate" | "create" | "make" | "clone" | "copy" | "dup" => makes = true,
            // `apr_pcalloc`, `xmalloc`; not `realloc`, which may give what is there, nor `dealloc`.
            word if word.ends_with("malloc") || word.ends_with("calloc") || word.ends_with("zalloc") => makes = true,
            // `get_or_create`, `new_if_missing`, `find_copy`: may give what is there.
            "get" | "find" | "lookup" | "or" | "if" | "cached" | "intern" | "shared" | "borrow" => return false,
            _ => {}
        }
    }
    makes
}

/// The words of a name in snake_case or CamelCase, in lower case.
fn words(name: &str) -> Vec<String> {
    let mut words: Vec<String> = Vec::new();
    let mut lower_before = false;
    let mut fresh = true;
    for c in name.chars() {
        if !c.is_alphanumeric() {
            (fresh, lower_before) = (true, false);
            continue;
        }
        if fresh || c.is_uppercase() && lower_before {
            words.push(String::new());
            fresh = false;
        }
        lower_before = c.is_lowercase() || c.is_ascii_digit();
        if let Some(word) = words.last_mut() {
            word.extend(c.to_lowercase());
        }
    }
    words
}

/// Whether a function or macro of this name is an atomic operation (E7): C11, C++, the compilers', CPython's, or one of the project's
/// that is named like one.
pub fn is_atomic(name: &str) -> bool {
    let lower = name.to_ascii_lowercase();
    ["atomic_", "__atomic_", "__sync_", "_py_atomic_", "ft_atomic_", "interlocked", "_interlocked", "std::atomic_"]
        .iter()
        .any(|prefix| lower.starts_with(prefix))
        || lower.contains("_atomic_")
        || matches!(name, "_Py_ThreadId")
}

/// Whether a function of this name ends the process or the call, and never comes back.
pub fn never_returns(name: &str) -> bool {
    matches!(
        name,
        "abort"
            | "exit"
            | "_exit"
            | "_Exit"
            | "quick_exit"
            | "longjmp"
            | "siglongjmp"
            | "__longjmp_chk"
            | "__stack_chk_fail"
            | "__chk_fail"
            | "__assert_fail"
            | "__assert"
            | "Py_FatalError"
            | "_Py_FatalErrorFunc"
            | "_Py_FatalRefcountErrorFunc"
            | "Py_Exit"
            | "_Unwind_Resume"
            | "__cxa_throw"
            | "__cxa_rethrow"
            | "__cxa_bad_cast"
            | "__cxa_throw_bad_array_new_length"
            | "_ZSt9terminatev"
    ) || name.starts_with("_ZSt") && name.contains("__throw_")
}

/// Whether calling this says that the caller holds the lock.
pub fn asserts_locked(name: &str) -> bool {
    name.contains("ASSERT") && name.contains("LOCKED")
}

static FUNCTIONS: LazyLock<HashMap<&'static str, Vec<&'static str>>> =
    LazyLock::new(|| rows(include_str!("functions.tsv")).filter_map(|row| Some((*row.first()?, row))).collect());

/// Whether CPython 3.13, 3.14 or 3.15 has a function or macro of this name in its public headers.
pub fn is_exported(name: &str) -> bool {
    FUNCTIONS.contains_key(name)
}

/// The minor version whose limited API first has this name; `None` for what is not in it.
pub fn limited_since(name: &str) -> Option<u32> {
    minor(FUNCTIONS.get(name)?.get(7)?)
}

/// Whether it is a function of the library (not a macro that may only read a member).
pub fn is_exported_function(name: &str) -> bool {
    FUNCTIONS.get(name).is_some_and(|row| row.get(1) == Some(&"function"))
}

/// The arguments whose reference a function or macro takes over.
pub fn steals(name: &str) -> impl Iterator<Item = usize> {
    let cell = FUNCTIONS.get(name).and_then(|row| row.get(5)).copied().unwrap_or("-");
    cell.split(',').filter_map(|index| index.parse().ok())
}

/// A function that gives a new reference where older API gives a borrowed one.
#[derive(Clone, Copy, Debug)]
pub struct Strong {
    /// The argument that is the address it is stored at; `None` when it is returned.
    pub out: Option<usize>,
    /// The results with which there is one.
    stored: &'static str,
}

impl Strong {
    /// Whether there is a reference when the function returned this.
    pub fn is_stored(&self, result: i64) -> bool {
        self.stored.split(',').any(|stored| stored.parse() == Ok(result))
    }
}

static STRONG: LazyLock<HashMap<&'static str, Strong>> = LazyLock::new(|| {
    rows(include_str!("strong.tsv"))
        .filter_map(|row| {
            let [name, out, stored, ..] = row.as_slice() else { return None };
            Some((*name, Strong { out: out.parse().ok(), stored }))
        })
        .collect()
});

/// What is known of a function that gives a strong reference.
pub fn strong(name: &str) -> Option<Strong> {
    STRONG.get(name).copied()
}

/// A function that gives a borrowed reference.
#[derive(Clone, Copy, Debug)]
pub struct Borrowed {
    /// The id of the rule that covers it.
    pub rule: &'static str,
    /// The argument that owns the result.
    pub owner: Option<usize>,
    /// What to call instead.
    pub replacement: &'static str,
    /// The version that first had the replacement.
    pub since: &'static str,
    /// Whether pythoncapi-compat has it for older versions.
    pub compat: bool,
}

static BORROWED: LazyLock<HashMap<&'static str, Borrowed>> = LazyLock::new(|| {
    rows(include_str!("borrowed.tsv"))
        .filter_map(|row| {
            let [name, rule, owner, _, replacement, since, compat, ..] = row.as_slice() else { return None };
            let borrowed = Borrowed { rule, owner: owner.parse().ok(), replacement, since, compat: *compat == "yes" };
            (*rule != "-").then_some((*name, borrowed))
        })
        .collect()
});

/// What is known of a function that gives a borrowed reference that is not safe.
pub fn borrowed(name: &str) -> Option<Borrowed> {
    BORROWED.get(name).copied()
}

impl Borrowed {
    /// "use PyList_GetItemRef (new in 3.13; pythoncapi-compat has it for older versions)"
    pub fn advice(&self) -> String {
        let since = match (self.since, self.compat) {
            ("old" | "-", _) => String::new(),
            (since, true) => format!(" (new in Python {since}; pythoncapi-compat has it for older ones)"),
            (since, false) => format!(" (new in Python {since})"),
        };
        format!("{}{since}", self.replacement)
    }
}

static DETACH_SAFE: LazyLock<std::collections::HashSet<&'static str>> =
    LazyLock::new(|| rows(include_str!("detach-safe.tsv")).filter_map(|row| row.first().copied()).collect());

/// Whether it may be called without an attached thread state.
pub fn is_detach_safe(name: &str) -> bool {
    DETACH_SAFE.contains(name)
}

/// The argument of a call that is run by the first thread while the others wait.
pub fn runs_once(name: &str) -> Option<usize> {
    matches!(name, "std::call_once" | "call_once" | "pthread_once" | "InitOnceExecuteOnce" | "absl::call_once")
        .then_some(1)
}

/// How a function blocks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Blocking {
    /// For a lock.
    Lock,
    /// For a thread, a process or an event.
    Wait,
    /// For another machine or a person: without end.
    Io,
    /// For the file system.
    File,
    /// For some time.
    Sleep,
}

/// The rows of the table: how, and the note.
static BLOCKING: LazyLock<HashMap<&'static str, (Blocking, &'static str)>> = LazyLock::new(|| {
    rows(include_str!("blocking.tsv"))
        .filter_map(|row| {
            let [name, class, _, note, ..] = row.as_slice() else { return None };
            let class = match *class {
                "lock" => Blocking::Lock,
                "wait" => Blocking::Wait,
                "io" => Blocking::Io,
                "file" => Blocking::File,
                "sleep" => Blocking::Sleep,
                _ => return None,
            };
            Some((*name, (class, *note)))
        })
        .collect()
});

/// How the function of this name blocks, and when it does not; a method's name begins with a dot.
pub fn blocking(name: &str) -> Option<(Blocking, &'static str)> {
    BLOCKING.get(name).copied()
}

/// A function of the C library that keeps state for the whole process.
#[derive(Clone, Copy, Debug)]
pub struct UnsafeLibc {
    /// Harmless on the usual systems.
    pub is_note: bool,
    /// What is not safe about it.
    pub reason: &'static str,
    /// What to use instead, `-` when there is nothing.
    pub replacement: &'static str,
}

static UNSAFE_LIBC: LazyLock<HashMap<&'static str, UnsafeLibc>> = LazyLock::new(|| {
    rows(include_str!("unsafe-libc.tsv"))
        .filter_map(|row| {
            let [name, level, _, reason, replacement, ..] = row.as_slice() else { return None };
            Some((*name, UnsafeLibc { is_note: *level == "note", reason, replacement }))
        })
        .collect()
});

/// What is known of a function of the C library that is not safe in several threads.
pub fn unsafe_libc(name: &str) -> Option<UnsafeLibc> {
    UNSAFE_LIBC.get(name).copied()
}

/// Whether a call can run any Python code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RunsPython {
    /// That is what it is for.
    Yes,
    /// It depends on its arguments.
    Maybe,
    /// Never.
    No,
}

static RUNS_PYTHON: LazyLock<HashMap<&'static str, RunsPython>> = LazyLock::new(|| {
    rows(include_str!("runs-python.tsv"))
        .filter_map(|row| {
            let level = match *row.get(1)? {
                "yes" => RunsPython::Yes,
                "maybe" => RunsPython::Maybe,
                _ => RunsPython::No,
            };
            Some((*row.first()?, level))
        })
        .collect()
});

/// Whether this API can run Python code; `None` for what is no API.
pub fn runs_python(name: &str) -> Option<RunsPython> {
    RUNS_PYTHON.get(name).copied()
}

/// API that is gone, going, or does nothing any more.
#[derive(Clone, Copy, Debug)]
pub struct Deprecated {
    /// The version that lacks it, `-` if none is planned.
    pub removed: &'static str,
    /// The version that deprecated it.
    pub deprecated: &'static str,
    /// Since when it does nothing, `-` if it still does.
    pub no_op: &'static str,
    /// What to use instead.
    pub replacement: &'static str,
    /// What else is to be known.
    pub note: &'static str,
}

static DEPRECATED: LazyLock<HashMap<&'static str, Deprecated>> = LazyLock::new(|| {
    rows(include_str!("deprecated.tsv"))
        .filter_map(|row| {
            let [name, removed, deprecated, no_op, replacement, note, ..] = row.as_slice() else { return None };
            Some((*name, Deprecated { removed, deprecated, no_op, replacement, note }))
        })
        .collect()
});

/// What is known of API that is on its way out.
pub fn deprecated(name: &str) -> Option<Deprecated> {
    DEPRECATED.get(name).copied()
}

/// The newest minor version that the tables know.
pub const NEWEST: u32 = 15;

/// The number behind `3.` in a version.
pub fn minor(version: &str) -> Option<u32> {
    version.strip_prefix("3.")?.trim_end_matches('t').parse().ok()
}

/// A library function that must not be called by two threads with one handle.
#[derive(Clone, Copy, Debug)]
pub struct Nonreentrant {
    /// Which argument is the handle; `None` for state of the whole process.
    pub handle: Option<usize>,
    /// What is not safe about it.
    pub reason: &'static str,
    /// What to do about it.
    pub fix: &'static str,
}

/// The rows of the table: by name, `None` for what is safe; and by prefix, which the table ends with `*`, the longest first.
struct NonreentrantTable {
    names: HashMap<&'static str, Option<Nonreentrant>>,
    prefixes: Vec<(&'static str, Option<Nonreentrant>)>,
}

static NONREENTRANT: LazyLock<NonreentrantTable> = LazyLock::new(|| {
    let mut table = NonreentrantTable { names: HashMap::new(), prefixes: Vec::new() };
    for row in rows(include_str!("nonreentrant.tsv")) {
        let [name, level, _, handle, reason, fix, ..] = row.as_slice() else { continue };
        let known = (*level != "safe").then_some(Nonreentrant { handle: handle.parse().ok(), reason, fix });
        match name.strip_suffix('*') {
            Some(prefix) => table.prefixes.push((prefix, known)),
            None => {
                table.names.insert(name, known);
            }
        }
    }
    table.prefixes.sort_by_key(|(prefix, _)| std::cmp::Reverse(prefix.len()));
    table
});

/// What is known of a library function; the exact name is preferred to a prefix, the longer prefix to the shorter.
pub fn nonreentrant(name: &str) -> Option<Nonreentrant> {
    match NONREENTRANT.names.get(name) {
        Some(known) => *known,
        None => NONREENTRANT.prefixes.iter().find(|(prefix, _)| name.starts_with(prefix)).and_then(|(_, known)| *known),
    }
}
