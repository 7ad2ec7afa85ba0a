//! Runs a real interpreter, in a process of its own, with bounds on everything that comes back.
//!
//! What is imported is code that nobody vouches for. The process gets no input and no shell, an empty current folder, and none of the
//! `PYTHON…` variables of whoever runs this; it writes what it saw into a file that is read up to a limit. When its time is over it is
//! killed with the processes that it started. It is not kept from doing what its user may do: only who trusts it should run it.

use std::ffi::OsStr;
use std::io::{self, BufRead, BufReader, Read};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

/// The program that the process runs.
const PROGRAM: &str = include_str!("../assets/verify.py");
/// How much of the events is read: an environment's largest programs import a few thousand extensions.
const EVENT_BYTES: u64 = 16 << 20;
/// How many bytes of messages are kept, of those that matter and of the last ones.
const MESSAGE_BYTES: usize = 64 << 10;
/// How long is waited for messages of processes that escaped.
const ESCAPED: Duration = Duration::from_secs(2);

/// What the process is told to do.
#[derive(Debug, Serialize)]
pub(crate) struct Task<'a> {
    /// Kinds and names, done one after the other: `import`, `script`, `module`, `entry-point`.
    pub(crate) steps: Vec<(&'static str, String)>,
    /// A folder to put on `sys.path`, for an interpreter that does not know it.
    pub(crate) folder: Option<String>,
    /// Functions to call from several threads.
    pub(crate) stress: &'a [String],
    pub(crate) threads: u16,
    pub(crate) calls: u32,
}

/// How a process is run.
#[derive(Clone, Debug)]
pub(crate) struct Runner<'a> {
    pub(crate) interpreter: &'a OsStr,
    pub(crate) limit: Duration,
}

/// One thing that the process saw.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Event {
    pub(crate) event: String,
    /// Whether the GIL was on.
    pub(crate) gil: bool,
    #[serde(default)]
    pub(crate) module: String,
    #[serde(default)]
    pub(crate) path: String,
    #[serde(default)]
    pub(crate) name: String,
    #[serde(default)]
    pub(crate) error: Option<String>,
    /// The places of the imports that led to a warning: file, line, function.
    #[serde(default)]
    pub(crate) places: Vec<(String, u32, String)>,
    #[serde(default)]
    pub(crate) loaded: Vec<String>,
    /// How calls ended: `returned` or `raised`, what tells outcomes apart, a text, how often.
    #[serde(default)]
    pub(crate) outcomes: Vec<(String, String, String, u64)>,
}

/// How a process ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// It did all that it was told.
    Done,
    /// It ended by itself before that.
    Left(String),
    /// It was killed by a signal: `SIGSEGV`.
    Crashed(String),
    /// Its time was over.
    TimedOut,
    /// It could not be started.
    NotStarted(String),
}

/// What came back.
#[derive(Clone, Debug)]
pub(crate) struct Seen {
    pub(crate) end: End,
    pub(crate) events: Vec<Event>,
    /// With `-v`: the modules that the interpreter names as needing the GIL.
    pub(crate) needing: Vec<String>,
    /// The last lines of its messages.
    pub(crate) messages: String,
    pub(crate) elapsed: Duration,
}

impl Runner<'_> {
    /// Runs a task with this value of `PYTHON_GIL`.
    pub(crate) fn run(&self, task: &Task<'_>, gil: &str, verbose: bool) -> Seen {
        let started = Instant::now();
        self.try_run(task, gil, verbose).unwrap_or_else(|error| Seen {
            end: End::NotStarted(error.to_string()),
            events: Vec::new(),
            needing: Vec::new(),
            messages: String::new(),
            elapsed: started.elapsed(),
        })
    }

    fn try_run(&self, task: &Task<'_>, gil: &str, verbose: bool) -> io::Result<Seen> {
        let started = Instant::now();
        let scratch = tempfile::tempdir()?;
        let (events, here) = (scratch.path().join("events"), scratch.path().join("here"));
        std::fs::File::create(&events)?;
        std::fs::create_dir(&here)?;
        let mut command = self.command(gil);
        if verbose {
            command.arg("-v");
        }
        command.args(["-B", "-P", "-s", "-c", PROGRAM]).arg(&events).arg(serde_json::to_string(task)?);
        command.current_dir(&here).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
        let mut child = command.spawn()?;
        let (send, receive) = mpsc::channel();
        if let Some(stderr) = child.stderr.take() {
            thread::spawn(move || {
                let _ = send.send(messages(stderr));
            });
        }
        let status = wait(&mut child, started + self.limit)?;
        kill_group(&mut child);
        let (needing, messages) = receive.recv_timeout(ESCAPED).unwrap_or_default();
        let events = read_events(&events)?;
        let done = events.last().is_some_and(|last| last.event == "end");
        let end = match status {
            None => End::TimedOut,
            Some(_) if done => End::Done,
            Some(status) => ended(status),
        };
        Ok(Seen { end, events, needing, messages, elapsed: started.elapsed() })
    }

    /// The interpreter, without the settings of whoever runs this.
    fn command(&self, gil: &str) -> Command {
        let mut command = Command::new(self.interpreter);
        for (name, _) in std::env::vars_os() {
            if name.as_encoded_bytes().starts_with(b"PYTHON") {
                command.env_remove(name);
            }
        }
        if gil != "default" {
            command.env("PYTHON_GIL", gil);
        }
        #[cfg(unix)]
        std::os::unix::process::CommandExt::process_group(&mut command, 0);
        command
    }

    /// What the interpreter says to a question, on one line; nothing it imports is of the environment's packages but what `.pth`
    /// files of its start-up run.
    pub(crate) fn ask(&self, question: &str) -> Result<String, String> {
        let failed = |error: &dyn std::fmt::Display| format!("{}: {error}", self.interpreter.display());
        let mut command = self.command("default");
        command.args(["-B", "-P", "-s", "-c", question]);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut child = command.spawn().map_err(|error| failed(&error))?;
        let (send, receive) = mpsc::channel();
        if let Some(stdout) = child.stdout.take() {
            thread::spawn(move || {
                let mut text = String::new();
                let _ = stdout.take(MESSAGE_BYTES as u64).read_to_string(&mut text);
                let _ = send.send(text);
            });
        }
        let status = wait(&mut child, Instant::now() + self.limit).map_err(|error| failed(&error))?;
        kill_group(&mut child);
        let text = receive.recv_timeout(ESCAPED).unwrap_or_default();
        match (status, text.lines().last()) {
            (Some(status), Some(line)) if status.success() => Ok(line.to_owned()),
            (None, _) => Err(failed(&"no answer in time")),
            _ => Err(failed(&"no answer about its version: is it a Python?")),
        }
    }
}

