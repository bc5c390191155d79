// The list of markets, with a search.

import { html, useState } from "../shared/html.js";
import { useStore } from "../shared/store.js";
import { grouped } from "../shared/decimal.js";
import { market } from "./state.js";
import { show } from "./feeds.js";

export function Markets() {
  const { markets, tickers, currencies, symbol } = useStore(market);
  const [wanted, setWanted] = useState("");
  const text = wanted.trim().toUpperCase().replace("/", "_");
  const called = (currency) => currencies.get(currency)?.name.toUpperCase().includes(text);
  const found = [...markets.values()]
    .filter((each) => (text ? each.symbol.includes(text) || called(each.base) || called(each.quote) : each.state !== "delisted"))
    .sort((a, b) => (a.symbol < b.symbol ? -1 : 1));
  return html`<section class="panel markets" aria-label="Markets">
    <header><label class="search"><span class="hidden-label">Search markets</span>
      <input type="search" placeholder="Search markets" value=${wanted} onInput=${(e) => setWanted(e.target.value)} /></label></header>
    <div class="scroll" role="group" aria-label="Markets found">
      ${found.map((each) => {
        const ticker = tickers.get(each.symbol);
        const change = ticker?.change_percent ?? "";
        return html`<button key=${each.symbol} class="market" aria-pressed=${each.symbol === symbol} onClick=${() => show(each.symbol)}>
          <span>${each.symbol.replace("_", "/")}${each.state !== "active" && html` <small class="badge">${each.state.replace("_", " ")}</small>`}</span>
          <span class="number">${ticker?.last ? grouped(ticker.last) : ""} <small class=${change.startsWith("-") ? "sell" : "buy"}>${change && `${change} %`}</small></span>
        </button>`;
      })}
      ${found.length === 0 && html`<p class="dim empty">${text ? "No market is called that." : "There is no market yet."}</p>`}
    </div>
  </section>`;
}
