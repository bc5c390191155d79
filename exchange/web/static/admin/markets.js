// Markets: list, open, change rules and states, and the trades of one.

import { patch, post } from "../shared/api.js";
import { html, useState } from "../shared/html.js";
import { Confirm, Form } from "./form.js";
import { List, useList } from "./table.js";
import { TradesOf } from "./trades.js";

const STATES = {
  active: "All orders are taken.",
  post_only: "Only post-only limit orders are taken, none of which trades: for a launch.",
  cancel_only: "Orders can be canceled and no more: a halt.",
  suspended: "Orders can be looked at and no more, not even canceled.",
  delisted: "All open orders are canceled, and the market never opens again.",
};

const RULES = [
  { name: "min_quantity", label: "Smallest quantity" },
  { name: "max_quantity", label: "Largest quantity" },
  { name: "min_notional", label: "Least worth of an order" },
  { name: "price_band", label: "Price band, 0.1 is 10 %" },
  { name: "maker_fee", label: "Maker fee, 0.001 is 0.1 %" },
  { name: "taker_fee", label: "Taker fee" },
];

export function Markets() {
  const list = useList("/admin/markets");
  const [chosen, setChosen] = useState(null);
  const [change, setChange] = useState(null);
  const columns = [
    { name: "Market", show: (m) => m.symbol },
    { name: "State", show: (m) => html`<${States} market=${m} choose=${(state) => setChange({ market: m, state })} />` },
    { name: "Tick", kind: "number", show: (m) => m.tick_size },
    { name: "Lot", kind: "number", show: (m) => m.lot_size },
    { name: "Least worth", kind: "number", show: (m) => m.min_notional },
    { name: "Band", kind: "number", show: (m) => m.price_band ?? "none" },
    { name: "Maker fee", kind: "number", show: (m) => m.maker_fee },
    { name: "Taker fee", kind: "number", show: (m) => m.taker_fee },
    { name: "", show: (m) => html`<button class="small" onClick=${() => setChosen(m)}>Rules and trades</button>` },
  ];
  const create = async (form) => {
    const made = await post("/admin/markets", form);
    list.again();
    return `${made.symbol} is ${made.state}.`;
  };
  return html`<div class="columns">
    <div><${List} title="Markets" list=${list} columns=${columns} rowKey=${(m) => m.symbol} />
      ${chosen && html`<${TradesOf} key=${chosen.symbol} symbol=${chosen.symbol} />`}</div>
    <div>${chosen && html`<${Rules} key=${chosen.symbol} market=${chosen} done=${list.again} />`}
      <${Form} title="Open a market" hint="It trades at once, without a restart. One tick times one lot must be whole in the quote currency."
        send=${create} fields=${[
    { name: "base", label: "Base currency", required: true, example: "BTC" },
    { name: "quote", label: "Quote currency", required: true, example: "USDT" },
    { name: "tick_size", label: "Smallest step of the price", required: true, example: "0.01" },
    { name: "lot_size", label: "Smallest step of the quantity", required: true, example: "0.0001" },
    ...RULES,
    { name: "state", label: "State", options: ["active", "post_only", "cancel_only", "suspended"], value: "active" },
  ]} /></div>
    ${change && html`<${ChangeState} ...${change} done=${list.again} onClose=${() => setChange(null)} />`}
  </div>`;
}

function States({ market, choose }) {
  if (market.state === "delisted") return html`<span class="bad">delisted</span>`;
  return html`<select aria-label=${`State of ${market.symbol}`} value=${market.state}
    onChange=${(event) => { const state = event.target.value; event.target.value = market.state; choose(state); }}>
    ${Object.keys(STATES).map((s) => html`<option value=${s} selected=${s === market.state}>${s}</option>`)}</select>`;
}

function ChangeState({ market, state, done, onClose }) {
  const send = async () => {
    await patch(`/admin/markets/${market.symbol}`, { state });
    done();
  };
  return html`<${Confirm} title=${`${market.symbol}: ${market.state} to ${state}`} text=${STATES[state]}
    typed=${state === "delisted" ? market.symbol : null} action=${`Make ${market.symbol} ${state}`} send=${send} onClose=${onClose} />`;
}

function Rules({ market, done }) {
  const send = async (form) => {
    const given = Object.fromEntries(Object.entries(form).map(([n, v]) => [n, n === "price_band" && v === "none" ? null : v]));
    const changed = Object.fromEntries(Object.entries(given).filter(([n, v]) => v !== market[n]));
    await patch(`/admin/markets/${market.symbol}`, changed);
    Object.assign(market, changed);
    done();
    return `${market.symbol} has its new rules.`;
  };
  const fields = RULES.map((f) => ({ ...f, value: market[f.name] ?? "none" }));
  return html`<${Form} title=${`Rules of ${market.symbol}`} action="Change the rules" reset=${false}
    hint="For orders from now on; those that rest stay. A price band of none is no band." send=${send} fields=${fields} />`;
}
