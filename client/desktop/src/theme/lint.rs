//! View code has no literal colour and no literal font size: every source file outside this folder is read for them.

use std::{
    fs,
    path::{Path, PathBuf},
};

/// Ways to name a colour or a size of letters without a token.
const FORBIDDEN: [&str; 14] = [
    "Color32::from_",
    "Color32::WHITE",
    "Color32::BLACK",
    "Color32::RED",
    "Color32::GREEN",
    "Color32::BLUE",
    "Color32::GRAY",
    "Color32::LIGHT_",
    "Color32::DARK_",
    "Rgba::from_",
    "hex_color!",
    "FontId::proportional(",
    "FontId::monospace(",
    "FontId::new(",
];

/// `"#` and three hexadecimal digits: a colour as the theme files write it.
fn names_a_hex_colour(line: &str) -> bool {
    line.match_indices("\"#").any(|(at, _)| {
        let digits = line[at + 2..].chars().take_while(char::is_ascii_hexdigit).count();
        matches!(digits, 3 | 4 | 6 | 8)
    })
}

/// Letters in a size that is written down where they are drawn: `regular(14.0)`.
fn names_a_size(line: &str) -> bool {
    ["regular(", "semibold(", "mono("].iter().any(|face| {
        line.match_indices(face)
            .any(|(at, _)| line[at + face.len()..].starts_with(|first: char| first.is_ascii_digit()))
    })
}

fn sources(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).expect("the sources stand beside the test") {
        let path = entry.expect("a folder's entry").path();
        if path.is_dir() {
            if path.file_name().is_some_and(|name| name != "theme") {
                sources(&path, found);
            }
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

#[test]
fn view_code_takes_colours_and_sizes_from_the_theme() {
    let mut files = Vec::new();
    sources(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), &mut files);
    assert!(files.len() > 20, "the sources were not found");
    let mut offences = Vec::new();
    for file in files {
        let text = fs::read_to_string(&file).expect("a source is UTF-8");
        for (number, line) in text.lines().enumerate() {
            let named = FORBIDDEN.iter().any(|word| line.contains(word));
            if named || names_a_hex_colour(line) || names_a_size(line) {
                offences.push(format!("{}:{}: {}", file.display(), number + 1, line.trim()));
            }
        }
    }
    assert!(offences.is_empty(), "literal colours or sizes:\n{}", offences.join("\n"));
}

#[test]
fn the_lint_sees_what_it_looks_for() {
    assert!(names_a_hex_colour(r##"let red = "#C42B2B";"##) && !names_a_hex_colour(r##"r#"raw"# and "#anchor""##));
    assert!(names_a_size("regular(14.0)") && !names_a_size("regular(sizes.body)"));
}
