// Which channels are subscribed, and what their frames change.

import { all, get } from "../shared/api.js";
import { LocalBook } from "../shared/book.js";
import { currentSession } from "../shared/session.js";
import { TAPE, account, market, stream } from "./state.js";

const HISTORY = 200; // Closed orders and fills that are loaded, and kept.
const TICKERS = 120; // Markets whose ticker is live. A connection has 200 subscriptions, and
const SHOWN = 60; // so many are left for those beyond them that were shown.
const EVERY = 15_000; // Milliseconds between two looks at the tickers of the others.

export async function start() {
  stream.subscribe("markets", (frame) => {
    const markets = new Map(frame.type === "snapshot" ? [] : market.state.markets);
    for (const each of frame.markets) markets.set(each.symbol, each);
    market.set({ markets });
    for (const each of frame.markets) followTicker(each.symbol);
    const known = market.state.currencies;
    if (begun && frame.markets.some((each) => !known.has(each.base) || !known.has(each.quote))) readCurrencies();
    if (begun && market.state.symbol === null) show(frame.markets[0]?.symbol ?? null);
  });
  const [markets] = await Promise.all([all("/markets?state=all"), readCurrencies()]);
  market.set({ markets: new Map(markets.map((each) => [each.symbol, each])) });
  for (const each of markets) followTicker(each.symbol);
  await lookAtTickers();
  setInterval(lookAtTickers, EVERY);
  const wanted = decodeURIComponent(location.hash.slice(1));
  begun = true;
  show(market.state.markets.has(wanted) ? wanted : markets[0]?.symbol ?? null);
}

// Read the currencies' names and scales, which have no channel.
async function readCurrencies() {
  try {
    const currencies = await all("/currencies");
    market.set({ currencies: new Map(currencies.map((each) => [each.symbol, each])) });
  } catch (problem) {
    market.set({ problem: problem.message });
  }
}

let begun = false; // From then on the first market that is made is shown, where there was none.
const followed = new Set();

function followTicker(symbol, most = TICKERS) {
  if (followed.has(symbol) || followed.size >= most) return;
  followed.add(symbol);
  stream.subscribe(`ticker:${symbol}`, (frame) => {
    if (!frame.ticker) return;
    market.state.tickers.set(symbol, frame.ticker);
    market.touch();
  });
}

// Where there are more markets than one connection can follow, ask now and then about the rest.
async function lookAtTickers() {
  if (market.state.markets.size <= TICKERS || document.hidden) return;
  try {
    const tickers = await all("/tickers?limit=1000");
    for (const each of tickers) if (!followed.has(each.market)) market.state.tickers.set(each.market, each);
    market.touch();
  } catch {
    // Those that are shown stay; the next look is soon.
  }
}

// Show another market: its book and its trades, and those of the last one no more.
export function show(symbol) {
  const before = market.state.symbol;
  if (symbol === before) return;
  if (before !== null) {
    stream.unsubscribe(`book:${before}`);
    stream.unsubscribe(`trades:${before}`);
  }
  const book = new LocalBook();
  market.set({ symbol, book, tape: [] });
  if (symbol === null) return;
  history.replaceState(null, "", `#${symbol}`);
  followTicker(symbol, TICKERS + SHOWN);
  const channel = `book:${symbol}`;
  stream.subscribe(channel, (frame) => {
    // A frame was lost, or this copy is wrong: from its start again; not at once if that is wrong, too.
    if (!book.take(frame)) setTimeout(() => market.state.book === book && stream.restart(channel), frame.type === "snapshot" ? 1000 : 0);
    market.touch();
  });
  stream.subscribe(`trades:${symbol}`, (frame) => {
    const newest = [...frame.trades].reverse();
    const tape = frame.type === "snapshot" ? newest : [...newest, ...market.state.tape];
    market.set({ tape: tape.slice(0, TAPE) });
  });
}

// Begin to show an account's orders, fills and balances; with null, nobody's.
export function follow(session) {
  account.set({
    session, orders: new Map(), fills: [], balances: new Map(), sequence: undefined,
  });
  if (session === null) {
    stream.unsubscribe("orders");
    stream.unsubscribe("balances");
    stream.signedIn(false);
    return;
  }
  market.set({ problem: null });
  stream.subscribe("balances", takeBalances, { refused });
  stream.subscribe("orders", takeOrders, {
    from: () => account.state.sequence === undefined ? undefined : account.state.sequence + 1,
    // Without a sequence to go on from, what happened before is read once nothing more is missed.
    began: () => account.state.sequence === undefined && load(session),
    refused,
  });
  stream.signedIn(true);
}

// Read the account's orders and fills; an order that is open no more, but was, is forgotten.
async function load(session) {
  const before = [...account.state.orders.values()].filter((order) => order.closed_at === null);
  try {
    const [open, recent, fills] = await Promise.all([
      all("/orders?status=open&limit=1000"), get(`/orders?status=closed&limit=${HISTORY}`),
      get(`/fills?limit=${HISTORY}`),
    ]);
    if (account.state.session !== session) return;
    for (const order of [...open, ...recent.items]) take(order);
    const still = new Set(open.map((order) => order.id));
    for (const order of before) {
      if (!still.has(order.id) && account.state.orders.get(order.id) === order) account.state.orders.delete(order.id);
    }
    takeFills(fills.items);
    account.touch();
  } catch (problem) {
    market.set({ problem: `Orders and fills cannot be read: ${problem.message}` });
  }
}

// A channel of the account's own cannot be had: the token was revoked, or may not read.
async function refused(problem) {
  try {
    const session = account.state.session;
    if (session === null || (await currentSession()) !== null) {
      market.set({ problem: problem.message });
    } else if (account.state.session === session) {
      follow(null);
      market.set({ problem: "You were signed out: the token is not valid any more." });
    }
  } catch (unreachable) {
    market.set({ problem: unreachable.message });
  }
}

function takeBalances(frame) {
  for (const balance of frame.balances) account.state.balances.set(balance.currency, balance);
  account.touch();
}

function takeOrders(frame) {
  if (frame.sequence !== undefined) account.state.sequence = frame.sequence;
  for (const order of frame.orders) {
    take(order);
    takeFills(order.fills.map((fill) => ({ ...fill, market: order.market, side: order.side })));
  }
  forget();
  account.touch();
}

// Keep the newer of two versions: what REST answers and what the stream brings may cross.
export function take(order) {
  const known = account.state.orders.get(order.id);
  if (known && (known.updated_at > order.updated_at || (known.closed_at && !order.closed_at))) return;
  account.state.orders.set(order.id, order);
}

// Keep the newest closed orders alone, or the page of a busy account would get slower all day.
function forget() {
  const { orders } = account.state;
  if (orders.size < 4 * HISTORY) return;
  const closed = [...orders.values()].filter((each) => each.closed_at !== null).sort((a, b) => b.id - a.id);
  for (const each of closed.slice(HISTORY)) orders.delete(each.id);
}

function takeFills(fills) {
  const key = (fill) => `${fill.market}:${fill.trade_id ?? fill.id}:${fill.liquidity}`;
  const known = new Map(account.state.fills.map((fill) => [key(fill), fill]));
  for (const fill of fills) known.set(key(fill), fill);
  const sorted = [...known.values()].sort((a, b) => (a.time < b.time ? 1 : a.time > b.time ? -1 : 0));
  account.state.fills = sorted.slice(0, HISTORY);
}
