// Which channels are subscribed, and what their frames change.

import { all, get } from "../shared/api.js";
import { LocalBook } from "../shared/book.js";
import { TAPE, account, market, stream } from "./state.js";

const HISTORY = 200; // Closed orders and fills that are loaded.

export async function start() {
  stream.subscribe("markets", (frame) => {
    const markets = new Map(frame.type === "snapshot" ? [] : market.state.markets);
    for (const each of frame.markets) markets.set(each.symbol, each);
    market.set({ markets });
    for (const each of frame.markets) followTicker(each.symbol);
  });
  const [markets, currencies] = await Promise.all([all("/markets?state=all"), all("/currencies")]);
  market.set({
    markets: new Map(markets.map((each) => [each.symbol, each])),
    currencies: new Map(currencies.map((each) => [each.symbol, each])),
  });
  for (const each of markets) followTicker(each.symbol);
  const wanted = decodeURIComponent(location.hash.slice(1));
  show(market.state.markets.has(wanted) ? wanted : markets[0]?.symbol ?? null);
}

const followed = new Set();

function followTicker(symbol) {
  if (followed.has(symbol)) return;
  followed.add(symbol);
  stream.subscribe(`ticker:${symbol}`, (frame) => {
    if (!frame.ticker) return;
    market.state.tickers.set(symbol, frame.ticker);
    market.touch();
  });
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
  const channel = `book:${symbol}`;
  stream.subscribe(channel, (frame) => {
    // A frame was lost, or this copy is wrong: from its start again.
    if (!book.take(frame) && frame.type !== "snapshot") stream.restart(channel);
    market.touch();
  });
  stream.subscribe(`trades:${symbol}`, (frame) => {
    const newest = [...frame.trades].reverse();
    const tape = frame.type === "snapshot" ? newest : [...newest, ...market.state.tape];
    market.set({ tape: tape.slice(0, TAPE) });
  });
}

// Begin to show an account's orders, fills and balances; with null, nobody's.
export async function follow(session) {
  account.set({
    session, orders: new Map(), fills: [], balances: new Map(), sequence: undefined,
  });
  if (session === null) {
    stream.unsubscribe("orders");
    stream.unsubscribe("balances");
    stream.signedIn(false);
    return;
  }
  stream.subscribe("balances", takeBalances);
  stream.subscribe("orders", takeOrders, {
    from: () => account.state.sequence === undefined ? undefined : account.state.sequence + 1,
  });
  stream.signedIn(true);
  const [open, recent, fills] = await Promise.all([
    all("/orders?status=open&limit=1000"), get(`/orders?status=closed&limit=${HISTORY}`),
    get(`/fills?limit=${HISTORY}`),
  ]);
  for (const order of [...open, ...recent.items]) take(order);
  takeFills(fills.items);
  account.touch();
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
  account.touch();
}

// Keep the newer of two versions: what REST answers and what the stream brings may cross.
export function take(order) {
  const known = account.state.orders.get(order.id);
  if (known && (known.updated_at > order.updated_at || (known.closed_at && !order.closed_at))) return;
  account.state.orders.set(order.id, order);
}

function takeFills(fills) {
  const key = (fill) => `${fill.market}:${fill.trade_id ?? fill.id}:${fill.liquidity}`;
  const known = new Map(account.state.fills.map((fill) => [key(fill), fill]));
  for (const fill of fills) known.set(key(fill), fill);
  const sorted = [...known.values()].sort((a, b) => (a.time < b.time ? 1 : a.time > b.time ? -1 : 0));
  account.state.fills = sorted.slice(0, HISTORY);
}
