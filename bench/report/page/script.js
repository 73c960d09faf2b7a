// The charts of the page: draws those that come into view, and lets a reader point at them and zoom.
// The chart's panels are views of Vega of their own. Their x axes are kept in step by the signals x0 and x1.
(function () {
  "use strict";
  const charts = JSON.parse(document.getElementById("charts").textContent);
  const tip = document.getElementById("tip");
  const said = document.getElementById("said");

  // The width of a sheet of paper within its margins, in pixels.
  const sheetWidth = 690;

  function rowsOf(table) {
    return table.rows.map((cells) => {
      const row = {};
      cells.forEach((cell, index) => {
        if (cell !== null) row[table.columns[index]] = cell;
      });
      return row;
    });
  }

  const formatted = (value) => value.toLocaleString("en", { maximumSignificantDigits: 4 });
  function inUnits(value, units) {
    const [size, name] = units.find(([size]) => Math.abs(value) >= size) || units[units.length - 1];
    return formatted(value / size) + " " + name;
  }
  function text(value, axis) {
    if (value === undefined || value === null) return "-";
    if (axis.scale === "nines") return formattedNines(100 * (1 - 1 / value));
    switch (axis.unit) {
      case "µs": return inUnits(value, [[1e6, "s"], [1e3, "ms"], [1, "µs"]]);
      case "bytes": return inUnits(value, [[1e9, "GB"], [1e6, "MB"], [1e3, "kB"], [1, "B"]]);
      case "s": return value.toLocaleString("en", { maximumSignificantDigits: 6 }) + " s";
      case "min": return elapsed(value);
      case "share": return (axis.signed && value > 0 ? "+" : "") + formatted(100 * value) + " %";
      case "place": return axis.labels[Math.round(value)] || "";
      default: return value.toLocaleString("en", { maximumSignificantDigits: 6 });
    }
  }
  function elapsed(seconds) {
    const rounded = Math.round(seconds * 1000) / 1000;
    const parts = [[Math.floor(rounded / 3600), "h"], [Math.floor((rounded % 3600) / 60), "min"], [Number((rounded % 60).toFixed(3)), "s"]];
    return parts.filter(([number]) => number).map(([number, unit]) => number.toLocaleString("en") + " " + unit).join(" ") || "0 s";
  }
  const formattedNines = (percent) => Number(percent.toPrecision(7)) + " %";

  function lineOf(row, panel, chart) {
    const has = row.l !== undefined && row.h !== undefined;
    const ends = has ? text(row.l, panel.y) + " to " + text(row.h, panel.y) : "";
    if (row.y === undefined || row.y === null) return ends;
    const until = row.u === undefined ? "" : " until " + text(row.u, chart.x);
    return text(row.y, panel.y) + (ends ? " (" + ends + ")" : "") + until;
  }

  // The lines that tell of an x: [label, value] for each series with a point there, and texts.
  function toldAt(chart, x) {
    const lines = [], texts = new Set();
    for (const panel of chart.panels) {
      for (const row of panel.rows) {
        if (row.x !== x) continue;
        lines.push([panel.labels[row.i], lineOf(row, panel, chart)]);
        if (row.t) texts.add(row.t);
      }
    }
    return { title: text(x, chart.x), lines, texts: [...texts] };
  }
  function toldOfEffect(chart, row) {
    const ends = row.l === row.h ? [] : [["interval", text(row.l, chart.x) + " to " + text(row.h, chart.x)]];
    return { title: row.n, lines: [[chart.x.title, text(row.x, chart.x)], ...ends], texts: row.t ? [row.t] : [] };
  }
  function toldOfCell(chart, row) {
    const y = chart.panels[0].y;
    return {
      title: text(row.x, chart.x) + " to " + text(row.u, chart.x),
      lines: [[y.title, text(row.l, y) + " to " + text(row.h, y)], [chart.counted, row.y.toLocaleString("en")]],
      texts: [],
    };
  }

  function show(told, left, top) {
    tip.replaceChildren();
    const add = (name, content, parent) => {
      const made = document.createElement(name);
      made.textContent = content;
      parent.append(made);
    };
    add("strong", told.title, tip);
    const list = document.createElement("dl");
    for (const [label, value] of told.lines.slice(0, 24)) {
      add("dt", label, list);
      add("dd", value, list);
    }
    tip.append(list);
    told.texts.forEach((line) => add("p", line, tip));
    tip.hidden = false;
    const box = tip.getBoundingClientRect();
    const fits = left + 16 + box.width < innerWidth;
    tip.style.left = Math.max(4, fits ? left + 16 : left - 16 - box.width) + "px";
    tip.style.top = Math.max(4, Math.min(top + 12, innerHeight - box.height - 4)) + "px";
  }
  const spoken = (told) => [told.title, ...told.lines.map((line) => line.join(" ")), ...told.texts].join("; ");

  function draw(figure) {
    if (figure.dataset.drawn) return;
    figure.dataset.drawn = "begun";
    const chart = charts[Number(figure.dataset.chart)];
    const plot = figure.querySelector(".plot");
    const holders = [...plot.querySelectorAll(".view")];
    chart.panels.forEach((panel) => { panel.rows = rowsOf(panel.table); });
    const drawn = chart.panels.map((panel, number) => {
      const holder = holders[number];
      for (const source of panel.vega.data) if (source.name === panel.data) source.values = panel.rows.map((row) => ({ ...row }));
      if (chart.kind === "chart") followZoom(panel.vega);
      // `ast`: expressions are interpreted, so that the page's policy need not allow to make code of texts.
      const options = { mode: "vega", ast: true, renderer: "svg", hover: false, tooltip: () => {}, actions: false, defaultStyle: false, width: holder.clientWidth };
      return vegaEmbed(holder, panel.vega, options).then((embedded) => embedded.view);
    });
    Promise.all(drawn).then((views) => {
      figure.dataset.drawn = "true";
      plot.classList.add("is-drawn");
      control(figure, plot, holders, chart, views);
    }).catch((error) => {
      console.error(error);
      holders[0].textContent = "This chart cannot be drawn here: its table has the numbers.";
    });
  }

  // Lets the y axis show what is in view: the signal replaces its own ends, unless it is null.
  function followZoom(specification) {
    specification.signals = [...(specification.signals || []), { name: "yends", value: null }];
    specification.scales.filter((scale) => scale.name === "y").forEach((scale) => { scale.domainRaw = { signal: "yends" }; });
  }

  // The ends of the y axis of a panel for what lies between two x.
  function yEnds(panel, low, high) {
    const inside = panel.rows.filter((row) => (row.u === undefined ? row.x : row.u) >= low && row.x <= high);
    const values = inside.flatMap((row) => [row.y, row.l, row.h]).filter((value) => value !== undefined && value !== null);
    if (!values.length) return null;
    let least = values.reduce((a, b) => Math.min(a, b)), most = values.reduce((a, b) => Math.max(a, b));
    if (panel.y.scale !== "linear") return [least / 1.08, most * 1.08];
    if (panel.y.zero) { least = Math.min(0, least); most = Math.max(0, most); }
    const room = (most - least || Math.abs(most) || 1) * 0.06;
    return [panel.y.zero && least === 0 ? 0 : least - room, most + room];
  }

  function control(figure, plot, holders, chart, views) {
    const whole = [views[0].signal("x0"), views[0].signal("x1")];
    const isLog = chart.x.scale !== "linear";
    const along = isLog ? Math.log : (x) => x;
    const back = isLog ? Math.exp : (x) => x;
    const xs = chart.kind === "chart" ? [...new Set(chart.panels.flatMap((panel) => panel.rows.map((row) => row.x)))].sort((a, b) => a - b) : [];
    const steps = chart.kind === "forest" ? chart.panels[0].rows : chart.kind === "heat" ? chart.panels[0].rows : xs;
    const told = (step) => chart.kind === "forest" ? toldOfEffect(chart, step) : chart.kind === "heat" ? toldOfCell(chart, step) : toldAt(chart, step);
    const rule = document.createElement("div");
    rule.className = "rule";
    rule.hidden = true;
    const brush = document.createElement("div");
    brush.className = "brush";
    brush.hidden = true;
    plot.append(rule, brush);

    // The place of the plot's own left edge, in pixels from the left of the figure's plot.
    const origin = (number) => views[number].origin()[0] + views[number].padding().left;
    const pixel = (x) => origin(0) + views[0].scale("x")(x);
    const valueAt = (left) => views[0].scale("x").invert(left - origin(0));

    const ends = () => [views[0].signal("x0"), views[0].signal("x1")];

    // The labels of the marks, in rows above the panel: a label that would lie on another, or on the line from another to
    // its mark, stands above that. drawing/marks.py has the same rules for pictures.
    const strip = plot.querySelector(".moments");
    const rowHeight = 16, gap = 8;
    const isWhole = () => ends().every((end, number) => end === whole[number]);
    function layMarks() {
      if (!strip) return;
      strip.querySelectorAll(".leader").forEach((leader) => leader.remove());
      const width = strip.clientWidth, [low, high] = ends(), placed = [];
      for (const label of [...strip.querySelectorAll("li")].reverse()) {
        const x = Number(label.dataset.x);
        label.hidden = x < low || x > high;
        if (label.hidden) continue;
        const at = pixel(x), own = label.getBoundingClientRect().width;
        placed.push({ label, at, own, left: Math.max(0, Math.min(at, width - own)), row: 0 });
      }
      placed.sort((a, b) => b.at - a.at);
      placed.forEach((mark, number) => {
        const right = mark.left + mark.own;
        for (const other of placed.slice(0, number)) {
          const meets = mark.left < other.left + other.own + gap && other.left < right + gap;
          const crosses = mark.left - gap < other.at && other.at < right + gap;
          if (meets || crosses) mark.row = Math.max(mark.row, other.row + 1);
        }
      });
      const rows = placed.reduce((most, mark) => Math.max(most, mark.row + 1), 0);
      // The room that the whole takes stays while a part is shown, so that nothing below jumps.
      const height = Math.max(rows * rowHeight, isWhole() ? 0 : strip.clientHeight);
      strip.style.height = height + "px";
      const below = holders[0].querySelector(".background").getBoundingClientRect().top - strip.getBoundingClientRect().bottom;
      const along = (left) => (100 * left) / width + "%";
      for (const mark of placed) {
        const top = height - (mark.row + 1) * rowHeight;
        mark.label.style.left = along(mark.left);
        mark.label.style.top = top + "px";
        // A bar beside the words says where the mark is. Words between two edges have none: the line leads to them.
        mark.label.className = mark.at - mark.left < 1 ? "begins" : mark.at > width - 12 ? "ends" : "";
        const leader = document.createElement("div");
        leader.className = "leader";
        leader.style.cssText = mark.label.style.cssText;
        leader.style.left = along(mark.at);
        leader.style.height = height - top + below + "px";
        strip.append(leader);
      }
    }

    function zoom(ends) {
      const [low, high] = ends;
      if (!(isFinite(low) && isFinite(high)) || high <= low) return;
      rule.hidden = tip.hidden = true;
      const toWhole = low === whole[0] && high === whole[1];
      Promise.all(views.map((view, number) => {
        if (chart.kind === "chart") view.signal("yends", toWhole ? null : yEnds(chart.panels[number], low, high));
        return view.signal("x0", low).signal("x1", high).runAsync();
      })).then(layMarks);
      reset.disabled = toWhole;
    }
    function scaled(factor, shift) {
      const [low, high] = ends().map(along);
      const middle = (low + high) / 2 + shift * (high - low);
      const half = (high - low) * factor / 2;
      const bounds = whole.map(along);
      zoom([Math.max(middle - half, bounds[0]), Math.min(middle + half, bounds[1])].map(back));
    }
    const tools = figure.querySelector(".tools");
    const button = (words, does) => {
      const made = document.createElement("button");
      made.type = "button";
      made.textContent = words;
      made.addEventListener("click", does);
      tools.append(made);
      return made;
    };
    button("Zoom in", () => scaled(0.5, 0));
    button("Zoom out", () => scaled(2, 0));
    button("◀ Left", () => scaled(1, -0.25));
    button("Right ▶", () => scaled(1, 0.25));
    const reset = button("Whole", () => zoom(whole));
    reset.disabled = true;
    tools.hidden = false;

    function nearest(x) {
      let best = null;
      for (const candidate of xs) {
        if (best === null || Math.abs(along(candidate) - along(x)) < Math.abs(along(best) - along(x))) best = candidate;
      }
      return best;
    }
    let at = -1;
    function point(step, left, top) {
      at = steps.indexOf(step);
      const words = told(step);
      if (chart.kind === "chart") {
        rule.style.left = pixel(step) + "px";
        const [low, high] = ends();
        rule.hidden = step < low || step > high;
      }
      const box = plot.getBoundingClientRect();
      show(words, left === undefined ? box.left + (chart.kind === "heat" ? 60 : pixel(chart.kind === "chart" ? step : step.x)) : left, top === undefined ? Math.max(box.top, 8) + 8 : top);
      return words;
    }
    function leave() { rule.hidden = tip.hidden = true; }

    let from = null;
    const leftOf = (event) => event.clientX - plot.getBoundingClientRect().left;
    plot.addEventListener("pointerdown", (event) => { if (event.button === 0 && event.pointerType !== "touch") from = leftOf(event); });
    addEventListener("pointerup", (event) => {
      if (from === null) return;
      const to = leftOf(event);
      brush.hidden = true;
      if (Math.abs(to - from) > 5) {
        const [low, high] = ends();
        const chosen = [valueAt(Math.min(from, to)), valueAt(Math.max(from, to))];
        zoom([Math.max(low, chosen[0]), Math.min(high, chosen[1])]);
      }
      from = null;
    });
    plot.addEventListener("pointermove", (event) => {
      const left = leftOf(event);
      if (from !== null) {
        tip.hidden = true;
        brush.hidden = false;
        brush.style.left = Math.min(from, left) + "px";
        brush.style.width = Math.abs(left - from) + "px";
        return;
      }
      if (chart.kind === "chart") {
        const step = nearest(valueAt(left));
        if (step !== null) point(step, event.clientX, event.clientY);
      }
    });
    if (chart.kind !== "chart") {
      views[0].addEventListener("pointermove", (event, item) => {
        const row = item && item.datum && item.datum.l !== undefined ? item.datum : null;
        const step = row && chart.panels[0].rows.find((known) => known.i === row.i && known.x === row.x && known.l === row.l);
        if (step && from === null) point(step, event.clientX, event.clientY);
        else if (from === null) leave();
      });
    }
    plot.addEventListener("pointerleave", leave);
    plot.addEventListener("dblclick", () => zoom(whole));
    plot.addEventListener("wheel", (event) => {
      if (!event.ctrlKey && !event.metaKey) return;
      event.preventDefault();
      scaled(event.deltaY < 0 ? 0.8 : 1.25, 0);
    }, { passive: false });
    plot.addEventListener("keydown", (event) => {
      const moves = { ArrowRight: 1, ArrowLeft: -1, ArrowDown: 1, ArrowUp: -1 };
      if (event.key === "Escape") return leave();
      if (event.key === "+") return scaled(0.5, 0);
      if (event.key === "-") return scaled(2, 0);
      if (event.key === "0") return zoom(whole);
      if (!(event.key in moves) || !steps.length) return undefined;
      event.preventDefault();
      at = Math.min(steps.length - 1, Math.max(0, at + moves[event.key]));
      said.textContent = spoken(point(steps[at]));
      return undefined;
    });
    plot.addEventListener("blur", leave);
    let width = holders[0].clientWidth;
    new ResizeObserver(() => {
      const now = holders[0].clientWidth;
      if (now === width || now === 0) return;
      width = now;
      leave();
      Promise.all(views.map((view) => view.width(now).runAsync())).then(layMarks);
    }).observe(plot);
    layMarks();
    // A sheet is narrower than most windows, and what is made smaller is hard to read. The observer sees the end of it.
    addEventListener("beforeprint", () => {
      plot.style.width = Math.min(plot.clientWidth, sheetWidth) + "px";
      width = holders[0].clientWidth;
      leave();
      views.forEach((view) => view.width(width).run());
      layMarks();
    });
    addEventListener("afterprint", () => { plot.style.width = ""; });
  }

  const figures = [...document.querySelectorAll("figure[data-chart]")];
  const watcher = new IntersectionObserver((entries) => {
    entries.filter((entry) => entry.isIntersecting).forEach((entry) => {
      watcher.unobserve(entry.target);
      draw(entry.target);
    });
  }, { rootMargin: "300px" });
  figures.forEach((figure) => watcher.observe(figure));
  addEventListener("beforeprint", () => figures.forEach(draw));
})();
