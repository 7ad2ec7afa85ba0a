//! `CMakeLists.txt`: the commands that make Python modules, and where they are installed.
//!
//! Variables, `foreach` over what is written out, and functions of the same file are followed; both branches of an `if` are. What is
//! still computed after that is said to be.

pub(super) mod syntax;

use std::collections::HashMap;

use gilaudit_model::source::Span;
use gilaudit_model::source::build::{BuildDirective, BuildFile, BuildModule, Maker};

use super::{by_hand, join, macros};
use syntax::{Command, commands};

/// The most commands that are run, those of functions and loops each time.
const MOST: usize = 50_000;

/// How deep functions call each other and loops stand in each other.
const DEEPEST: usize = 16;

/// The most words that one command gets.
const MOST_WORDS: usize = 10_000;

pub(super) fn read(text: &str, folder: &str, build: &mut BuildFile) {
    let mut reader = Reader {
        folder,
        build,
        variables: HashMap::new(),
        functions: HashMap::new(),
        targets: HashMap::new(),
        outputs: Vec::new(),
        conditions: 0,
        left: MOST,
    };
    let all = commands(text);
    reader.build.by_hand = by_hand::find(&all);
    defined(&all, reader.build);
    for command in &all {
        directives(command, reader.build);
    }
    reader.run(&all, 0);
    reader.finish();
}

/// A word of a command after variables are put in, and where it was written.
type Word = (String, Span);

struct Reader<'t, 'b> {
    folder: &'t str,
    build: &'b mut BuildFile,
    variables: HashMap<String, Vec<String>>,
    /// Functions and macros: their parameters and commands.
    functions: HashMap<String, (Vec<&'t str>, Vec<Command<'t>>)>,
    /// The sources of libraries that may become modules.
    targets: HashMap<String, Vec<Box<str>>>,
    /// `set_target_properties(target PROPERTIES OUTPUT_NAME name)`
    outputs: Vec<(String, String)>,
    /// How many `if`s are open.
    conditions: usize,
    left: usize,
}

