//! A whole Python file as a [`Program`]: its own lexer and parser, since an environment has a hundred megabytes of Python and all of a
//! file that is reached has to be known.
//!
//! The grammar is that of CPython 3.14 and the `lazy` imports of 3.15, read generously: text that CPython refuses may be read as
//! something. A statement that cannot be read is left out, and the program says so.

mod expressions;
mod parser;
mod statements;
mod strings;
mod tokens;

use gilaudit_model::program::Program;

/// The most that is read of one file.
const LONGEST: usize = 16 << 20;

/// Reads a file.
pub fn read_program(text: &[u8]) -> Program {
    let text = text.strip_prefix("\u{feff}".as_bytes()).unwrap_or(text);
    if text.len() > LONGEST {
        let incomplete = Some((1, format!("it is longer than {} MB", LONGEST >> 20)));
        return Program { incomplete, ..Program::default() };
    }
    let (tokens, refused) = tokens::tokens(text);
    let mut parser = parser::Parser::new(text, tokens);
    parser.file();
    let mut program = parser.finish();
    if let Some(refused) = refused
        && program.incomplete.as_ref().is_none_or(|(line, _)| *line > refused.line)
    {
        program.incomplete = Some((refused.line, refused.why.to_owned()));
    }
    program
}

#[cfg(test)]
mod tests;
