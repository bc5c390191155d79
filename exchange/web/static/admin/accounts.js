// Accounts: list, open, freeze, money in and out, tokens.

import { patch, post, remove } from "../shared/api.js";
import { html, useState } from "../shared/html.js";
import { Confirm, Form } from "./form.js";
import { List, time, useList } from "./table.js";

const HOUSE = 3; // The outside world, the fees and the first admin.

export function Accounts() {
  const list = useList("/admin/accounts");
  const [chosen, setChosen] = useState(null);
  const [freezing, setFreezing] = useState(null);
  const columns = [
    { name: "Id", kind: "number", show: (a) => a.id },
    { name: "Name", kind: "wide", show: (a) => a.name },
    { name: "State", show: (a) => (a.frozen ? html`<span class="bad">frozen</span>` : "open") },
    { name: "Since (UTC)", show: (a) => time(a.created_at) },
    { name: "", show: (a) => html`<div class="row"><button class="small" onClick=${() => setChosen(a)}>Money and tokens</button>
      ${a.id > HOUSE && html`<button class="small" onClick=${() => setFreezing(a)}>${a.frozen ? "Thaw" : "Freeze"}</button>`}</div>` },
  ];
  const open = async (form) => {
    const made = await post("/admin/accounts", form);
    list.again();
    setChosen(made);
    return `${made.name} has account ${made.id}.`;
  };
  const freeze = async () => {
    await patch(`/admin/accounts/${freezing.id}`, { frozen: !freezing.frozen });
    list.again();
  };
  return html`<div class="columns">
    <div><${List} title="Accounts" list=${list} columns=${columns} rowKey=${(a) => a.id} />
      ${chosen && html`<${Tokens} key=${chosen.id} account=${chosen} />`}</div>
    <div><${Form} title="Open an account" send=${open} fields=${[{ name: "name", label: "Name", required: true }]} />
      ${chosen && html`<${Money} key=${chosen.id} account=${chosen} />`}</div>
    ${freezing && html`<${Confirm} title=${`${freezing.frozen ? "Thaw" : "Freeze"} account ${freezing.id}, ${freezing.name}`}
      text=${freezing.frozen ? "It can trade again." : "It can cancel and read, no more. Its open orders stay."}
      action=${freezing.frozen ? "Thaw it" : "Freeze it"} send=${freeze} onClose=${() => setFreezing(null)} />`}
  </div>`;
}

function Money({ account }) {
  const send = async ({ way, ...form }) => {
    const made = await post(`/admin/accounts/${account.id}/${way}`, form);
    return `${made.amount} ${made.currency} under ${made.reference}.`;
  };
  return html`<${Form} title=${`Money of account ${account.id}`} action="Move money" send=${send}
    hint="With one reference money moves once, however often it is sent." fields=${[
    { name: "way", label: "Way", required: true, value: "deposits",
      options: [{ value: "deposits", label: "Deposit" }, { value: "withdrawals", label: "Withdrawal" }] },
    { name: "currency", label: "Currency", required: true, example: "USDT" },
    { name: "amount", label: "Amount", required: true, example: "100.50" },
    { name: "reference", label: "Reference", required: true, example: "wire 4711" },
  ]} />`;
}

function Tokens({ account }) {
  const list = useList(`/admin/accounts/${account.id}/tokens`);
  const [issued, setIssued] = useState(null);
  const [revoking, setRevoking] = useState(null);
  const [problem, setProblem] = useState("");
  const issue = async (event) => {
    event.preventDefault();
    const form = new FormData(event.target);
    setProblem("");
    try {
      const label = form.get("label");
      setIssued(await post(`/admin/accounts/${account.id}/tokens`, { scopes: form.getAll("scopes"), ...(label && { label }) }));
      list.again();
    } catch (refusal) {
      setProblem(refusal.message);
    }
  };
  const columns = [
    { name: "Id", kind: "number", show: (t) => t.id },
    { name: "Scopes", show: (t) => t.scopes.join(", ") },
    { name: "Label", kind: "wide", show: (t) => t.label ?? "" },
    { name: "Since (UTC)", show: (t) => time(t.created_at) },
    { name: "", show: (t) => (t.revoked_at ? html`<span class="dim">revoked ${time(t.revoked_at)}</span>`
      : html`<button class="small" onClick=${() => setRevoking(t)}>Revoke</button>`) },
  ];
  return html`<${List} title=${`Tokens of account ${account.id}`} list=${list} columns=${columns} rowKey=${(t) => t.id} />
    <section class="panel" aria-label="Issue a token"><header><h2>Issue a token</h2></header>
      <form class="body" onSubmit=${issue}>
        <fieldset><legend>Scopes</legend>${["read", "trade", "admin"].map((scope) => html`<label>
          <input type="checkbox" name="scopes" value=${scope} defaultChecked=${scope !== "admin"} />${scope}</label>`)}</fieldset>
        <label class="field"><span>Label<span>optional</span></span><input name="label" autocomplete="off" /></label>
        <div class="problem" role="alert">${problem}</div>
        ${issued && html`<div role="status"><p>Token ${issued.id}, shown this once:</p>
          <p class="secret" data-part="token">${issued.token}</p>
          <button type="button" onClick=${() => navigator.clipboard?.writeText(issued.token)}>Copy</button></div>`}
        <button class="primary" type="submit">Issue a token</button>
      </form></section>
    ${revoking && html`<${Confirm} title=${`Revoke token ${revoking.id}`} action="Revoke it" onClose=${() => setRevoking(null)}
      text="At once and for ever; its connections are closed."
      send=${async () => { await remove(`/admin/tokens/${revoking.id}`); list.again(); }} />`}`;
}
