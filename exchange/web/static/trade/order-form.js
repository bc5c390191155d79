// Where orders are made: fields, a share of the balance, what it costs, and what is wrong with it.

import { html, useEffect, useRef, useState } from "../shared/html.js";
import { useStore } from "../shared/store.js";
import { post } from "../shared/api.js";
import { divide, grouped, isDecimal, isZero, multiply, scaleOf, toStep, trim } from "../shared/decimal.js";
import { account, current, lastPrice, market, onPick } from "./state.js";
import { take } from "./feeds.js";
import { preview } from "./preview.js";

const KINDS = [
  ["limit", "Limit"], ["post_only", "Limit, post only"], ["ioc", "Limit, immediate or cancel"],
  ["fok", "Limit, fill or kill"], ["market", "Market"],
];

const SCALE = 8; // Of a currency that is not known yet.

const newId = () => Array.from(crypto.getRandomValues(new Uint8Array(12)), (b) => b.toString(16).padStart(2, "0")).join("");

// Return the request: what the API documents under POST /orders.
function request(rules, { side, kind, price, amount }) {
  const base = { market: rules.symbol, side };
  if (kind === "market") return { ...base, type: "market", [side === "buy" ? "quote_quantity" : "quantity"]: amount };
  const more = kind === "post_only" ? { post_only: true } : kind === "limit" ? {} : { time_in_force: kind };
  return { ...base, type: "limit", price, quantity: amount, ...more };
}

// The second click of a double click is no second order.
const once = (event) => event.detail > 1 && event.preventDefault();

// Return how much a share (0 to 100) of the balance buys or sells; "" where that cannot be told.
function share(percent, rules, { side, kind, price }, balances, currencies) {
  const available = balances.get(side === "buy" ? rules.quote : rules.base)?.available;
  if (!available) return "";
  const part = divide(multiply(available, String(percent)), "100", scaleOf(available));
  if (side === "sell") return toStep(part, rules.lot_size);
  if (kind === "market") return trim(part);
  if (!isDecimal(price) || isZero(price)) return "";
  return toStep(divide(part, price, scaleOf(rules.lot_size) + 2), rules.lot_size);
}

function Field({ label, unit, name, value, problem, onInput, readOnly }) {
  const wrong = problem?.field === name;
  return html`<label class="field"><span><span>${label}</span><span>${unit}</span></span>
    <input name=${name} inputmode="decimal" autocomplete="off" value=${value} required readonly=${readOnly}
      aria-invalid=${wrong ? "true" : "false"} aria-describedby=${wrong ? `problem-${name}` : undefined} onInput=${(e) => onInput(e.target.value)} /></label>
    ${wrong && html`<p class="problem" id=${`problem-${name}`} role="alert">${problem.message}</p>`}`;
}

function Preview({ rules, order }) {
  const { book, currencies } = useStore(market);
  const found = preview(rules, order, book, (currency) => currencies.get(currency)?.scale ?? SCALE);
  if (found === null) return html`<dl class="preview dim"><dt>Cost</dt><dd>-</dd><dt>Fee</dt><dd>-</dd></dl>`;
  return html`<dl class="preview"><dt>${order.side === "buy" ? "Cost" : "Proceeds"}</dt>
    <dd data-test="cost">${found.short ? "more than the book holds" : `${grouped(found.notional)} ${rules.quote}`}</dd>
    <dt>Fee, about</dt><dd data-test="fee">${found.fee} ${found.feeCurrency}</dd></dl>`;
}

