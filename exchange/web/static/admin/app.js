// The administration: who may come in, and which part of it is shown.

import "../shared/theme.js";
import { html, render, useEffect, useState } from "../shared/html.js";
import { currentSession, signIn, signOut } from "../shared/session.js";
import { toggleTheme } from "../shared/theme.js";
import { Accounts } from "./accounts.js";
import { Currencies } from "./currencies.js";
import { Health } from "./health.js";
import { Markets } from "./markets.js";
import { Orders } from "./orders.js";
import { Audit, Proof } from "./oversight.js";
import { Trades } from "./trades.js";

const PARTS = {
  health: ["Health", Health],
  currencies: ["Currencies", Currencies],
  markets: ["Markets", Markets],
  accounts: ["Accounts", Accounts],
  orders: ["Orders", Orders],
  trades: ["Trades", Trades],
  audit: ["Audit log", Audit],
  proof: ["Proof", Proof],
};

const chosen = () => (location.hash.slice(1) in PARTS ? location.hash.slice(1) : "health");

function SignIn({ session, done }) {
  const [token, setToken] = useState("");
  const [problem, setProblem] = useState(session ? `${session.name} is no admin: sign in with a token that has the scope admin.` : "");
  const submit = async (event) => {
    event.preventDefault();
    try {
      const entered = await signIn(token);
      if (!entered.scopes.includes("admin")) setProblem("This token lacks the scope admin.");
      done(entered);
    } catch (refusal) {
      setProblem(refusal.message);
    }
  };
  return html`<section class="panel signed-out" aria-label="Sign in"><header><h1>Administration</h1></header>
    <form class="body" onSubmit=${submit}>
      <p class="hint">With a token of the scope admin; the first one is in the file admin.token of the data directory.</p>
      <label class="field"><span>Token</span><input type="password" name="token" autocomplete="off" value=${token}
        aria-describedby="sign-in-problem" onInput=${(event) => setToken(event.target.value)} /></label>
      <div class="problem" id="sign-in-problem" role="alert">${problem}</div>
      <button class="primary" type="submit">Sign in</button>
    </form></section>`;
}

function App() {
  const [session, setSession] = useState(undefined);
  const [part, setPart] = useState(chosen);
  const [problem, setProblem] = useState("");
  useEffect(() => {
    currentSession().then(setSession, (refusal) => setProblem(refusal.message));
    const follow = () => setPart(chosen());
    addEventListener("hashchange", follow);
    return () => removeEventListener("hashchange", follow);
  }, []);
  const leave = async () => {
    await signOut();
    setSession(null);
  };
  const admin = session?.scopes.includes("admin");
  const Part = PARTS[part][1];
  return html`<div class="top"><strong>Exchange</strong><span class="dim">administration</span>
      <a class="push" href="/">Trading</a><a href="/docs">API</a>
      <button class="plain" onClick=${toggleTheme}>Dark or light</button>
      ${admin && html`<span>${session.name}</span><button onClick=${leave}>Sign out</button>`}</div>
    ${problem && html`<div class="notice" role="alert">${problem}</div>`}
    ${session !== undefined && !admin && html`<main><${SignIn} key=${session?.account_id} session=${session} done=${setSession} /></main>`}
    ${admin && html`<nav class="tabs" aria-label="Parts">${Object.entries(PARTS).map(([name, [title]]) =>
      html`<a key=${name} href=${`#${name}`} aria-current=${name === part ? "page" : null}>${title}</a>`)}</nav>
      <main><h1 class="hidden-label">${PARTS[part][0]}</h1><${Part} key=${part} /></main>`}`;
}

render(html`<${App} />`, document.getElementById("app"));
