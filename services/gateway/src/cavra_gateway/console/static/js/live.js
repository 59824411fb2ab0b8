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

function show(state, text) {
  if (!STATE) return;
  STATE.dataset.state = state;
  STATE.textContent = text;
  STATE.title = { live: "What changes is shown at once", offline: "What you see may be old. It is shown anew as soon as the connection is back" }[state] ?? "";
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

async function read() {
  if (reading || due.size === 0 || document.hidden) return;
  reading = true;
  await new Promise((resolve) => { setTimeout(resolve, Math.max(0, latest + LEAST_PAUSE - Date.now())); });
  latest = Date.now();
  const ids = [...due];
  due.clear();
  try {
    const answer = await fetch(location.href, { headers: { "hx-request": "true", "hx-current-url": location.href }, cache: "no-store" });
    if (answer.headers.has("hx-redirect")) signedOut(answer.headers.get("hx-redirect"));
    else if (answer.ok) await place(ids, await answer.text());
  } catch {
    for (const id of ids) due.add(id); // The stream says when there is somebody to ask again.
  }
  reading = false;
  if (!broken) read();
}

async function place(ids, text) {
  // What the reader opened or marked stays so.
  const { morphIgnore } = htmx.config;
  htmx.config.morphIgnore = [...morphIgnore, "open", "aria-current"];
  try {
    for (const id of ids) {
      const target = document.getElementById(id);
      if (target) await htmx.swap({ sourceElement: target, target, text, select: `#${CSS.escape(id)}`, swap: "outerMorph" });
    }
  } finally {
    htmx.config.morphIgnore = morphIgnore;
  }
  document.dispatchEvent(new CustomEvent("cavra:refreshed"));
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
  broken = false;
  show("live", "live");
  for (const region of regions()) if (concerns(region, change)) due.add(region.id);
  if (change.reset || change.everything || change.nouns.length) {
    document.body.dispatchEvent(new CustomEvent("cavra:changed", { detail: change, bubbles: true }));
  }
  read();
}

function lost() {
  broken = true;
  show("offline", "offline");
}

function signedOut(target) {
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
