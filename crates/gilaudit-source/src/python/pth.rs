//! `.pth` files: folders that they add to `sys.path`, and lines that run when the interpreter starts.

use gilaudit_model::program::Program;

/// One line of a `.pth` file that does something.
#[derive(Clone, Debug)]
pub enum PthLine {
    /// A folder for `sys.path`, relative to the file's own.
    Folder(String),
    /// A line of Python.
    Code {
        /// 1-based.
        line: u32,
        /// What stands there.
        program: Program,
    },
}

/// Reads a `.pth` file.
///
/// CPython `Lib/site.py`, `addpackage` (3.13.15, 3.14.7) and `_read_pth` (3.15.0rc2): empty lines and comments are skipped, lines that begin with `import`
/// and a space or tab are executed, and everything else is a folder.
pub fn read_pth(text: &[u8]) -> Vec<PthLine> {
    let text = text.strip_prefix("\u{feff}".as_bytes()).unwrap_or(text);
    let text = String::from_utf8_lossy(text);
    let mut found = Vec::new();
    for (row, line) in text.lines().enumerate().take(10_000) {
        let line = line.trim_end();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        if line.starts_with("import ") || line.starts_with("import\t") {
            let number = u32::try_from(row + 1).unwrap_or(u32::MAX);
            found.push(PthLine::Code { line: number, program: super::read_program(line.as_bytes()) });
        } else {
            found.push(PthLine::Folder(line.to_owned()));
        }
    }
    found
}
