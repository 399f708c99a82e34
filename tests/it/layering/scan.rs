//! Rust source taken apart as far as the rules need it: which characters are code, which are
//! comment, and what paths the code names.

use std::ops::Range;

/// One line. Literals are emptied in `code`, so that no word in a string looks like one in code.
#[derive(Debug, Default)]
pub(super) struct Line {
    pub(super) raw: String,
    pub(super) code: String,
    /// What follows `//`, or lies between `/*` and `*/`.
    pub(super) comment: Option<String>,
}

impl Line {
    pub(super) fn is_comment(&self) -> bool {
        self.code.trim().is_empty() && self.comment.is_some()
    }

    pub(super) fn is_attribute(&self) -> bool {
        let code = self.code.trim_start();
        code.starts_with("#[") || code.starts_with("#![")
    }
}

#[derive(Clone, Debug)]
pub(super) struct Token {
    pub(super) text: String,
    /// Counted from zero.
    pub(super) line: usize,
}

pub(super) struct Source {
    pub(super) path: String,
    pub(super) lines: Vec<Line>,
    pub(super) tokens: Vec<Token>,
}

impl Source {
    pub(super) fn parse(path: &str, text: &str) -> Self {
        let lines = split(text);
        let tokens = tokens(&lines);
        Self { path: path.to_owned(), lines, tokens }
    }

    /// The text of a token, or nothing past either end.
    pub(super) fn token(&self, i: usize) -> &str {
        self.tokens.get(i).map_or("", |token| &token.text)
    }

    /// The tokens between the parenthesis at `open` and its partner.
    pub(super) fn arguments(&self, open: usize) -> Range<usize> {
        let mut depth = 0;
        for i in open..self.tokens.len() {
            match self.token(i) {
                "(" => depth += 1,
                ")" => depth -= 1,
                _ => {}
            }
            if depth == 0 {
                return open + 1..i;
            }
        }
        open + 1..self.tokens.len()
    }

    /// The comment lines directly above the statement that `line` is part of, attributes left out.
    pub(super) fn comment_above(&self, line: usize) -> String {
        let mut at = line;
        while at > 0 {
            let above = &self.lines[at - 1];
            let code = above.code.trim_end();
            let goes_on = !code.is_empty() && !code.ends_with([';', '{', '}', ',']);
            if above.is_comment() || !(above.is_attribute() || goes_on) {
                break;
            }
            at -= 1;
        }
        let mut first = at;
        while first > 0
            && (self.lines[first - 1].is_comment() || self.lines[first - 1].is_attribute())
        {
            first -= 1;
        }
        let comments = self.lines[first..at].iter().filter_map(|line| line.comment.as_deref());
        comments.collect::<Vec<_>>().join("\n")
    }

    /// Every path in the code that starts with one of `roots`, with groups written out, and the
    /// token that it ends with.
    pub(super) fn paths(&self, roots: &[&str]) -> Vec<(Vec<String>, usize)> {
        let mut found = Vec::new();
        let mut i = 0;
        while i < self.tokens.len() {
            let starts = roots.contains(&self.token(i)) && self.token(i + 1) == "::";
            if starts && (i == 0 || self.token(i - 1) != "::") {
                i = self.tree(i, &[], &mut found);
            } else {
                i += 1;
            }
        }
        found
    }

    /// Whether the path that ends at token `end` begins with `$crate`.
    pub(super) fn in_macro(&self, path: &[String], end: usize) -> bool {
        let start = (end + 2).checked_sub(2 * path.len());
        start.is_some_and(|start| {
            start > 0 && self.token(start) == "crate" && self.token(start - 1) == "$"
        })
    }

    /// Reads the path tree at token `i` and returns where it ends.
    fn tree(
        &self,
        mut i: usize,
        before: &[String],
        found: &mut Vec<(Vec<String>, usize)>,
    ) -> usize {
        let mut path = before.to_vec();
        loop {
            match self.token(i) {
                "{" => {
                    i += 1;
                    while !matches!(self.token(i), "}" | "") {
                        let end = self.tree(i, &path, found);
                        i = end.max(i + 1);
                        while matches!(self.token(i), "," | "as") {
                            i += if self.token(i) == "as" { 2 } else { 1 };
                        }
                    }
                    return i + 1;
                }
                word if word == "*" || is_word(word) => {
                    path.push(word.to_owned());
                    i += 1;
                    let next = self.token(i + 1);
                    if self.token(i) != "::" || !(is_word(next) || matches!(next, "{" | "*")) {
                        found.push((path, i - 1));
                        return i;
                    }
                    i += 1;
                }
                _ => return i,
            }
        }
    }
}

pub(super) fn is_word(text: &str) -> bool {
    text.starts_with(|first: char| first.is_alphabetic() || first == '_')
}

/// Where the scanner is.
enum State {
    Code,
    LineComment,
    BlockComment(u32),
    Text,
    /// A raw string with this many `#`.
    RawText(usize),
}

fn split(text: &str) -> Vec<Line> {
    let mut state = State::Code;
    text.lines()
        .map(|raw| {
            let mut line = Line { raw: raw.to_owned(), ..Line::default() };
            if matches!(state, State::LineComment) {
                state = State::Code;
            }
            if matches!(state, State::BlockComment(_)) {
                line.comment = Some(String::new());
            }
            let chars: Vec<char> = raw.chars().collect();
            let mut i = 0;
            while i < chars.len() {
                i += step(&mut state, &chars[i..], &mut line);
            }
            line
        })
        .collect()
}

