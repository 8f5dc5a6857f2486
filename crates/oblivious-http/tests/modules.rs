//! No circles among the modules of a crate: each file can be read knowing only what is below it.
//!
//! The sources are read, not compiled: `use` declarations and paths that begin with `crate` or
//! `super`, each followed through re-exports to the module where the name is defined.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

/// The path of a module or an item within its crate.
type Name = Vec<String>;

/// The modules of a crate, and what each of them imports.
struct Crate {
    modules: BTreeMap<Name, Vec<Import>>,
    /// Names that modules re-export, and where they come from.
    exports: BTreeMap<Name, Name>,
}

struct Import {
    path: Name,
    is_export: bool,
}

#[test]
fn no_crate_has_a_circle_among_its_modules() {
    let crates = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let mut seen = 0;
    for entry in fs::read_dir(crates).unwrap() {
        let root = entry.unwrap().path();
        let circle = Crate::read(&root.join("src")).circle();
        assert!(circle.is_empty(), "{}: {}", root.display(), circle.join(" -> "));
        seen += 1;
    }
    assert!(seen > 5, "the crates are there");
}

#[test]
fn a_circle_is_found() {
    let of = |sources: &[(&str, &str)]| {
        let mut found = Crate { modules: BTreeMap::new(), exports: BTreeMap::new() };
        for (module, source) in sources {
            found.add(split(module), source);
        }
        found.resolve_exports();
        found.circle()
    };
    let own = ("", "mod a; mod b; pub use b::B;");
    assert_eq!(of(&[own, ("a", "use crate::b::B;"), ("b", "struct B;")]), [""; 0]);
    let circle = ["a", "b", "a"];
    assert_eq!(of(&[own, ("a", "use crate::b::B;"), ("b", "use crate::a::A;")]), circle);
    // By way of a re-export, in a list, among a path's own words, and from a parent.
    assert_eq!(of(&[own, ("a", "use crate::B;"), ("b", "use crate::{x, a::{A, C}};")]), circle);
    assert_eq!(of(&[own, ("a", "fn f(_: super::B) {}"), ("b", "use super::a::A as X;")]), circle);
    // Tests and comments import what they like.
    let tests = "struct B;\n// use crate::a::A;\n#[cfg(test)]\nmod tests { use crate::a::A; }";
    assert_eq!(of(&[own, ("a", "use crate::B;"), ("b", tests)]), [""; 0]);
}

impl Crate {
    fn read(src: &Path) -> Self {
        let mut read = Self { modules: BTreeMap::new(), exports: BTreeMap::new() };
        read.read_folder(src, &Name::new());
        read.resolve_exports();
        read
    }

    fn read_folder(&mut self, folder: &Path, module: &Name) {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let stem = path.file_stem().unwrap().to_str().unwrap().to_owned();
            if path.is_dir() {
                self.read_folder(&path, &[&module[..], &[stem]].concat());
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let own = matches!(&*stem, "lib" | "mod");
                let name = if own { module.clone() } else { [&module[..], &[stem]].concat() };
                self.add(name, &fs::read_to_string(&path).unwrap());
            }
        }
    }

    fn add(&mut self, module: Name, source: &str) {
        let source = source.split("#[cfg(test)]\nmod tests").next().unwrap_or_default();
        let code: Vec<_> =
            source.lines().map(|line| line.split("//").next().unwrap_or_default()).collect();
        self.modules.insert(module, imports(&code.join(" ")));
    }

    fn resolve_exports(&mut self) {
        for (module, imports) in &self.modules {
            for import in imports.iter().filter(|import| import.is_export) {
                let Some(target) = self.absolute(module, &import.path) else { continue };
                let Some(name) = target.last().cloned() else { continue };
                self.exports.insert([&module[..], &[name]].concat(), target);
            }
        }
    }

    /// A path as seen from the root of the crate; `None` if it leads out of it.
    fn absolute(&self, module: &Name, path: &Name) -> Option<Name> {
        let ups = path.iter().take_while(|word| *word == "super").count();
        if path[0] == "crate" {
            return Some(path[1..].to_vec());
        }
        if ups > 0 {
            return Some([&module[..module.len().checked_sub(ups)?], &path[ups..]].concat());
        }
        let child = [&module[..], &path[..1]].concat();
        self.modules.contains_key(&child).then(|| [&module[..], &path[..]].concat())
    }

    /// The module in which the item is defined.
    fn defining(&self, item: &Name) -> Name {
        for length in (0..=item.len()).rev() {
            if self.modules.contains_key(&item[..length]) {
                let export = item.get(..=length).and_then(|name| self.exports.get(name));
                return match export.filter(|target| *target != item) {
                    Some(target) => self.defining(target),
                    None => item[..length].to_vec(),
                };
            }
        }
        Name::new()
    }

    /// A way from a module back to it; empty if there is none.
    fn circle(&self) -> Vec<String> {
        let mut done = BTreeSet::new();
        self.modules
            .keys()
            .find_map(|module| self.visit(module, &mut Vec::new(), &mut done))
            .unwrap_or_default()
    }

    fn visit(
        &self,
        module: &Name,
        way: &mut Vec<Name>,
        done: &mut BTreeSet<Name>,
    ) -> Option<Vec<String>> {
        if let Some(start) = way.iter().position(|passed| passed == module) {
            let circle = way[start..].iter().chain([module]);
            return Some(circle.map(|module| module.join("::")).collect());
        }
        if done.contains(module) {
            return None;
        }
        way.push(module.clone());
        for import in self.modules[module].iter().filter(|import| !import.is_export) {
            let Some(item) = self.absolute(module, &import.path) else { continue };
            let below = self.defining(&item);
            if below != *module
                && let Some(circle) = self.visit(&below, way, done)
            {
                return Some(circle);
            }
        }
        way.pop();
        done.insert(module.clone());
        None
    }
}

