//! The floors of the house: who may know whom, read off every path that begins with `crate` or
//! `super`.
//!
//! A folder of `src/` knows its own floor and those below it, nobody knows in a circle, and files
//! of one folder do not either. Comments are no arrows: documentation may look up. Tests inside
//! `src/` are arrows between folders like any other code; between files of one folder they are not,
//! for a test may look at its neighbours.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::path::{Path, PathBuf};

/// From the ground up.
const FLOORS: [&[&str]; 8] = [
    &["quantity", "error", "file", "arithmetic", "state", "stop", "wire"],
    &["data", "coupler"],
    &["system"],
    &["learning"],
    &["training"],
    &["experiment"],
    &["study", "export", "report", "laboratory", "fit"],
    &["cli", "bring_your_own"],
];

/// On this floor nobody knows a neighbour, but for these.
const TOP: &[&str] = FLOORS[6];
const NEIGHBOURS: [(&str, &str); 3] =
    [("report", "study"), ("report", "export"), ("report", "fit")];

/// Arrows that break the rule and are still to be mended: a file and the folder that it should not
/// know. An entry that is no longer needed fails the test.
const TO_BE_MENDED: &[(&str, &str)] = &[];

/// One path in the source.
#[derive(Clone, Debug)]
struct Arrow {
    file: String,
    line: usize,
    /// From the crate's root, e.g. `coupler`, `effect`, `Effect`.
    path: Vec<String>,
    in_test: bool,
}

impl Arrow {
    /// The folder of the file, or the file itself where it stands in `src/`.
    fn from(&self) -> &str {
        folder(&self.file)
    }

    /// The folder that the path leads to. What the root exports by itself is the error type.
    fn to(&self) -> &str {
        let first = self.path.first().map_or("", String::as_str);
        if first.starts_with(|c: char| c.is_lowercase()) { first } else { "error" }
    }
}

impl fmt::Display for Arrow {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        let Self { file, line, path, .. } = self;
        write!(f, "{file}:{line}: {} -> {} (crate::{})", self.from(), self.to(), path.join("::"))
    }
}

fn folder(file: &str) -> &str {
    let inside = file.strip_prefix("src/").unwrap();
    inside.split('/').next().unwrap().trim_end_matches(".rs")
}

fn floor(folder: &str) -> Option<usize> {
    FLOORS.iter().position(|floor| floor.contains(&folder))
}

fn allowed(from: &str, to: &str) -> bool {
    let (Some(below), Some(above)) = (floor(to), floor(from)) else { return false };
    let sideways = from != to && TOP.contains(&from) && TOP.contains(&to);
    below <= above && (!sideways || NEIGHBOURS.contains(&(from, to)))
}

#[test]
fn no_arrow_leads_upward() {
    let house = House::read();
    let unknown: Vec<_> = house.files.keys().filter(|file| floor(folder(file)).is_none()).collect();
    assert!(unknown.is_empty(), "on which floor are they? {unknown:?}");
    let mut wrong = Vec::new();
    let mut needed = BTreeSet::new();
    for arrow in house.arrows.iter().filter(|arrow| !allowed(arrow.from(), arrow.to())) {
        match TO_BE_MENDED.iter().find(|(file, to)| *file == arrow.file && *to == arrow.to()) {
            Some(entry) => drop(needed.insert(entry)),
            None => wrong.push(arrow.to_string()),
        }
    }
    assert!(wrong.is_empty(), "arrows upward or sideways:\n{}", wrong.join("\n"));
    let mended: Vec<_> = TO_BE_MENDED.iter().filter(|entry| !needed.contains(entry)).collect();
    assert!(mended.is_empty(), "mended, so take them off TO_BE_MENDED: {mended:?}");
}

#[test]
fn no_folders_know_each_other_in_a_circle() {
    let house = House::read();
    let mut graph = Graph::default();
    let mut example = BTreeMap::new();
    for arrow in house.arrows.iter().filter(|arrow| arrow.from() != arrow.to()) {
        if !TO_BE_MENDED.contains(&(&arrow.file, arrow.to())) {
            graph.entry(arrow.from().into()).or_default().insert(arrow.to().into());
            example.entry((arrow.from(), arrow.to())).or_insert(arrow);
        }
    }
    let found = circles(&graph);
    let arrows: Vec<_> = example
        .iter()
        .filter(|((from, to), _)| {
            found.iter().any(|circle| circle.contains(*from) && circle.contains(*to))
        })
        .map(|(_, arrow)| arrow.to_string())
        .collect();
    assert!(arrows.is_empty(), "folders in a circle:\n{}", arrows.join("\n"));
}

