// The dialog in which a token is given, or in the sandbox an account taken.

import { openDialog } from "../shared/dialog.js";
import { html, useLayoutEffect, useRef, useState } from "../shared/html.js";
import { useStore } from "../shared/store.js";
import { signIn, signInToSandbox } from "../shared/session.js";
import { account } from "./state.js";
import { follow } from "./feeds.js";

export function SignIn({ onClose }) {
  const { sandbox } = useStore(account);
  const [token, setToken] = useState("");
  const [problem, setProblem] = useState(null);
  const dialog = useRef(null);
  useLayoutEffect(() => openDialog(dialog.current, onClose), []);
  const enter = async (way) => {
    try {
      const session = await way();
      onClose();
      follow(session);
    } catch (refusal) {
      setProblem(refusal.message);
    }
  };
  const submit = (event) => {
    event.preventDefault();
    enter(() => signIn(token));
  };
  return html`<dialog ref=${dialog} aria-labelledby="sign-in-title">
    <form onSubmit=${submit}>
      <h2 id="sign-in-title">Sign in</h2>
      <p class="dim">The token is kept in a cookie that no script can read, until the browser is closed.</p>
      <label class="field"><span>Token</span>
        <input type="password" name="token" autocomplete="off" required value=${token} aria-invalid=${problem ? "true" : "false"}
          aria-describedby="sign-in-problem" onInput=${(e) => setToken(e.target.value)} /></label>
      <div id="sign-in-problem" class="problem" role="alert">${problem}</div>
      <div class="row"><button class="primary" type="submit">Sign in</button>
        ${sandbox && html`<button type="button" onClick=${() => enter(signInToSandbox)}>New account with funds</button>`}
        <button type="button" onClick=${onClose}>Close</button></div>
    </form>
  </dialog>`;
}
