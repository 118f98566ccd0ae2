//! A QR code as a drawing: one path of its dark modules, coloured by the style.

use std::fmt::Write;

use qrcodegen::{QrCode, QrCodeEcc};

/// Light modules around the code, which readers need (ISO/IEC 18004 §9.1).
const QUIET: i32 = 4;

/// An `svg` element whose one label says what the code is of. Empty where the text is too long for any code.
pub(super) fn svg(text: &str, label: &str) -> String {
    let Ok(code) = QrCode::encode_text(text, QrCodeEcc::Medium) else { return String::new() };
    let side = code.size() + 2 * QUIET;
    let mut path = String::new();
    for y in 0..code.size() {
        let mut x = 0;
        while x < code.size() {
            let run = (x..code.size()).take_while(|x| code.get_module(*x, y)).count();
            let run = i32::try_from(run).unwrap_or_default();
            if run > 0 {
                // Writing into a String does not fail.
                let _ = write!(path, "M{} {}h{run}v1h-{run}z", x + QUIET, y + QUIET);
            }
            x += run + 1;
        }
    }
    format!(
        "<svg class=\"qr\" role=\"img\" aria-label=\"{label}\" viewBox=\"0 0 {side} {side}\" shape-rendering=\"crispEdges\">\
         <rect width=\"{side}\" height=\"{side}\"/><path d=\"{path}\"/></svg>"
    )
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn the_drawing_has_the_codes_modules_and_no_others() {
        let text = "sotto://relay.example:4433/BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc";
        let code = QrCode::encode_text(text, QrCodeEcc::Medium).unwrap();
        let drawn = svg(text, "A code");
        let path = drawn.split_once("<path d=\"").unwrap().1.split_once('"').unwrap().0;
        let mut dark = BTreeSet::new();
        for run in path.split('M').skip(1) {
            let (x, rest) = run.split_once(' ').unwrap();
            let (y, rest) = rest.split_once('h').unwrap();
            let [x, y, run]: [i32; 3] = [x, y, rest.split_once('v').unwrap().0].map(|number| number.parse().unwrap());
            dark.extend((x..x + run).map(|x| (x - QUIET, y - QUIET)));
        }
        let modules = (0..code.size()).flat_map(|y| (0..code.size()).map(move |x| (x, y)));
        let expected = modules.filter(|(x, y)| code.get_module(*x, *y)).collect::<BTreeSet<_>>();
        assert_eq!(dark, expected);
    }

    #[test]
    fn what_no_code_holds_is_not_drawn() {
        assert_eq!(svg(&"a".repeat(5_000), "A code"), "");
    }
}
