// The WebSocket: one connection that comes back by itself, with everything that was subscribed.

import { ApiProblem } from "./api.js";

const FIRST_WAIT = 300; // Milliseconds before the first new attempt; doubled up to the longest.
const LONGEST_WAIT = 5000;
const PING = 5000;
const SILENCE = 12000; // Without any frame for so long, the connection is taken for dead.

export class Stream {
  constructor() {
    this.status = "connecting"; // connecting, live, lost
    this.onStatus = [];
    this._channels = new Map(); // Name to {take, from, began, refused}
    this._asked = new Set(); // Channels that this turn wants; they go in one frame.
    this._waiting = new Map();
    this._nextId = 1;
    this._private = false;
    this._wait = FIRST_WAIT;
    this._connect();
    setInterval(() => this._look(), PING);
    addEventListener("online", () => this._soon(0));
  }

  // Deliver a channel's frames to `take`. `from()` names the sequence to replay from, or undefined;
  // `began()` is told that no frame is missed from now on, `refused(problem)` that it cannot be had:
  // channels with these go in frames of their own. Who subscribes again begins it again.
  subscribe(channel, take, { from, began, refused } = {}) {
    this._channels.set(channel, { take, from, began, refused });
    if (this.status === "live") this._begin(channel);
  }

  unsubscribe(channel) {
    if (!this._channels.delete(channel) || this.status !== "live") return;
    this.request("unsubscribe", { channels: [channel] }).catch(() => {});
  }

  // Ask for a channel from its start: a frame of it was lost.
  restart(channel) {
    if (this.status === "live" && this._channels.has(channel)) this._begin(channel);
  }

  // Whether to speak for whom the cookie speaks for. It counts from the next handshake on.
  signedIn(yes) {
    if (this._private === yes) return;
    this._private = yes;
    const before = this._socket;
    this._abandon();
    this._say("connecting");
    this._connect();
    before.close();
  }

  // Return what the exchange answers to an operation, or throw its problem.
  request(op, parameters = {}) {
    const id = this._nextId++;
    return new Promise((resolve, reject) => {
      if (this._socket.readyState !== WebSocket.OPEN) {
        reject(new ApiProblem({ code: "unreachable", detail: "The connection is lost." }));
        return;
      }
      this._waiting.set(id, { resolve, reject });
      this._socket.send(JSON.stringify({ op, id, ...parameters }));
    });
  }

  _connect() {
    clearTimeout(this._timer);
    this._timer = undefined;
    const scheme = location.protocol === "https:" ? "wss" : "ws";
    const socket = new WebSocket(`${scheme}://${location.host}/api/v1/ws`);
    this._socket = socket;
    this._heard = performance.now();
    socket.onopen = () => this._open(socket);
    socket.onmessage = (event) => socket === this._socket && this._take(JSON.parse(event.data));
    socket.onclose = () => this._closed(socket);
  }

  async _open(socket) {
    if (this._private) {
      try {
        await this.request("authenticate");
      } catch {
        // Signed out elsewhere: what is public is shown, the rest is refused below.
      }
    }
    if (socket !== this._socket || socket.readyState !== WebSocket.OPEN) return;
    this._wait = FIRST_WAIT;
    this._say("live");
    for (const channel of this._channels.keys()) this._begin(channel);
  }

  _begin(channel) {
    const { from, began, refused } = this._channels.get(channel);
    if (from || began || refused) {
      this._ask([channel], from?.());
      return;
    }
    if (this._asked.size === 0) queueMicrotask(() => this._askAll());
    this._asked.add(channel);
  }

  _askAll() {
    const channels = [...this._asked].filter((channel) => this._channels.has(channel));
    this._asked.clear();
    if (channels.length && this.status === "live") this._ask(channels);
  }

  async _ask(channels, start) {
    const parameters = start === undefined ? {} : { from: start };
    try {
      await this.request("subscribe", { channels, ...parameters });
      for (const channel of channels) this._channels.get(channel)?.began?.();
    } catch (problem) {
      if (problem.code === "unreachable") return;
      if (problem.code === "rate_limited") setTimeout(() => channels.forEach((channel) => this.restart(channel)), 1000);
      // One that cannot be had refuses them all: each by itself, to have the others.
      else if (channels.length > 1) channels.forEach((channel) => this._ask([channel]));
      else this._channels.get(channels[0])?.refused?.(problem);
    }
  }

  _take(frame) {
    this._heard = performance.now();
    if (frame.channel !== undefined) {
      this._channels.get(frame.channel)?.take(frame);
      return;
    }
    const waiting = this._waiting.get(frame.id);
    this._waiting.delete(frame.id);
    if (frame.error) waiting?.reject(new ApiProblem(frame.error));
    else waiting?.resolve(frame.result);
  }

  _closed(socket) {
    if (socket !== this._socket) return;
    this._abandon();
    this._say("lost");
    this._soon(this._wait * (0.5 + Math.random() / 2));
    this._wait = Math.min(this._wait * 2, LONGEST_WAIT);
  }

  // Nothing that was asked on this connection will be answered any more.
  _abandon() {
    const lost = new ApiProblem({ code: "unreachable", detail: "The connection is lost." });
    for (const { reject } of this._waiting.values()) reject(lost);
    this._waiting.clear();
  }

  _soon(milliseconds) {
    if (this.status === "live") return;
    clearTimeout(this._timer);
    this._timer = setTimeout(() => this._connect(), milliseconds);
  }

  _look() {
    if (this.status !== "live") return;
    if (performance.now() - this._heard > SILENCE) {
      const socket = this._socket;
      socket.close();
      this._closed(socket);
    } else {
      this.request("ping").catch(() => {});
    }
  }

  _say(status) {
    if (this.status === status) return;
    this.status = status;
    for (const told of this.onStatus) told(status);
  }
}
