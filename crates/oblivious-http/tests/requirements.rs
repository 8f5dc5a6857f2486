//! Holds `requirements.md` to its promise: no rule of the documents is missing from it, and each
//! has a test that cites it, or a reason.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

const TABLE: &str = include_str!("requirements.md");

const CHUNKED: &str = "draft-ietf-ohai-chunked-ohttp";

/// How often each section of the documents says MUST or MUST NOT.
const RULES: [(&str, &str, usize); 25] = [
    ("RFC 9458", "3", 1),
    ("RFC 9458", "3.2", 1),
    ("RFC 9458", "5", 5),
    ("RFC 9458", "5.1", 2),
    ("RFC 9458", "5.2", 2),
    ("RFC 9458", "6", 1),
    ("RFC 9458", "6.1", 4),
    ("RFC 9458", "6.2", 2),
    ("RFC 9458", "6.2.1", 1),
    ("RFC 9458", "6.4", 1),
    ("RFC 9458", "6.5", 1),
    ("RFC 9458", "6.5.1", 1),
    ("RFC 9458", "6.5.2", 3),
    ("RFC 9458", "7", 1),
    ("RFC 9292", "3.6", 2),
    ("RFC 9292", "3.8", 1),
    ("RFC 9292", "4", 1),
    (CHUNKED, "3", 2),
    (CHUNKED, "6", 2),
    (CHUNKED, "6.2", 1),
    (CHUNKED, "7.1", 1),
    ("RFC 9540", "4", 2),
    ("RFC 9540", "4.2", 1),
    ("RFC 9540", "4.2.1", 1),
    ("RFC 9540", "5", 2),
];

/// A row of the table.
struct Rule {
    document: &'static str,
    section: &'static str,
    /// Files and the functions in them.
    tests: Vec<(&'static str, &'static str)>,
    reason: &'static str,
}

fn rules() -> impl Iterator<Item = Rule> {
    let rows = TABLE.lines().filter(|line| line.starts_with('|')).skip(2);
    rows.map(|row| {
        let cells: Vec<_> = row.split('|').map(str::trim).collect();
        let ["", section, who, what, tests, reason, ""] = cells[..] else {
            panic!("a row has five columns: {row}")
        };
        assert!(!who.is_empty() && !what.is_empty(), "{row}");
        let (document, section) = section.split_once(" §").expect(row);
        let tests = tests.split('`').map(str::trim).filter(|text| !text.is_empty());
        let tests = tests.map(|test| test.split_once("::").expect(row)).collect();
        Rule { document, section, tests, reason }
    })
}

#[test]
fn every_rule_is_in_the_table() {
    let mut found = BTreeMap::new();
    for rule in rules() {
        *found.entry((rule.document, rule.section)).or_insert(0) += 1;
    }
    let expected: BTreeMap<_, _> =
        RULES.map(|(document, section, count)| ((document, section), count)).into();
    assert_eq!(found, expected);
}

#[test]
fn every_rule_has_a_test_or_a_reason() {
    for Rule { document, section, tests, reason } in rules() {
        assert!(!tests.is_empty() || !reason.is_empty(), "{document} §{section} has neither");
        for (file, function) in tests {
            let source = source(file);
            let test = test(&source, function);
            let test = test.unwrap_or_else(|| panic!("{file} has no test {function}"));
            let is_cited = cites(&comments(&test), document, section);
            assert!(is_cited, "{file}: {function} does not cite {document} §{section}");
        }
    }
}

/// The text of a source file that the table names.
fn source(file: &str) -> String {
    let folder = if file.starts_with("oblivious-") { "crates" } else { "examples" };
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    fs::read_to_string(workspace.join(folder).join(file))
        .unwrap_or_else(|error| panic!("{file}: {error}"))
}

/// The lines of a test that runs, with the comments and attributes above it.
fn test<'a>(source: &'a str, name: &str) -> Option<Vec<&'a str>> {
    let lines: Vec<_> = source.lines().collect();
    let head = format!("fn {name}(");
    let at = lines.iter().position(|line| {
        let line = line.trim_start();
        line.strip_prefix("async ").unwrap_or(line).starts_with(&head)
    })?;
    let is_above = |line: &&&str| line.trim_start().starts_with(['/', '#']);
    let start = at - lines[..at].iter().rev().take_while(is_above).count();
    let indent = lines[at].len() - lines[at].trim_start().len();
    let last = format!("{:indent$}}}", "");
    let end = at + lines[at..].iter().position(|line| *line == last)?;
    let has = |attribute| lines[start..at].iter().any(|line| line.trim().starts_with(attribute));
    let runs = (has("#[test]") || has("#[tokio::test")) && !has("#[ignore");
    runs.then(|| lines[start..end].to_vec())
}

/// The comments among lines of code, as one text.
fn comments(lines: &[&str]) -> String {
    let comments = lines.iter().filter_map(|line| line.trim_start().strip_prefix("//"));
    comments.map(|line| line.trim_start_matches('/').trim()).collect::<Vec<_>>().join(" ")
}

/// Whether a text names the section, as in `RFC 9458 §6.5` or `RFC 9458 §5, §6.4 and §6.5`.
fn cites(text: &str, document: &str, section: &str) -> bool {
    text.split(document).skip(1).any(|mut rest| {
        while let Some(after) = rest.trim_start().strip_prefix('§') {
            let end = after.find(|char: char| !char.is_ascii_digit() && char != '.');
            let (number, after) = after.split_at(end.unwrap_or(after.len()));
            if number.trim_end_matches('.') == section {
                return true;
            }
            let joins = [", and ", ", ", " and "];
            rest = joins.iter().find_map(|join| after.strip_prefix(join)).unwrap_or_default();
        }
        false
    })
}

/// What the checks above look for, they find, and nothing else.
#[test]
fn sources_are_read_exactly() {
    for (text, is_cited) in [
        ("RFC 9458 §6.5", true),
        ("RFC 9458 §6.5.", true),
        ("RFC 9458 §6.5: a rule", true),
        ("RFC 9110 §6, RFC 9458 §5, §5.1, and §6.4 and §6.5", true),
        ("RFC 9458 §6.5.2", false),
        ("RFC 9458 §6", false),
        ("RFC 9458, and RFC 9110 §6.5", false),
        ("RFC 9458 §5: a rule. §6.5", false),
    ] {
        assert_eq!(cites(text, "RFC 9458", "6.5"), is_cited, "{text}");
    }

    let source = "/// RFC 9292 §8\nfn other() {\n}\n\n\
                  /// One.\n#[test]\nfn one() {\n    // RFC 9292\n    // §4\n}\n\n\
                  /// RFC 9292 §3\n#[test]\n#[ignore = \"slow\"]\nfn two() {\n}\n";
    assert_eq!(comments(&test(source, "one").unwrap()), "One. RFC 9292 §4");
    assert!(test(source, "two").is_none(), "it does not run");
    assert!(test(source, "other").is_none(), "it is no test");
    assert!(test(source, "on").is_none(), "there is no such function");
}
