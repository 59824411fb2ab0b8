// The dashboard's charts: one read gives what all of them show; each has its numbers in a table, too.

const place = document.getElementById("charts");
const state = document.getElementById("charts-state");
const plots = new Map();
const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
const number = new Intl.NumberFormat();
const share = new Intl.NumberFormat(undefined, { style: "percent", maximumFractionDigits: 1 });
const moment = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "short" });
const utc = (seconds) => `${new Date(seconds * 1000).toISOString().slice(0, 16).replace("T", " ")} UTC`;
// A moment in the reader's zone; UTC is beside it on hover.
const timed = (seconds) => ({ textContent: moment.format(seconds * 1000), title: utc(seconds) });
const both = (seconds) => `${moment.format(seconds * 1000)} (${utc(seconds)})`;
const duration = (hours) => (hours >= 48 ? `${number.format(Math.round(hours / 2.4) / 10)} days` : hours >= 1 ? `${number.format(Math.round(hours * 10) / 10)} hours` : hours * 60 >= 1 ? `${Math.round(hours * 60)} minutes` : `${Math.round(hours * 3600)} seconds`);
const say = (value, more) => (value === null ? "none" : number.format(value) + (more ? "+" : ""));
const day = new Intl.DateTimeFormat(undefined, { month: "short", day: "numeric" });
const hour = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit" });
const HEIGHT = 230;
const WHOLE = [1, 2, 5].flatMap((step) => [1, 10, 100, 1e3, 1e4, 1e5, 1e6].map((by) => step * by)).sort((one, other) => one - other);

// What stands at the axes: the unit beside the upright one, days or hours of the reader's zone below.
function axes(unit, format) {
  const line = { stroke: colour("--line"), width: 1 };
  const axis = { stroke: colour("--muted"), grid: line, ticks: line };
  const times = (_, ticks, __, ___, apart) => ticks.map((at) => (apart < 86400 ? hour : day).format(at * 1000));
  const upright = { ...axis, size: 58, label: unit, labelSize: 22, labelGap: 0, labelFont: "12px system-ui, sans-serif" };
  return [{ ...axis, values: times, space: 64 }, { ...upright, ...(format ? { values: (_, ticks) => ticks.map(format) } : { incrs: WHOLE }) }];
}

function shown(id, columns, rows, note) {
  const table = document.getElementById(`${id}-table`);
  const cell = (tag, text) => Object.assign(document.createElement(tag), text.title ? text : { textContent: text });
  const head = document.createElement("thead");
  const body = document.createElement("tbody");
  head.append(document.createElement("tr"));
  head.firstChild.append(...columns.map((name) => Object.assign(cell("th", name), { scope: "col" })));
  for (const row of rows) {
    const line = document.createElement("tr");
    line.append(...row.map((text) => cell("td", text)));
    body.append(line);
  }
  table.replaceChildren(head, body);
  document.getElementById(`${id}-sum`).textContent = note;
}

// `data` is null when a service is down, and empty when there is nothing to draw.
function draw(id, data, empty, options) {
  const element = document.getElementById(id);
  plots.get(id)?.destroy();
  plots.delete(id);
  element.classList.toggle("empty", !data?.length);
  if (!data?.length) {
    element.textContent = data ? empty : "Not known: a service is down.";
    return;
  }
  element.textContent = "";
  plots.set(id, new uPlot({ width: element.clientWidth, height: HEIGHT, cursor: { points: { size: 6 } }, ...options }, data, element));
}

// The legend's value under the pointer; nothing while it is elsewhere.
const under = (text) => (_, __, ___, at) => (at === null || at === undefined ? "" : text(at));
const from = (found) => ({ label: "from", value: under((at) => both(found.at[at])) });
const bar = (label, name, text, width, align) => ({ label, value: under(text), stroke: colour(name), fill: colour(name), width: 0, paths: uPlot.paths.bars({ size: width, align }), points: { show: false } });
const counts = { range: (_, low, high) => [0, Math.max(1, high * 1.08)] };
const over = (found) => ({ range: () => [found.at[0], 2 * found.at.at(-1) - found.at.at(-2)] });

function perStretch(id, found, unit, empty, names) {
  const lists = names.map(([, key]) => found.series[key]);
  if (lists.some((list) => list === null)) {
    draw(id, null);
    return shown(id, [], [], "");
  }
  const text = (which) => (at) => say(lists[which][at], found.more[names[which][1]][at]);
  // Stacked: each bar stands on those after it, which are drawn over it.
  const stacked = lists.map((_, first) => found.at.map((__, at) => lists.slice(first).reduce((sum, list) => sum + list[at], 0)));
  const some = lists.some((list) => list.some((one) => one > 0));
  draw(id, some ? [found.at, ...stacked] : [], empty, {
    axes: axes(unit),
    scales: { x: over(found), y: counts },
    series: [from(found), ...names.map(([label, , name], which) => bar(label, name, text(which), [0.8, 60], 1))],
  });
  const sums = names.map(([label, key], which) => `${say(lists[which].reduce((sum, one) => sum + one, 0), found.more[key].includes(true))} ${label}`);
  shown(id, ["From", ...names.map(([label]) => label)], found.at.map((at, row) => [timed(at), ...lists.map((_, which) => text(which)(row))]), sums.join(", "));
}

function rates(id, found, empty) {
  const list = found.success_rate;
  if (list === null) {
    draw(id, null);
    return shown(id, [], [], "");
  }
  const text = (at) => (list[at] === null ? "none" : share.format(list[at]));
  const half = (found.at[1] - found.at[0]) / 2;
  const line = { label: "success rate", value: under(text), stroke: colour("--accent"), width: 2, spanGaps: true, points: { show: true, size: 7, fill: colour("--accent") } };
  draw(id, list.some((one) => one !== null) ? [found.at.map((at) => at + half), list] : [], empty, {
    axes: axes("of deliveries", (value) => share.format(value)),
    scales: { x: over(found), y: { range: [0, 1.02] } },
    series: [from(found), line],
  });
  shown(id, ["From", "success rate"], found.at.map((at, row) => [timed(at), text(row)]), "");
}