#[test]
fn no_files_of_a_folder_know_each_other_in_a_circle() {
    let house = House::read();
    let mut graph = Graph::default();
    let mut example = BTreeMap::new();
    for arrow in house.arrows.iter().filter(|arrow| !arrow.in_test) {
        let to = house.file_of(&arrow.path);
        // A hub lists what its folder holds, and what is listed knows the contract in the hub.
        let (folder_of, name) = arrow.file.rsplit_once('/').unwrap_or_default();
        let hub = name == "mod.rs" || house.lists.contains(&arrow.file);
        let lists = |to: &String| hub && to.starts_with(&format!("{folder_of}/"));
        if let Some(to) =
            to.filter(|to| **to != arrow.file && folder(to) == arrow.from() && !lists(to))
        {
            graph.entry(arrow.file.clone()).or_default().insert(to.clone());
            example
                .entry((arrow.file.clone(), to.clone()))
                .or_insert_with(|| format!("{}:{}: -> {to}", arrow.file, arrow.line));
        }
    }
    let arrows: Vec<_> = circles(&graph)
        .iter()
        .flat_map(|circle| {
            example.iter().filter(|((from, to), _)| {
                circle.contains(from) && graph[from].contains(to) && circle.contains(to)
            })
        })
        .map(|(_, arrow)| arrow.clone())
        .collect();
    assert!(arrows.is_empty(), "files in a circle:\n{}", arrows.join("\n"));
}

/// Who knows whom.
type Graph = BTreeMap<String, BTreeSet<String>>;

/// Sets of nodes that reach each other.
fn circles(graph: &Graph) -> Vec<BTreeSet<String>> {
    let reach = |from: &String| {
        let (mut seen, mut open) = (BTreeSet::new(), vec![from]);
        while let Some(node) = open.pop() {
            open.extend(
                graph.get(node).into_iter().flatten().filter(|to| seen.insert((*to).clone())),
            );
        }
        seen
    };
    let reached: BTreeMap<_, _> = graph.keys().map(|node| (node, reach(node))).collect();
    let circle = |node: &String| -> BTreeSet<String> {
        let mutual = |other: &&String| reached.get(*other).is_some_and(|back| back.contains(node));
        reached[node].iter().filter(mutual).cloned().collect()
    };
    let found: BTreeSet<_> = graph.keys().map(circle).filter(|circle| !circle.is_empty()).collect();
    found.into_iter().collect()
}

/// Every file of `src/` but the roots, and every path in them.
#[derive(Default)]
struct House {
    /// Each file's module, from the root.
    files: BTreeMap<String, Vec<String>>,
    arrows: Vec<Arrow>,
    /// Files with the `tables!` of a device.
    lists: BTreeSet<String>,
    /// What a module has of others by name: its `use` lines.
    uses: BTreeMap<(Vec<String>, String), Vec<String>>,
}

impl House {
    fn read() -> Self {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let mut house = Self::default();
        for path in rust_files(&root.join("src")) {
            let file = path.strip_prefix(root).unwrap().to_str().unwrap().replace('\\', "/");
            if ["src/lib.rs", "src/main.rs"].contains(&file.as_str()) {
                continue;
            }
            let mut module: Vec<String> = file["src/".len()..file.len() - ".rs".len()]
                .split('/')
                .map(str::to_owned)
                .collect();
            if module.last().unwrap() == "mod" {
                module.pop();
            }
            Source::new(&std::fs::read_to_string(&path).unwrap(), &file, &module).read(&mut house);
            house.files.insert(file, module);
        }
        assert!(house.arrows.len() > 300, "only {} arrows were found", house.arrows.len());
        house
    }

    /// The file that defines the item at `path`, seen through the `use` lines of modules on the
    /// way.
    fn file_of(&self, path: &[String]) -> Option<&String> {
        let mut path = path.to_vec();
        for _ in 0..8 {
            let (file, module) = self
                .files
                .iter()
                .filter(|(_, module)| path.starts_with(module))
                .max_by_key(|(_, module)| module.len())?;
            let Some(name) = path.get(module.len()) else { return Some(file) };
            match self.uses.get(&(module.clone(), name.clone())) {
                Some(target) => path = [target, &path[module.len() + 1..]].concat(),
                None => return Some(file),
            }
        }
        None
    }
}

