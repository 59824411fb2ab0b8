// Live updates: one stream per browser tells what changed; the parts that show it are read anew and morphed into place.
//
// A part says what it shows: <section id="..." data-live="connector_delivery trace:<id>">, or "all". It is the page's own markup that is
// morphed, so what has the focus, is scrolled, or is being typed elsewhere on the page, stays.

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
  const ids = [...due];
  due.clear();
  let lacking = ids;
  try {
    const answer = await fetch(location.href, { headers: { "hx-request": "true", "hx-current-url": location.href }, cache: "no-store" });
    if (answer.headers.has("hx-redirect")) return signedOut(answer.headers.get("hx-redirect"));
    if (answer.ok) lacking = await place(ids, await answer.text());
  } catch { /* Nobody is there: the stream says so, too. */ }
  for (const id of lacking) due.add(id);
  refused = lacking.length ? refused + 1 : 0;
  reading = false;
  tell();
  if (!broken) read();
}

// Gives those that the page as it was read does not have.
async function place(ids, text) {
  const found = new DOMParser().parseFromString(text, "text/html");
  // What the reader opened or marked stays so.
  const { morphIgnore } = htmx.config;
  htmx.config.morphIgnore = [...morphIgnore, "open", "aria-current"];
  try {
    for (const id of ids) {
      const target = document.getElementById(id);
      if (target && found.getElementById(id)) await htmx.swap({ sourceElement: target, target, text, select: `#${CSS.escape(id)}`, swap: "outerMorph" });
    }
  } finally {
    htmx.config.morphIgnore = morphIgnore;
  }
  document.dispatchEvent(new CustomEvent("cavra:refreshed"));
  return ids.filter((id) => document.getElementById(id) && !found.getElementById(id));
}

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