/// All that a source imports.
fn imports(code: &str) -> Vec<Import> {
    let mut found = Vec::new();
    let mut rest = String::new();
    for statement in code.split_inclusive([';', '}']) {
        let (before, tree) = match statement.rsplit_once("use ") {
            // A list in braces comes in pieces: it is put together below.
            _ if !rest.is_empty() => {
                rest.push_str(statement);
                if !statement.ends_with(';') {
                    continue;
                }
                let whole = std::mem::take(&mut rest);
                let (before, tree) = whole.rsplit_once("use ").unwrap_or(("", &whole));
                (before.to_owned(), tree.to_owned())
            }
            Some((before, tree)) if is_statement(before) => {
                if !tree.ends_with(';') {
                    rest = statement.to_owned();
                    continue;
                }
                (before.to_owned(), tree.to_owned())
            }
            _ => {
                found.extend(inline(statement));
                continue;
            }
        };
        let is_export = before.trim_end().ends_with(['b', ')']) && before.contains("pub");
        let mut paths = Vec::new();
        expand("", tree.trim_end_matches(';'), &mut paths);
        found.extend(paths.into_iter().map(|path| Import { path: split(&path), is_export }));
    }
    found
}

/// Whether what is before the word `use` ends as a declaration begins.
fn is_statement(before: &str) -> bool {
    let before = before.trim_end();
    before.is_empty() || before.ends_with([';', '}', '{', ']', ')']) || before.ends_with("pub")
}

/// The paths in an expression or a type.
fn inline(code: &str) -> Vec<Import> {
    let is_word = |char: char| char.is_alphanumeric() || char == '_' || char == ':';
    let words = code.split(|char| !is_word(char));
    let paths = words.filter(|word| word.starts_with("crate::") || word.starts_with("super::"));
    paths.map(|path| Import { path: split(path), is_export: false }).collect()
}

/// The paths of a tree of imports.
fn expand(prefix: &str, tree: &str, paths: &mut Vec<String>) {
    let tree = tree.trim();
    let Some((head, list)) = tree.split_once('{') else {
        let name = tree.split(" as ").next().unwrap_or_default().trim();
        if !name.is_empty() {
            paths.push(format!("{prefix}{name}"));
        }
        return;
    };
    let prefix = format!("{prefix}{head}");
    let list = list.trim_end().strip_suffix('}').unwrap_or(list);
    let (mut depth, mut start) = (0_usize, 0);
    for (at, char) in list.char_indices() {
        match char {
            '{' => depth += 1,
            '}' => depth = depth.saturating_sub(1),
            ',' if depth == 0 => {
                expand(&prefix, &list[start..at], paths);
                start = at + 1;
            }
            _ => {}
        }
    }
    expand(&prefix, &list[start..], paths);
}

fn split(path: &str) -> Name {
    path.split("::").map(str::trim).filter(|word| !word.is_empty()).map(str::to_owned).collect()
}
