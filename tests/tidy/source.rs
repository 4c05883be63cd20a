//! One source file, taken apart just far enough: code without strings and comments, comments
//! without code, tokens with their lines, and which lines are compiled for tests only.

/// A place that breaks a rule, and what to do about it.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Violation {
    pub(crate) path: String,
    pub(crate) line: usize,
    pub(crate) what: String,
}

/// An identifier, a number, `::`, or one character of punctuation.
#[derive(Debug)]
pub(crate) struct Token {
    pub(crate) line: usize,
    pub(crate) text: String,
}

/// A file of Rust. All lines count from 1.
pub(crate) struct Source {
    pub(crate) path: String,
    pub(crate) text: String,
    pub(crate) tokens: Vec<Token>,
    code: String,
    prose: String,
    test_lines: Vec<bool>,
}

impl Source {
    pub(crate) fn new(path: &str, text: &str) -> Self {
        let (code, prose) = separate(text);
        let tokens = tokenize(&code);
        let all_test =
            path.starts_with("tests/") || path.ends_with("/tests.rs") || path.contains("/tests/");
        let mut test_lines = vec![all_test; text.lines().count() + 2];
        mark_test_items(&tokens, &mut test_lines);
        Self {
            path: path.into(),
            text: text.into(),
            tokens,
            code,
            prose,
            test_lines,
        }
    }

    /// Whether the line is compiled for tests only.
    pub(crate) fn is_test(&self, line: usize) -> bool {
        self.test_lines.get(line).copied().unwrap_or(false)
    }

    /// Lines of code, strings and comments blanked out.
    pub(crate) fn code(&self) -> impl Iterator<Item = (usize, &str)> {
        numbered(&self.code)
    }

    /// The same without the lines that only tests compile.
    pub(crate) fn production(&self) -> impl Iterator<Item = (usize, &str)> {
        self.code().filter(|(line, _)| !self.is_test(*line))
    }

    /// Lines of comments, code and strings blanked out.
    pub(crate) fn prose(&self) -> impl Iterator<Item = (usize, &str)> {
        numbered(&self.prose)
    }

    /// The text of a token, or nothing past the end.
    pub(crate) fn at(&self, index: usize) -> &str {
        self.tokens.get(index).map_or("", |token| &token.text)
    }

    /// The line of a token.
    pub(crate) fn line_of(&self, index: usize) -> usize {
        self.tokens.get(index).map_or(0, |token| token.line)
    }

    /// Index of the token that closes the bracket at `open`.
    pub(crate) fn closing(&self, open: usize) -> usize {
        closing(&self.tokens, open)
    }

    pub(crate) fn violation(&self, line: usize, what: impl Into<String>) -> Violation {
        Violation {
            path: self.path.clone(),
            line,
            what: what.into(),
        }
    }
}

/// Whether `line` holds `word` with no letter, digit or underscore on either side.
pub(crate) fn has_word(line: &str, word: &str) -> bool {
    let in_word = |c: Option<char>| c.is_some_and(|c| c.is_alphanumeric() || c == '_');
    line.match_indices(word).any(|(start, found)| {
        let (before, rest) = line.split_at(start);
        let (_, after) = rest.split_at(found.len());
        !in_word(before.chars().next_back()) && !in_word(after.chars().next())
    })
}

