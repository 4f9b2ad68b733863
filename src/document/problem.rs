//! What is wrong, where, and how it is shown.

use std::collections::BTreeSet;
use std::fmt;
use std::ops::Range;

use super::Source;

/// No more problems than this are kept; the last one then says that there are more.
const PROBLEMS_MAX: usize = 200;

/// A span of bytes in a source.
#[derive(Clone, Debug)]
pub struct Place<'a> {
    source: &'a Source,
    span: Range<usize>,
}

impl<'a> Place<'a> {
    pub(super) fn new(source: &'a Source, span: Range<usize>) -> Self {
        let end = span.end.min(source.text.len());
        Self {
            source,
            span: span.start.min(end)..end,
        }
    }

    /// The source that this is a place in.
    pub fn source(&self) -> &'a Source {
        self.source
    }

    /// The bytes.
    pub fn span(&self) -> Range<usize> {
        self.span.clone()
    }

    /// The text at this place.
    pub fn text(&self) -> &'a str {
        self.source.text.get(self.span.clone()).unwrap_or("")
    }

    /// `path:line`, as tables and explanations name a place.
    pub fn line_label(&self) -> String {
        let (line, _, _) = self.locate();
        format!("{}:{line}", self.source.path)
    }

    /// Line and column, counted from 1 in characters, and the whole line.
    fn locate(&self) -> (usize, usize, &'a str) {
        let text = &self.source.text;
        let start = floor_char(text, self.span.start);
        let before = text.get(..start).unwrap_or("");
        let line_start = before.rfind('\n').map_or(0, |at| at + 1);
        let line_text = text
            .get(line_start..)
            .and_then(|rest| rest.lines().next())
            .unwrap_or("");
        let line = before.bytes().filter(|byte| *byte == b'\n').count() + 1;
        let column = before.get(line_start..).map_or(0, |part| part.chars().count()) + 1;
        (line, column, line_text)
    }
}

fn floor_char(text: &str, at: usize) -> usize {
    (0..=at.min(text.len()))
        .rev()
        .find(|index| text.is_char_boundary(*index))
        .unwrap_or(0)
}

/// How grave a problem is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Level {
    /// The file cannot be used.
    Error,
    /// The file can be used, but likely does not do what is meant.
    Warning,
}

/// One thing that is wrong in a source. Shown (`Display`) with place, source line, caret and help.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// Whether it forbids the use of the file.
    pub level: Level,
    /// The source's name.
    pub path: String,
    /// Line, from 1.
    pub line: usize,
    /// Column in characters, from 1.
    pub column: usize,
    /// The bytes in the source.
    pub span: Range<usize>,
    /// What is wrong: one sentence without a final dot.
    pub message: String,
    /// What to do about it.
    pub help: Option<String>,
    /// The line it stands in; empty if there is nothing to show.
    pub line_text: String,
    /// How many characters of the line the caret marks, at least 1.
    marked: usize,
    /// It says that something is missing, which a syntax error in the same file may explain.
    missing: bool,
    /// It is a syntax error.
    syntax: bool,
}

impl std::error::Error for Problem {}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let level = match self.level {
            Level::Error => "error",
            Level::Warning => "warning",
        };
        let number = self.line.to_string();
        let gutter = " ".repeat(number.len() + 1);
        writeln!(f, "{level}: {}", self.message)?;
        write!(f, "{gutter}--> {}:{number}:{}", self.path, self.column)?;
        if !self.line_text.is_empty() {
            // A tab stays a tab, so that the caret stands under its word whatever a tab's width.
            let pad: String = (self.line_text.chars())
                .take(self.column - 1)
                .map(|c| if c == '\t' { '\t' } else { ' ' })
                .collect();
            let carets = "^".repeat(self.marked);
            write!(f, "\n{gutter} |\n {number} | {}", self.line_text)?;
            write!(f, "\n{gutter} | {pad}{carets}")?;
        }
        if let Some(help) = &self.help {
            let indented = help.replace('\n', &format!("\n{gutter}         "));
            write!(f, "\n{gutter} = help: {indented}")?;
        }
        Ok(())
    }
}

impl Problem {
    /// The column behind what is marked, from 1 in characters.
    pub fn end_column(&self) -> usize {
        self.column + self.marked
    }
}

/// Collects problems; reading goes on after each.
#[derive(Debug, Default)]
pub struct Problems {
    found: Vec<Problem>,
    /// Sources with a syntax error.
    broken: BTreeSet<String>,
    left_out: usize,
    words: &'static [(&'static str, &'static str)],
}

