//! The pages' text, with this relay's own in its places.

use sotto_outer::{
    AdmissionKind,
    limits::{MAILBOX_LAPSE_DAYS, PAYLOAD_BYTES_MAX},
};

use super::{About, contact_uri, qr};

const HOME: &str = include_str!("home.html");
const LINK: &str = include_str!("link.html");
const MIB: u64 = 1024 * 1024;

/// `/`.
pub(super) fn home(about: &About<'_>) -> String {
    let address = about.address.to_string();
    fill(HOME, |name| match name {
        "name" => Some(escape(about.address.host())),
        "operator" => Some(operator(&about.words.operator)),
        "address" => Some(escape(&address)),
        "entry" => Some(entry(about).to_owned()),
        "qr" => Some(qr::svg(&address, "The relay’s address as a QR code")),
        "policy" => Some(policy(&about.words.policy)),
        "limits" => Some(limits(about)),
        "contact" => Some(contact(&about.words.contact)),
        _ => None,
    })
}

/// `/i`.
pub(super) fn link(about: &About<'_>) -> String {
    fill(LINK, |name| match name {
        "authority" => Some(escape(&about.address.authority())),
        "address" => Some(escape(&about.address.to_string())),
        "get" => Some(get(&about.words.download)),
        _ => None,
    })
}

/// Puts values, HTML already, into the places `{{name}}`; what is put in is not looked at again.
pub(in crate::server) fn fill(template: &str, value: impl Fn(&str) -> Option<String>) -> String {
    let mut parts = template.split("{{");
    let mut page = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let (name, rest) = part.split_once("}}").expect("the templates close what they open: a test renders both");
        page.push_str(&value(name).expect("the templates name what is known: a test renders both"));
        page.push_str(rest);
    }
    page
}

/// Text as HTML that reads the same, inside an element or a quoted attribute.
pub(in crate::server) fn escape(text: &str) -> String {
    let mut html = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => html.push_str("&amp;"),
            '<' => html.push_str("&lt;"),
            '>' => html.push_str("&gt;"),
            '"' => html.push_str("&quot;"),
            '\'' => html.push_str("&#39;"),
            '\n' | '\t' => html.push(c),
            c if c.is_control() => html.push('\u{fffd}'),
            c => html.push(c),
        }
    }
    html
}

fn operator(operator: &str) -> String {
    match operator.trim() {
        "" => String::new(),
        operator => format!("<p>It is run by <b dir=\"auto\">{}</b>.</p>", escape(operator)),
    }
}

fn policy(policy: &str) -> String {
    let policy = policy.replace("\r\n", "\n");
    let paragraphs = policy.split("\n\n").map(str::trim).filter(|text| !text.is_empty());
    let paragraphs: String = paragraphs.map(|text| format!("<p dir=\"auto\">{}</p>\n", escape(text))).collect();
    if paragraphs.is_empty() {
        return paragraphs;
    }
    format!(
        "<section class=\"words\" aria-labelledby=\"policy\">\n<h2 id=\"policy\">From its host</h2>\n{paragraphs}</section>"
    )
}

fn contact(contact: &str) -> String {
    let Some(uri) = contact_uri(contact) else { return String::new() };
    format!("<p>To reach its host: <a href=\"{}\">{}</a></p>", escape(&uri), escape(contact))
}

fn get(download: &str) -> String {
    if download.is_empty() {
        return "Install Sotto: ask the person who gave you the link where to get it. It is free software, for Linux"
            .to_owned();
    }
    let download = escape(download);
    format!("Install Sotto: <a href=\"{download}\">{download}</a>")
}

