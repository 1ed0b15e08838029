"use strict";

// The page asks the endpoints beside it and draws what they say; nothing else is fetched from anywhere.
const PERIOD = 1000; // ms between two looks
const PATIENCE = 3000; // ms that an answer may take
const POINTS = 120; // two minutes
const TOKEN = "dbadapter-token";
const KINDS = ["one", "two", "three", "four"]; // how the lines of one chart are told apart
// The phases of a switch as the steps of one line; phases that are not named here leave the step as it is.
const STEPS = [
  ["examine", "opening", "examining"], ["capture", "capturing"], ["copy", "copying", "indexing"],
  ["catch up", "catching up"], ["verify", "verifying"], ["switch", "switching", "draining"], ["done", "decided", "checking"],
];

const $ = (id) => document.getElementById(id);
const history = []; // {time, active, idle, max, rate, waiting, p95, lags: {place: s}, switched}
let last = null; // the last stats, to take differences from
let lastHealth = null;
let downNodes = new Set();
let step = 0; // of the switch under way
let paused = false;
let timer = null;

// -- asking ---------------------------------------------------------------------------------------

class Refused extends Error {}

async function ask(path) {
  const token = sessionStorage.getItem(TOKEN);
  const headers = token ? { Authorization: "Bearer " + token } : {};
  const answer = await fetch(path, { headers, cache: "no-store", signal: AbortSignal.timeout(PATIENCE) });
  if (answer.status === 401) throw new Refused();
  const body = await answer.json();
  if (!answer.ok && answer.status !== 503) throw new Error(body.error || answer.statusText);
  return body;
}

async function look() {
  clearTimeout(timer);
  try {
    const stats = await ask("stats");
    const [health, status] = await Promise.allSettled([ask("health"), ask("status")]);
    signIn(false);
    if (stats.nodes.every((node) => node.healthy)) complain("");
    showStats(stats);
    showHealth(health.status === "fulfilled" ? health.value : null);
    if (status.status === "fulfilled") showStatus(status.value);
    $("updated").textContent = "as of " + clock(new Date());
  } catch (failure) {
    if (failure instanceof Refused) signIn(true);
    else complain("No answer from the app since " + (last ? clock(last.at) : "this page was opened") + ".");
  }
  if (!paused) timer = setTimeout(look, PERIOD);
}

// -- showing --------------------------------------------------------------------------------------

function showStats(stats) {
  const at = new Date();
  const names = { sqlite: "SQLite", postgresql: "Postgres" };
  const backend = names[stats.db_type] || stats.db_type;
  const switched = last !== null && last.stats.epoch !== stats.epoch;
  if (switched) tell("switched from " + (names[last.stats.db_type] || last.stats.db_type) + " to " + backend);
  let rate = null;
  if (last && !switched && stats.requests >= last.stats.requests) {
    rate = ((stats.requests - last.stats.requests) * 1000) / (at - last.at);
  }
  const replicas = stats.nodes.filter((node) => node.role === "replica");
  const lags = Object.fromEntries(replicas.filter(knowsLag).map((node) => [place(node), node.lag_seconds]));
  const longest = Math.max(0, ...Object.values(lags));
  history.push({
    time: at, active: stats.active, idle: stats.idle, max: stats.max, rate, waiting: stats.waiting,
    p95: stats.wait_ms.p95, lags, switched,
  });
  if (history.length > POINTS) history.shift();
  last = { at, stats };

  $("backend").textContent = backend;
  now("use-now", stats.active + " of " + stats.max, " in use, " + stats.idle + " idle, " + stats.waiting + " waiting");
  now("rate-now", rate === null ? "–" : rounded(rate), " a second, " + stats.requests.toLocaleString("en") + " in all, "
    + stats.timeouts + " timed out, " + stats.errors + " failed to connect");
  now("wait-now", rounded(stats.wait_ms.p95) + " ms", " at the 95th percentile, longest "
    + rounded(stats.wait_ms.max) + " ms; " + stats.waiting + " waiting now");
  if (!replicas.length) now("lag-now", "none", ": there are no replicas");
  else if (!Object.keys(lags).length) now("lag-now", "unknown", ": no replica answers");
  else now("lag-now", rounded(longest) + " s", " behind the primary at most");
  const highest = Math.max(1, ...history.map((point) => point.max));
  const of = (key) => (point) => point[key];
  draw("use-chart", [["limit", of("max")], ["two", of("waiting")], ["one", of("active")]], highest, "");
  draw("rate-chart", [["one", of("rate")]], null, "/s");
  draw("wait-chart", [["one", of("p95")]], null, " ms");
  drawLags();
  showNodes(stats);
  fill("slowest", stats.slowest, "none noted; slow_query_seconds in the config says what is slow", (row) => [
    code(row.statement), number(row.count), number(row.mean_ms), number(row.max_ms),
  ]);
  fill("holders", stats.holders, "none", (row) => [
    cell(row.task || row.thread || "?"), number(row.seconds), code(row.where || ""),
  ]);
}