impl<'t> Reader<'t, '_> {
    fn run(&mut self, commands: &[Command<'t>], depth: usize) {
        let mut at = 0;
        while let Some(command) = commands.get(at) {
            at += 1;
            if self.left == 0 || depth > DEEPEST {
                self.build.computed = true;
                return;
            }
            self.left -= 1;
            let name = command.name.to_ascii_lowercase();
            match name.as_str() {
                "function" | "macro" | "foreach" => {
                    let end = block_end(commands, at, &name);
                    let body = commands.get(at..end).unwrap_or_default();
                    at = end.saturating_add(1);
                    if name == "foreach" {
                        self.foreach(command, body, depth);
                    } else if let Some(((called, _), parameters)) = command.arguments.split_first() {
                        let parameters = parameters.iter().map(|(word, _)| *word).collect();
                        self.functions.insert(called.to_ascii_lowercase(), (parameters, body.to_vec()));
                    }
                }
                "if" => self.conditions = self.conditions.saturating_add(1),
                "endif" => self.conditions = self.conditions.saturating_sub(1),
                _ => {
                    let words = self.words(command);
                    match self.functions.get(&name).cloned() {
                        Some((parameters, body)) => self.call(&parameters, &body, &words, depth),
                        None => self.command(&name, &words),
                    }
                }
            }
        }
    }

    /// `foreach(x a b)`, `foreach(x IN LISTS l ITEMS a b)`
    fn foreach(&mut self, command: &Command<'t>, body: &[Command<'t>], depth: usize) {
        let words = self.words(command);
        let Some(((variable, _), rest)) = words.split_first() else { return };
        let mut values = Vec::new();
        let mut lists = false;
        for (word, _) in rest {
            match word.as_str() {
                "IN" | "ITEMS" => lists = false,
                "LISTS" => lists = true,
                list if lists => values.extend(self.variables.get(list).cloned().unwrap_or_default()),
                value => values.push(value.to_owned()),
            }
        }
        if values.is_empty() {
            // Once, with a variable that nothing is known of.
            values.push("${}".to_owned());
        }
        for value in values {
            let outer = self.variables.insert(variable.clone(), vec![value]);
            self.run(body, depth + 1);
            self.restore(variable, outer);
        }
    }

    fn restore(&mut self, name: &str, outer: Option<Vec<String>>) {
        match outer {
            Some(outer) => self.variables.insert(name.to_owned(), outer),
            None => self.variables.remove(name),
        };
    }

    fn call(&mut self, parameters: &[&str], body: &[Command<'t>], words: &[Word], depth: usize) {
        let values = |words: &[Word]| words.iter().map(|(word, _)| word.clone()).collect::<Vec<_>>();
        let mut outer = Vec::new();
        for (parameter, (word, _)) in parameters.iter().zip(words) {
            outer.push((*parameter, self.variables.insert((*parameter).to_owned(), vec![word.clone()])));
        }
        let rest = words.get(parameters.len()..).unwrap_or_default();
        outer.push(("ARGN", self.variables.insert("ARGN".to_owned(), values(rest))));
        outer.push(("ARGV", self.variables.insert("ARGV".to_owned(), values(words))));
        self.run(body, depth + 1);
        for (name, value) in outer {
            self.restore(name, value);
        }
    }

    /// The arguments of a command with the variables that are known put in; a list becomes several words.
    fn words(&self, command: &Command<'t>) -> Vec<Word> {
        let mut out = Vec::new();
        for (word, span) in &command.arguments {
            let whole = word.strip_prefix("${").and_then(|rest| rest.strip_suffix('}'));
            if let Some(values) = whole.and_then(|name| self.variables.get(name)) {
                out.extend(values.iter().map(|value| (value.clone(), *span)));
            } else {
                out.push((self.put_in(word), *span));
            }
            if out.len() > MOST_WORDS {
                break;
            }
        }
        out
    }

    /// A word with the variables in it that hold one value put in.
    fn put_in(&self, word: &str) -> String {
        let mut out = String::new();
        let mut rest = word;
        while let Some((before, after)) = rest.split_once("${") {
            out.push_str(before);
            let Some((name, after)) = after.split_once('}') else {
                rest = "${";
                break;
            };
            match self.variables.get(name).map(Vec::as_slice) {
                Some([value]) if value.len() + out.len() < 4096 => out.push_str(value),
                _ => out.extend(["${", name, "}"]),
            }
            rest = after;
        }
        out.push_str(rest);
        out
    }

    fn command(&mut self, name: &str, words: &[Word]) {
        let plain: Vec<&str> = words.iter().map(|(word, _)| word.as_str()).collect();
        let has = |word: &str| plain.contains(&word);
        let maker = match name {
            "pybind11_add_module" => Maker::Pybind11,
            "nanobind_add_module" => {
                // A word that is computed and no file may be the flag.
                let is_open = plain.iter().skip(1).any(|word| word.contains('$') && !word.contains(['.', '/']));
                Maker::Nanobind {
                    free_threaded: if has("FREE_THREADED") { Some(true) } else { (!is_open).then_some(false) },
                }
            }
            "python_add_library" | "python3_add_library" | "python_add_module" | "python_extension_module" => {
                Maker::Compiler
            }
            "f2py_add_module" => Maker::F2py { free_threaded: has("--freethreading-compatible") },
            "swig_add_library" if plain.iter().any(|word| word.eq_ignore_ascii_case("python")) => {
                Maker::Swig { nogil: has("-nogil") }
            }
            "add_library" => {
                let sources = self.sources(&plain);
                plain.first().into_iter().for_each(|target| {
                    self.targets.insert((*target).to_owned(), sources.clone());
                });
                return;
            }
            _ => return self.says(name, &plain),
        };
        let Some((target, span)) = words.first() else { return };
        let mut sources = self.sources(&plain);
        if sources.is_empty() {
            sources = self.targets.get(target).cloned().unwrap_or_default();
        }
        let is_computed = target.contains('$');
        self.build.computed |= is_computed;
        let name = match maker {
            _ if is_computed => String::new(),
            // UseSWIG makes `_name`, which the Python module of that name imports.
            Maker::Swig { .. } => format!("_{target}"),
            _ => target.clone(),
        };
        self.build.modules.push(BuildModule {
            name: name.into(),
            span: *span,
            sources,
            maker,
            limited_api: has("STABLE_ABI") || has("USE_SABI"),
        });
    }

    /// What commands say of modules that other commands make.
    fn says(&mut self, name: &str, words: &[&str]) {
        let value_after = |key: &str| {
            words.iter().position(|word| *word == key).and_then(|at| words.get(at.saturating_add(1))).copied()
        };
        match (name, words) {
            ("set", [variable, values @ ..]) => {
                let end =
                    values.iter().position(|word| matches!(*word, "CACHE" | "PARENT_SCOPE")).unwrap_or(values.len());
                let values =
                    values.iter().take(end).flat_map(|value| value.split(';')).filter(|value| !value.is_empty());
                let values: Vec<String> = values.map(str::to_owned).collect();
                let known = self.variables.entry((*variable).to_owned()).or_default();
                if self.conditions == 0 {
                    known.clear();
                }
                known.extend(values);
                known.dedup();
                known.truncate(MOST_WORDS);
            }
            ("list", ["APPEND", variable, values @ ..]) => {
                let known = self.variables.entry((*variable).to_owned()).or_default();
                known.extend(values.iter().map(|value| (*value).to_owned()));
                known.truncate(MOST_WORDS);
            }
            ("project", [project, ..]) => {
                self.variables.insert("PROJECT_NAME".to_owned(), vec![(*project).to_owned()]);
            }
            // The C file stands for the Cython file that it is made of.
            ("add_cython_target", [variable, source, ..]) if source.contains(".pyx") => {
                self.variables.insert((*variable).to_owned(), vec![(*source).to_owned()]);
            }
            ("add_cython_target", [variable, ..]) => {
                self.variables.insert((*variable).to_owned(), vec![format!("{variable}.pyx")]);
            }
            ("cython_transpile", [source, ..]) => {
                if let Some(variable) = value_after("OUTPUT_VARIABLE") {
                    self.variables.insert(variable.to_owned(), vec![(*source).to_owned()]);
                }
            }
            ("target_sources", [target, ..]) => {
                let sources = self.sources(words);
                if let Some(module) = self.build.modules.iter_mut().rev().find(|module| *module.name == **target) {
                    module.sources.extend(sources);
                }
            }
            ("set_target_properties", targets) => {
                if let Some(output) = value_after("OUTPUT_NAME").filter(|output| !output.contains('$')) {
                    let targets = targets.iter().take_while(|word| **word != "PROPERTIES");
                    self.outputs.extend(targets.map(|target| ((*target).to_owned(), output.to_owned())));
                }
            }
            ("install", ["TARGETS", rest @ ..]) => install(rest, value_after("DESTINATION"), self.build),
            _ => {}
        }
    }

    /// The words after the first that name files.
    fn sources(&self, words: &[&str]) -> Vec<Box<str>> {
        let path = |word: &&str| {
            let own = ["${CMAKE_CURRENT_SOURCE_DIR}/", "${CMAKE_CURRENT_LIST_DIR}/"];
            let top = ["${CMAKE_SOURCE_DIR}/", "${PROJECT_SOURCE_DIR}/"];
            let (folder, word) = if let Some(rest) = own.iter().find_map(|prefix| word.strip_prefix(prefix)) {
                (self.folder, rest)
            } else if let Some(rest) = top.iter().find_map(|prefix| word.strip_prefix(prefix)) {
                ("", rest)
            } else {
                (self.folder, *word)
            };
            (!word.contains('$')).then(|| join(folder, word)).flatten()
        };
        words.iter().skip(1).filter(|word| word.contains('.')).filter_map(path).collect()
    }

    /// The names of the files that targets become, with folders.
    fn finish(&mut self) {
        for module in &mut self.build.modules {
            if let Some((_, output)) = self.outputs.iter().find(|(target, _)| **target == *module.name) {
                for (target, _) in self.build.installs.iter_mut().filter(|(target, _)| *target == module.name) {
                    *target = output.replace('/', ".").into();
                }
                module.name = output.replace('/', ".").into();
            }
        }
    }
}

