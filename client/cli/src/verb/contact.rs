//! `contact`: see, verify, block.

use sotto_driver::{ContactView, HoldReason, Intent};

use super::{Session, connect};
use crate::{
    args::{Contact, Reconnect, Verify},
    failure::Failure,
    output::{Item, Output},
    shape,
};

pub(super) async fn run(session: &Session<'_>, contact: &Contact, output: &mut Output) -> Result<(), Failure> {
    match contact {
        Contact::List => {
            for contact in session.contacts()? {
                let id = shape::contact_id(&contact.id);
                let human = format!("{}  {}, {}", &id[..8], shape::name_or_id(&contact), standing(&contact));
                output.item(Item::line(shape::contact(&contact), &human)).await?;
            }
            Ok(())
        }
        Contact::Show(who) => show(&session.find(&who.id)?, output).await,
        Contact::Verify(verify) => self::verify(session, verify, output).await,
        Contact::Block(who) => {
            let contact = session.find(&who.id)?;
            session.intent(Intent::Block { contact: contact.id }).await?;
            let contact = session.contact(&contact.id)?;
            let human = format!("Nothing more is taken from {}. They are not told.", shape::name_or_id(&contact));
            output.item(Item::remark(shape::contact(&contact), &human)).await
        }
        Contact::AcceptIdentity(who) => {
            let contact = session.find(&who.id)?;
            session.intent(Intent::AcceptIdentity { contact: contact.id, offered: contact.offered }).await?;
            let contact = session.contact(&contact.id)?;
            let name = shape::name_or_id(&contact);
            let human =
                format!("What you wrote to {name} is sent now. Compare safety numbers before you tell secrets.");
            output.item(Item::remark(shape::contact(&contact), &human)).await
        }
        Contact::Reconnect(Reconnect { id, link }) => {
            let contact = session.find(id)?;
            let link = connect::parse_link(link)?;
            session.intent(Intent::Reconnect { contact: contact.id, link }).await?;
            let contact = session.contact(&contact.id)?;
            let human = format!("{} is asked to connect again.", shape::name_or_id(&contact));
            output.item(Item::remark(shape::contact(&contact), &human)).await
        }
    }
}

async fn show(contact: &ContactView, output: &mut Output) -> Result<(), Failure> {
    let human = format!(
        "{}, {}\nId: {}\nSafety number: {}",
        shape::name_or_id(contact),
        standing(contact),
        shape::contact_id(&contact.id),
        contact.safety_number
    );
    output.item(Item::line(shape::contact(contact), &human)).await
}

async fn verify(session: &Session<'_>, verify: &Verify, output: &mut Output) -> Result<(), Failure> {
    let contact = session.find(&verify.id)?;
    let name = shape::name_or_id(&contact);
    let Some(number) = &verify.number else {
        let human = format!(
            "Your safety number with {name}: {}\nCompare it with the one {name} sees, over a call or in person. \
             If it is the same, give theirs with --number.",
            contact.safety_number
        );
        return output.item(Item::result(shape::contact(&contact), &human, &contact.safety_number)).await;
    };
    session.intent(Intent::Verify { contact: contact.id, number: number.clone() }).await?;
    let contact = session.contact(&contact.id)?;
    output
        .item(Item::remark(shape::contact(&contact), &format!("{name} is verified: nobody stands between you.")))
        .await
}

fn standing(contact: &ContactView) -> String {
    let verified = if contact.verified { ", verified" } else { "" };
    let held = match contact.held {
        None => "",
        Some(HoldReason::IdentityConflict) => ", identity changed: nothing is sent until you accept it or block them",
        Some(HoldReason::AnotherPerson) => ", a link led to someone else: nothing is sent until you accept it",
    };
    format!("{}{verified}{held}", shape::state(contact.state).replace('_', " "))
}