const place = (node) => (node.host ? node.host + ":" + node.port : "file");
const knowsLag = (node) => node.healthy && node.lag_seconds !== null && node.lag_seconds !== undefined;

function showNodes(stats) {
  const down = new Set();
  fill("nodes", stats.nodes, "none", (node) => {
    if (!node.healthy) down.add(node.role + " " + place(node));
    const state = cell(node.healthy ? "healthy" : "down", node.healthy ? "good" : "bad");
    if (!node.healthy && node.problem) {
      const why = document.createElement("span");
      why.className = "why";
      why.textContent = node.problem;
      state.append(why);
    }
    const known = knowsLag(node);
    return [
      cell(node.role), cell(place(node)), state, number(node.active), number(node.idle), number(node.requests),
      number(known ? node.lag_bytes : null), number(known ? node.lag_seconds : null),
    ];
  });
  const { primary = 0, replica = 0 } = stats.reads || {};
  $("nodes-now").textContent = primary + replica
    ? Math.round((100 * replica) / (primary + replica)) + " % of " + (primary + replica).toLocaleString("en")
      + " reads were served by replicas" : "";
  if (down.size) complain(down.size + (down.size === 1 ? " node is down: " : " nodes are down: ") + [...down].join(", "), false);
  for (const name of down) if (!downNodes.has(name)) tell(name + " is down");
  for (const name of downNodes) if (!down.has(name)) tell(name + " is back, or no longer a node");
  downNodes = down;
}

function showHealth(health) {
  const state = health ? health.status : "unhealthy";
  const badge = $("health");
  badge.textContent = state;
  badge.dataset.state = state;
  badge.title = (health && health.reason) || "";
  if (lastHealth !== null && lastHealth !== state) tell("the database is " + state);
  lastHealth = state;
  document.title = (state === "healthy" ? "" : state + ": ") + "dbadapter";
}

function showStatus(status) {
  $("place").textContent = status.database || "";
  const under = Boolean(status.switching);
  const following = status.follow_back;
  $("switch").hidden = !under && !following;
  $("switch-steps").hidden = $("switch-progress").hidden = !under;
  $("switch-title").textContent = under ? "Switch under way" : "The database left is kept up to date, for the way back";
  if (!under && !following) { step = 0; return; }
  const shown = (under ? status.switch : following) || {};
  if (under) showSteps(shown.phase);
  const figures = Object.entries(shown).filter(([, value]) => value !== null && typeof value !== "object");
  $("switch-figures").replaceChildren(...figures.map(([name, value]) => {
    const pair = document.createElement("div");
    const term = document.createElement("dt");
    const text = document.createElement("dd");
    term.textContent = name.replaceAll("_", " ");
    text.textContent = typeof value === "number" ? rounded(value) : String(value);
    pair.append(term, text);
    return pair;
  }));
  const bar = $("switch-progress");
  const { rows: done, total } = shown; // of the table that is being copied
  if (total > 0) { bar.max = total; bar.value = Math.min(done || 0, total); } else bar.removeAttribute("value");
}

function showSteps(phase) {
  const found = STEPS.findIndex(([, ...phases]) => phases.includes(phase));
  if (found >= 0) step = found;
  $("switch-steps").replaceChildren(...STEPS.map(([name], index) => {
    const item = document.createElement("li");
    item.textContent = name;
    if (index < step) item.dataset.state = "done";
    if (index === step) item.setAttribute("aria-current", "step");
    return item;
  }));
}

function complain(text, silent = true) {
  const alert = $("alert");
  if (alert.textContent !== text) alert.textContent = text;
  alert.hidden = !text;
  if (text && silent) { $("health").dataset.state = "unhealthy"; $("health").textContent = "no answer"; }
}

function signIn(needed) {
  const form = $("sign-in");
  $("main").hidden = needed;
  if (needed && form.hidden) $("token").focus();
  if (needed && sessionStorage.getItem(TOKEN)) $("sign-in-error").textContent = "That token was not accepted.";
  if (needed) sessionStorage.removeItem(TOKEN);
  form.hidden = !needed;
}

function tell(text) {
  const item = document.createElement("li");
  item.textContent = clock(new Date()) + "  " + text;
  $("events").prepend(item);
  while ($("events").childElementCount > 100) $("events").lastElementChild.remove();
}

// -- pieces ---------------------------------------------------------------------------------------

const clock = (time) => time.toLocaleTimeString([], { hour12: false });

function rounded(value) {
  if (Math.abs(value) >= 100) return Math.round(value).toLocaleString("en");
  return String(Number(value.toPrecision(3)));
}

function now(id, strong, rest) {
  const figure = document.createElement("b");
  figure.textContent = strong;
  $(id).replaceChildren(figure, rest);
}

function cell(text, kind) {
  const made = document.createElement("td");
  made.textContent = text;
  if (kind) made.className = kind;
  return made;
}

