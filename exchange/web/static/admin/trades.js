// The trades of a market, newest first.

import { html, useState } from "../shared/html.js";
import { List, time, useList } from "./table.js";

const COLUMNS = [
  { name: "Id", kind: "number", show: (t) => t.id },
  { name: "Time (UTC)", show: (t) => time(t.time) },
  { name: "Taker", show: (t) => html`<span class=${t.taker_side}>${t.taker_side}</span>` },
  { name: "Price", kind: "number", show: (t) => t.price },
  { name: "Quantity", kind: "number", show: (t) => t.quantity },
];

export function TradesOf({ symbol, tools }) {
  const list = useList(`/markets/${symbol}/trades`);
  return html`<${List} title=${`Trades of ${symbol}`} list=${list} columns=${COLUMNS} rowKey=${(t) => t.id} tools=${tools} />`;
}

export function Trades() {
  const markets = useList("/admin/markets", {}, 1000);
  const [wanted, setWanted] = useState(null);
  const symbols = markets.items.map((market) => market.symbol);
  const symbol = wanted ?? symbols[0];
  const choice = html`<label>Market <select name="market" value=${symbol} onChange=${(event) => setWanted(event.target.value)}>
    ${symbols.map((each) => html`<option key=${each}>${each}</option>`)}</select></label>`;
  return symbol === undefined ? html`<p class="dim">${markets.problem || "No market."}</p>`
    : html`<${TradesOf} symbol=${symbol} tools=${choice} />`;
}
