// The account: open orders with cancel and amend, order history, fills, balances.

import { when } from "../shared/clock.js";
import { html, useEffect, useRef, useState } from "../shared/html.js";
import { useStore } from "../shared/store.js";
import { patch, remove } from "../shared/api.js";
import { grouped, isZero } from "../shared/decimal.js";
import { account } from "./state.js";
import { take } from "./feeds.js";

const TABS = [["open", "Open orders"], ["history", "Order history"], ["fills", "Fills"], ["balances", "Balances"]];
const SHOWN = 100;

const pair = (symbol) => symbol.replace("_", "/");

async function keep(call) {
  take(await call);
  account.touch();
}

function Amend({ order, onClose }) {
  const [price, setPrice] = useState(order.price);
  const [quantity, setQuantity] = useState(order.quantity);
  const [problem, setProblem] = useState(null);
  const form = useRef(null);
  useEffect(() => {
    const before = document.activeElement;
    form.current.elements.amend_price.focus();
    form.current.elements.amend_price.select();
    return () => before.isConnected && before.focus();
  }, []);
  const submit = async (event) => {
    event.preventDefault();
    const changes = {};
    if (price !== order.price) changes.price = price;
    if (quantity !== order.quantity) changes.quantity = quantity;
    try {
      if (Object.keys(changes).length) await keep(patch(`/orders/${order.id}`, changes));
      onClose();
    } catch (refusal) {
      setProblem(refusal);
      form.current?.elements[`amend_${refusal.field}`]?.focus();
    }
  };
  const marks = (field) => ({
    name: `amend_${field}`, inputmode: "decimal", autocomplete: "off",
    "aria-invalid": problem?.field === field ? "true" : "false",
    "aria-describedby": problem?.field === field ? `problem-of-${order.id}` : undefined,
  });
  return html`<tr class="amend"><td colspan="9"><form class="row" ref=${form} onSubmit=${submit} noValidate
      aria-label=${`Amend order ${order.id}`} onKeyDown=${(e) => e.key === "Escape" && onClose()}>
    <label>Price <input ...${marks("price")} value=${price} onInput=${(e) => setPrice(e.target.value.trim())} /></label>
    <label>Quantity <input ...${marks("quantity")} value=${quantity} onInput=${(e) => setQuantity(e.target.value.trim())} /></label>
    <button class="primary small" type="submit">Amend</button><button class="small" type="button" onClick=${onClose}>Leave as it is</button>
    ${problem && html`<span class="problem" id=${`problem-of-${order.id}`} role="alert">${problem.message}</span>`}</form></td></tr>`;
}

function Open({ orders }) {
  const [amended, setAmended] = useState(null);
  const [problem, setProblem] = useState(null);
  const cancel = async (order) => {
    setProblem(null);
    try {
      await keep(remove(`/orders/${order.id}`));
    } catch (refusal) {
      setProblem(`Order ${order.id}: ${refusal.message}`);
    }
  };
  return html`${problem && html`<p class="problem" role="alert">${problem}</p>`}
    <table data-test="open"><thead><tr><th>Order</th><th>Market</th><th>Side</th><th>Type</th><th class="number">Price</th>
      <th class="number">Quantity</th><th class="number">Filled</th><th>Time</th><th><span class="hidden-label">Actions</span></th></tr></thead>
    <tbody>${orders.slice(0, SHOWN).map((order) => html`<tr key=${order.id} data-order=${order.id}>
        <td>${order.id}</td><td>${pair(order.market)}</td><td class=${order.side}>${order.side}</td>
        <td>${order.type.replace("_", " ")}${order.post_only ? ", post only" : ""}</td>
        <td class="number">${order.price ?? order.stop_price}</td><td class="number">${order.quantity}</td><td class="number">${order.filled_quantity}</td>
        <td class="dim">${when(order.created_at)}</td>
        <td class="row"><button class="small" aria-label=${`Amend order ${order.id}`} onClick=${() => setAmended(order.id)}>Amend</button>
          <button class="small" aria-label=${`Cancel order ${order.id}`} onClick=${() => cancel(order)}>Cancel</button></td></tr>
      ${amended === order.id && html`<${Amend} key=${`amend-${order.id}`} order=${order} onClose=${() => setAmended(null)} />`}`)}</tbody></table>
    ${orders.length > SHOWN && html`<p class="dim empty">${orders.length - SHOWN} more are open.</p>`}`;
}

