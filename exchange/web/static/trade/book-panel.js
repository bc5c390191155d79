// The order book: a fixed number of rows, reused; prices can be grouped; a click fills the form.

import { html, useState } from "../shared/html.js";
import { useStore } from "../shared/store.js";
import { add, compare, decimal, grouped, scaleOf, subtract, toStep, units } from "../shared/decimal.js";
import { current, lastPrice, market, pick } from "./state.js";

const ROWS = 11; // Of each side.
const STEPS = [1n, 5n, 10n, 50n, 100n, 500n, 1000n];

// Return up to `count` levels {price, quantity, total, depth}, levels within a step summed.
export function levelsOf(side, step, up, count) {
  const levels = [];
  for (const { price, quantity } of side) {
    const place = step ? toStep(price, step, up) : price;
    const last = levels.at(-1);
    if (last?.price === place) {
      last.quantity = add(last.quantity, quantity);
    } else {
      if (levels.length === count) break;
      levels.push({ price: place, quantity });
    }
  }
  let total = null;
  for (const level of levels) {
    total = total === null ? level.quantity : add(total, level.quantity);
    level.total = total;
  }
  const most = levels.length ? Number(total) : 1;
  for (const level of levels) level.depth = `${Math.round((100 * Number(level.total)) / most)}%`;
  return levels;
}

function Row({ level, side }) {
  const name = side === "buy" ? "Bid" : "Ask";
  const label = level && `${name} ${level.price}, quantity ${level.quantity}, up to here ${level.total}`;
  // Who takes a bid sells to it.
  const taker = side === "buy" ? "sell" : "buy";
  return html`<button class=${`level ${side}-level`} style=${{ "--depth": level?.depth ?? "0%" }} disabled=${!level}
      aria-label=${label ?? "empty"} onClick=${() => level && pick({ side: taker, level })}>
    <span class=${`number ${side}`}>${level ? grouped(level.price) : ""}</span>
    <span class="number">${level?.quantity ?? ""}</span><span class="number dim">${level?.total ?? ""}</span>
  </button>`;
}

export function BookPanel() {
  const { book } = useStore(market);
  const [times, setTimes] = useState("1");
  const rules = current();
  const scale = rules ? scaleOf(rules.tick_size) : 0;
  const stepOf = (n) => decimal(units(rules.tick_size, scale) * n, scale);
  const step = rules && times !== "1" ? stepOf(BigInt(times)) : null;
  const bids = levelsOf(book.bids, step, false, ROWS);
  const asks = levelsOf(book.asks, step, true, ROWS);
  const rows = Array.from({ length: ROWS }, (_, n) => n);
  const spread = book.bids.length && book.asks.length ? subtract(book.asks[0].price, book.bids[0].price) : null;
  const last = lastPrice();
  const rising = last !== null && book.asks.length && compare(last, book.asks[0].price) >= 0;
  return html`<section class="panel book" aria-label="Order book">
    <header><h2>Order book</h2><label class="push row"><span class="dim">Group</span>
      <select class="group" value=${times} onChange=${(e) => setTimes(e.target.value)}>
        ${rules && STEPS.map((n) => html`<option value=${String(n)}>${stepOf(n)}</option>`)}</select></label></header>
    <div class="levels head dim"><span class="number">Price</span><span class="number">Quantity</span><span class="number">Total</span></div>
    <div class="levels" data-test="asks">${rows.map((n) => html`<${Row} key=${n} side="sell" level=${asks[ROWS - 1 - n]} />`)}</div>
    <div class="spread"><strong class=${rising ? "buy" : ""}>${last === null ? "no trade yet" : grouped(last)}</strong>
      <span class="dim">spread ${spread ?? "none"}</span></div>
    <div class="levels" data-test="bids">${rows.map((n) => html`<${Row} key=${n} side="buy" level=${bids[n]} />`)}</div>
  </section>`;
}
