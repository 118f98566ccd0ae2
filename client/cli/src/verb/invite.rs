//! `invite`: a link to give to someone.

use qrcodegen::{QrCode, QrCodeEcc};
use serde_json::json;
use sotto_driver::{Intent, LinkKind, Outcome, view};

use super::{Session, relay};
use crate::{
    args::Invite,
    failure::Failure,
    output::{Item, Output},
};

pub(super) async fn run(session: &Session<'_>, invite: &Invite, output: &mut Output) -> Result<(), Failure> {
    if invite.off {
        session.intent(Intent::SwitchAddress { on: false }).await?;
        let human = "Your contact address is switched off. Whoever has its link finds nobody; your contacts stay, and \
                     one-time invitations work.";
        return output.item(Item::remark(json!({ "kind": "address", "on": false }), human)).await;
    }
    if invite.on {
        session.intent(Intent::SwitchAddress { on: true }).await?;
    }
    if invite.reset {
        session.intent(Intent::ResetAddress).await?;
    }
    let Outcome::Link(link) = session.intent(Intent::Invite { once: invite.once }).await? else {
        return Err(Failure::internal(&"An invitation was answered with something else."));
    };
    let (kind, about) = match link.kind {
        LinkKind::Address => ("address", "Your contact address. Whoever has it can ask to connect."),
        LinkKind::Invitation => {
            ("invitation", "An invitation that works once. Give it to one person, over a way you trust.")
        }
    };
    // Without the relay it is a link all the same, and works as soon as the relay has what belongs to it.
    let online = session.client.health().borrow().online();
    let admission = session.client.view(|rows| view::admissions(rows))?.into_iter().next();
    let hindrance = admission.and_then(|admission| relay::failure(admission.state).filter(|_| admission.waiting > 0));
    let usable = online && hindrance.is_none();
    let text = link.to_string();
    let mut human = format!("{about}\n{text}");
    if invite.qr {
        human = format!("{human}\n{}", draw(&text)?);
    }
    if let Some(Failure { error, .. }) = &hindrance {
        human = format!("{human}\nThe link does not work yet. {error}");
    } else if !usable {
        human.push_str("\nThe relay is out of reach now. A new link works once this profile has been online.");
    }
    output.item(Item::result(json!({ "link": text, "kind": kind, "usable": usable }), &human, &text)).await
}

/// A QR code of half blocks, dark on light whatever the terminal's colours, with its quiet zone.
fn draw(text: &str) -> Result<String, Failure> {
    let code = QrCode::encode_text(text, QrCodeEcc::Low).map_err(|error| Failure::internal(&error))?;
    let size = code.size();
    let mut drawing = String::new();
    for y in (-QUIET..size + QUIET).step_by(2) {
        for x in -QUIET..size + QUIET {
            // A light module is a full block: terminals are dark more often, and readers take both.
            drawing.push(match (code.get_module(x, y), code.get_module(x, y + 1)) {
                (false, false) => '█',
                (false, true) => '▀',
                (true, false) => '▄',
                (true, true) => ' ',
            });
        }
        drawing.push('\n');
    }
    drawing.pop();
    Ok(drawing)
}

/// Light modules around a code (ISO/IEC 18004).
const QUIET: i32 = 4;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_drawing_is_as_wide_as_the_code_and_half_as_high() {
        let drawing = draw("https://relay.example:443/i#abc").unwrap();
        let lines: Vec<_> = drawing.lines().collect();
        let width = lines[0].chars().count();
        assert!(lines.iter().all(|line| line.chars().count() == width));
        assert_eq!(lines.len(), width.div_ceil(2));
    }
}
