// A list of the API as a table, a page at a time: "older" fetches what comes after.

import { get, query } from "../shared/api.js";
import { html, useCallback, useEffect, useRef, useState } from "../shared/html.js";

// Return {items, more, older, again, problem} of a list; it begins again when path or filter change.
export function useList(path, filter = {}, limit = 50) {
  const [list, setList] = useState({ items: [], cursor: null, problem: "" });
  const asked = JSON.stringify(filter);
  const newest = useRef(null); // The page that was asked for last: answers may overtake each other.
  const fetchPage = useCallback(async (cursor, before) => {
    const call = {};
    newest.current = call;
    try {
      const page = await get(path + query({ ...JSON.parse(asked), limit, cursor }));
      if (newest.current === call) setList({ items: [...before, ...page.items], cursor: page.next_cursor, problem: "" });
    } catch (refusal) {
      if (newest.current === call) setList({ items: before, cursor: null, problem: refusal.message });
    }
  }, [path, asked, limit]);
  useEffect(() => { fetchPage(null, []); }, [fetchPage]);
  return {
    items: list.items, problem: list.problem, more: list.cursor !== null,
    older: () => fetchPage(list.cursor, list.items), again: () => fetchPage(null, []),
  };
}

// `columns`: [{name, show?, kind?}]; `list` is useList's.
export function List({ title, list, columns, rowKey, tools }) {
  return html`<section class="panel" aria-label=${title}>
    <header><h2>${title}</h2>${tools}<button class="small" onClick=${list.again}>Refresh</button></header>
    <div class="problem" role="alert">${list.problem}</div>
    <div class="scroll" tabindex="0" role="region" aria-label=${`${title}, table`}>
      <table>
        <thead><tr>${columns.map((c) => html`<th class=${c.kind ?? ""}>${c.name}</th>`)}</tr></thead>
        <tbody>${list.items.map((item) => html`<tr key=${rowKey(item)} data-key=${rowKey(item)}>
          ${columns.map((c) => html`<td class=${c.kind ?? ""}>${c.show(item)}</td>`)}</tr>`)}</tbody>
      </table>
      ${list.items.length === 0 && html`<p class="dim body">None.</p>`}
    </div>
    ${list.more && html`<footer><button onClick=${list.older}>Older</button></footer>`}
  </section>`;
}

export const time = (text) => (text ? text.slice(0, 19).replace("T", " ") : "");
