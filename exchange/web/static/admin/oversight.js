// The audit log, and the proof that no money appeared or vanished.

import { get } from "../shared/api.js";
import { html, useEffect, useState } from "../shared/html.js";
import { List, time, useList } from "./table.js";

const shown = (value) => (value === null ? "" : JSON.stringify(value));

const COLUMNS = [
  { name: "Id", kind: "number", show: (l) => l.id },
  { name: "Time (UTC)", show: (l) => time(l.time) },
  { name: "Who", show: (l) => `account ${l.account_id}${l.token_id ? `, token ${l.token_id}` : ""}` },
  { name: "What", show: (l) => l.action },
  { name: "Of", show: (l) => l.subject },
  { name: "Before", kind: "wide", show: (l) => shown(l.before) },
  { name: "After", kind: "wide", show: (l) => shown(l.after) },
];

export function Audit() {
  const list = useList("/admin/audit");
  return html`<${List} title="Audit log" list=${list} columns=${COLUMNS} rowKey=${(l) => l.id} />`;
}

const isZero = (text) => /^-?0(\.0+)?$/.test(text);

export function Proof() {
  const [proof, setProof] = useState(null);
  const [problem, setProblem] = useState("");
  const look = async () => {
    try {
      setProof(await get("/admin/proof"));
      setProblem("");
    } catch (refusal) {
      setProblem(refusal.message);
    }
  };
  useEffect(() => { look(); }, []);
  const right = proof?.currencies.every((line) => isZero(line.sum));
  return html`<section class="panel" aria-label="Proof"><header><h2>Proof</h2>
      ${proof && html`<span class=${right ? "good" : "bad"} role="status" data-part="verdict">
        ${right ? "Every sum is zero: no money appeared or vanished." : "A sum is not zero: stop and look."}</span>`}
      <button class="small" onClick=${look}>Sum up again</button></header>
    <div class="problem" role="alert">${problem}</div>
    <div class="scroll" tabindex="0" role="region" aria-label="Sums by currency"><table>
      <thead><tr><th>Currency</th><th class="number">Customers</th><th class="number">Fees</th>
        <th class="number">Outside</th><th class="number">Sum</th><th>Verdict</th></tr></thead>
      <tbody>${proof?.currencies.map((line) => html`<tr key=${line.currency}><td>${line.currency}</td><td class="number">${line.customers}</td>
        <td class="number">${line.fees}</td><td class="number">${line.outside}</td><td class="number">${line.sum}</td>
        <td>${isZero(line.sum) ? html`<span class="good">right</span>` : html`<span class="bad">wrong</span>`}</td></tr>`)}</tbody></table></div>
    <div class="scroll" tabindex="0" role="region" aria-label="Sequences by market"><table>
      <thead><tr><th>Market</th><th class="number">Sequence</th></tr></thead>
      <tbody>${proof?.markets.map((m) => html`<tr key=${m.market}><td>${m.market}</td><td class="number">${m.sequence}</td></tr>`)}</tbody></table></div>
  </section>`;
}
