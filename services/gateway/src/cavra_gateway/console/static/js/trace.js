// The trace page in the browser: a record's arrows stand out while it is looked at, and its hash and proof are computed once more here.

const canvas = () => document.querySelector("#canvas .chain");

function light(id) {
  const chain = canvas();
  if (!chain) return;
  chain.classList.toggle("lighting", Boolean(id));
  for (const arrow of chain.querySelectorAll(".arrow")) {
    arrow.classList.toggle("lit", Boolean(id) && (arrow.dataset.source === id || arrow.dataset.target === id));
  }
}

const nodeOf = (event) => event.target.closest?.("[data-node]")?.dataset.node;
for (const [begin, end] of [["pointerover", "pointerout"], ["focusin", "focusout"]]) {
  document.addEventListener(begin, (event) => { if (nodeOf(event)) light(nodeOf(event)); });
  document.addEventListener(end, (event) => { if (nodeOf(event)) light(""); });
}

// A record that was opened: the address names it, the picture shows which, and the reader is taken there.
function opened(article) {
  const id = article.dataset.record;
  for (const node of document.querySelectorAll(".node[aria-current]")) node.removeAttribute("aria-current");
  document.getElementById(`n-${id}`)?.setAttribute("aria-current", "true");
  prove(article);
}

document.addEventListener("htmx:after:swap", () => {
  const article = document.querySelector("#record article[data-record]");
  if (!article || article.dataset.seen) return;
  article.dataset.seen = "yes";
  opened(article);
  const address = new URL(location.href);
  address.searchParams.set("record", article.dataset.record);
  history.replaceState(history.state, "", address);
  article.querySelector("[data-arrive]")?.focus();
});

const toHex = (bytes) => Array.from(bytes, (one) => one.toString(16).padStart(2, "0")).join("");
const fromHex = (text) => Uint8Array.from(text.match(/../g) ?? [], (pair) => parseInt(pair, 16));

async function digest(prefix, ...parts) {
  const whole = new Uint8Array(1 + parts.reduce((sum, part) => sum + part.length, 0));
  whole[0] = prefix;
  let at = 1;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return new Uint8Array(await crypto.subtle.digest("SHA-256", whole));
}

// RFC 9162, section 2.1.3.2. Numbers of a log stay far below 2^53.
async function rootOf(leaf, index, size, path) {
  let [node, position, last] = [leaf, index, size - 1];
  for (const sibling of path) {
    if (last === 0) return null;
    if (position % 2 === 1 || position === last) {
      node = await digest(1, sibling, node);
      while (position % 2 === 0 && position !== 0) [position, last] = [position / 2, Math.floor(last / 2)];
    } else {
      node = await digest(1, node, sibling);
    }
    [position, last] = [Math.floor(position / 2), Math.floor(last / 2)];
  }
  return last === 0 ? node : null;
}

function say(place, good, text) {
  const badge = document.createElement("span");
  badge.className = `badge ${good ? "ok" : "bad"}`;
  badge.textContent = text;
  place.append(badge, " ");
}

async function prove(article) {
  const proof = article.querySelector("[data-proof]");
  const place = article.querySelector("[data-computed]");
  if (!proof || !place || !globalThis.crypto?.subtle) return;
  const leaf = await digest(0, new TextEncoder().encode(article.querySelector(".bytes").textContent));
  place.replaceChildren();
  say(place, toHex(leaf) === proof.dataset.hash, toHex(leaf) === proof.dataset.hash ? "bytes have this hash" : "bytes have another hash");
  if (proof.dataset.root) {
    const path = (proof.dataset.path.match(/\S+/g) ?? []).map(fromHex);
    const root = await rootOf(leaf, Number(proof.dataset.index), Number(proof.dataset.size), path);
    const leads = root !== null && toHex(root) === proof.dataset.root;
    say(place, leads, leads ? "proof leads to the root" : "proof does not lead to the root");
  }
  place.dataset.computed = "yes";
}

const shown = document.querySelector("#record article[data-record]");
if (shown) {
  shown.dataset.seen = "yes";
  opened(shown);
}