/// What it takes to use this relay.
const fn entry(about: &About<'_>) -> &'static str {
    match about.rules.terms.admission {
        AdmissionKind::Open => "There is nothing to sign up for.",
        AdmissionKind::Minted => "It asks for a credential, which its host gives to those it is meant for.",
        AdmissionKind::Oidc => {
            "It asks for a credential: <a href=\"/join\">log in to get one</a>. What you then do here is not linked to that."
        }
    }
}

/// What somebody who uses this relay can count on, row by row.
fn limits(about: &About<'_>) -> String {
    let limits = &about.rules.limits;
    let (held, requests) = (limits.mailbox_envelopes_max, about.rules.contact_envelopes_max);
    let (mib, days) = (limits.mailbox_bytes_max / MIB, limits.envelope_ttl_secs / 86_400);
    let open_to = match about.rules.terms.admission {
        AdmissionKind::Open => "Everyone who has its address",
        AdmissionKind::Minted => "Those to whom its host gives a credential; all others can write to them",
        AdmissionKind::Oidc => "Those who can log in; all others can write to them",
    };
    let rows = [
        ("Open to", open_to.to_owned()),
        ("A mailbox holds", format!("{} messages or {mib} MiB, until they are fetched", thousands(held))),
        ("A contact address", format!("{} requests from people who are new to you", thousands(requests))),
        (
            "A message",
            format!("Up to {} KiB. It waits up to {days} days and is deleted once fetched", PAYLOAD_BYTES_MAX / 1024),
        ),
        ("A mailbox lives", format!("Until you delete it, or {MAILBOX_LAPSE_DAYS} days after you last looked into it")),
    ];
    rows.map(|(name, value)| format!("<div><dt>{name}</dt><dd>{value}</dd></div>")).join("\n")
}

/// `1000` as `1,000`.
fn thousands(number: u32) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use sotto_outer::{RelayAddress, Terms, Tls};

    use super::*;
    use crate::{core::Config, server::PageSettings};

    fn pages(words: &PageSettings) -> [String; 2] {
        let address = RelayAddress::new("relay.example", 443, Tls::Acme, [7; 32].into()).unwrap();
        let rules = Config::default();
        let about = About { address: &address, words, rules: &rules };
        [home(&about), link(&about)]
    }

    #[test]
    fn the_hosts_words_stand_there_as_they_wrote_them() {
        let words = PageSettings {
            operator: "Anna & <b>Sons</b>".to_owned(),
            policy: "Be \"kind\".\n{{address}}\n\nIt's <script>alert(1)</script>\u{7}".to_owned(),
            contact: "ops@relay.example".to_owned(),
            download: "https://relay.example/?a=1&b=\"".to_owned(),
        };
        let [home, link] = pages(&words);
        assert!(home.contains("Anna &amp; &lt;b&gt;Sons&lt;/b&gt;"), "{home}");
        assert!(home.contains("<p dir=\"auto\">Be &quot;kind&quot;.\n{{address}}</p>"), "{home}");
        assert!(home.contains("It&#39;s &lt;script&gt;alert(1)&lt;/script&gt;\u{fffd}"), "{home}");
        assert!(home.contains("<a href=\"mailto:ops@relay.example\">ops@relay.example</a>"), "{home}");
        assert!(link.contains("href=\"https://relay.example/?a=1&amp;b=&quot;\""), "{link}");
    }

    #[test]
    fn a_host_who_says_nothing_leaves_no_empty_places() {
        for page in pages(&PageSettings::default()) {
            assert!(!page.contains("{{") && !page.contains("}}"), "{page}");
            assert!(
                !page.contains("run by") && !page.contains("From its host") && !page.contains("To reach"),
                "{page}"
            );
            assert!(page.contains("sotto://relay.example:443/"), "{page}");
        }
    }

    #[test]
    fn the_page_says_what_it_takes_to_come() {
        let address = RelayAddress::new("relay.example", 443, Tls::Acme, [7; 32].into()).unwrap();
        let words = PageSettings::default();
        let home = |admission| {
            let terms = Terms { admission, ..Terms::default() };
            let rules = Config { terms, ..Config::default() };
            home(&About { address: &address, words: &words, rules: &rules })
        };
        assert!(home(AdmissionKind::Open).contains("nothing to sign up for"));
        assert!(home(AdmissionKind::Minted).contains("a credential, which its host gives"));
        assert!(home(AdmissionKind::Oidc).contains("<a href=\"/join\">"));
        for admission in [AdmissionKind::Minted, AdmissionKind::Oidc] {
            assert!(!home(admission).contains("sign up") && !home(admission).contains("Everyone"));
        }
    }

    #[test]
    fn nothing_is_inline_and_nothing_comes_from_elsewhere() {
        for page in pages(&PageSettings::default()) {
            assert!(!page.contains("style=") && !page.contains("<style"), "{page}");
            let mut handlers =
                page.match_indices(" on").map(|(at, _)| page[at + 1..].trim_start_matches(char::is_alphabetic));
            assert!(!handlers.any(|rest| rest.starts_with('=')), "{page}");
            for (at, _) in page.match_indices("src=\"").chain(page.match_indices("href=\"")) {
                let leads = page[at..].split('"').nth(1).unwrap();
                assert!(leads.starts_with('/'), "{leads}");
            }
            assert!(page.matches("<script").count() <= 1 && !page.contains("<script>"));
        }
    }

    #[test]
    fn all_that_a_browser_loads_is_under_30_kib() {
        for page in pages(&PageSettings::default()) {
            let files = page.len() + super::super::STYLE.len() + super::super::SCRIPT.len() + super::super::MARK.len();
            assert!(files < 30 * 1024, "{files}");
        }
    }

    #[test]
    fn numbers_are_grouped() {
        assert_eq!([1, 200, 1_000, 1_234_567].map(thousands), ["1", "200", "1,000", "1,234,567"]);
    }
}
