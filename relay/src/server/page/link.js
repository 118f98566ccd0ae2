// Shows the link that led here and offers it to Sotto. What follows the # stays in this browser: nothing here asks a server
// for anything, and the address bar forgets it.
"use strict";

// A link is at most 200 bytes of CBOR, in base64url.
const WHOLE = /^[A-Za-z0-9_-]{40,267}$/;
const part = (id) => document.getElementById(id);
const show = (shown) => ["ready", "empty", "damaged"].forEach((id) => { part(id).hidden = id !== shown; });

function read() {
  const fragment = location.hash.slice(1);
  if (fragment === "") return;
  history.replaceState(null, "", location.pathname);
  if (!WHOLE.test(fragment)) return show("damaged");
  part("open").href = "sotto:" + fragment;
  // With the relay as the link names it: browsers leave out port 443.
  part("link").textContent = "https://" + document.body.dataset.relay + "/i#" + fragment;
  show("ready");
}

async function copy() {
  const link = part("link");
  try {
    await navigator.clipboard.writeText(link.textContent);
    part("said").textContent = "Copied. In Sotto choose Add a contact, and paste it.";
  } catch {
    getSelection().selectAllChildren(link);
    part("said").textContent = "The link is selected below: press Ctrl+C to copy it.";
  }
}

part("copy").addEventListener("click", copy);
addEventListener("hashchange", read);
show("empty");
read();