/// Where the block that begins before a command ends.
fn block_end(commands: &[Command<'_>], from: usize, name: &str) -> usize {
    let mut depth = 1usize;
    for (at, command) in commands.iter().enumerate().skip(from) {
        let other = command.name.to_ascii_lowercase();
        if other == name {
            depth = depth.saturating_add(1);
        } else if other.strip_prefix("end") == Some(name) {
            depth = depth.saturating_sub(1);
            if depth == 0 {
                return at;
            }
        }
    }
    commands.len()
}

/// Macros of Python's own, in commands that define macros and among the arguments of others.
fn defined(commands: &[Command<'_>], build: &mut BuildFile) {
    // For each `if` that is open, whether it asks for more than the platform.
    let mut open: Vec<bool> = Vec::new();
    for command in commands {
        let name = command.name.to_ascii_lowercase();
        match name.as_str() {
            "if" => {
                let words: Vec<&str> = command.arguments.iter().map(|(word, _)| *word).collect();
                open.push(!macros::is_platform_only(&words.join(" ")));
            }
            "endif" => {
                open.pop();
            }
            _ => {}
        }
        let defines = name.ends_with("compile_definitions") || name.starts_with("set_") && name.contains("propert");
        let conditional = open.contains(&true);
        for (argument, span) in &command.arguments {
            for word in argument.split_whitespace() {
                let found = macros::argument(word, conditional, *span)
                    .or_else(|| macros::defined(word, conditional, *span).filter(|_| defines));
                build.macros.extend(found);
            }
        }
    }
}

/// `-X freethreading_compatible=True` among the arguments of a command that runs Cython.
fn directives(command: &Command<'_>, build: &mut BuildFile) {
    for (word, span) in &command.arguments {
        for part in word.split_whitespace() {
            let part = part.strip_prefix("-X").or_else(|| part.strip_prefix("--directive=")).unwrap_or(part);
            if let Some(value) = part.strip_prefix("freethreading_compatible=") {
                build.directives.push(BuildDirective {
                    name: "freethreading_compatible".into(),
                    value: value.into(),
                    condition: None,
                    span: *span,
                });
            }
        }
    }
}

/// `install(TARGETS a b LIBRARY DESTINATION folder)`
fn install(words: &[&str], destination: Option<&str>, build: &mut BuildFile) {
    const KEYWORDS: [&str; 8] =
        ["EXPORT", "LIBRARY", "RUNTIME", "ARCHIVE", "DESTINATION", "COMPONENT", "OBJECTS", "PERMISSIONS"];
    let Some(destination) = destination else { return };
    for target in words.iter().take_while(|word| !KEYWORDS.contains(word)) {
        build.installs.push(((*target).into(), destination.into()));
    }
}
