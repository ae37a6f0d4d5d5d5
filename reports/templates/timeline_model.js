// What the events mean: lanes, bands, calls, and words for each event. No drawing here.
"use strict";
const data = JSON.parse(document.getElementById("data").textContent);
const events = data.events;
// A little more than the run, so that what ends it does not stick to the edge.
const endNs = Math.max(data.head.ended_ns * 1.02, 1);
const FAMILIES = {
  "power-cut": "process", "kill": "process", "restart": "process", "power-cut-at-write": "process",
  "power-cut-all": "process", "pause": "process",
  "slow-disk": "disk", "disk-stall": "disk", "write-fails": "disk", "sync-fails": "disk",
  "clock-offset": "clock", "clock-drift": "clock", "clock-freeze": "clock",
  "region-dark": "region", "region-destroyed": "region", "region-slow": "region",
  "zone-dark": "region",
};
const family = (kind) => FAMILIES[kind] || "network";
const seconds = (ns) => (ns / 1e9).toFixed(3) + " s";
const allNodes = data.head.regions.flatMap((region) => region.nodes);
const nodesOf = (id) => (data.head.regions.find((r) => r.region === id) || { nodes: [] }).nodes;

/// Lanes on which a fault shows.
function struck(fault) {
  const nodes = (ids) => ids.map((id) => "node " + id);
  switch (fault.kind) {
    case "power-cut-all": return nodes(allNodes);
    case "region-dark": case "region-destroyed": case "region-slow":
      return ["region " + fault.region];
    case "region-cut": case "region-flap":
      return ["region " + fault.from_region, "region " + fault.to_region];
    case "zone-dark":
      return nodes(data.head.regions.map((r) => r.nodes[fault.zone]).filter(Boolean));
    default:
      return "node" in fault ? nodes([fault.node]) : nodes([fault.from]);
  }
}

/// A fault in words: what, with its numbers.
function faultWords(planned) {
  const { kind, ...rest } = planned.fault;
  const more = Object.entries(rest).map(([name, value]) => name.replace("_", " ") + " " + value);
  const long = planned.for_ms > 0 ? ", for " + (planned.for_ms / 1000) + " s" : "";
  return kind + (more.length ? " (" + more.join(", ") + ")" : "") + long;
}

/// Who an event is about, and what it says.
function words(event) {
  switch (event.kind) {
    case "phase": return ["run", "phase " + event.phase + " begins"];
    case "fault-begins": return [struck(event.planned.fault).join(", "), faultWords(event.planned)];
    case "fault-ends": return ["fault " + event.fault, "is over"];
    case "node-up": return ["node " + event.node, "opened from its disk, runs"];
    case "node-down":
      return ["node " + event.node, event.halted ? "halted by itself, is opened again" : "is down"];
    case "leads":
      return ["node " + event.node, "leads region " + event.region + " in term " + event.term];
    case "seal-asked": return ["operator", "asks node " + event.node + " to seal region " +
      event.region];
    case "seal-answered": return ["operator", "region " + event.region +
      (event.sealed ? " is sealed: " : " is not sealed: ") + event.words];
    case "invoke": return ["client " + event.client, (event.retry ? "sends again to " : "asks ") +
      callee(event.to) + ": " + event.words];
    case "return": return ["client " + event.client, event.words.startsWith(event.result) ?
      event.words : event.result + ": " + event.words];
    case "payout": return [event.node ? "node " + event.node : "the bank", event.words];
    case "message": return ["node " + event.node, "to node " + event.to + ": " + event.words +
      (event.lost ? "; lost: " + event.lost : "")];
    case "custody": return ["transaction", event.words];
    case "violation": return [event.oracle, event.detail];
    default: return ["", event.kind];
  }
}
const callee = (to) => "node" in to ? "node " + to.node : "the edge of region " + to.edge;

