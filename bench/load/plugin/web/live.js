// The live page: asks once a second for the figures of the load, and shows them. All of them come from the server.
//
// Texts are set as text, never as markup: names of operations and reasons of failures come from outside.
"use strict";

const EVERY_MS = 1000;
const SVG = "http://www.w3.org/2000/svg";
const WIDTH = 480, HEIGHT = 240, LEFT = 72, RIGHT = 26, TOP = 10, BOTTOM = 26;
const COLOURS = ["--a", "--b", "--c", "--d", "--e", "--f"];
const $ = (id) => document.getElementById(id);

// ------------------------------------------------------------------ numbers

const UNKNOWN = "–", LOST = "lost";

function us(value) {
  if (value === null || value === undefined) return UNKNOWN;
  const digits = value < 10 ? 2 : value < 1000 ? 1 : 0;
  return value.toLocaleString("en-US", { minimumFractionDigits: digits, maximumFractionDigits: digits });
}
function rate(value) {
  if (value === null || value === undefined) return UNKNOWN;
  return value.toLocaleString("en-US", { maximumFractionDigits: value < 100 ? 1 : 0 });
}
const count = (value) => value.toLocaleString("en-US");

// ------------------------------------------------------------------ elements

function element(name, text, attributes = {}) {
  const made = document.createElement(name);
  if (text !== undefined) made.textContent = text;
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  return made;
}
function drawn(name, attributes, text) {
  const made = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  if (text !== undefined) made.textContent = text;
  return made;
}

// ------------------------------------------------------------------ charts

