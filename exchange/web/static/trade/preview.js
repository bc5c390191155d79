// What an order would cost, and its fee, as the book is now. Exact, apart from what others do.

import { add, compare, divide, isDecimal, isZero, multiply, rescale, scaleOf, subtract } from "../shared/decimal.js";

const NONE = "0";

// Return {notional, fee, feeCurrency, short}, or null while the fields hold no order.
// `short`: the book holds less than a market order wants. `scales(currency)`: its decimal places.
export function preview(rules, order, book, scales) {
  const found = estimate(rules, order, book);
  if (found === null) return null;
  // As the exchange rounds: a fee up to the currency's smallest unit, and what is paid never.
  const notional = rescale(found.notional, scales(rules.quote), true);
  return { ...found, notional, fee: rescale(found.fee, scales(found.feeCurrency), true) };
}

function estimate(rules, { side, kind, price, amount }, book) {
  if (!isDecimal(amount) || isZero(amount) || amount.startsWith("-")) return null;
  if (kind !== "market") {
    if (!isDecimal(price) || isZero(price)) return null;
    return withFee(rules, side, multiply(price, amount), amount, kind === "post_only", false);
  }
  if (side === "buy") {
    const { quantity, rest } = buyFor(book.asks, amount, scaleOf(rules.lot_size));
    return withFee(rules, side, subtract(amount, rest), quantity, false, !isZero(rest) && quantity === NONE);
  }
  const { notional, rest } = sellInto(book.bids, amount);
  return withFee(rules, side, notional, amount, false, !isZero(rest));
}

// The buyer's fee is taken from what is bought, the seller's from what is paid.
function withFee(rules, side, notional, quantity, maker, short) {
  const rate = maker || compare(rules.maker_fee, rules.taker_fee) > 0 ? rules.maker_fee : rules.taker_fee;
  const [of, feeCurrency] = side === "buy" ? [quantity, rules.base] : [notional, rules.quote];
  return { notional, fee: multiply(of, rate), feeCurrency, short };
}

function buyFor(asks, money, scale) {
  let [quantity, rest] = [NONE, money];
  for (const level of asks) {
    const cost = multiply(level.price, level.quantity);
    if (compare(cost, rest) > 0) return { quantity: add(quantity, divide(rest, level.price, scale)), rest: NONE };
    quantity = add(quantity, level.quantity);
    rest = subtract(rest, cost);
  }
  return { quantity, rest };
}

function sellInto(bids, quantity) {
  let [notional, rest] = [NONE, quantity];
  for (const level of bids) {
    const taken = compare(level.quantity, rest) > 0 ? rest : level.quantity;
    notional = add(notional, multiply(level.price, taken));
    rest = subtract(rest, taken);
    if (isZero(rest)) break;
  }
  return { notional, rest };
}