/// Reads from the front of `rest`, and says how many characters it took.
fn step(state: &mut State, rest: &[char], line: &mut Line) -> usize {
    let starts = |text: &str| text.chars().enumerate().all(|(i, c)| rest.get(i) == Some(&c));
    match *state {
        State::LineComment => {
            line.comment.get_or_insert_default().push(rest[0]);
            1
        }
        State::BlockComment(depth) => {
            if starts("/*") {
                *state = State::BlockComment(depth + 1);
                2
            } else if starts("*/") {
                *state = if depth == 1 { State::Code } else { State::BlockComment(depth - 1) };
                2
            } else {
                line.comment.get_or_insert_default().push(rest[0]);
                1
            }
        }
        State::Text => {
            if rest[0] == '"' {
                *state = State::Code;
                line.code.push('"');
            }
            if rest[0] == '\\' { 2 } else { 1 }
        }
        State::RawText(hashes) => {
            if rest[0] == '"' && rest[1..].iter().take_while(|&&c| c == '#').count() >= hashes {
                *state = State::Code;
                line.code.push('"');
                return 1 + hashes;
            }
            1
        }
        State::Code => {
            if starts("//") {
                *state = State::LineComment;
                line.comment = Some(String::new());
                2
            } else if starts("/*") {
                *state = State::BlockComment(1);
                line.comment = Some(String::new());
                2
            } else if rest[0] == '"' {
                *state = State::Text;
                line.code.push('"');
                1
            } else if let Some(hashes) = raw_text(rest, &line.code) {
                *state = State::RawText(hashes);
                line.code.push('"');
                rest.iter().position(|&c| c == '"').map_or(1, |quote| quote + 1)
            } else if rest[0] == '\'' {
                line.code.push('\'');
                // A character, or the tick of a lifetime.
                match rest {
                    [_, '\\', ..] => 3 + rest[3..].iter().position(|&c| c == '\'').unwrap_or(0) + 1,
                    [_, _, '\'', ..] => 3,
                    _ => 1,
                }
            } else {
                line.code.push(rest[0]);
                1
            }
        }
    }
}

/// The number of `#` if a raw string starts here.
fn raw_text(rest: &[char], before: &str) -> Option<usize> {
    let rest = match rest {
        ['r', rest @ ..] | ['b' | 'c', 'r', rest @ ..] => rest,
        _ => return None,
    };
    let hashes = rest.iter().take_while(|&&c| c == '#').count();
    let in_word = before.ends_with(|c: char| c.is_alphanumeric() || c == '_');
    (!in_word && rest.get(hashes) == Some(&'"')).then_some(hashes)
}

fn tokens(lines: &[Line]) -> Vec<Token> {
    let mut tokens = Vec::new();
    for (line, Line { code, .. }) in lines.iter().enumerate() {
        let mut rest = code.trim_start();
        while let Some(first) = rest.chars().next() {
            let length = if first.is_alphanumeric() || first == '_' {
                rest.find(|c: char| !(c.is_alphanumeric() || c == '_')).unwrap_or(rest.len())
            } else if rest.starts_with("::") || rest.starts_with("=>") {
                2
            } else {
                first.len_utf8()
            };
            tokens.push(Token { text: rest[..length].to_owned(), line });
            rest = rest[length..].trim_start();
        }
    }
    tokens
}

#[test]
fn code_comments_and_literals_are_told_apart() {
    let text = r##"let a = "unsafe // no comment \" still"; // a comment with "quotes"
let b = r#"raw " unsafe"#; let c: &'a str = x('"', '\'', '\n', '/');
/* block /* nested */ "still" */ let d = 1;
/* over
two */ let e = br"x";"##;
    let source = Source::parse("x.rs", text);
    let code: Vec<&str> = source.lines.iter().map(|line| line.code.trim()).collect();
    assert_eq!(
        code,
        [
            r#"let a = "";"#,
            r#"let b = ""; let c: &'a str = x(', ', ', ');"#,
            "let d = 1;",
            "",
            r#"let e = "";"#
        ]
    );
    assert_eq!(source.lines[0].comment.as_deref(), Some(r#" a comment with "quotes""#));
    assert_eq!(source.lines[2].comment.as_deref(), Some(r#" block  nested  "still" "#));
    assert!(source.lines[3].is_comment());
}

#[test]
fn paths_are_written_out() {
    let text = "use crate::{a::{self, B as C, d::*}, e};\n\
                let x = super::f::<u8>(); pub(crate) fn g();";
    let source = Source::parse("x.rs", text);
    let paths = source.paths(&["crate", "super"]);
    let paths = paths.iter().map(|(path, end)| (path.join("::"), source.tokens[*end].line));
    let expected = [
        ("crate::a::self", 0),
        ("crate::a::B", 0),
        ("crate::a::d::*", 0),
        ("crate::e", 0),
        ("super::f", 1),
    ];
    let expected = expected.map(|(path, line)| (path.to_owned(), line));
    assert_eq!(paths.collect::<Vec<_>>(), expected);
}
