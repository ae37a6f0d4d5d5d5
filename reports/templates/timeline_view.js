// Draws what is in view, and follows mouse and keyboard.
const all = lanes();
const byId = (id) => document.getElementById(id);
const firstViolation = events.find((event) => event.kind === "violation");
const LEFT = 150, ROWS_MAX = 400, LEAST_NS = 2e6, DRAWN_MAX = 250;
const messages = events.filter((event) => event.kind === "message");
let view = { from: 0, to: endNs };
let selected = null;

function node(name, attributes, parent, text) {
  const made = document.createElementNS("http://www.w3.org/2000/svg", name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  if (text !== undefined) made.textContent = text;
  if (parent) parent.append(made);
  return made;
}
const width = () => Math.max(byId("chart").clientWidth, 500);
const x = (ns) => LEFT + (ns - view.from) / (view.to - view.from) * (width() - LEFT - 8);
const visible = (from, to) => to >= view.from && from <= view.to;

/// A shape for an event: tells on hover, selects on click.
function shape(name, attributes, parent, event) {
  const made = node(name, attributes, parent);
  node("title", {}, made, seconds(event.at_ns) + "  " + words(event).join(": "));
  made.addEventListener("click", () => select(event));
  made.dataset.number = event.number;
  if (selected && selected.number === event.number) made.classList.add("selected");
  return made;
}

function heightOf(lane) {
  if (lane.kind === "client") return 14;
  if (lane.kind === "clients") return 22;
  if (lane.kind === "region") return 24 + lane.rows * 14;
  if (lane.kind === "node") return 22 + lane.rows * 14;
  return 26;
}

function span(from, to) {
  const left = Math.max(x(from), LEFT), right = Math.min(x(to), width() - 8);
  return { x: left, width: Math.max(right - left, 1.5) };
}

function drawLane(svg, lane, top) {
  const height = heightOf(lane);
  const label = lane.label || lane.name;
  const group = ["region", "run", "clients"].includes(lane.kind);
  const indent = lane.kind === "node" ? 16 : 2;
  node("text", { x: indent, y: top + Math.min(height - 3, 16), class: group ? "group" : "soft" },
    svg, label);
  if (group) node("line", { x1: 0, x2: width(), y1: top, y2: top, class: "rule" }, svg);
  if (lane.kind === "node") drawLives(svg, lane, top);
  for (const band of lane.bands.filter((b) => visible(b.from, b.to))) {
    const y = top + 20 + band.row * 14;
    const kind = band.event.planned.fault.kind;
    const place = span(band.from, band.to);
    shape("rect", { ...place, y, height: 12, rx: 2, class: "band " + family(kind) }, svg,
      band.event);
    const inside = [bandLabel(band.event.planned.fault), kind]
      .find((text) => place.width > text.length * 6.2 + 8);
    if (inside) node("text", { x: place.x + 4, y: y + 9.5, class: "inside" }, svg, inside);
  }
  for (const call of lane.calls.filter((c) => visible(c.from, c.to))) {
    const about = call.event.op_id && call.event.op_id === data.head.transaction ? " about" : "";
    const tall = lane.kind === "clients" ? 16 : 10;
    shape("rect", { ...span(call.from, call.to), y: top + 2, height: tall, rx: 1.5,
      class: "call " + call.result + about }, svg, call.event);
  }
  for (const event of lane.marks.filter((e) => visible(e.at_ns, e.at_ns))) {
    const kind = event.kind + (event.is_last ? " last" : "");
    const [cx, cy] = [x(event.at_ns), top + 13];
    const points = `${cx},${cy - 7} ${cx + 6},${cy} ${cx},${cy + 7} ${cx - 6},${cy}`;
    shape("polygon", { points, class: "mark " + kind }, svg, event);
  }
  return height;
}

/// What a band says of itself where there is room.
function bandLabel(fault) {
  if ("to" in fault) return fault.kind + " → node " + fault.to;
  if ("to_region" in fault) return fault.kind + " → region " + fault.to_region;
  return fault.kind;
}

function drawLives(svg, lane, top) {
  node("rect", { ...span(view.from, view.to), y: top + 6, height: 10, class: "down" }, svg);
  for (const life of lane.lives.filter((l) => visible(l.from, l.to))) {
    const place = { ...span(life.from, life.to), y: top + 6, height: 10 };
    node("rect", { ...place, fill: "var(--card)" }, svg);
    node("rect", { ...place, class: "up" }, svg);
  }
  for (const leads of lane.leads.filter((l) => visible(l.from, l.to))) {
    shape("rect", { ...span(leads.from, leads.to), y: top + 6, height: 4, class: "leads" }, svg,
      leads.event);
  }
}

function drawAxis(svg, bottom) {
  const about = (view.to - view.from) / Math.max(4, width() / 150);
  const power = 10 ** Math.floor(Math.log10(about));
  const step = [1, 2, 5, 10].map((n) => n * power).find((n) => n >= about);
  const digits = Math.max(0, 9 - Math.floor(Math.log10(step) + 1e-9));
  for (let at = Math.ceil(view.from / step) * step; at <= view.to; at += step) {
    node("line", { x1: x(at), x2: x(at), y1: 20, y2: bottom, class: "rule" }, svg);
    const text = (at / 1e9).toFixed(digits) + " s";
    node("text", { x: x(at), y: 13, class: "soft", "text-anchor": "middle" }, svg, text);
  }
  for (const phase of events.filter((e) => e.kind === "phase" && visible(e.at_ns, e.at_ns))) {
    const at = x(phase.at_ns);
    node("line", { x1: at, x2: at, y1: 20, y2: bottom, class: "phase" }, svg);
    node("text", { x: at + 4, y: bottom - 4, class: "soft" }, svg, phase.phase);
  }
}

function drawViolation(svg, bottom) {
  if (!firstViolation || !visible(firstViolation.at_ns, firstViolation.at_ns)) return;
  const at = x(firstViolation.at_ns);
  node("line", { x1: at, x2: at, y1: 20, y2: bottom, class: "violation-line" }, svg);
  const text = firstViolation.oracle + " breaks";
  const wide = text.length * 6.6 + 12;
  const left = Math.min(at, width() - wide - 2);
  node("rect", { x: left, y: 18, width: wide, height: 16, rx: 3, class: "flag" }, svg);
  node("text", { x: left + 6, y: 30, class: "flag-text" }, svg, text);
}

/// Arrows of the calls that are about the transaction, and of the selected one.
function drawArrows(svg, tops) {
  const about = (call) => call.event.op_id && call.event.op_id === data.head.transaction;
  const chosen = (call) => selected && "call" in selected && selected.call === call.event.call;
  for (const lane of all.filter((one) => one.kind === "client")) {
    for (const call of lane.calls.filter((c) => about(c) || chosen(c))) {
      const to = call.event.to;
      const name = "node" in to ? "node " + to.node : "region " + to.edge;
      const start = tops.get(lane.name) ?? tops.get("clients");
      if (start === undefined || !tops.has(name)) continue;
      const [low, high] = [start + 2, tops.get(name) + 16];
      const line = (from, y1, until, y2, back) => {
        if (visible(from, from)) node("path", { d: `M${x(from)},${y1} L${x(until)},${y2}`,
          class: "arrow" + back }, svg);
      };
      const half = (call.from + call.to) / 2;
      line(call.from, low, half, high, "");
      if (call.returned) line(half, high, call.to, low, " back");
    }
  }
}

/// When a message is at its end: taken, lost, or out of sight.
function messageEnd(event) {
  return event.arrives_ns ?? (event.lost ? event.at_ns + (view.to - view.from) / 60 : endNs);
}

/// Messages between nodes as arrows: those nearest to the selected event, or to the violation.
function drawMessages(svg, tops) {
  byId("drawn").textContent = "";
  if (!byId("messages").checked) return;
  const seen = messages.filter((event) => visible(event.at_ns, messageEnd(event))
    && tops.has("node " + event.node) && tops.has("node " + event.to));
  const about = [selected, firstViolation].find((event) => event
    && visible(event.at_ns, event.at_ns));
  const at = about ? about.at_ns : (view.from + view.to) / 2;
  const far = (event) => Math.min(Math.abs(event.at_ns - at), Math.abs(messageEnd(event) - at));
  const drawn = [...seen].sort((a, b) => far(a) - far(b)).slice(0, DRAWN_MAX);
  for (const event of drawn) {
    const [from, to] = [tops.get("node " + event.node) + 11, tops.get("node " + event.to) + 11];
    const end = messageEnd(event);
    // A message that is lost comes half the way.
    const until = event.lost && !event.arrives_ns ? (from + to) / 2 : to;
    const beat = /heartbeat/.test(event.words) ? " beat" : "";
    const fate = event.lost ? " lost" : event.arrives_ns ? "" : " away";
    shape("path", { d: `M${x(event.at_ns)},${from} L${x(end)},${until}`,
      class: "message" + beat + fate }, svg, event);
  }
  if (drawn.length < seen.length) {
    byId("drawn").textContent = `${drawn.length} of ${seen.length} messages in view are drawn, ` +
      `those around ${seconds(at)}: zoom in for the others`;
  }
}

function draw() {
  const svg = byId("lanes");
  svg.replaceChildren();
  const shown = all.filter((lane) => byId("clients").checked ? lane.kind !== "clients"
    : lane.kind !== "client" || lane.about);
  const bottom = shown.reduce((sum, lane) => sum + heightOf(lane), 40) + 8;
  svg.setAttribute("height", bottom);
  svg.setAttribute("viewBox", `0 0 ${width()} ${bottom}`);
  const defs = node("defs", {}, svg);
  const hatch = node("pattern", { id: "hatch", width: 6, height: 6,
    patternUnits: "userSpaceOnUse", patternTransform: "rotate(45)" }, defs);
  node("line", { x1: 0, y1: 0, x2: 0, y2: 6, stroke: "var(--soft)", "stroke-width": 2,
    "stroke-opacity": .45 }, hatch);
  const tip = node("marker", { id: "tip", viewBox: "0 0 8 8", refX: 7, refY: 4, markerWidth: 7,
    markerHeight: 7, orient: "auto" }, defs);
  node("path", { d: "M0,0 L8,4 L0,8 z" }, tip);
  const arrived = node("marker", { id: "arrived", viewBox: "0 0 8 8", refX: 8, refY: 4,
    markerWidth: 6, markerHeight: 6, orient: "auto" }, defs);
  node("path", { d: "M0,1 L8,4 L0,7 z" }, arrived);
  const lost = node("marker", { id: "lost", viewBox: "0 0 8 8", refX: 4, refY: 4, markerWidth: 8,
    markerHeight: 8 }, defs);
  node("path", { d: "M1,1 L7,7 M7,1 L1,7" }, lost);
  drawAxis(svg, bottom);
  const tops = new Map();
  let top = 38;
  shown.forEach((lane, place) => {
    tops.set(lane.name, top);
    if (place % 2) {
      node("rect", { x: 0, y: top, width: width(), height: heightOf(lane), class: "stripe" }, svg);
    }
    top += drawLane(svg, lane, top);
  });
  // Arrows end at the edge of the lanes, not on their names.
  const clip = node("clipPath", { id: "inside" }, defs);
  node("rect", { x: LEFT, y: 0, width: width() - LEFT, height: bottom }, clip);
  const arrows = node("g", { "clip-path": "url(#inside)" }, svg);
  drawMessages(arrows, tops);
  drawArrows(arrows, tops);
  drawViolation(svg, bottom);
  if (selected && visible(selected.at_ns, selected.at_ns)) {
    const at = x(selected.at_ns);
    node("line", { x1: at, x2: at, y1: 20, y2: bottom, class: "cursor" }, svg);
  }
  drawOverview();
  list();
  byId("range").textContent = seconds(view.from) + " to " + seconds(view.to);
}

function drawOverview() {
  const svg = byId("overview");
  svg.replaceChildren();
  svg.setAttribute("viewBox", `0 0 ${width()} 38`);
  const at = (ns) => LEFT + ns / endNs * (width() - LEFT - 8);
  node("text", { x: 2, y: 22, class: "soft" }, svg, "whole run");
  node("rect", { x: LEFT, y: 6, width: width() - LEFT - 8, height: 24, class: "up" }, svg);
  for (const lane of all) {
    for (const band of lane.bands) {
      const kind = family(band.event.planned.fault.kind);
      const wide = Math.max(at(band.to) - at(band.from), 1.5);
      node("rect", { x: at(band.from), y: 10, width: wide, height: 16, class: "band " + kind,
        "stroke-width": 0 }, svg);
    }
  }
  if (firstViolation) {
    const place = at(firstViolation.at_ns);
    node("line", { x1: place, x2: place, y1: 2, y2: 34, class: "violation-line" }, svg);
  }
  node("rect", { x: at(view.from), y: 4, width: Math.max(at(view.to) - at(view.from), 3),
    height: 28, rx: 3, class: "window" }, svg);
}

function listedEvents() {
  const wanted = byId("search").value.trim().toLowerCase();
  const calls = byId("calls").checked, sent = byId("sent").checked;
  return events.filter((event) => visible(event.at_ns, event.at_ns)
    && (calls || !["invoke", "return"].includes(event.kind) || event === selected)
    && (sent || event.kind !== "message" || event === selected)
    && (!wanted || (words(event).join(" ") + " " + (event.op_id || "") + " " + event.kind)
      .toLowerCase().includes(wanted)));
}

function list() {
  const found = listedEvents();
  const place = selected ? Math.max(found.indexOf(selected), 0) : 0;
  const start = Math.max(0, Math.min(place - ROWS_MAX / 2, found.length - ROWS_MAX));
  const shown = found.slice(start, start + ROWS_MAX);
  const rows = shown.map((event) => {
    const row = document.createElement("tr");
    row.id = "event-" + event.number;
    row.className = event.kind;
    row.dataset.event = event.event;
    if (event === selected) { row.classList.add("selected"); row.setAttribute("aria-current", "true"); }
    const cells = [seconds(event.at_ns), "#" + event.number, ...words(event)];
    for (const text of cells) row.insertCell().textContent = text;
    row.addEventListener("click", () => select(event));
    return row;
  });
  byId("events").replaceChildren(...rows);
  const more = found.length > shown.length ? `, ${shown.length} listed: zoom in for the others` : "";
  byId("listed").textContent = `${found.length} of ${events.length} events${more}`;
}

function select(event) {
  selected = event;
  const range = view.to - view.from;
  if (!visible(event.at_ns, event.at_ns)) show(event.at_ns - range / 2, event.at_ns + range / 2);
  else draw();
  const { number, event: traced, at_ns, kind, ...rest } = event;
  const [who, what] = words(event);
  const pairs = [["when", seconds(at_ns)], ["what", kind.replace("-", " ")], ["who", who],
    ["in words", what], ["event", `#${number} here, ${traced} in the trace`]];
  for (const [name, value] of Object.entries(rest)) {
    if (value === null || name === "words" || name === "detail") continue;
    pairs.push([name.replace("_", " "), typeof value === "object" ? JSON.stringify(value)
      : String(value)]);
  }
  byId("detail").replaceChildren(...pairs.flatMap(([name, value]) => {
    const [dt, dd] = [document.createElement("dt"), document.createElement("dd")];
    dt.textContent = name;
    dd.textContent = value;
    return [dt, dd];
  }));
  const row = byId("event-" + number);
  if (row) byId("list").scrollTop = row.offsetTop - byId("list").offsetTop - 160;
}

function show(from, to) {
  const range = Math.min(Math.max(to - from, LEAST_NS), endNs);
  const start = Math.min(Math.max((from + to - range) / 2, 0), endNs - range);
  view = { from: start, to: start + range };
  draw();
}
function zoom(factor, around = (view.from + view.to) / 2) {
  show(around - (around - view.from) * factor, around + (view.to - around) * factor);
}
function move(share) {
  const range = view.to - view.from;
  show(view.from + range * share, view.to + range * share);
}
function jump() {
  if (!firstViolation) return;
  byId("search").value = "";
  const half = Math.min(2e9, endNs / 2);
  view = { from: Math.max(firstViolation.at_ns - half * 1.6, 0),
    to: Math.min(firstViolation.at_ns + half * .4, endNs) };
  select(firstViolation);
}
function step(by) {
  const found = listedEvents();
  const place = selected ? found.indexOf(selected) + by : 0;
  if (found[place]) select(found[place]);
}

byId("jump").disabled = !firstViolation;
const on = (id, act) => byId(id).addEventListener("click", act);
on("jump", jump);
on("whole", () => show(0, endNs));
on("closer", () => zoom(.5));
on("wider", () => zoom(2));
on("earlier", () => move(-.4));
on("later", () => move(.4));
["clients", "messages", "calls", "sent"].forEach((id) => byId(id).addEventListener("change", draw));
byId("search").addEventListener("input", list);
const KEYS = { v: jump, j: () => step(1), k: () => step(-1), "+": () => zoom(.5), "=": () => zoom(.5),
  "-": () => zoom(2), "0": () => show(0, endNs), ArrowLeft: () => move(-.4),
  ArrowRight: () => move(.4), "/": () => byId("search").focus() };
document.addEventListener("keydown", (press) => {
  if (press.target.matches("input[type=search]") || press.ctrlKey || press.metaKey) return;
  const act = KEYS[press.key];
  if (act) { press.preventDefault(); act(); }
});
const timeAt = (mouse) => {
  const place = mouse.clientX - byId("lanes").getBoundingClientRect().left;
  return view.from + (place - LEFT) / (width() - LEFT - 8) * (view.to - view.from);
};
byId("lanes").addEventListener("wheel", (wheel) => {
  if (!wheel.ctrlKey && !wheel.shiftKey) return;
  wheel.preventDefault();
  zoom((wheel.deltaY || wheel.deltaX) > 0 ? 1.25 : .8, timeAt(wheel));
}, { passive: false });
let dragged = null;
byId("lanes").addEventListener("pointerdown", (mouse) => { dragged = mouse.clientX; });
window.addEventListener("pointerup", () => { dragged = null; });
window.addEventListener("pointermove", (mouse) => {
  if (dragged === null || Math.abs(mouse.clientX - dragged) < 4) return;
  move((dragged - mouse.clientX) / (width() - LEFT));
  dragged = mouse.clientX;
});
byId("overview").addEventListener("click", (mouse) => {
  const place = mouse.clientX - byId("overview").getBoundingClientRect().left - LEFT;
  const at = place / (width() - LEFT - 8) * endNs, half = (view.to - view.from) / 2;
  show(at - half, at + half);
});
window.addEventListener("resize", draw);
window.addEventListener("beforeprint", () => show(0, endNs));
if (location.hash === "#first-violation") jump();
else draw();
