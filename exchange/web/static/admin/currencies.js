// Currencies: list, make, rename.

import { patch, post } from "../shared/api.js";
import { html } from "../shared/html.js";
import { Form } from "./form.js";
import { List, useList } from "./table.js";

const COLUMNS = [
  { name: "Symbol", show: (c) => c.symbol },
  { name: "Name", show: (c) => c.name },
  { name: "Decimal places", kind: "number", show: (c) => c.scale },
];

export function Currencies() {
  const list = useList("/admin/currencies");
  const create = async ({ scale, ...form }) => {
    const made = await post("/admin/currencies", { ...form, ...(scale && { scale: Number(scale) }) });
    list.again();
    return `${made.symbol} is there.`;
  };
  const rename = async ({ symbol = "", ...form }) => {
    const made = await patch(`/admin/currencies/${encodeURIComponent(symbol)}`, form);
    list.again();
    return `${made.symbol} is called ${made.name}.`;
  };
  return html`<div class="columns">
    <${List} title="Currencies" list=${list} columns=${COLUMNS} rowKey=${(c) => c.symbol} />
    <div><${Form} title="Make a currency" hint="The number of decimal places is for ever." send=${create} fields=${[
      { name: "symbol", label: "Symbol", required: true, example: "BTC" },
      { name: "name", label: "Name", required: true, example: "Bitcoin" },
      { name: "scale", label: "Decimal places, 0 to 18", required: true, type: "number", example: "8" },
    ]} />
    <${Form} title="Rename a currency" send=${rename} fields=${[
      { name: "symbol", label: "Symbol", required: true },
      { name: "name", label: "New name", required: true },
    ]} /></div>
  </div>`;
}