/// Puts intervals into rows so that none covers another.
function stack(bands) {
  const ends = [];
  for (const band of bands) {
    let row = ends.findIndex((end) => end <= band.from);
    if (row < 0) row = ends.length;
    ends[row] = Math.max(band.to, band.from + endNs / 400);
    band.row = row;
  }
  return ends.length;
}

/// Everything that lies on lanes: `[{ name, group, bands, lives, leads, calls, marks, rows }]`.
function lanes() {
  const byName = new Map();
  const lane = (name, kind) => {
    if (!byName.has(name)) {
      byName.set(name, { name, kind, bands: [], lives: [], leads: [], calls: [], marks: [] });
    }
    return byName.get(name);
  };
  lane("run", "run");
  if (data.head.transaction) lane("transaction", "transaction");
  for (const region of data.head.regions) {
    lane("region " + region.region, "region").label = "Region " + region.region + " · " +
      region.name;
    for (const node of region.nodes) lane("node " + node, "node");
  }
  const clients = [...new Set(events.filter((e) => "client" in e).map((e) => e.client))];
  const about = new Set(events.filter((e) => e.op_id && e.op_id === data.head.transaction)
    .map((e) => e.client));
  const rank = (client) => (about.has(client) ? 0 : 1);
  if (clients.length) lane("clients", "clients").label = "All clients";
  clients.sort((a, b) => rank(a) - rank(b) || a - b).forEach((client) => {
    lane("client " + client, "client").about = about.has(client);
  });
  const faultEnds = new Map(events.filter((e) => e.kind === "fault-ends")
    .map((e) => [e.fault, e.at_ns]));
  const leaders = new Map(), up = new Map(), open = new Map();
  const liveness = events.find((e) => e.kind === "phase" && e.phase === "liveness");
  const stopsLeading = (region, at) => {
    const last = leaders.get(region);
    if (last) { last.to = at; leaders.delete(region); }
  };
  for (const event of events) {
    const at = event.at_ns;
    if (event.kind === "fault-begins") {
      const planned = event.planned.for_ms * 1e6;
      const safetyEnd = liveness && at < liveness.at_ns ? liveness.at_ns : endNs;
      const forGood = event.planned.fault.kind === "region-destroyed";
      let to = faultEnds.get(event.fault) || (forGood ? endNs : at + planned);
      to = Math.min(to, forGood ? endNs : safetyEnd);
      for (const name of struck(event.planned.fault)) {
        lane(name, "node").bands.push({ event, from: at, to: Math.max(to, at) });
      }
    } else if (event.kind === "node-up") {
      up.set(event.node, { from: at, to: endNs });
      lane("node " + event.node).lives.push(up.get(event.node));
    } else if (event.kind === "node-down") {
      if (up.has(event.node)) { up.get(event.node).to = at; up.delete(event.node); }
      for (const [region, last] of leaders) {
        if (last.event.node === event.node) stopsLeading(region, at);
      }
    } else if (event.kind === "leads") {
      stopsLeading(event.region, at);
      const leads = { event, from: at, to: endNs };
      leaders.set(event.region, leads);
      lane("node " + event.node).leads.push(leads);
    } else if (event.kind === "invoke") {
      const call = { event, from: at, to: endNs, result: "open" };
      open.set(event.call, call);
      lane("client " + event.client).calls.push(call);
      lane("clients").calls.push(call);
    } else if (event.kind === "return") {
      const call = open.get(event.call);
      if (call) { call.to = at; call.result = event.result; call.returned = event; }
    } else if (event.kind === "custody") {
      lane("transaction", "transaction").marks.push(event);
    } else if (event.kind === "payout" && event.node) {
      lane("node " + event.node).marks.push(event);
    } else if (["payout", "violation", "seal-asked", "seal-answered"].includes(event.kind)) {
      lane("run").marks.push(event);
    }
  }
  for (const one of byName.values()) one.rows = stack(one.bands);
  return [...byName.values()];
}