// Series: {label, colour (a CSS variable), dashed, bars, x: [], y: [] (null: a gap)}. Returns what a pointer needs to read it.
function chart(holder, series, options) {
  const svg = drawn("svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, role: "img", "aria-label": options.described });
  const xs = series.flatMap((part) => part.x), ys = series.flatMap((part) => part.y).filter((y) => y !== null && y !== undefined);
  const x0 = options.x0 ?? Math.min(...xs), x1 = Math.max(options.x1 ?? -Infinity, ...xs, x0 + 1);
  const isLog = Boolean(options.log);
  let y0, y1;
  if (isLog) {
    const positive = ys.filter((y) => y > 0);
    y0 = 10 ** Math.floor(Math.log10(Math.min(...positive, 1e9)));
    y1 = 10 ** Math.ceil(Math.log10(Math.max(...positive, y0 * 1.01)));
  } else {
    y0 = 0;
    y1 = nice(Math.max(...ys, 1));
  }
  const at = (x) => LEFT + ((x - x0) / (x1 - x0)) * (WIDTH - LEFT - RIGHT);
  const share = (y) => (isLog ? Math.log(Math.max(y, y0) / y0) / Math.log(y1 / y0) : y / y1);
  const up = (y) => HEIGHT - BOTTOM - share(y) * (HEIGHT - TOP - BOTTOM);

  for (const y of isLog ? decades(y0, y1) : [0, y1 / 4, y1 / 2, (3 * y1) / 4, y1]) {
    svg.append(drawn("line", { class: "grid", x1: LEFT, x2: WIDTH - RIGHT, y1: up(y), y2: up(y) }));
    svg.append(drawn("text", { x: LEFT - 6, y: up(y) + 4, "text-anchor": "end" }, rate(y)));
  }
  for (const [x, text] of options.ticks(x0, x1)) {
    svg.append(drawn("text", { x: at(x), y: HEIGHT - 8, "text-anchor": "middle" }, text));
  }
  for (const part of series) {
    const colour = `stroke:var(${part.colour})`;
    if (part.bars) {
      const width = Math.max(1.5, (WIDTH - LEFT - RIGHT) / (x1 - x0 + 1));
      part.x.forEach((x, i) => {
        if (part.y[i]) {
          const bar = drawn("rect", { class: "bar", x: at(x) - width / 2, y: up(part.y[i]), width, height: HEIGHT - BOTTOM - up(part.y[i]) });
          bar.style.fill = `var(${part.colour})`;
          svg.append(bar);
        }
      });
      continue;
    }
    let path = "", isDown = false, last;
    part.x.forEach((x, i) => {
      const y = part.y[i];
      if (y === null || y === undefined) { isDown = false; return; }
      if (isDown && part.steps) path += `H${at(x).toFixed(1)}`;
      path += `${isDown ? "L" : "M"}${at(x).toFixed(1)} ${up(y).toFixed(1)}`;
      isDown = true;
      last = [at(x), up(y)];
    });
    const line = drawn("path", { class: part.dashed ? "series dashed" : "series", d: path });
    line.style.stroke = colour.slice(7);
    svg.append(line);
    if (last && part.y.filter((y) => y !== null && y !== undefined).length === 1) {
      const dot = drawn("circle", { cx: last[0], cy: last[1], r: 3 });
      dot.style.fill = colour.slice(7);
      svg.append(dot);
    }
  }
  const legend = element("ul", undefined, { class: "legend" });
  for (const part of series) {
    const item = element("li", undefined, part.dashed ? { class: "dashed" } : {});
    item.style.color = `var(${part.colour})`;
    item.append(element("span", part.label));
    legend.append(item);
  }
  holder.replaceChildren(svg, legend);
  const readout = holder.nextElementSibling;
  holder.onpointermove = (event) => {
    const box = svg.getBoundingClientRect();
    const x = x0 + (((event.clientX - box.left) / box.width) * WIDTH - LEFT) / (WIDTH - LEFT - RIGHT) * (x1 - x0);
    readout.textContent = options.read(series, x);
  };
  holder.onpointerleave = () => { readout.textContent = ""; };
}
function nice(value) {
  const power = 10 ** Math.floor(Math.log10(value));
  return [1, 2, 4, 5, 8, 10].map((step) => step * power).find((step) => step >= value);
}
function decades(y0, y1) {
  const found = [];
  for (let y = y0; y <= y1 * 1.001; y *= 10) found.push(y);
  return found;
}
function nearest(list, x) {
  let best = 0;
  list.forEach((each, i) => { if (Math.abs(each - x) < Math.abs(list[best] - x)) best = i; });
  return best;
}
function secondTicks(x0, x1) {
  const step = [1, 2, 5, 10, 15, 30, 60, 120, 300].find((each) => (x1 - x0) / each <= 7) || 600;
  const found = [];
  for (let x = Math.ceil(x0 / step) * step; x <= x1; x += step) found.push([x, `${x} s`]);
  return found;
}
function readSecond(series, x) {
  const i = nearest(series[0].x, x);
  return `second ${series[0].x[i]}: ${series.map((part) => `${part.label} ${rate(part.y[i])}`).join(", ")}`;
}
const nines = (percent) => (percent >= 100 ? 6 : -Math.log10(1 - percent / 100));

function showCharts(figures) {
  const { history, curves } = figures;
  const hasSchedule = history.offered_per_s.some((value) => value !== null);
  const hasTimes = history.t.length > 0;
  if (hasTimes) {
    const rates = [{ label: "answered", colour: "--a", x: history.t, y: history.done_per_s }];
    if (hasSchedule) rates.push({ label: "offered", colour: "--f", dashed: true, x: history.t, y: history.offered_per_s });
    rates.push({ label: "failed or dropped", colour: "--b", bars: true, x: history.t, y: history.failed });
    chart($("rates"), rates, { described: "Replies per second over time; the tiles above have the last figures", ticks: secondTicks, read: readSecond });
    const times = [
      { label: "p50", colour: "--a", x: history.t, y: history.p50_us },
      { label: "p99", colour: "--c", x: history.t, y: history.p99_us },
    ];
    if (hasSchedule) times.push({ label: "send lateness p99", colour: "--b", dashed: true, x: history.t, y: history.lateness_p99_us });
    if (times.some((part) => part.y.some((y) => y !== null))) {
      chart($("times"), times, { log: true, described: "Times over time in microseconds; the tiles above have the last figures", ticks: secondTicks, read: readSecond });
    }
  } else {
    $("rates").replaceChildren();
    $("times").replaceChildren();
  }
  if (!curves.length) { $("curve").replaceChildren(); return; }
  const series = curves.map((curve, i) => ({
    label: curve.label, colour: COLOURS[i % COLOURS.length], x: curve.percents.map(nines), y: curve.times_us, percents: curve.percents,
  }));
  chart($("curve"), series, {
    log: true, x0: 0, x1: 2, described: "Times by percentile in microseconds; the table below has the most important of them",
    ticks: (x0, x1) => [[0, "0"], [0.30103, "p50"], [1, "p90"], [2, "p99"], [3, "p99.9"], [4, "p99.99"], [5, "p99.999"]].filter(([x]) => x <= x1 + 0.01),
    read: (all, x) => all.map((part) => { const i = nearest(part.x, x); return `${part.label} p${part.percents[i]} ${us(part.y[i])}`; }).join(", "),
  });
}

// ------------------------------------------------------------------ words and tables

function showTiles(now, hasEnded) {
  $("now-title").textContent = hasEnded ? "The last seconds" : "Now";
  if (!now) {
    $("now-explained").textContent = "No whole second has been noted yet.";
    $("tiles").replaceChildren();
    return;
  }
  $("now-explained").textContent = `Seconds ${now.since_s} to ${now.until_s} of the run: those that all processes have noted. Times are in µs.`;
  const time = (value) => (value === null ? (now.has_times ? LOST : UNKNOWN) : us(value));
  const tiles = [
    ["users", count(now.users)],
    ...(now.offered_per_s === null ? [] : [["offered per s", rate(now.offered_per_s)]]),
    ["answered per s", rate(now.done_per_s)],
    ["p50", time(now.p50_us)],
    [now.is_p99_longest ? "max" : "p99", time(now.p99_us)],
    ...(now.lateness_p99_us === null ? [] : [["send lateness p99", us(now.lateness_p99_us)]]),
    ["failed", count(now.failed), now.failed > 0],
    ["dropped", count(now.dropped), now.dropped > 0],
    ["generator CPU", now.cpu_share === null ? UNKNOWN : `${Math.round(now.cpu_share * 100)}%`],
  ];
  $("tiles").replaceChildren(...tiles.map(([name, value, isBad]) => {
    const tile = element("div", undefined, isBad ? { class: "bad" } : {});
    tile.append(element("dt", name), element("dd", value));
    return tile;
  }));
}

const COLUMNS = [["p50", "p50"], ["p90", "p90"], ["p99", "p99"], ["p99_9", "p99.9"], ["max", "max"]];

function showOperations(rows) {
  const head = element("tr");
  for (const title of ["operation", "per s", "ok", "failed", "dropped", "times", ...COLUMNS.map(([, title]) => title)]) {
    head.append(element("th", title, { scope: "col" }));
  }
  const body = rows.map((row) => {
    const line = element("tr");
    line.append(element("th", row.label, { scope: "row" }));
    const times = COLUMNS.map(([name]) => {
      if (row.times_of === "none") return UNKNOWN;
      if (row.longest.includes(name)) return "max";
      return row.times_us[name] === null ? LOST : us(row.times_us[name]);
    });
    const cells = [row.per_s === null ? UNKNOWN : rate(row.per_s), count(row.ok), count(row.failed), count(row.dropped)];
    for (const text of [...cells, row.times_of === "none" ? UNKNOWN : row.times_of, ...times]) line.append(element("td", text));
    return line;
  });
  const table = element("thead"), rest = element("tbody");
  table.append(head);
  rest.append(...body);
  $("operations").replaceChildren(table, rest);
}

function showObjectives(objectives) {
  $("objectives").hidden = !objectives || !objectives.length;
  $("objectives").querySelector("ul").replaceChildren(...(objectives || []).map((part) =>
    element("li", [`${part.text}: ${part.verdict}`, part.figure, part.reason].filter(Boolean).join("; "), { "data-verdict": part.verdict })));
}

let storedShown = "";
function showStored(page) {
  const key = JSON.stringify([page.stored, page.has_pages, page.state === "ended"]);
  if (key === storedShown) return; // a link under the pointer stays
  storedShown = key;
  $("stored").hidden = !page.stored.length;
  $("stored").querySelector("ul").replaceChildren(...page.stored.map((test) => {
    const item = element("li", `Test ${test.number}: ${test.headline}`);
    for (const failure of test.failures) item.append(element("span", failure));
    if (test.name === null) {
      item.append(element("span", "its result could not be stored"));
      return item;
    }
    item.append(element("span", test.name));
    const files = [["result.json", "result (JSON)"], ["seconds.hlog", "seconds (hlog)"]];
    if (page.has_pages) files.unshift(["page.html", "page"]);
    for (const [file, title] of files) {
      item.append(element("a", title, { href: `results/${test.number}/${file}`, target: "_blank", rel: "noopener" }));
    }
    return item;
  }));
}

function lasting(page) {
  if (!page.lasted) return "";
  return [`Test ${page.number}, ${page.lasted}`, page.phase].filter(Boolean).join(", ");
}

function show(page) {
  showBanner(page.banner);
  $("phase").textContent = lasting(page);
  document.documentElement.dataset.state = page.state;
  showObjectives(page.objectives);
  $("figures").hidden = page.figures === null;
  if (page.figures !== null) {
    showTiles(page.figures.now, page.state === "ended");
    showCharts(page.figures);
    showOperations(page.figures.rows);
  }
  showStored(page);
}
function showBanner(banner) {
  $("banner").dataset.level = banner.level;
  if ($("banner-title").textContent !== banner.title) $("banner-title").textContent = banner.title; // it is read aloud
  if ($("banner-text").textContent !== banner.text) $("banner-text").textContent = banner.text;
}

// ------------------------------------------------------------------ the page itself

function theme() {
  let chosen = null;
  try { chosen = localStorage.theme; } catch { /* it may be forbidden */ }
  const isDark = chosen ? chosen === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
  document.documentElement.dataset.theme = isDark ? "dark" : "light";
}

async function look() {
  if (!document.hidden) {
    try {
      const answer = await fetch("live.json", { cache: "no-store" });
      if (answer.redirected) { location.reload(); return; } // the login has ended
      if (!answer.ok) throw new Error(`${answer.status}`);
      show(await answer.json());
    } catch (error) {
      showBanner({
        level: "warning", title: "Locust does not answer",
        text: "the figures below are the last that came; Locust has ended, or cannot be reached",
      });
    }
  }
  setTimeout(look, EVERY_MS);
}

if (new URLSearchParams(location.search).has("embedded")) {
  document.documentElement.dataset.embedded = "";
  new ResizeObserver(() => {
    if (window.frameElement) window.frameElement.style.height = `${document.querySelector("main").offsetHeight + 8}px`;
  }).observe(document.querySelector("main"));
}
theme();
addEventListener("storage", theme); // Locust's switch, in the page around this part
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", theme);
look();
