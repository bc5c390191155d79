// Who is signed in. The token itself lives in a cookie that no script can read.

import { api, ApiProblem, get, post, remove } from "./api.js";

// Return {account_id, name, scopes}, or null if nobody is signed in.
export async function currentSession() {
  try {
    return await get("/session");
  } catch (problem) {
    if (problem.status === 401) return null;
    throw problem;
  }
}

export const signIn = (token) => post("/session", { token: token.trim() });

export const signOut = () => remove("/session");

// Whether accounts can be had for the asking: the exchange runs as a sandbox.
export async function hasSandbox() {
  try {
    await api("GET", "/sandbox/accounts");
    return true;
  } catch (problem) {
    return problem instanceof ApiProblem && problem.status === 405;
  }
}

// Make an account with funds, and sign in to it.
export async function signInToSandbox() {
  const made = await post("/sandbox/accounts", {});
  return signIn(made.token);
}
