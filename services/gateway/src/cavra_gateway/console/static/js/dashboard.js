// The dashboard's charts: one read gives what all of them show; each has its numbers in a table, too.

const place = document.getElementById("charts");
const state = document.getElementById("charts-state");
const plots = new Map();
const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
const number = new Intl.NumberFormat();
const share = new Intl.NumberFormat(undefined, { style: "percent", maximumFractionDigits: 1 });
const moment = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "short" });
const duration = (hours) => (hours >= 48 ? `${number.format(Math.round(hours / 2.4) / 10)} days` : hours >= 1 ? `${number.format(Math.round(hours * 10) / 10)} hours` : hours * 60 >= 1 ? `${Math.round(hours * 60)} minutes` : `${Math.round(hours * 3600)} seconds`);
const say = (value) => (value === null ? "none" : number.format(value));

function axes(format) {
  const line = { stroke: colour("--line"), width: 1 };
  const axis = { stroke: colour("--muted"), grid: line, ticks: line };
  return [axis, { ...axis, size: 56, values: format ? (_, ticks) => ticks.map(format) : undefined }];
}

function shown(id, columns, rows, note) {
  const table = document.getElementById(`${id}-table`);
  const cell = (tag, text) => Object.assign(document.createElement(tag), { textContent: text });
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

function draw(id, data, options) {
  const element = document.getElementById(id);
  plots.get(id)?.destroy();
  plots.delete(id);
  if (!data) {
    element.textContent = "Not known: a service is down.";
    return;
  }
  element.textContent = "";
  const size = { width: element.clientWidth, height: 220 };
  plots.set(id, new uPlot({ ...size, cursor: { points: { size: 6 } }, ...options }, data, element));
}

const line = (label, name) => ({ label, stroke: colour(name), fill: `color-mix(in srgb, ${colour(name)} 12%, transparent)`, width: 2, points: { show: true, size: 5 } });
const bar = (label, name, align) => ({ label, stroke: colour(name), fill: colour(name), paths: uPlot.paths.bars({ size: [0.38, 40], align }), points: { show: false } });
const whole = { range: (_, low, high) => [0, Math.max(1, high * 1.1)] };

function overTime(id, found, names, format) {
  const lists = names.map(([, key]) => (key === "success_rate" ? found.success_rate : found.series[key]));
  const down = lists.some((list) => list === null);
  draw(id, down ? null : [found.at, ...lists], {
    axes: axes(format),
    scales: { y: format ? { range: [0, 1.02] } : whole },
    series: [{ label: "from", value: (_, at) => (at === null ? "" : moment.format(at * 1000)) }, ...names.map(([label, , name]) => ({ ...line(label, name), value: (_, value) => (value === null ? "none" : format ? format(value) : number.format(value)) }))],
  });
  if (down) return shown(id, [], [], "");
  const sums = names.map(([label, key], at) => (key === "success_rate" ? "" : `${say(lists[at].reduce((sum, one) => sum + one, 0))} ${label}`));
  shown(id, ["From", ...names.map(([label]) => label)], found.at.map((at, row) => [moment.format(at * 1000), ...lists.map((list) => (list[row] === null ? "none" : format ? format(list[row]) : number.format(list[row])))]), sums.filter(Boolean).join(", "));
}

function overNames(id, names, lists, columns, rows, note) {
  const data = names && [names.map((_, at) => at), ...lists.map(({ values }) => values)];
  const [x, y] = axes();
  draw(id, names && names.length ? data : names && [[0], ...lists.map(() => [null])], {
    axes: [{ ...x, splits: () => (names ?? []).map((_, at) => at), values: () => names ?? [], grid: { show: false } }, y],
    scales: { x: { time: false, range: [-0.6, Math.max(0.6, (names?.length ?? 1) - 0.4)] }, y: whole },
    series: [{ label: "", value: (_, at) => names?.[at] ?? "" }, ...lists.map(({ label, name }, at) => bar(label, name, lists.length === 1 ? 0 : at === 0 ? -1 : 1))],
  });
  shown(id, columns, rows, note);
}

function everything(found) {
  overTime("deliveries", found, [["delivered", "deliveries_delivered", "--ok"], ["failed", "deliveries_failed", "--bad"]]);
  overTime("executions", found, [["delivered", "executions_delivered", "--ok"], ["failed", "executions_failed", "--bad"], ["skipped", "executions_skipped", "--muted"], ["unknown", "executions_unknown", "--warn"]]);
  overTime("rate", found, [["success rate", "success_rate", "--accent"]], (value) => share.format(value));
  const { providers, providers_of: of, closings, open_recoveries: open } = found;
  overNames("failures", providers && providers.map((one) => one.provider), [{ label: "delivered", name: "--ok", values: providers?.map((one) => one.delivered) }, { label: "failed", name: "--bad", values: providers?.map((one) => one.failed) }],
    ["Provider", "Delivered", "Failed", "Success rate", "Reasons"], (providers ?? []).map((one) => [one.provider, say(one.delivered), say(one.failed), one.rate === null ? "none" : share.format(one.rate), Object.entries(one.reasons).map(([why, times]) => `${why} (${say(times)})`).join(", ")]),
    of ? `Of the newest ${say(of.looked_at)} of ${say(of.total)} sends.` : "");
  draw("closings", closings && (closings.items.length ? [closings.items.map((one) => one.at), closings.items.map((one) => one.hours)] : [found.at, found.at.map(() => null)]), {
    axes: axes(),
    scales: { x: { range: () => [found.at[0], Date.now() / 1000] }, y: whole },
    series: [{ label: "closed", value: (_, at) => (at === null ? "" : moment.format(at * 1000)) }, { label: "hours", stroke: colour("--accent"), paths: () => null, points: { show: true, size: 8, fill: colour("--accent") } }],
  });
  shown("closings", ["Closed", "Provider", "After"], (closings?.items ?? []).map((one) => [moment.format(one.at * 1000), one.provider, duration(one.hours)]), closings && closings.median_hours !== null ? `Median: ${duration(closings.median_hours)}.` : "");
  overNames("ages", open && Object.keys(open.ages), [{ label: "open", name: "--warn", values: open && Object.values(open.ages) }], ["Age", "Open"], Object.entries(open?.ages ?? {}).map(([age, count]) => [age, say(count)]), open ? `${open.more ? "at least " : ""}${say(open.count)} open.` : "");
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
new ResizeObserver(() => { for (const [id, plot] of plots) plot.setSize({ width: document.getElementById(id).clientWidth, height: 220 }); }).observe(place);
read();