const History = ({ orders }) => html`<table data-test="history"><thead><tr><th>Order</th><th>Market</th><th>Side</th><th>Type</th>
    <th class="number">Price</th><th class="number">Filled</th><th class="number">Average</th><th>Status</th><th>Time</th></tr></thead>
  <tbody>${orders.slice(0, SHOWN).map((order) => html`<tr key=${order.id} data-order=${order.id}><td>${order.id}</td><td>${pair(order.market)}</td>
    <td class=${order.side}>${order.side}</td><td>${order.type.replace("_", " ")}</td><td class="number">${order.price ?? ""}</td>
    <td class="number">${order.filled_quantity}</td><td class="number">${order.average_price ?? ""}</td>
    <td>${order.status.replace("_", " ")}${order.reason ? ` (${order.reason.replace("_", " ")})` : ""}</td><td class="dim">${when(order.closed_at ?? order.updated_at)}</td></tr>`)}</tbody></table>`;

const Fills = ({ fills }) => html`<table data-test="fills"><thead><tr><th>Market</th><th>Side</th><th class="number">Price</th>
    <th class="number">Quantity</th><th class="number">Fee</th><th>Liquidity</th><th>Time</th></tr></thead>
  <tbody>${fills.slice(0, SHOWN).map((fill, n) => html`<tr key=${n}><td>${pair(fill.market)}</td><td class=${fill.side}>${fill.side}</td>
    <td class="number">${grouped(fill.price)}</td><td class="number">${fill.quantity}</td><td class="number">${fill.fee} ${fill.fee_currency}</td>
    <td>${fill.liquidity}</td><td class="dim">${when(fill.time)}</td></tr>`)}</tbody></table>`;

const Balances = ({ balances }) => html`<table data-test="balances"><thead><tr><th>Currency</th><th class="number">Available</th>
    <th class="number">Locked</th><th class="number">Total</th></tr></thead>
  <tbody>${balances.map((each) => html`<tr key=${each.currency} data-currency=${each.currency}><td>${each.currency}</td><td class="number">${grouped(each.available)}</td>
    <td class="number">${grouped(each.locked)}</td><td class="number">${grouped(each.total)}</td></tr>`)}</tbody></table>`;

export function Orders() {
  const { session, orders, fills, balances } = useStore(account);
  const [tab, setTab] = useState("open");
  const sorted = [...orders.values()].sort((a, b) => b.id - a.id);
  const open = sorted.filter((order) => order.closed_at === null);
  const owned = [...balances.values()].filter((each) => !isZero(each.total)).sort((a, b) => (a.currency < b.currency ? -1 : 1));
  return html`<section class="panel orders" aria-label="Account">
    <header role="group" aria-label="What to show">${TABS.map(([name, text]) => html`<button class="small" aria-pressed=${tab === name} onClick=${() => setTab(name)}>
      ${text}${name === "open" && open.length ? ` (${open.length})` : ""}</button>`)}</header>
    <div class="scroll" tabindex="0" role="region" aria-label=${TABS.find(([name]) => name === tab)[1]}>
      ${!session ? html`<p class="dim empty">Sign in to see orders, fills and balances.</p>`
        : tab === "open" ? html`<${Open} orders=${open} />`
        : tab === "history" ? html`<${History} orders=${sorted.filter((order) => order.closed_at !== null)} />`
        : tab === "fills" ? html`<${Fills} fills=${fills} />` : html`<${Balances} balances=${owned} />`}
    </div>
  </section>`;
}
