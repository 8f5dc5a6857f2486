//! What users of a crate take on with it: the table of public items and dependencies in surface.md
//! is complete and has nothing that is not there.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

type Names = BTreeSet<String>;

/// What surface.md says of a crate.
#[derive(Default)]
struct Section {
    items: Names,
    /// Each with its reason.
    dependencies: BTreeMap<String, String>,
}

#[test]
fn every_public_item_and_every_dependency_is_listed() {
    let table = read_table();
    let mut seen = Names::new();
    for krate in crates() {
        let name = krate.file_name().unwrap().to_str().unwrap().to_owned();
        let section = table.get(&name).unwrap_or_else(|| panic!("surface.md has no {name}"));

        let items = public_items(&krate.join("src/lib.rs"));
        assert_eq!(differences(&items, &section.items), "", "public items of {name}");

        let dependencies = dependencies(&krate);
        let listed = section.dependencies.keys().cloned().collect();
        assert_eq!(differences(&dependencies, &listed), "", "dependencies of {name}");
        for (dependency, reason) in &section.dependencies {
            assert!(reason.len() > 10, "{name} has no reason for {dependency}");
        }
        seen.insert(name);
    }
    assert_eq!(differences(&seen, &table.keys().cloned().collect()), "", "crates");
}

#[test]
fn items_are_found_in_all_their_forms() {
    let source = "
        //! pub struct Commented;
        pub use a::B;
        pub use c::{D, e::{F, G as H}, i};
        #[cfg(x)]
        pub use j as k;
        pub mod l;
        pub(crate) mod m;
        pub type N = u8;
        pub const fn o() {}
        struct P;
    ";
    let found: Vec<_> = declarations(source).into_iter().map(|(name, _)| name).collect();
    assert_eq!(found, ["B", "D", "F", "H", "i", "k", "l", "N", "o"]);
}

fn crates() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let mut crates: Vec<_> = fs::read_dir(folder).unwrap().map(|e| e.unwrap().path()).collect();
    crates.sort();
    assert!(crates.len() > 5, "the crates are there");
    crates
}

/// What is there and not listed, and the other way round.
fn differences(there: &Names, listed: &Names) -> String {
    let mut text = String::new();
    for name in there.difference(listed) {
        text += &format!("`{name}` is not listed. ");
    }
    for name in listed.difference(there) {
        text += &format!("`{name}` is listed and not there. ");
    }
    text
}

fn read_table() -> BTreeMap<String, Section> {
    let text = include_str!("surface.md");
    let mut table = BTreeMap::<String, Section>::new();
    for part in text.split("\n## ").skip(1) {
        let (name, body) = part.split_once('\n').unwrap();
        let section = table.entry(name.trim().to_owned()).or_default();
        for line in body.lines() {
            let Some(row) = line.strip_prefix("| `") else {
                // Outside of the table, what is marked as code is an item.
                let items = line.split('`').skip(1).step_by(2).map(str::to_owned);
                section.items.extend(items);
                continue;
            };
            let (dependency, reason) = row.split_once("` | ").unwrap();
            let reason = reason.trim_end_matches(" |").to_owned();
            section.dependencies.insert(dependency.to_owned(), reason);
        }
    }
    table
}

/// The dependencies of a crate that its users build, on whatever system.
fn dependencies(krate: &Path) -> Names {
    let manifest = fs::read_to_string(krate.join("Cargo.toml")).unwrap();
    let manifest: toml::Table = manifest.parse().unwrap();
    let mut names = Names::new();
    let mut add = |table: Option<&toml::Value>| {
        names.extend(
            table.and_then(toml::Value::as_table).into_iter().flat_map(|t| t.keys().cloned()),
        );
    };
    add(manifest.get("dependencies"));
    for target in manifest.get("target").and_then(toml::Value::as_table).into_iter().flatten() {
        add(target.1.get("dependencies"));
    }
    names
}

/// The public items of a crate or module, those of its public modules with their path.
fn public_items(file: &Path) -> Names {
    let source = fs::read_to_string(file).unwrap();
    let mut items = Names::new();
    for (name, is_module) in declarations(&source) {
        if is_module {
            let folder = match file.file_stem().unwrap().to_str().unwrap() {
                "lib" | "mod" => file.parent().unwrap().to_owned(),
                stem => file.with_file_name(stem),
            };
            let one_file = folder.join(format!("{name}.rs"));
            let inside =
                if one_file.exists() { one_file } else { folder.join(&name).join("mod.rs") };
            items.extend(public_items(&inside).into_iter().map(|item| format!("{name}::{item}")));
        } else {
            items.insert(name);
        }
    }
    items
}

/// The names that are declared as public at the top of a source file, and whether each is a module.
fn declarations(source: &str) -> Vec<(String, bool)> {
    let code: String = source
        .lines()
        .map(str::trim)
        .filter(|line| !line.starts_with("//"))
        .flat_map(|line| [line, " "])
        .collect();
    let mut found = Vec::new();
    let mut depth = 0_usize;
    let mut rest = code.as_str();
    while !rest.is_empty() {
        if depth == 0
            && let Some(after) = rest.strip_prefix("pub ")
        {
            if let Some(path) = after.strip_prefix("use ") {
                let (path, behind) = path.split_once(';').unwrap();
                found.extend(last_names(path).into_iter().map(|name| (name, false)));
                rest = behind;
                continue;
            }
            let mut words = after.split([' ', '<', '(', ';', ':', '{']).filter(|w| !w.is_empty());
            let is_kind = |word: &&str| {
                ["mod", "struct", "enum", "trait", "fn", "type", "static", "union"].contains(word)
            };
            if let Some(kind) = words.by_ref().take(3).find(is_kind)
                && let Some(name) = words.next()
            {
                found.push((name.to_owned(), kind == "mod"));
            }
        }
        let character = rest.chars().next().unwrap();
        match character {
            '{' => depth += 1,
            '}' => depth = depth.saturating_sub(1),
            _ => {}
        }
        rest = &rest[character.len_utf8()..];
    }
    found
}

/// The names that a path of a `use` brings, such as `a::{B, c::D as E}`.
fn last_names(path: &str) -> Vec<String> {
    let path = path.trim();
    if let Some((_, list)) = path.split_once('{') {
        let list = list.rsplit_once('}').unwrap().0;
        let (mut names, mut depth, mut start) = (Vec::new(), 0, 0);
        for (at, character) in list.char_indices().chain([(list.len(), ',')]) {
            match character {
                '{' => depth += 1,
                '}' => depth -= 1,
                ',' if depth == 0 => {
                    names.extend(last_names(&list[start..at]));
                    start = at + 1;
                }
                _ => {}
            }
        }
        return names;
    }
    let name = path.rsplit_once(" as ").map_or(path, |(_, name)| name);
    let name = name.rsplit("::").next().unwrap().trim();
    if name.is_empty() { Vec::new() } else { vec![name.to_owned()] }
}
