// A form whose refusals stand at the field that they name, and a dialog that asks before it does.

import { openDialog } from "../shared/dialog.js";
import { html, useLayoutEffect, useRef, useState } from "../shared/html.js";

// `fields`: [{name, label, unit?, type?, options?, required?, value?}]. `send` gets what was filled in and
// returns what to say. Empty fields are left out.
export function Form({ title, fields, action, send, hint, reset = true }) {
  const start = () => Object.fromEntries(fields.map((f) => [f.name, f.value ?? ""]));
  const [values, setValues] = useState(start);
  const [problem, setProblem] = useState(null);
  const [said, setSaid] = useState("");
  const [busy, setBusy] = useState(false);
  const prefix = title.toLowerCase().replaceAll(" ", "-");
  const submit = async (event) => {
    event.preventDefault();
    setBusy(true);
    setProblem(null);
    setSaid("");
    try {
      const given = Object.fromEntries(Object.entries(values).filter(([, v]) => v !== ""));
      setSaid((await send(given)) ?? "Done.");
      if (reset) setValues(start());
    } catch (refusal) {
      setProblem(refusal);
    }
    setBusy(false);
  };
  const known = fields.some((f) => f.name === problem?.field);
  return html`<section class="panel" aria-label=${title}>
    <header><h2>${title}</h2></header>
    <form class="body" onSubmit=${submit} noValidate>
      ${hint && html`<p class="hint">${hint}</p>`}
      ${fields.map((field) => html`<${Field} key=${field.name} field=${field} id=${`${prefix}-${field.name}`}
        value=${values[field.name]} problem=${problem?.field === field.name ? problem : null}
        set=${(value) => setValues({ ...values, [field.name]: value })} />`)}
      <div class="problem" role="alert">${problem && !known ? problem.message : ""}</div>
      <div class="said" role="status">${said}</div>
      <button class="primary" type="submit" disabled=${busy}>${action ?? title}</button>
    </form>
  </section>`;
}

function Field({ field, id, value, problem, set }) {
  const marks = {
    id, name: field.name, value, "aria-invalid": problem ? "true" : "false",
    "aria-describedby": `${id}-problem`, onInput: (event) => set(event.target.value),
  };
  return html`<label class="field" for=${id}><span>${field.label}<span>${field.unit ?? (field.required ? "" : "optional")}</span></span>
      ${field.options
        ? html`<select ...${marks}>${field.options.map((o) => html`<option value=${o.value ?? o}>${o.label ?? o}</option>`)}</select>`
        : html`<input ...${marks} type=${field.type ?? "text"} autocomplete="off" placeholder=${field.example ?? ""} />`}
    </label>
    <div class="problem" id=${`${id}-problem`} role=${problem ? "alert" : null}>${problem?.message ?? ""}</div>`;
}

// A question with what will happen; with `typed`, that word must be written before it can be done.
export function Confirm({ title, text, typed, action, send, onClose }) {
  const dialog = useRef(null);
  const [word, setWord] = useState("");
  const [problem, setProblem] = useState("");
  useLayoutEffect(() => openDialog(dialog.current, onClose), []);
  const submit = async (event) => {
    event.preventDefault();
    try {
      await send();
      onClose();
    } catch (refusal) {
      setProblem(refusal.message);
    }
  };
  return html`<dialog ref=${dialog} aria-labelledby="confirm-title">
    <form onSubmit=${submit}>
      <h2 id="confirm-title">${title}</h2>
      <p>${text}</p>
      ${typed && html`<label class="field"><span>Type ${typed}</span>
        <input name="confirm" autocomplete="off" value=${word} onInput=${(e) => setWord(e.target.value)} /></label>`}
      <div class="problem" role="alert">${problem}</div>
      <div class="row"><button class="primary" type="submit" disabled=${typed && word !== typed}>${action}</button>
        <button type="button" onClick=${onClose}>Leave it</button></div>
    </form>
  </dialog>`;
}