/// Waits until the process has ended; `None` when it has not by then.
fn wait(child: &mut Child, until: Instant) -> io::Result<Option<ExitStatus>> {
    let mut pause = Duration::from_millis(2);
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(Some(status));
        }
        let Some(left) = until.checked_duration_since(Instant::now()) else { return Ok(None) };
        thread::sleep(pause.min(left));
        pause = (pause * 2).min(Duration::from_millis(50));
    }
}

/// Kills a process with those that it started, and waits for it.
fn kill_group(child: &mut Child) {
    #[cfg(unix)]
    if let Some(group) = i32::try_from(child.id()).ok().and_then(rustix::process::Pid::from_raw) {
        // It is gone already, as a rule.
        let _ = rustix::process::kill_process_group(group, rustix::process::Signal::KILL);
    }
    let _ = child.kill();
    let _ = child.wait();
}

#[cfg(unix)]
fn ended(status: ExitStatus) -> End {
    use std::os::unix::process::ExitStatusExt;
    match (status.signal(), status.code()) {
        (Some(signal), _) => End::Crashed(match signal {
            4 => "SIGILL".to_owned(),
            6 => "SIGABRT".to_owned(),
            7 | 10 => "SIGBUS".to_owned(),
            8 => "SIGFPE".to_owned(),
            9 => "SIGKILL".to_owned(),
            11 => "SIGSEGV".to_owned(),
            other => format!("signal {other}"),
        }),
        (None, code) => End::Left(format!("exit status {}", code.unwrap_or_default())),
    }
}

#[cfg(not(unix))]
fn ended(status: ExitStatus) -> End {
    match status.code() {
        // NTSTATUS of an unhandled exception: 0xC0000005 is an access violation.
        Some(code) if code < 0 => End::Crashed(format!("{code:#010x}")),
        code => End::Left(format!("exit status {}", code.unwrap_or_default())),
    }
}

/// The events up to the first that is cut off or is none: a process that was killed may have written half of one.
fn read_events(path: &Path) -> io::Result<Vec<Event>> {
    let text =
        gilaudit_input::read_beginning(path, EVENT_BYTES).map_err(|error| io::Error::other(error.to_string()))?;
    let text = String::from_utf8_lossy(&text);
    Ok(text.lines().map_while(|line| serde_json::from_str(line).ok()).collect())
}

/// Reads messages to their end, and keeps the modules named as needing the GIL and the last lines.
fn messages(stderr: impl Read) -> (Vec<String>, String) {
    // CPython 3.13 to 3.15, Python/import.c, _PyImport_CheckGILForModule, with -v.
    const NEEDS: &str = "# loading module '";
    let (mut needing, mut kept, mut last) = (Vec::new(), 0, std::collections::VecDeque::<String>::new());
    let mut reader = BufReader::new(stderr);
    let mut line = Vec::new();
    loop {
        line.clear();
        // A line without an end is read in pieces.
        match (&mut reader).take(MESSAGE_BYTES as u64).read_until(b'\n', &mut line) {
            Ok(0) | Err(_) => break,
            Ok(_) => {}
        }
        let text = String::from_utf8_lossy(&line);
        let text = text.trim_end();
        if let Some((name, _)) = text.strip_prefix(NEEDS).and_then(|rest| rest.split_once("', which requires the GIL"))
        {
            kept += name.len();
            if kept < MESSAGE_BYTES {
                needing.push(name.to_owned());
            }
        } else if !text.is_empty() && !text.starts_with(['#', ' ']) && !text.starts_with("import '") {
            last.push_back(text.chars().take(300).collect());
            if last.len() > 5 {
                last.pop_front();
            }
        }
    }
    (needing, last.into_iter().collect::<Vec<_>>().join("\n"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_are_bounded_and_name_who_needs_the_gil() {
        let text = "import 'x' # <loader>\n# loading module 'a.b', which requires the GIL\nTraceback\nOops\n";
        assert_eq!(messages(text.as_bytes()), (vec!["a.b".to_owned()], "Traceback\nOops".to_owned()));
        let endless = "x".repeat(10 << 20);
        assert!(messages(endless.as_bytes()).1.len() < 2_000);
    }

    #[test]
    fn half_an_event_is_none() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), "{\"event\": \"start\", \"gil\": false, \"new\": 1}\n{\"event\": \"lo").unwrap();
        let events = read_events(file.path()).unwrap();
        assert_eq!((events.len(), events[0].event.as_str()), (1, "start"));
    }
}
