// Exact arithmetic on decimal strings. A number would round: money is never one.
// A decimal is held as [units, scale]: units is a BigInt, the value units / 10^scale.

const PLAIN = /^-?(\d+\.?\d*|\.\d+)$/;

export const isDecimal = (text) => PLAIN.test(text);

export function scaleOf(text) {
  const point = text.indexOf(".");
  return point < 0 ? 0 : text.length - point - 1;
}

// Return the units of a decimal at a scale; what is finer than the scale is cut off.
export function units(text, scale) {
  const negative = text.startsWith("-");
  const [whole, fraction = ""] = text.replace("-", "").split(".");
  const size = BigInt((whole || "0") + fraction.slice(0, scale).padEnd(scale, "0"));
  return negative ? -size : size;
}

export function decimal(amount, scale) {
  const negative = amount < 0n;
  const digits = (negative ? -amount : amount).toString().padStart(scale + 1, "0");
  const whole = digits.slice(0, digits.length - scale);
  const sign = negative ? "-" : "";
  return scale ? `${sign}${whole}.${digits.slice(-scale)}` : sign + whole;
}

export function add(a, b) {
  const scale = Math.max(scaleOf(a), scaleOf(b));
  return decimal(units(a, scale) + units(b, scale), scale);
}

export function subtract(a, b) {
  const scale = Math.max(scaleOf(a), scaleOf(b));
  return decimal(units(a, scale) - units(b, scale), scale);
}

export function multiply(a, b) {
  const [s, t] = [scaleOf(a), scaleOf(b)];
  return decimal(units(a, s) * units(b, t), s + t);
}

// Return a / b, cut off after `scale` digits. b is not zero.
export function divide(a, b, scale) {
  const [s, t] = [scaleOf(a), scaleOf(b)];
  return decimal((units(a, s) * 10n ** BigInt(scale + t)) / (units(b, t) * 10n ** BigInt(s)), scale);
}

// Return less than zero, zero or more than zero, as a is less than, equal to or more than b.
export function compare(a, b) {
  const scale = Math.max(scaleOf(a), scaleOf(b));
  const [x, y] = [units(a, scale), units(b, scale)];
  return x < y ? -1 : x > y ? 1 : 0;
}

// Return the multiple of `step` next to a decimal: below it, or with `up` above it.
export function toStep(text, step, up = false) {
  const scale = Math.max(scaleOf(text), scaleOf(step));
  const [value, size] = [units(text, scale), units(step, scale)];
  const rest = ((value % size) + size) % size;
  const found = up && rest ? value - rest + size : value - rest;
  return rescale(decimal(found, scale), scaleOf(step));
}

// Return a decimal with exactly so many digits; further ones are cut off, or with `up` rounded up.
export function rescale(text, scale, up = false) {
  const cut = units(text, scale);
  const rest = scaleOf(text) > scale && units(text, scaleOf(text)) % 10n ** BigInt(scaleOf(text) - scale);
  return decimal(up && rest ? cut + 1n : cut, scale);
}

export const isZero = (text) => units(text, scaleOf(text)) === 0n;

// Return it without zeros that say nothing: "1.2300" is "1.23".
export const trim = (text) => (text.includes(".") ? text.replace(/\.?0+$/, "") : text);

// Return it with the thousands set apart, for people: "50,000.10".
export function grouped(text) {
  const [whole, fraction] = text.split(".");
  const apart = whole.replace(/\B(?=(\d{3})+$)/g, ",");
  return fraction === undefined ? apart : `${apart}.${fraction}`;
}
