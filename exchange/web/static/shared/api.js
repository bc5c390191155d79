// The REST API: JSON in, JSON out, and every refusal thrown as an ApiProblem.

const BASE = "/api/v1";

export class ApiProblem extends Error {
  // `body` is an RFC 9457 problem; `field`, `limit` and `value` are there where a rule names them.
  constructor(body) {
    super(body.detail ?? body.title ?? "The exchange gave no reason.");
    this.name = "ApiProblem";
    this.status = body.status ?? 0;
    this.code = body.code ?? "unreachable";
    this.field = body.field ?? null;
    this.limit = body.limit ?? null;
    this.value = body.value ?? null;
  }
}

export async function api(method, path, body) {
  const options = { method, credentials: "same-origin", headers: {} };
  if (body !== undefined) {
    options.body = JSON.stringify(body);
    options.headers["Content-Type"] = "application/json";
  }
  let response;
  try {
    response = await fetch(BASE + path, options);
  } catch {
    throw new ApiProblem({ code: "unreachable", detail: "The exchange cannot be reached." });
  }
  let answer;
  try {
    answer = await response.json();
  } catch {
    throw new ApiProblem({ status: response.status, detail: `The exchange answered ${response.status}.` });
  }
  if (!response.ok) throw new ApiProblem(answer);
  return answer;
}

export const get = (path) => api("GET", path);
export const post = (path, body = {}) => api("POST", path, body);
export const patch = (path, body) => api("PATCH", path, body);
export const remove = (path) => api("DELETE", path);

// Return "?a=1&b=2" of what is given; what is null, undefined or empty is left out.
export function query(parameters) {
  const given = Object.entries(parameters).filter(([, v]) => v !== null && v !== undefined && v !== "");
  return given.length ? `?${new URLSearchParams(given)}` : "";
}

// Return all items of a list, page after page, but at most `most` of them.
export async function all(path, most = 10000) {
  const items = [];
  let cursor = null;
  do {
    const [place, asked = ""] = path.split("?");
    const given = Object.fromEntries(new URLSearchParams(asked));
    const page = await get(place + query({ ...given, cursor }));
    items.push(...page.items);
    cursor = page.next_cursor;
  } while (cursor && items.length < most);
  return items;
}
