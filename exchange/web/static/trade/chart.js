// The candlestick chart with volume, drawn by TradingView's Lightweight Charts.

import { html, useEffect, useRef, useState } from "../shared/html.js";
import { useStore } from "../shared/store.js";
import { get, query } from "../shared/api.js";
import { scaleOf } from "../shared/decimal.js";
import { minute, when } from "../shared/clock.js";
import { perFrame } from "../shared/frame.js";
import { color } from "../shared/theme.js";
import { CandlestickSeries, HistogramSeries, TickMarkType, createChart } from "../vendor/lightweight-charts.js";
import { current, market, stream } from "./state.js";

const INTERVALS = ["1m", "5m", "15m", "30m", "1h", "4h", "1d", "1w"];
const CANDLES = 500;
const DAYS = ["1d", "1w"]; // These begin at midnight UTC, wherever they are looked at.

const seconds = (time) => Math.floor(Date.parse(time) / 1000);

function colors() {
  const text = color("--dim");
  return {
    layout: { background: { color: color("--panel") }, textColor: text, attributionLogo: false },
    grid: { vertLines: { color: color("--line") }, horzLines: { color: color("--line") } },
    timeScale: { timeVisible: true, borderColor: color("--line") },
    rightPriceScale: { borderColor: color("--line") },
  };
}

const candleColors = () => ({
  upColor: color("--buy"), wickUpColor: color("--buy"), borderVisible: false,
  downColor: color("--sell"), wickDownColor: color("--sell"),
});

// The chart's own times are UTC; a trade stands on the tape at the time of who looks at it.
export function timesOf(interval) {
  const local = !DAYS.includes(interval);
  return {
    localization: { timeFormatter: (time) => (local ? when(time * 1000) : new Date(time * 1000).toISOString().slice(0, 10)) },
    // null: the chart's own label, a date.
    timeScale: { tickMarkFormatter: (time, kind) => (local && kind === TickMarkType.Time ? minute(time * 1000) : null) },
  };
}

// A chart in an element: candles are collected, and drawn once per frame.
class Drawing {
  constructor(element) {
    this.chart = createChart(element, { autoSize: true, ...colors() });
    this.candles = this.chart.addSeries(CandlestickSeries, candleColors());
    this.volume = this.chart.addSeries(HistogramSeries, { priceScaleId: "", lastValueVisible: false, priceLineVisible: false, priceFormat: { type: "volume" } });
    this.volume.priceScale().applyOptions({ scaleMargins: { top: 0.82, bottom: 0 } });
    this.fresh = new Map();
    this.newest = 0;
    this.draw = perFrame(() => this._draw());
    this.recolor = () => {
      this.chart.applyOptions(colors());
      this.candles.applyOptions(candleColors());
      this.volume.setData(this.volume.data().map((each) => ({ ...each, color: fill(each.customValues.falls) })));
    };
    addEventListener("themechange", this.recolor);
  }

  begin(candles, digits, interval) {
    this.chart.applyOptions(timesOf(interval));
    this.candles.applyOptions({ priceFormat: { type: "price", precision: digits, minMove: 10 ** -digits } });
    const rows = [...new Map(candles.map((candle) => [seconds(candle.time), candle]))].sort(([a], [b]) => a - b);
    this.candles.setData(rows.map(([, candle]) => bar(candle)));
    this.volume.setData(rows.map(([, candle]) => volume(candle)));
    this.newest = rows.at(-1)?.[0] ?? 0;
    this.fresh.clear();
  }

  update(candles) {
    for (const candle of candles) this.fresh.set(seconds(candle.time), candle);
    this.draw();
  }

  _draw() {
    if (this.ended) return;
    for (const [time, candle] of [...this.fresh].sort(([a], [b]) => a - b)) {
      if (time < this.newest) continue; // The chart takes no older ones; they come with a snapshot.
      this.newest = time;
      this.candles.update(bar(candle));
      this.volume.update(volume(candle));
    }
    this.fresh.clear();
  }

  end() {
    this.ended = true;
    removeEventListener("themechange", this.recolor);
    this.chart.remove();
  }
}

// Prices on a screen may be floating point numbers: nothing is computed with them.
const bar = (candle) => ({
  time: seconds(candle.time), open: Number(candle.open), high: Number(candle.high), low: Number(candle.low), close: Number(candle.close),
});
const falls = (candle) => Number(candle.close) < Number(candle.open);
const fill = (falling) => color(falling ? "--sell-fill" : "--buy-fill");
const volume = (candle) => ({ time: seconds(candle.time), value: Number(candle.volume), color: fill(falls(candle)), customValues: { falls: falls(candle) } });

// Fill a drawing with a market's candles and keep it up to date; return what ends that.
function feed(drawing, symbol, interval, setNote, setLast) {
  const channel = `candles:${symbol}:${interval}`;
  const digits = scaleOf(current()?.tick_size ?? "0.01");
  let ended = false;
  let loaded = false;
  const load = async () => {
    try {
      const { items } = await get(`/markets/${symbol}/candles${query({ interval, limit: CANDLES })}`);
      if (ended) return;
      const traded = items.filter((candle) => candle.open !== null);
      drawing.begin(traded, digits, interval);
      loaded = true;
      setLast(traded.at(-1) ?? null);
      setNote(traded.length ? "" : "No trade yet.");
    } catch (problem) {
      if (!ended) setNote(problem.status === 404 ? "This exchange keeps no candles." : problem.message);
    }
  };
  stream.subscribe(channel, (frame) => {
    // A snapshot stands at the beginning, also after a lost connection: history may have a gap.
    if (frame.type === "snapshot") load();
    else if (loaded && frame.candles) {
      drawing.update(frame.candles);
      setLast(frame.candles.at(-1));
      setNote("");
    }
  });
  load();
  return () => {
    ended = true;
    stream.unsubscribe(channel);
  };
}

export function Chart() {
  const { symbol } = useStore(market);
  const [interval, setInterval] = useState("15m");
  const [note, setNote] = useState("");
  const [last, setLast] = useState(null);
  const place = useRef(null);
  const drawing = useRef(null);
  useEffect(() => {
    drawing.current = new Drawing(place.current);
    return () => drawing.current.end();
  }, []);
  useEffect(() => (symbol === null ? undefined : feed(drawing.current, symbol, interval, setNote, setLast)), [symbol, interval]);
  return html`<div class="row intervals" role="group" aria-label="Interval">${INTERVALS.map((each) => html`<button class="small"
      aria-pressed=${each === interval} onClick=${() => setInterval(each)}>${each}</button>`)}<span class="dim">${note}</span></div>
    <div class="legend number dim" data-test="legend">${last && html`<${Legend} candle=${last} />`}</div>
    <div class="canvas" ref=${place} role="img" aria-label="Candlestick chart with volume"></div>`;
}

// The newest candle in words: what the drawing shows to the eye.
function Legend({ candle }) {
  const way = falls(candle) ? "sell" : "buy";
  const values = [["O", candle.open], ["H", candle.high], ["L", candle.low], ["C", candle.close], ["V", candle.volume]];
  return values.map(([name, value]) => html`<span key=${name}>${name} <span class=${name === "V" ? "" : way}>${value}</span> </span>`);
}
