// Everybody's orders: look at them, and cancel those of a market or an account.

import { query, remove } from "../shared/api.js";
import { html, useState } from "../shared/html.js";
import { Confirm } from "./form.js";
import { List, time, useList } from "./table.js";

const COLUMNS = [
  { name: "Id", kind: "number", show: (o) => o.id },
  { name: "Time (UTC)", show: (o) => time(o.created_at) },
  { name: "Account", kind: "number", show: (o) => o.account_id },
  { name: "Market", show: (o) => o.market },
  { name: "Side", show: (o) => html`<span class=${o.side}>${o.side}</span>` },
  { name: "Type", show: (o) => o.type },
  { name: "Price", kind: "number", show: (o) => o.price ?? "" },
  { name: "Quantity", kind: "number", show: (o) => o.quantity ?? o.quote_quantity },
  { name: "Filled", kind: "number", show: (o) => o.filled_quantity },
  { name: "Status", show: (o) => (o.reason ? `${o.status}, ${o.reason}` : o.status) },
];

export function Orders() {
  const [filter, setFilter] = useState({ status: "open", market: "", account_id: "" });
  const [canceling, setCanceling] = useState(false);
  const list = useList("/admin/orders", filter);
  // Not told its value: a list that arrives while somebody types must not take the text away.
  const field = (name, label) => html`<label>${label} <input name=${name} size="10" defaultValue=${filter[name]}
    onChange=${(event) => setFilter({ ...filter, [name]: event.target.value.trim() })} /></label>`;
  const whose = [filter.market && `in ${filter.market}`, filter.account_id && `of account ${filter.account_id}`].filter(Boolean).join(" ");
  const cancel = async () => {
    await remove(`/admin/orders${query({ market: filter.market, account_id: filter.account_id })}`);
    list.again();
  };
  const tools = html`<div class="row">
    <label>Status <select value=${filter.status} onChange=${(event) => setFilter({ ...filter, status: event.target.value })}>
      ${["open", "closed", "all"].map((s) => html`<option>${s}</option>`)}</select></label>
    ${field("market", "Market")} ${field("account_id", "Account")}
    <button class="small" onClick=${() => setCanceling(true)}>Cancel open orders ${whose || "of everybody"}</button></div>`;
  return html`<${List} title="Orders" list=${list} columns=${COLUMNS} rowKey=${(o) => o.id} tools=${tools} />
    ${canceling && html`<${Confirm} title=${`Cancel all open orders ${whose}`} action="Cancel them"
      text=${whose ? "Their owners see them canceled by an admin." : "All open orders of everybody, in all markets."}
      typed=${whose ? null : "everybody"} send=${cancel} onClose=${() => setCanceling(false)} />`}`;
}
