// The depth chart: how much could be sold down, and bought up, to each price.

import { html, useEffect, useRef } from "../shared/html.js";
import { useStore } from "../shared/store.js";
import { color } from "../shared/theme.js";
import { market } from "./state.js";

const LEVELS = 150;

function curve(levels) {
  let total = 0;
  return levels.slice(0, LEVELS).map(({ price, quantity }) => [Number(price), (total += Number(quantity))]);
}

function paint(canvas, book) {
  const ratio = devicePixelRatio || 1;
  const [width, height] = [canvas.clientWidth, canvas.clientHeight];
  canvas.width = width * ratio;
  canvas.height = height * ratio;
  const context = canvas.getContext("2d");
  context.scale(ratio, ratio);
  const [bids, asks] = [curve(book.bids), curve(book.asks)];
  if (!bids.length && !asks.length) return;
  const prices = [...bids, ...asks].map(([price]) => price);
  const [low, high] = [Math.min(...prices), Math.max(...prices)];
  const most = Math.max(bids.at(-1)?.[1] ?? 0, asks.at(-1)?.[1] ?? 0);
  const x = (price) => (high === low ? width / 2 : ((price - low) / (high - low)) * width);
  const y = (total) => height - 18 - (total / most) * (height - 30);
  for (const [points, name, edge] of [[bids, "--buy", 0], [asks, "--sell", width]]) {
    if (!points.length) continue;
    context.beginPath();
    context.moveTo(x(points[0][0]), height - 18);
    let before = height - 18;
    for (const [price, total] of points) {
      context.lineTo(x(price), before);
      before = y(total);
      context.lineTo(x(price), before);
    }
    context.lineTo(edge, before);
    context.strokeStyle = color(name);
    context.stroke();
    context.lineTo(edge, height - 18);
    context.fillStyle = color(`${name}-fill`);
    context.fill();
  }
  label(context, book, { bids, asks, width, height, x, y });
}

// Write the outermost prices, the best ones between them, and what each side holds in all.
function label(context, book, { bids, asks, width, height, x, y }) {
  context.fillStyle = color("--dim");
  context.font = "11px system-ui";
  const write = (text, place, from, align) => {
    context.textAlign = align;
    context.fillText(text, place, from);
  };
  const best = [book.bids[0]?.price ?? "none", book.asks[0]?.price ?? "none"].join(" | ");
  const middle = x(((bids[0] ?? asks[0])[0] + (asks[0] ?? bids[0])[0]) / 2);
  write(best, Math.min(Math.max(middle, 150), width - 150), height - 4, "center");
  for (const [side, points, place, align] of [[book.bids, bids, 4, "left"], [book.asks, asks, width - 4, "right"]]) {
    if (!points.length) continue;
    const total = points.at(-1)[1];
    write(side[points.length - 1].price, place, height - 4, align);
    write(`in all ${quantity(total)}`, place, Math.max(y(total) - 5, 11), align);
  }
}

const quantity = (value) => value.toLocaleString("en", { maximumFractionDigits: 4 });

export function Depth() {
  const { book } = useStore(market);
  const canvas = useRef(null);
  useEffect(() => paint(canvas.current, book));
  useEffect(() => {
    const again = () => paint(canvas.current, market.state.book);
    const resized = new ResizeObserver(again);
    resized.observe(canvas.current);
    addEventListener("themechange", again);
    return () => {
      resized.disconnect();
      removeEventListener("themechange", again);
    };
  }, []);
  return html`<canvas class="canvas" ref=${canvas} role="img" aria-label="Depth chart: cumulated quantity by price"></canvas>`;
}