const number = (value) => cell(value === null || value === undefined ? "" : rounded(value), "n");

function code(text) {
  const made = cell("");
  const inner = document.createElement("code");
  inner.textContent = text;
  made.append(inner);
  return made;
}

function fill(id, rows, none, cells) {
  const body = $(id);
  const made = rows.map((row) => {
    const line = document.createElement("tr");
    line.append(...cells(row));
    return line;
  });
  if (!made.length) {
    const line = document.createElement("tr");
    const only = cell(none, "none");
    only.colSpan = body.parentElement.tHead.rows[0].cells.length;
    line.append(only);
    made.push(line);
  }
  body.replaceChildren(...made);
}

// -- charts ---------------------------------------------------------------------------------------

const HEIGHT = 170, LEFT = 52, RIGHT = 8, TOP = 10, BOTTOM = 24;

// A line for each replica that has been seen while the chart goes back.
function drawLags() {
  const places = [...new Set(history.flatMap((point) => Object.keys(point.lags)))];
  const kind = (index) => KINDS[index % KINDS.length];
  draw("lag-chart", places.map((name, index) => [kind(index), (point) => point.lags[name]]), null, " s");
  const keys = places.length < 2 ? [] : places.map((name, index) => {
    const key = document.createElement("span");
    key.className = "key " + kind(index);
    key.textContent = name;
    return key;
  });
  if ($("lag-legend").childElementCount !== keys.length) $("lag-legend").replaceChildren(...keys);
}

function draw(id, series, top, unit) {
  const chart = $(id);
  const WIDTH = Math.max(chart.clientWidth, 240); // one unit is one pixel, so that text is legible on a phone
  const values = series.flatMap(([, value]) => history.map((point) => value(point) ?? 0));
  const highest = niceTop(Math.max(top ?? 0, ...values));
  const x = (index) => LEFT + ((WIDTH - LEFT - RIGHT) * (index + POINTS - history.length)) / (POINTS - 1);
  const y = (value) => HEIGHT - BOTTOM - ((HEIGHT - BOTTOM - TOP) * value) / highest;
  chart.setAttribute("viewBox", "0 0 " + WIDTH + " " + HEIGHT);
  const parts = [];
  for (const share of [0, 0.5, 1]) {
    const height = y(highest * share);
    parts.push(shape("line", { class: "grid", x1: LEFT, x2: WIDTH - RIGHT, y1: height, y2: height }));
    parts.push(label(rounded(highest * share) + unit, LEFT - 6, height + 4, "end"));
  }
  parts.push(label("2 minutes ago", LEFT, HEIGHT - 6, "start"), label("now", WIDTH - RIGHT, HEIGHT - 6, "end"));
  history.forEach((point, index) => {
    if (point.switched) parts.push(shape("line", { class: "mark", x1: x(index), x2: x(index), y1: TOP, y2: y(0) }));
  });
  for (const [kind, value] of series) {
    for (const run of runs(value)) {
      const line = run.map((index, i) => (i ? "L" : "M") + x(index).toFixed(1) + " " + y(value(history[index])).toFixed(1));
      if (kind === "one") {
        const area = line.join("") + "L" + x(run.at(-1)).toFixed(1) + " " + y(0) + "L" + x(run[0]).toFixed(1) + " " + y(0) + "Z";
        parts.push(shape("path", { class: "area", d: area }));
      }
      parts.push(shape("path", { class: kind, d: line.join("") }));
    }
  }
  chart.replaceChildren(...parts);
}

// Stretches without a gap: where a figure is missing the line breaks.
function runs(value) {
  const found = [];
  let run = [];
  history.forEach((point, index) => {
    if (value(point) === null || value(point) === undefined) {
      if (run.length) found.push(run);
      run = [];
    } else run.push(index);
  });
  if (run.length) found.push(run);
  return found;
}

function niceTop(value) {
  if (value <= 0) return 1;
  const unit = 10 ** Math.floor(Math.log10(value));
  return [1, 2, 5, 10].map((step) => step * unit).find((step) => step >= value * 0.999);
}

function shape(kind, attributes) {
  const made = document.createElementNS("http://www.w3.org/2000/svg", kind);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  return made;
}

function label(text, x, y, anchor) {
  const made = shape("text", { x, y, "text-anchor": anchor });
  made.textContent = text;
  return made;
}

// -- beginning ------------------------------------------------------------------------------------

$("pause").addEventListener("click", () => {
  paused = !paused;
  $("pause").setAttribute("aria-pressed", String(paused));
  $("pause").textContent = paused ? "Go on" : "Pause";
  if (paused) clearTimeout(timer);
  else look();
});

$("sign-in").addEventListener("submit", (event) => {
  event.preventDefault();
  sessionStorage.setItem(TOKEN, $("token").value);
  $("token").value = "";
  $("sign-in-error").textContent = "";
  look();
});

look();
