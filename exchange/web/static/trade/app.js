// The trading page: its frame, and which panel stands where.

import { html, render, useEffect, useState } from "../shared/html.js";
import { useStore } from "../shared/store.js";
import { currentSession, hasSandbox, signOut } from "../shared/session.js";
import { grouped } from "../shared/decimal.js";
import { toggleTheme } from "../shared/theme.js";
import { account, current, lastPrice, market } from "./state.js";
import { follow, show, start } from "./feeds.js";
import { BookPanel } from "./book-panel.js";
import { Chart } from "./chart.js";
import { Depth } from "./depth.js";
import { Markets } from "./markets.js";
import { Orders } from "./orders.js";
import { OrderForm } from "./order-form.js";
import { SignIn } from "./sign-in.js";
import { Tape } from "./tape.js";

const STATES = {
  post_only: "Launching: only post-only orders are taken.",
  cancel_only: "Halted: orders can be canceled, and nothing else.",
  suspended: "Suspended: nothing but reading.",
  delisted: "Delisted: this market is closed for good.",
};

function Top({ onSignIn }) {
  const { symbol, tickers } = useStore(market);
  const { session } = useStore(account);
  const ticker = tickers.get(symbol);
  const last = lastPrice();
  useEffect(() => {
    const name = symbol?.replace("_", "/");
    document.title = symbol === null ? "Exchange" : last === null ? `${name} | Exchange` : `${grouped(last)} ${name} | Exchange`;
  }, [symbol, last]);
  const leave = async () => {
    await signOut();
    follow(null);
  };
  return html`<header class="top">
    <h1 class="symbol">${symbol?.replace("_", "/") ?? "Exchange"}</h1>
    ${last !== null && html`<strong class="last number" data-test="last">${grouped(last)}</strong>`}
    ${ticker?.change_percent != null && html`<span class=${ticker.change_percent.startsWith("-") ? "sell" : "buy"}>${ticker.change_percent} %</span>`}
    ${ticker?.high != null && html`<span class="dim">24 h ${grouped(ticker.low)} to ${grouped(ticker.high)}, volume ${grouped(ticker.volume)}</span>`}
    <span class="push row">
      <a href="/docs">API</a>
      ${session?.scopes.includes("admin") && html`<a href="/admin">Admin</a>`}
      <button class="plain" onClick=${toggleTheme}>Dark or light</button>
      ${session ? html`<span data-test="who">${session.name || `account ${session.account_id}`}</span><button onClick=${leave}>Sign out</button>`
        : html`<button class="primary" onClick=${onSignIn}>Sign in</button>`}
    </span>
  </header>`;
}

function Notices() {
  const { status, problem } = useStore(market);
  const state = current()?.state;
  return html`<div role="status" aria-live="polite">
    ${status === "lost" && html`<div class="notice" data-test="lost">The connection is lost. What is shown may be old; connecting again ...</div>`}
    ${problem && html`<div class="notice">${problem}</div>`}
    ${state && state !== "active" && html`<div class="notice" data-test="state">${STATES[state] ?? state}</div>`}
  </div>`;
}

function Views() {
  const [view, setView] = useState("chart");
  return html`<section class="panel views" aria-label="Chart">
    <header>
      <button class="small" aria-pressed=${view === "chart"} onClick=${() => setView("chart")}>Candles</button>
      <button class="small" aria-pressed=${view === "depth"} onClick=${() => setView("depth")}>Depth</button>
    </header>
    ${view === "chart" ? html`<${Chart} />` : html`<${Depth} />`}
  </section>`;
}

function App() {
  const [signing, setSigning] = useState(false);
  return html`
    <${Top} onSignIn=${() => setSigning(true)} />
    <${Notices} />
    ${signing && html`<${SignIn} onClose=${() => setSigning(false)} />`}
    <main class="desk">
      <${Markets} /><${Views} /><${OrderForm} onSignIn=${() => setSigning(true)} />
      <${BookPanel} /><${Tape} /><${Orders} />
    </main>
    <footer class="dim">Charts by <a href="https://www.tradingview.com/" rel="noreferrer">TradingView</a>:
      Lightweight Charts™, Copyright (c) 2025 TradingView, Inc.</footer>`;
}

render(html`<${App} />`, document.getElementById("app"));
addEventListener("hashchange", () => {
  const wanted = decodeURIComponent(location.hash.slice(1));
  if (market.state.markets.has(wanted)) show(wanted);
});

try {
  const [session, sandbox] = await Promise.all([currentSession(), hasSandbox(), start()]);
  account.set({ sandbox });
  if (session) follow(session);
} catch (problem) {
  market.set({ problem: problem.message });
}