impl Problems {
    /// No problems yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// The same, knowing `words` besides what each table knows: keys that belong elsewhere and words of other tools, each
    /// with what to do about it, in the spelling that [`super::Table::finish`] takes.
    #[must_use]
    pub fn knowing(mut self, words: &'static [(&'static str, &'static str)]) -> Self {
        self.words = words;
        self
    }

    pub(super) fn words(&self) -> &'static [(&'static str, &'static str)] {
        self.words
    }

    /// An error.
    pub fn push(&mut self, place: Place<'_>, message: impl Into<String>) {
        self.add(Level::Error, place, message.into(), None);
    }

    /// An error and what to do about it.
    pub fn push_help(&mut self, place: Place<'_>, message: impl Into<String>, help: impl Into<String>) {
        self.add(Level::Error, place, message.into(), Some(help.into()));
    }

    /// Something that must be there is not. Not told for a file with syntax errors, which explain it better.
    pub fn push_missing(&mut self, place: Place<'_>, message: impl Into<String>, help: impl Into<String>) {
        if let Some(problem) = self.add(Level::Error, place, message.into(), Some(help.into())) {
            problem.missing = true;
        }
    }

    /// An error whose source line holds something that must not be shown: only the place is.
    pub fn push_hidden(&mut self, place: Place<'_>, message: impl Into<String>, help: impl Into<String>) {
        if let Some(problem) = self.add(Level::Error, place, message.into(), Some(help.into())) {
            problem.line_text.clear();
        }
    }

    /// A syntax error: what it says is missing in this file may stand in what could not be read.
    pub(super) fn push_syntax(&mut self, place: Place<'_>, message: String, help: Option<String>) {
        self.broken.insert(place.source.path.clone());
        if let Some(problem) = self.add(Level::Error, place, message, help) {
            problem.syntax = true;
        }
    }

    /// A warning and what to do about it.
    pub fn warn(&mut self, place: Place<'_>, message: impl Into<String>, help: impl Into<String>) {
        self.add(Level::Warning, place, message.into(), Some(help.into()));
    }

    /// A warning whose source line holds something that must not be shown: only the place is.
    pub fn warn_hidden(&mut self, place: Place<'_>, message: impl Into<String>, help: impl Into<String>) {
        if let Some(problem) = self.add(Level::Warning, place, message.into(), Some(help.into())) {
            problem.line_text.clear();
        }
    }

    /// Takes over problems that were found in another source.
    pub fn extend(&mut self, more: Vec<Problem>) {
        self.found.extend(more);
    }

    /// Whether there is an error among them.
    pub fn has_errors(&self) -> bool {
        self.found.iter().any(|problem| problem.level == Level::Error)
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.found.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.found.is_empty()
    }

    /// All of them, by file as first met and then by place.
    pub fn into_vec(self) -> Vec<Problem> {
        let mut order: Vec<String> = Vec::new();
        for problem in &self.found {
            if !order.contains(&problem.path) {
                order.push(problem.path.clone());
            }
        }
        let mut found = self.found;
        let slips: BTreeSet<(String, usize)> = found
            .iter()
            .filter(|problem| problem.syntax)
            .map(|problem| (problem.path.clone(), problem.span.start))
            .collect();
        // What a slip left is no value to complain of a second time; where nothing is left, it has no place at all.
        let follows = |problem: &Problem| {
            problem.missing || problem.span == (0..0) || slips.contains(&(problem.path.clone(), problem.span.start))
        };
        found.retain(|problem| problem.syntax || !self.broken.contains(&problem.path) || !follows(problem));
        found.sort_by_key(|problem| {
            let file = order.iter().position(|path| path == &problem.path);
            (file, problem.span.start, problem.span.end)
        });
        if let (true, Some(last)) = (self.left_out > 0, found.last_mut()) {
            let more = format!("and {} more problems that are not shown", self.left_out);
            last.help = Some(last.help.take().map_or(more.clone(), |help| format!("{help}; {more}")));
        }
        found
    }

    fn add(&mut self, level: Level, place: Place<'_>, message: String, help: Option<String>) -> Option<&mut Problem> {
        // The same default under a thousand checks is one problem.
        let known = |p: &Problem| p.span == place.span && p.message == message && p.path == place.source.path;
        if self.found.iter().any(known) {
            return None;
        }
        if self.found.len() >= PROBLEMS_MAX {
            self.left_out += 1;
            return None;
        }
        let (line, column, line_text) = place.locate();
        let room = line_text.chars().count().saturating_sub(column - 1);
        let marked = place.text().lines().next().map_or(0, |text| text.chars().count());
        self.found.push(Problem {
            level,
            path: place.source.path.clone(),
            line,
            column,
            span: place.span,
            message,
            help,
            line_text: line_text.to_owned(),
            marked: marked.min(room).max(1),
            missing: false,
            syntax: false,
        });
        self.found.last_mut()
    }
}
