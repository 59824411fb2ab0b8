// Live updates: one stream per browser tells what changed; the parts that show it are read anew and morphed into place.
//
// A part says what it shows: <section id="..." data-live="connector_delivery trace:<id>">, or "all". It is the page's own markup that is
// morphed, so what has the focus, is scrolled, or is being typed elsewhere on the page, stays.
//
// A form stays as it is. What it is about is named by a digest, <div id="..." data-about="..." data-from="<address>">: when another one stands
// at that address, the page says so, and shows it when asked to.

const STATE = document.getElementById("live-state");
const KEY = "cavra-live";
const LEAST_PAUSE = 400;
const channel = new BroadcastChannel(KEY);
let last = sessionStorage.getItem(KEY) ?? "";
let standing = null;
let broken = false;
let leading = false;
let ended = false;

const TITLES = {
  live: "What changes is shown at once",
  behind: "What changed could not be read: what you see may be old. It is asked for again by itself",
  offline: "What you see may be old. It is shown anew as soon as the connection is back",
};

function show(state, text) {
  if (!STATE) return;
  STATE.dataset.state = state;
  STATE.textContent = text;
  STATE.title = TITLES[state];
}

function tell() {
  if (ended) return;
  const state = broken ? "offline" : refused ? "behind" : "live";
  show(state, state === "behind" ? "not up to date" : state);
}

const regions = () => [...document.querySelectorAll("[data-live][id]")];

function concerns(region, change) {
  if (change.reset || change.everything) return true;
  return region.dataset.live.split(" ").some((topic) => {
    if (topic === "all") return change.nouns.length > 0;
    if (topic.startsWith("trace:")) return change.many || change.traces.includes(topic.slice(6));
    return change.nouns.includes(topic);
  });
}

// What changed waits for a page that is looked at, and for the reading before it.
const due = new Set();
let reading = false;
let latest = 0;
let refused = 0;

// Until an answer holds what changed, the page says that it is behind and asks again, each time later.
async function read() {
  if (reading || due.size === 0 || document.hidden) return;
  reading = true;
  const least = Math.min(LEAST_PAUSE * 2 ** refused, 15000);
  await new Promise((resolve) => { setTimeout(resolve, Math.max(0, latest + least - Date.now())); });
  latest = Date.now();
  const address = (id) => document.getElementById(id)?.dataset.from ?? location.href;
  const from = address([...due][0]);
  const ids = [...due].filter((id) => address(id) === from);
  for (const id of ids) due.delete(id);
  let lacking = ids;
  try {
    const answer = await ask(from);
    if (ended) return;
    if (answer.ok) lacking = await place(ids, await answer.text());
  } catch { /* Nobody is there: the stream says so, too. */ }
  for (const id of lacking) due.add(id);
  refused = lacking.length ? refused + 1 : 0;
  reading = false;
  tell();
  if (!broken) read();
}

async function ask(address) {
  const answer = await fetch(address, { headers: { "hx-request": "true", "hx-current-url": location.href }, cache: "no-store" });
  if (answer.headers.has("hx-redirect")) signedOut(answer.headers.get("hx-redirect"));
  return answer;
}

// What the reader opened or marked stays so.
async function morph(target, text) {
  const { morphIgnore } = htmx.config;
  htmx.config.morphIgnore = [...morphIgnore, "open", "aria-current"];
  try {
    await htmx.swap({ sourceElement: target, target, text, select: `#${CSS.escape(target.id)}`, swap: "outerMorph" });
  } finally {
    htmx.config.morphIgnore = morphIgnore;
  }
}

// Gives those that the page as it was read does not have.
async function place(ids, text) {
  const found = new DOMParser().parseFromString(text, "text/html");
  for (const id of ids) {
    const [target, fresh] = [document.getElementById(id), found.getElementById(id)];
    if (target?.dataset.about && fresh) target.firstElementChild.hidden = fresh.dataset.about === target.dataset.about;
    else if (target && fresh) await morph(target, text);
  }
  document.dispatchEvent(new CustomEvent("cavra:refreshed"));
  return ids.filter((id) => document.getElementById(id) && !found.getElementById(id));
}

