// What the trading page knows: one store for the market that is shown, one for who is signed in.

import { Store } from "../shared/store.js";
import { Stream } from "../shared/stream.js";
import { LocalBook } from "../shared/book.js";

export const TAPE = 60; // Trades that the tape keeps.

export const market = new Store({
  markets: new Map(), // Symbol to market.
  tickers: new Map(), // Symbol to ticker; empty where the exchange has none.
  currencies: new Map(),
  symbol: null,
  book: new LocalBook(),
  tape: [], // Newest first.
  status: "connecting",
  problem: null,
});

export const account = new Store({
  session: null,
  sandbox: false,
  balances: new Map(),
  orders: new Map(), // Id to order, newest version of each.
  fills: [], // Newest first.
  sequence: undefined, // Of the last report on the account's orders.
});

const picked = new Set();

// Tell the form which level of the book was clicked: {side, level}, the side being the taker's.
export const pick = (choice) => picked.forEach((told) => told(choice));

export function onPick(told) {
  picked.add(told);
  return () => picked.delete(told);
}

export const stream = new Stream();
stream.onStatus.push((status) => market.set({ status }));

export const current = () => market.state.markets.get(market.state.symbol);

export const lastPrice = () =>
  market.state.tape[0]?.price ?? market.state.tickers.get(market.state.symbol)?.last ?? null;