// A name is broken in its middle, so that two fit beside each other on a phone.
function broken(name) {
  const words = name.split(" ");
  const middle = Math.ceil(words.length / 2);
  return [words.slice(0, middle).join(" "), words.slice(middle).join(" ")].filter(Boolean).join("\n");
}

function perName(id, names, unit, empty, lists, columns, rows, note) {
  const [x, y] = axes(unit);
  const slanted = (names?.length ?? 0) > 6 ? { rotate: -50, size: 90 } : { size: 46 };
  const some = names?.length && lists.some(({ values }) => values.some((one) => one > 0));
  draw(id, names && (some ? [names.map((_, at) => at), ...lists.map(({ values }) => values)] : []), empty, {
    axes: [{ ...x, ...slanted, space: 1, splits: () => names.map((_, at) => at), values: () => names.map(broken), grid: { show: false } }, y],
    scales: { x: { time: false, range: [-0.6, Math.max(0.6, (names?.length ?? 1) - 0.4)] }, y: counts },
    series: [{ label: "of", value: under((at) => names[at]) }, ...lists.map(({ label, name, values }, at) => bar(label, name, (where) => say(values[where]), [0.38, 40], lists.length === 1 ? 0 : at === 0 ? -1 : 1))],
  });
  shown(id, columns, rows, note);
}

function everything(found) {
  const stretch = `in these ${place.dataset.stretch}`;
  perStretch("deliveries", found, "deliveries", `Nothing was sent ${stretch}.`, [["delivered", "deliveries_delivered", "--ok"], ["failed", "deliveries_failed", "--bad"]]);
  perStretch("executions", found, "executions", `No approved retry was run ${stretch}.`, [["delivered", "executions_delivered", "--ok"], ["failed", "executions_failed", "--bad"], ["skipped", "executions_skipped", "--line-strong"], ["unknown", "executions_unknown", "--warn"]]);
  rates("rate", found, `Nothing was sent ${stretch}, so there is no rate.`);
  const { providers, providers_of: of, closings, open_recoveries: open } = found;
  perName("failures", providers && providers.map((one) => one.provider), "sends", `Nothing was sent ${stretch}.`, [{ label: "delivered", name: "--ok", values: providers?.map((one) => one.delivered) }, { label: "failed", name: "--bad", values: providers?.map((one) => one.failed) }],
    ["Provider", "Delivered", "Failed", "Success rate", "Reasons"], (providers ?? []).map((one) => [one.provider, say(one.delivered), say(one.failed), one.rate === null ? "none" : share.format(one.rate), Object.entries(one.reasons).map(([why, times]) => `${why} (${say(times)})`).join(", ")]),
    of && of.total ? `Of the newest ${say(of.looked_at)} of ${say(of.total, of.more)} sends.` : "");
  const items = closings?.items ?? [];
  draw("closings", closings && (items.length ? [items.map((one) => one.at), items.map((one) => one.hours)] : []), `No recovery was closed ${stretch}.`, {
    axes: axes("hours", (value) => number.format(value)),
    scales: { x: { range: () => [found.at[0], Date.now() / 1000] }, y: { range: (_, low, high) => [0, Math.max(0.1, high * 1.1)] } },
    series: [{ label: "closed", value: under((at) => both(items[at].at)) }, { label: "after", value: under((at) => `${duration(items[at].hours)}, ${items[at].provider}`), stroke: colour("--accent"), paths: () => null, points: { show: true, size: 8, fill: colour("--accent") } }],
  });
  const median = closings && closings.median_hours !== null ? `Median: ${duration(closings.median_hours)}.` : "";
  const part = closings && closings.total > closings.looked_at ? ` Of the newest ${say(closings.looked_at)} of ${say(closings.total, closings.more)} closures.` : "";
  shown("closings", ["Closed", "Provider", "After"], items.map((one) => [timed(one.at), one.provider, duration(one.hours)]), median + part);
  perName("ages", open && Object.keys(open.ages), "recoveries", "No recovery is open.", [{ label: "open", name: "--warn", values: open && Object.values(open.ages) }], ["Age", "Open"], Object.entries(open?.ages ?? {}).map(([age, count]) => [age, say(count, open.more)]), open ? `${say(open.count, open.more)} open.` : "");
  place.dataset.drawn = String(Number(place.dataset.drawn ?? 0) + 1);
}

let latest = null;
let reading = false;
let again = false;

async function read() {
  if (reading || document.hidden) {
    again = true;
    return;
  }
  [reading, again] = [true, false];
  try {
    const answer = await fetch(place.dataset.series, { headers: { "hx-request": "true" }, cache: "no-store" });
    if (answer.ok && answer.headers.get("content-type") === "application/json") {
      latest = await answer.json();
      everything(latest);
      state.textContent = "";
    } else {
      state.textContent = "The charts could not be read.";
    }
  } catch {
    state.textContent = "The charts could not be read.";
  }
  setTimeout(() => { reading = false; if (again) read(); }, 800);
}

document.addEventListener("cavra:changed", read);
document.addEventListener("visibilitychange", () => { if (again) read(); });
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => latest && everything(latest));
new MutationObserver(() => latest && everything(latest)).observe(document.documentElement, { attributeFilter: ["data-theme"] });
new ResizeObserver(() => { for (const [id, plot] of plots) plot.setSize({ width: document.getElementById(id).clientWidth, height: HEIGHT }); }).observe(place);
read();
