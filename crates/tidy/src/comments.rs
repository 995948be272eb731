//! Comments of Rust files: their width, what is left to do, and how documentation begins.

use crate::tree::File;

/// Maximum width of a line that is only a comment, in columns, with its indentation.
pub const WIDTH: usize = 110;

/// Marks of work that is left to do.
const LEFT: [&str; 3] = ["TODO", "FIXME", "XXX"];

/// Beginnings of documentation that does not name its subject.
const UNNAMED: [&str; 8] = ["What ", "Whether ", "It ", "It's ", "Its ", "This ", "How ", "Who "];

/// Returns the comments that are too wide, each as `path:line`.
pub fn too_wide(files: &[File]) -> Vec<String> {
    found(files, |line| {
        let is_comment = line.trim_start().starts_with("//");
        // A link cannot be broken.
        is_comment && line.chars().count() > WIDTH && !line.contains("https://")
    })
}

/// Returns the comments and texts that speak of work left to do, each as `path:line`.
pub fn left_to_do(files: &[File]) -> Vec<String> {
    found(files, |line| {
        let mut words = line.split(|c: char| !c.is_alphanumeric() && c != '_');
        words.any(|word| LEFT.contains(&word))
    })
}

/// Returns the documentation that opens without naming its subject, each as `path:line`: the first line of
/// each block of `///` or `//!`.
pub fn unnamed(files: &[File]) -> Vec<String> {
    let mut all = Vec::new();
    for file in files {
        let mut before = "";
        for (number, line) in file.text.lines().enumerate() {
            let line = line.trim_start();
            let doc = ["/// ", "//! "].iter().find_map(|mark| Some((*mark, line.strip_prefix(mark)?)));
            if let Some((mark, text)) = doc
                && !before.starts_with(mark.trim_end())
                && UNNAMED.iter().any(|opening| text.starts_with(opening))
            {
                all.push(format!("{}:{}", file.path, number + 1));
            }
            before = line;
        }
    }
    all
}

fn found(files: &[File], is_wrong: impl Fn(&str) -> bool) -> Vec<String> {
    let lines = files.iter().flat_map(|file| {
        file.text.lines().enumerate().map(move |(number, line)| (&file.path, number + 1, line))
    });
    lines.filter(|(_, _, line)| is_wrong(line)).map(|(path, number, _)| format!("{path}:{number}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(text: &str) -> [File; 1] {
        [File { path: "a.rs".to_owned(), text: text.to_owned() }]
    }

    #[test]
    fn wide_comments_are_found_and_wide_code_is_not() {
        let (fits, wide) = (format!("    // {}", "ä".repeat(103)), format!("    // {}", "x".repeat(104)));
        let code = format!("let a = \"{}\"; // why", "x".repeat(200));
        let link = format!("// https://example.com/{}", "x".repeat(100));
        assert_eq!(too_wide(&file(&[fits, wide, code, link].join("\n"))), ["a.rs:2"]);
    }

    #[test]
    fn what_is_left_to_do_is_found() {
        let text =
            "// TODO: more\nlet a = \"FIXME\";\n// the todos of a list\nlet autotodo = XXXL;\n// (XXX)\n";
        assert_eq!(left_to_do(&file(text)), ["a.rs:1", "a.rs:2", "a.rs:5"]);
    }

    #[test]
    fn documentation_names_its_subject() {
        let text = "//! What is here.\n\n/// Number of tasks.\n/// It is small.\nstruct A;\n    /// Whether it is.\nfn b();\n//! It\n";
        assert_eq!(unnamed(&file(text)), ["a.rs:1", "a.rs:6"]);
    }
}