fn numbered(text: &str) -> impl Iterator<Item = (usize, &str)> {
    text.lines()
        .enumerate()
        .map(|(index, line)| (index + 1, line))
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Channel {
    Code,
    Prose,
    Literal,
}

/// Splits the text into code and comments; both keep every line and column.
fn separate(text: &str) -> (String, String) {
    let (mut code, mut prose) = (String::new(), String::new());
    let mut rest = text;
    while !rest.is_empty() {
        let (channel, len) = next_piece(rest);
        let (piece, after) = rest.split_at(len);
        for c in piece.chars() {
            let blank = if c == '\n' { '\n' } else { ' ' };
            code.push(if channel == Channel::Code { c } else { blank });
            prose.push(if channel == Channel::Prose { c } else { blank });
        }
        rest = after;
    }
    (code, prose)
}

fn next_piece(rest: &str) -> (Channel, usize) {
    if rest.starts_with("//") {
        return (Channel::Prose, rest.find('\n').unwrap_or(rest.len()));
    }
    if rest.starts_with("/*") {
        return (Channel::Prose, block_comment(rest));
    }
    if let Some(len) = literal(rest) {
        return (Channel::Literal, len);
    }
    let word = rest
        .find(|c: char| !(c.is_alphanumeric() || c == '_'))
        .unwrap_or(rest.len());
    let one = rest.chars().next().map_or(1, char::len_utf8);
    (Channel::Code, word.max(one))
}

fn block_comment(rest: &str) -> usize {
    let (mut depth, mut len, mut ahead) = (0_usize, 0, rest);
    while !ahead.is_empty() {
        let step = if ahead.starts_with("/*") {
            depth += 1;
            2
        } else if ahead.starts_with("*/") {
            depth -= 1;
            2
        } else {
            ahead.chars().next().map_or(1, char::len_utf8)
        };
        len += step;
        ahead = ahead.split_at(step).1;
        if depth == 0 {
            break;
        }
    }
    len
}

/// Length of the string, byte string or character that starts here.
fn literal(rest: &str) -> Option<usize> {
    let body = rest.strip_prefix(['b', 'c']).unwrap_or(rest);
    let prefix = rest.len() - body.len();
    if let Some(raw) = body.strip_prefix('r') {
        let hashes = raw.chars().take_while(|c| *c == '#').count();
        if let Some(text) = raw.split_at(hashes).1.strip_prefix('"') {
            let end = format!("\"{}", "#".repeat(hashes));
            let len = text.find(&end).map_or(text.len(), |at| at + end.len());
            return Some(prefix + 1 + hashes + 1 + len);
        }
    }
    if let Some(text) = body.strip_prefix('"') {
        return Some(prefix + 1 + quoted(text, '"'));
    }
    let text = body.strip_prefix('\'')?;
    // A quote that no closing quote follows within one character is a lifetime.
    let mut chars = text.chars();
    let is_char = matches!((chars.next()?, chars.next()), ('\\', _) | (_, Some('\'')));
    is_char.then(|| prefix + 1 + quoted(text, '\''))
}

fn quoted(text: &str, end: char) -> usize {
    let mut escaped = false;
    for (at, c) in text.char_indices() {
        if escaped {
            escaped = false;
        } else if c == '\\' {
            escaped = true;
        } else if c == end {
            return at + c.len_utf8();
        }
    }
    text.len()
}

fn tokenize(code: &str) -> Vec<Token> {
    let mut tokens = Vec::new();
    for (line, text) in numbered(code) {
        let mut rest = text.trim_start();
        while !rest.is_empty() {
            let word = rest.find(|c: char| !(c.is_alphanumeric() || c == '_'));
            let len = match word {
                Some(0) if rest.starts_with("::") => 2,
                Some(0) => rest.chars().next().map_or(1, char::len_utf8),
                _ => word.unwrap_or(rest.len()),
            };
            let (token, after) = rest.split_at(len);
            tokens.push(Token {
                line,
                text: token.into(),
            });
            rest = after.trim_start();
        }
    }
    tokens
}

fn closing(tokens: &[Token], open: usize) -> usize {
    let mut depth = 0_usize;
    for (index, token) in tokens.iter().enumerate().skip(open) {
        match token.text.as_str() {
            "{" | "(" | "[" => depth += 1,
            "}" | ")" | "]" => depth = depth.saturating_sub(1),
            _ => {}
        }
        if depth == 0 {
            return index;
        }
    }
    tokens.len().saturating_sub(1)
}

/// Marks every item under `#[cfg(test)]`, and every function under `#[test]`.
fn mark_test_items(tokens: &[Token], test_lines: &mut [bool]) {
    let text = |index: usize| tokens.get(index).map_or("", |token| token.text.as_str());
    for start in 0..tokens.len() {
        if text(start) != "#" || text(start + 1) != "[" {
            continue;
        }
        let end = closing(tokens, start + 1);
        let attribute: String = tokens
            .iter()
            .take(end)
            .skip(start + 2)
            .map(|t| t.text.as_str())
            .collect();
        let for_tests = ["cfg(test", "cfg(any(test", "cfg(all(test"]
            .iter()
            .any(|a| attribute.starts_with(a))
            || attribute == "test"
            || attribute.ends_with("::test");
        if !for_tests {
            continue;
        }
        let mut index = end + 1;
        while index < tokens.len() && !matches!(text(index), ";" | "{") {
            index = if matches!(text(index), "(" | "[") {
                closing(tokens, index)
            } else {
                index
            } + 1;
        }
        let last = if text(index) == "{" {
            closing(tokens, index)
        } else {
            index
        };
        let line = |index: usize| tokens.get(index).map_or(0, |token| token.line);
        let lines = test_lines.iter_mut().enumerate();
        for (_, test) in lines.filter(|(at, _)| (line(start)..=line(last)).contains(at)) {
            *test = true;
        }
    }
}

#[test]
fn strings_and_comments_are_kept_apart_from_code() {
    let text = "let a = \"// no\"; // yes \"x\"\nlet b = r#\"/* \"no\" */\"#; /* a /* b */ c */ f('\\'', '\"', b'x', &'a T)";
    let (code, prose) = separate(text);
    let squeeze = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
    assert_eq!(squeeze(&code), "let a = ; let b = ; f( , , , &'a T)");
    assert_eq!(squeeze(&prose), "// yes \"x\" /* a /* b */ c */");
    assert_eq!(code.len(), text.len(), "columns are kept");
}

#[test]
fn lines_that_only_tests_compile_are_known() {
    let text = "fn a() {}\n#[cfg(test)]\nmod tests {\n    fn b() {}\n}\nfn c() {}\n#[cfg(test)]\nmod more;\nfn d() {}";
    let source = Source::new("src/x.rs", text);
    let tests: Vec<_> = (1..=9).filter(|line| source.is_test(*line)).collect();
    assert_eq!(tests, [2, 3, 4, 5, 7, 8]);
}

#[test]
fn words_are_found_whole() {
    assert!(has_word("a HLC, b", "HLC"));
    assert!(!has_word("a HLCs HLC_X", "HLC"));
}