export function OrderForm({ onSignIn }) {
  const { symbol } = useStore(market);
  const { session, balances } = useStore(account);
  const [kind, setKind] = useState("limit");
  const [side, setSide] = useState("buy");
  const [price, setPrice] = useState("");
  const [amount, setAmount] = useState("");
  const [percent, setPercent] = useState(0);
  const [problem, setProblem] = useState(null);
  const [said, setSaid] = useState("");
  const [busy, setBusy] = useState(false);
  const attempt = useRef({ content: "", id: "" });
  const rules = current();
  // What is typed is no share of the balance any more.
  const setQuantity = (text) => {
    setAmount(text);
    setPercent(0);
  };

  useEffect(() => {
    setPrice("");
    setQuantity("");
    setProblem(null);
    setSaid("");
  }, [symbol]);
  useEffect(() => onPick(({ side: taken, level }) => {
    setSide(taken);
    setPrice(level.price);
    setQuantity(level.total);
    setProblem(null);
    setKind((now) => (now === "market" ? "limit" : now));
  }), []);

  if (!rules) return html`<section class="panel form" aria-label="New order"></section>`;
  const order = { side, kind, price: price.trim(), amount: amount.trim() };
  const spends = kind === "market" && side === "buy";
  const slide = (value) => {
    // A share of money buys nothing without a price: the last one is a beginning.
    const at = order.price || kind === "market" ? order.price : lastPrice() ?? "";
    setPrice(at);
    setAmount(share(value, rules, { ...order, price: at }, balances));
    setPercent(value);
  };
  const choose = (chosen) => {
    setSide(chosen);
    setProblem(null);
    if (kind === "market") setQuantity("");
  };
  const chooseKind = (chosen) => {
    setKind(chosen);
    setProblem(null);
    // A market buy spends money, and the others count what is bought.
    if (side === "buy" && (kind === "market") !== (chosen === "market")) setQuantity("");
  };
  const submit = async (event) => {
    event.preventDefault();
    const form = request(rules, order);
    const content = JSON.stringify(form);
    // The same order again after a failure has the same id, so that it is never placed twice.
    if (attempt.current.content !== content) attempt.current = { content, id: newId() };
    setBusy(true);
    setProblem(null);
    setSaid("");
    try {
      const placed = await post("/orders", { ...form, client_order_id: attempt.current.id });
      take(placed);
      account.touch();
      setSaid(`Order ${placed.id}: ${placed.status.replace("_", " ")}${placed.reason ? ` (${placed.reason})` : ""}, filled ${placed.filled_quantity}.`);
      attempt.current = { content: "", id: "" };
    } catch (refusal) {
      setProblem(refusal);
      if (refusal.field) event.target.elements[refusal.field]?.focus();
      // Refused, so nothing was done: another attempt is a new order.
      if (refusal.status >= 400 && refusal.status < 500) attempt.current = { content: "", id: "" };
    }
    setBusy(false);
  };
  const own = balances.get(side === "buy" ? rules.quote : rules.base);
  const name = spends ? "quote_quantity" : "quantity";
  const shown = problem && problem.field === "notional" ? { message: problem.message, field: name } : problem;
  const placed = ["price", "quantity", "quote_quantity"].includes(shown?.field) && !(kind === "market" && shown.field === "price");
  return html`<section class="panel form" aria-label="New order">
    <header role="group" aria-label="Side">
      <button class="small" aria-pressed=${side === "buy"} onClick=${() => choose("buy")}>Buy</button>
      <button class="small" aria-pressed=${side === "sell"} onClick=${() => choose("sell")}>Sell</button>
    </header>
    <form class="body scroll" onSubmit=${submit} noValidate>
      <label class="field"><span>Kind of order</span>
        <select name="kind" value=${kind} onChange=${(e) => chooseKind(e.target.value)}>
          ${KINDS.map(([value, text]) => html`<option value=${value}>${text}</option>`)}</select></label>
      ${kind !== "market" && html`<${Field} label="Price" unit=${rules.quote} name="price" value=${price} problem=${shown} onInput=${setPrice} />`}
      <${Field} label=${spends ? "Spend" : "Quantity"} unit=${spends ? rules.quote : rules.base} name=${name} value=${amount} problem=${shown} onInput=${setQuantity} />
      <label class="field"><span><span>Share of the balance</span><span>${percent} %</span></span>
        <input type="range" min="0" max="100" step="5" name="share" value=${percent} disabled=${!own} onInput=${(e) => slide(Number(e.target.value))} /></label>
      <p class="dim available">Available: ${own ? `${grouped(own.available)} ${own.currency}` : "-"}</p>
      <${Preview} rules=${rules} order=${order} />
      ${session ? html`<button type="submit" class=${`place ${side}-side`} disabled=${busy} onClick=${once}>${side === "buy" ? "Buy" : "Sell"} ${rules.base}</button>`
        : html`<button type="button" class="primary" onClick=${onSignIn}>Sign in to trade</button>`}
      ${problem && !placed && html`<p class="problem" role="alert" data-test="form-problem">${problem.message}</p>`}
      <p role="status" data-test="said">${said}</p>
    </form>
  </section>`;
}