fn rust_files(directory: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(rust_files(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
    found.sort();
    found
}

/// The words of a file, without comments and strings.
struct Source<'a> {
    file: &'a str,
    module: &'a [String],
    tokens: Vec<(String, usize)>,
    at: usize,
}

impl<'a> Source<'a> {
    fn new(text: &str, file: &'a str, module: &'a [String]) -> Self {
        let (blank, mut tokens) = (without_comments_and_strings(text), Vec::new());
        for (line, text) in blank.lines().enumerate() {
            let mut rest = text;
            while let Some(first) = rest.chars().next() {
                let word = |c: char| c.is_alphanumeric() || c == '_';
                let length = match first {
                    first if word(first) => rest.find(|c| !word(c)).unwrap_or(rest.len()),
                    ':' if rest.starts_with("::") => 2,
                    first => first.len_utf8(),
                };
                if !first.is_whitespace() {
                    tokens.push((rest[..length].to_owned(), line + 1));
                }
                rest = &rest[length..];
            }
        }
        Self { file, module, tokens, at: 0 }
    }

    fn token(&self, ahead: usize) -> &str {
        self.tokens.get(self.at + ahead).map_or("", |(token, _)| token)
    }

    /// Every path, into `house`.
    fn read(mut self, house: &mut House) {
        // `mod name;` and `mod name {`: what may stand first in a path of this file.
        let children: BTreeSet<String> = self
            .tokens
            .windows(3)
            .filter(|words| words[0].0 == "mod" && [";", "{"].contains(&&*words[2].0))
            .map(|words| words[1].0.clone())
            .collect();
        if self
            .tokens
            .windows(3)
            .any(|words| ["tables", "!", "{"] == [0, 1, 2].map(|k| &*words[k].0))
        {
            house.lists.insert(self.file.to_owned());
        }
        let all_test = self.module.last().is_some_and(|name| name == "tests");
        // Depth of braces, and the depth at which a module of tests began.
        let (mut depth, mut tests, mut in_use, mut public) = (0, None, false, false);
        while self.at < self.tokens.len() {
            match self.token(0) {
                "{" => depth += 1,
                "}" => {
                    depth -= 1;
                    tests = tests.filter(|began| *began < depth);
                }
                "cfg"
                    if self.token(2) == "test"
                        && self.token(5) == "mod"
                        && self.token(7) == "{" =>
                {
                    tests = tests.or(Some(depth));
                }
                "use" => {
                    in_use = true;
                    public = self.at > 0 && ["pub", ")"].contains(&&*self.tokens[self.at - 1].0);
                }
                ";" => in_use = false,
                first
                    if self.token(1) == "::"
                        && (self.at == 0 || self.tokens[self.at - 1].0 != "::") =>
                {
                    let inside_tests = tests.is_some();
                    // `super` inside a module of tests is the file itself.
                    let base = match first {
                        "crate" => Some(vec![]),
                        "super" if inside_tests => Some(self.module.to_vec()),
                        "super" => Some(self.module[..self.module.len() - 1].to_vec()),
                        "self" => Some(self.module.to_vec()),
                        child if children.contains(child) && !inside_tests => {
                            Some([self.module, &[child.to_owned()]].concat())
                        }
                        _ => None,
                    };
                    if let Some(base) = base {
                        let is_child = children.contains(first) || first == "self";
                        self.at += 2;
                        let mut paths = Vec::new();
                        self.path(base, &mut paths);
                        for (path, name, line) in paths {
                            // Exported macros stand in the root, wherever they are defined.
                            if path.len() == 1 && self.token(0) == "!" {
                                continue;
                            }
                            if in_use && !inside_tests {
                                house.uses.insert((self.module.to_vec(), name), path.clone());
                            }
                            // A module that hands on what its children have does not know them.
                            if !(in_use && public && is_child) {
                                house.arrows.push(Arrow {
                                    file: self.file.to_owned(),
                                    line,
                                    path,
                                    in_test: all_test || inside_tests,
                                });
                            }
                        }
                        continue;
                    }
                }
                _ => {}
            }
            self.at += 1;
        }
    }

    /// What follows `base::`, as (path, name it goes by here, line), and stops behind it.
    fn path(&mut self, mut base: Vec<String>, paths: &mut Vec<(Vec<String>, String, usize)>) {
        loop {
            let line = self.tokens.get(self.at).map_or(0, |(_, line)| *line);
            match self.token(0) {
                "{" => {
                    self.at += 1;
                    while !["}", ""].contains(&self.token(0)) {
                        if self.token(0) == "," {
                            self.at += 1;
                        } else {
                            self.path(base.clone(), paths);
                        }
                    }
                    self.at += 1;
                    return;
                }
                "super" => drop(base.pop()),
                "self" => {}
                word if word.starts_with(|c: char| c.is_alphabetic() || c == '_') => {
                    base.push(word.to_owned());
                }
                // `*`, or the generic arguments of an expression
                _ => {
                    let name = base.last().cloned().unwrap_or_default();
                    self.at += usize::from(self.token(0) == "*");
                    return paths.push((base, name, line));
                }
            }
            self.at += 1;
            if self.token(0) == "::" {
                self.at += 1;
                continue;
            }
            let mut name = base.last().cloned().unwrap_or_default();
            if self.token(0) == "as" {
                name = self.token(1).to_owned();
                self.at += 2;
            }
            return paths.push((base, name, line));
        }
    }
}

/// `text` with comments and literals of strings and characters made blank, line by line.
fn without_comments_and_strings(text: &str) -> String {
    let chars: Vec<char> = text.chars().collect();
    let ahead = |at: usize, word: &str| {
        word.chars().enumerate().all(|(i, c)| chars.get(at + i) == Some(&c))
    };
    let find = |from: usize, word: &str| {
        (from..chars.len()).find(|at| ahead(*at, word)).unwrap_or(chars.len())
    };
    let mut blank = String::new();
    let mut at = 0;
    while at < chars.len() {
        let before = at.checked_sub(1).map(|before| chars[before]);
        let in_word = before.is_some_and(|c| c.is_alphanumeric() || c == '_');
        let hashes = chars[at + 1..].iter().take_while(|c| **c == '#').count();
        let end = if ahead(at, "//") {
            find(at, "\n")
        } else if ahead(at, "/*") {
            let (mut depth, mut end) = (1, at + 2);
            while depth > 0 && end < chars.len() {
                if ahead(end, "/*") {
                    (depth, end) = (depth + 1, end + 2);
                } else if ahead(end, "*/") {
                    (depth, end) = (depth - 1, end + 2);
                } else {
                    end += 1;
                }
            }
            end
        } else if chars[at] == 'r'
            && (!in_word || before == Some('b'))
            && chars.get(at + 1 + hashes) == Some(&'"')
        {
            let close = format!("\"{}", "#".repeat(hashes));
            find(at + 2 + hashes, &close) + close.len()
        } else if chars[at] == '"' {
            let mut end = at + 1;
            while end < chars.len() && chars[end] != '"' {
                end += 1 + usize::from(chars[end] == '\\');
            }
            end + 1
        } else if ahead(at, "'\\") {
            find(at + 3, "'") + 1
        } else if chars[at] == '\'' && chars.get(at + 2) == Some(&'\'') {
            at + 3
        } else {
            blank.push(chars[at]);
            at += 1;
            continue;
        };
        let end = end.min(chars.len());
        blank.push(' ');
        blank.extend(chars[at..end].iter().filter(|c| **c == '\n'));
        at = end;
    }
    blank
}

#[test]
fn paths_are_read_as_the_compiler_reads_them() {
    let text = r##"
        //! [`crate::cli`] in a comment /* is no arrow */
        use crate::{error::Result, system::{self, lane::{Lane as Row, Span}}};
        pub use part::Part; // handed on
        mod part;
        /* nor /* crate::cli */ here */ use super::neighbour::*;
        const TEXT: (&str, char) = ("crate::cli \" crate::cli", '"'); const RAW: &str = r#"" crate::cli"#;
        fn f<'a>(x: &'a str) -> crate::Result<()> { crate::study::run::<f64>(x); part::f() }
        #[cfg(test)]
        mod tests { use super::f; use crate::export; }
    "##;
    let module = ["coupler".to_owned(), "spim".to_owned()];
    let mut house = House::default();
    Source::new(text, "src/coupler/spim/mod.rs", &module).read(&mut house);
    let read: Vec<_> = house
        .arrows
        .iter()
        .map(|arrow| (arrow.line, arrow.path.join("::"), arrow.to(), arrow.in_test))
        .collect();
    let expected = [
        (3, "error::Result", "error", false),
        (3, "system", "system", false),
        (3, "system::lane::Lane", "system", false),
        (3, "system::lane::Span", "system", false),
        (6, "coupler::neighbour", "coupler", false),
        (8, "Result", "error", false),
        (8, "study::run", "study", false),
        (8, "coupler::spim::part::f", "coupler", false),
        (10, "coupler::spim::f", "coupler", true),
        (10, "export", "export", true),
    ];
    assert_eq!(read, expected.map(|(line, path, to, test)| (line, path.to_owned(), to, test)));
    let name = |name: &str| house.uses.get(&(module.to_vec(), name.to_owned())).unwrap().join("::");
    assert_eq!(
        (name("Row"), name("Part")),
        ("system::lane::Lane".into(), "coupler::spim::part::Part".into())
    );
    assert!(allowed("system", "coupler") && allowed("report", "study"));
    assert!(
        !allowed("coupler", "system") && !allowed("study", "report") && !allowed("cli", "attic")
    );
}