const boxed = (field) => field.type === "checkbox" || field.type === "radio";
const named = (field) => (boxed(field) ? `${field.name} ${field.value}` : field.name);
const fields = () => [...document.querySelectorAll("#main [name]")];

// Shows what a form is about now. What was written stays; of what was chosen, that which is still there as it was. What is new waits to be
// chosen, and the key under which the form is sent stays its key.
async function showNews(region) {
  let text = "";
  try {
    const answer = await ask(region.dataset.from);
    if (ended) return;
    if (answer.ok) text = await answer.text();
  } catch { /* As when it was refused. */ }
  if (!text) {
    due.add(region.id);
    return read();
  }
  const before = new Map(fields().map((field) => [named(field), boxed(field) ? field.checked : field.value]));
  const main = document.getElementById("main");
  await morph(main, text);
  for (const field of fields()) {
    const was = before.get(named(field));
    if (field.type === "radio") field.checked = (was && !field.disabled) || field.checked;
    else if (field.type === "checkbox") field.checked = field.disabled ? field.checked : was === true;
    else if (was !== undefined && (field.type !== "hidden" || field.name === "idempotency_key")) field.value = was;
  }
  for (const part of main.querySelectorAll("[hx-trigger^=input]")) part.dispatchEvent(new Event("input", { bubbles: true }));
  main.focus();
}

document.addEventListener("click", (event) => {
  const region = event.target.closest?.("[data-show]")?.closest("[data-about]");
  if (!region || event.ctrlKey || event.metaKey || event.shiftKey) return;
  event.preventDefault();
  showNews(region);
});

function heard(news) {
  const { id, change } = news;
  // What this page shows was read at a moment of its own: what it may have missed until now is read once more.
  const missed = standing === null && (last === "" || (!leading && last !== id));
  const moved = standing !== null && JSON.stringify(standing.change.sources) !== JSON.stringify(change.sources);
  change.everything = missed || moved;
  standing = news;
  last = id;
  sessionStorage.setItem(KEY, id);
  if (broken) refused = 0;
  broken = false;
  tell();
  for (const region of regions()) if (concerns(region, change)) due.add(region.id);
  if (change.reset || change.everything || change.nouns.length) {
    document.body.dispatchEvent(new CustomEvent("cavra:changed", { detail: change, bubbles: true }));
  }
  read();
}

function lost() {
  broken = true;
  tell();
}

function signedOut(target) {
  ended = true;
  show("offline", "");
  const again = document.createElement("a");
  again.href = target;
  again.textContent = "Session ended: sign in";
  STATE?.replaceChildren(again);
}

// The stream itself. A browser comes back by itself from a broken one; one that was refused is asked for again.
let pause = 1000;

function listen() {
  leading = true;
  const stream = new EventSource(`${STATE.dataset.events}?after=${encodeURIComponent(last)}`);
  stream.addEventListener("change", (event) => {
    pause = 1000;
    const news = { id: event.lastEventId, change: JSON.parse(event.data) };
    channel.postMessage(news);
    heard(news);
  });
  stream.addEventListener("error", async () => {
    lost();
    channel.postMessage("lost");
    if (stream.readyState !== EventSource.CLOSED) return;
    try {
      const answer = await fetch(STATE.dataset.session, { headers: { "hx-request": "true", "hx-current-url": location.href } });
      if (answer.headers.has("hx-redirect")) return signedOut(answer.headers.get("hx-redirect"));
    } catch { /* Nobody is there: later, then. */ }
    setTimeout(listen, pause);
    pause = Math.min(pause * 2, 15000);
  });
  addEventListener("pagehide", () => stream.close(), { once: true });
}

channel.addEventListener("message", ({ data }) => {
  if (data === "lost") lost();
  else if (data !== "where") heard(data);
  else if (leading && standing && !broken) channel.postMessage({ id: last, change: { ...standing.change, nouns: [], traces: [], many: false, reset: false } });
});
channel.postMessage("where");
addEventListener("offline", lost);
document.addEventListener("visibilitychange", read);

if (STATE?.dataset.events) {
  // Of a browser's windows one listens and tells the others; when it closes, the next one does.
  if (navigator.locks) navigator.locks.request(KEY, () => { listen(); return new Promise(() => {}); });
  else listen();
}
