// The last trades, newest first: a fixed number of rows, reused.

import { clock } from "../shared/clock.js";
import { html } from "../shared/html.js";
import { useStore } from "../shared/store.js";
import { grouped } from "../shared/decimal.js";
import { market } from "./state.js";

const ROWS = 24;

export function Tape() {
  const { tape } = useStore(market);
  const shown = tape.slice(0, ROWS);
  return html`<section class="panel tape" aria-label="Trades">
    <header><h2>Trades</h2></header>
    <div class="scroll" tabindex="0" role="region" aria-label="Last trades"><table>
      <thead><tr><th class="number">Price</th><th class="number">Quantity</th><th class="number">Time</th></tr></thead>
      <tbody data-test="tape">${shown.map((trade, n) => html`<tr key=${n}>
        <td class=${`number ${trade.taker_side}`}>${grouped(trade.price)}</td>
        <td class="number">${trade.quantity}</td><td class="number dim">${clock(trade.time)}</td></tr>`)}</tbody>
    </table>${shown.length === 0 && html`<p class="dim empty">No trade yet.</p>`}</div>
  </section>`;
}
