// How the exchange is: its parts, and what its metrics say of the last seconds.

import { html, useEffect, useState } from "../shared/html.js";

const EVERY = 2000; // Milliseconds; only while somebody can see it.

// Return {name or name{labels}: number} of Prometheus' text.
export function parseMetrics(text) {
  const found = {};
  for (const line of text.split("\n")) {
    const place = line.lastIndexOf(" ");
    if (place > 0 && !line.startsWith("#")) found[line.slice(0, place)] = Number(line.slice(place + 1));
  }
  return found;
}

const sum = (metrics, name) =>
  Object.entries(metrics).filter(([key]) => key === name || key.startsWith(`${name}{`)).reduce((total, [, value]) => total + value, 0);

async function look() {
  const [ready, metrics] = await Promise.all([fetch("/health/ready"), fetch("/metrics")]);
  return { at: performance.now(), ready: await ready.json(), metrics: parseMetrics(await metrics.text()) };
}

export function Health() {
  const [seen, setSeen] = useState({ now: null, before: null });
  const [problem, setProblem] = useState("");
  useEffect(() => {
    let timer = null;
    const again = async () => {
      clearTimeout(timer);
      if (document.hidden) return;
      try {
        const now = await look();
        setSeen((last) => ({ now, before: last.now }));
        setProblem("");
      } catch {
        setProblem("The exchange cannot be reached.");
      }
      timer = setTimeout(again, EVERY);
    };
    again();
    document.addEventListener("visibilitychange", again);
    return () => {
      clearTimeout(timer);
      document.removeEventListener("visibilitychange", again);
    };
  }, []);
  if (!seen.now) return html`<p class="problem" role="alert">${problem}</p>`;
  const { ready, metrics } = seen.now;
  const over = (name, labels = "") => {
    if (!seen.before) return null;
    const seconds = (seen.now.at - seen.before.at) / 1000;
    return (sum(metrics, name + labels) - sum(seen.before.metrics, name + labels)) / seconds;
  };
  const mean = (name, labels = "") => {
    const count = over(`${name}_count`, labels);
    return count ? over(`${name}_sum`, labels) / count : null;
  };
  const number = (value, places = 0) => (value === null ? "-" : value.toFixed(places));
  const milliseconds = (value) => (value === null ? "-" : `${(value * 1000).toFixed(1)} ms`);
  const halted = Object.entries(ready.parts.markets).filter(([, market]) => market.halted).map(([symbol]) => symbol);
  const tiles = [
    ["Exchange", ready.status, ready.status === "ok"],
    ["PostgreSQL", ready.parts.database.status, ready.parts.database.status === "up"],
    ["Redis", ready.parts.redis.status, ready.parts.redis.status === "up"],
    ["Markets halted by a failure", halted.join(", ") || "none", halted.length === 0],
    ["Orders a second", number(over("exchange_orders_total"))],
    ["Trades a second", number(over("exchange_trades_total"))],
    ["Commits a second", number(over("exchange_commit_batch_facts_count"))],
    ["Facts in a commit", number(mean("exchange_commit_batch_facts"), 1)],
    ["A commit takes", milliseconds(mean("exchange_stage_seconds", '{stage="commit"}'))],
    ["Commands under way", number(metrics.exchange_commands_in_flight ?? 0)],
    ["Oldest of them", milliseconds(metrics.exchange_oldest_command_seconds ?? 0)],
    ["WebSockets", number(metrics.exchange_websocket_connections ?? 0)],
    ["HTTP connections", number(metrics.exchange_http_connections ?? 0)],
    ["Sequence gaps", number(metrics.exchange_sequence_gaps ?? 0), !metrics.exchange_sequence_gaps],
    ["Up for", `${number(ready.uptime_seconds)} s`],
  ];
  return html`<div class="problem" role="alert">${problem}</div>
    <div class="tiles" data-part="health">${tiles.map(([name, value, good]) => html`<div class="tile" key=${name}>${name}
      <strong class=${good === undefined ? "" : good ? "good" : "bad"}>${value}</strong></div>`)}</div>`;
}
