// A local copy of a market's order book, kept by the public rule: snapshot, previous, checksum.

import { crc32 } from "./crc32.js";
import { scaleOf, units } from "./decimal.js";

const CHECKED = 10; // Levels of each side that the checksum covers.
const NOTHING = /^0+(\.0*)?$/;

export class LocalBook {
  constructor() {
    this.sequence = null; // Of the last frame; null before the first snapshot.
    this.bids = []; // Levels {price, quantity, key}, best first.
    this.asks = [];
  }

  // Take a frame; false if it does not continue this book, which is then empty: subscribe again.
  take(frame) {
    if (frame.type === "snapshot") {
      this.clear();
    } else if (this.sequence === null || frame.previous !== this.sequence) {
      this.clear();
      return false;
    }
    for (const [price, quantity] of frame.bids) change(this.bids, price, quantity, -1);
    for (const [price, quantity] of frame.asks) change(this.asks, price, quantity, 1);
    this.sequence = frame.sequence;
    if (this.checksum() === frame.checksum) return true;
    this.clear();
    return false;
  }

  clear() {
    this.sequence = null;
    this.bids = [];
    this.asks = [];
  }

  checksum() {
    const best = [...this.bids.slice(0, CHECKED), ...this.asks.slice(0, CHECKED)];
    return crc32(best.map((level) => `${level.price}:${level.quantity}`).join("|"));
  }
}

// Set, or take away, one level of a side. All prices of a market have the same scale.
function change(levels, price, quantity, direction) {
  const key = units(price, scaleOf(price)) * BigInt(direction);
  let low = 0;
  let high = levels.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (levels[middle].key < key) low = middle + 1;
    else high = middle;
  }
  const found = low < levels.length && levels[low].key === key;
  if (NOTHING.test(quantity)) {
    if (found) levels.splice(low, 1);
  } else if (found) {
    levels[low].quantity = quantity;
  } else {
    levels.splice(low, 0, { price, quantity, key });
  }
}
