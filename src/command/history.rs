//! `gilaudit history`: what every release of a distribution does on an interpreter.

use std::cell::RefCell;
use std::fs;

use gilaudit_input::wheel_platforms;
use gilaudit_model::Target;

use crate::args::{Colour, HistoryArgs, HistoryFormat, IndexArgs};
use crate::error::Error;
use crate::exit;
use crate::history::cache::Cache;
use crate::history::online::Online;
use crate::history::{self, History, Range, Verdict, Wanted};
use crate::output::{self, Detail, to_stdout};
use crate::progress;

pub(crate) fn run(args: &HistoryArgs, colour: Colour) -> Result<u8, Error> {
    let wanted = wanted(args.python, &args.index)?;
    let online = Online::connect(cache(&args.index))?;
    let range = Range {
        since: args.since.clone(),
        pre: args.pre,
        limit: args.limit.map(|limit| usize::try_from(limit).unwrap_or(usize::MAX)),
    };
    let mut all = Vec::new();
    for name in &args.names {
        let bar = RefCell::new(progress::of(0, "releases", false));
        let begin = |number| drop(bar.replace(progress::of(number, "releases", !args.index.no_progress)));
        let history = history::of(&online, name, &wanted, &range, begin, &|| progress::step(&bar.borrow()));
        all.push(history.map_err(|failure| match failure {
            gilaudit_index::Failure::NotFound => Error::new(format!("no index has a distribution '{name}'")),
            other => Error::new(format!("{name}: {other}")),
        })?);
    }
    let mut text = Vec::new();
    let written = match args.format {
        HistoryFormat::Text => output::history::write(&all, Detail::of_terminal(false, args.verbose), &mut text),
        HistoryFormat::Json => output::history_v1::write(&all, &mut text),
        HistoryFormat::Jsonl => output::history_v1::write_lines(&all, &mut text),
        HistoryFormat::Html => output::history::write_html(&all, &mut text),
    };
    written.map_err(|error| Error::new(format!("the answer could not be put together: {error}")))?;
    match &args.output {
        None => to_stdout(&text, colour)?,
        Some(path) => {
            let text = if args.format == HistoryFormat::Text {
                anstream::adapter::strip_bytes(&text).into_vec()
            } else {
                text
            };
            fs::write(path, text).map_err(|error| Error::new(format!("{}: {error}", path.display())))?;
        }
    }
    Ok(exit_code(&all))
}

/// What is asked about, with the platform's wheel tags.
pub(crate) fn wanted(target: Target, args: &IndexArgs) -> Result<Wanted, Error> {
    if !target.free_threaded {
        let error = Error::new(format!("CPython {target} always has its GIL, whatever a release declares"));
        return Err(error.hint(format!("--python {target}t asks about the free-threaded build")));
    }
    let Some(tags) = wheel_platforms(args.platform.as_deref()) else {
        let error = Error::new(format!("unknown platform '{}'", args.platform.as_deref().unwrap_or_default()));
        return Err(error.hint("linux-x86_64, musllinux-aarch64, macos-arm64 and windows-amd64 are some"));
    };
    if tags.is_empty() {
        return Err(Error::new("no wheels are known for this system").hint("--platform names another"));
    }
    let own = || {
        let os = if tags.iter().any(|tag| tag.starts_with("musllinux")) { "musllinux" } else { std::env::consts::OS };
        format!("{os}-{}", std::env::consts::ARCH)
    };
    let platform = args.platform.clone().unwrap_or_else(own);
    Ok(Wanted { target, platform, tags })
}

/// The cache that was asked for.
pub(crate) fn cache(args: &IndexArgs) -> Cache {
    if args.no_cache { Cache::none() } else { Cache::new(args.cache_dir.as_deref()) }
}

fn exit_code(all: &[History]) -> u8 {
    let any = |verdicts: &[Verdict]| all.iter().flat_map(|it| &it.releases).any(|it| verdicts.contains(&it.verdict));
    if any(&[Verdict::Unreadable]) || all.iter().any(|history| !history.problems.is_empty()) {
        exit::ERROR
    } else if all
        .iter()
        .flat_map(|it| &it.releases)
        .all(|it| matches!(it.verdict, Verdict::NoWheel | Verdict::Abi3Only))
    {
        exit::NOTHING
    } else {
        exit::OK
    }
}
