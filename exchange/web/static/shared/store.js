// State that many panels show: changed at any time, drawn at most once per animation frame.

import { perFrame } from "./frame.js";
import { useEffect, useState } from "./html.js";

export class Store {
  constructor(state) {
    this.state = state;
    this._watchers = new Set();
    this._paint = perFrame(() => {
      for (const watcher of [...this._watchers]) watcher();
    });
  }

  // Change what is named, and have it drawn.
  set(changes) {
    Object.assign(this.state, changes);
    this._paint();
  }

  // Have drawn what was changed in place.
  touch() {
    this._paint();
  }

  watch(watcher) {
    this._watchers.add(watcher);
    return () => this._watchers.delete(watcher);
  }
}

// Return a store's state, and draw the component again when it changes.
export function useStore(store) {
  const [, draw] = useState(0);
  useEffect(() => store.watch(() => draw((n) => n + 1)), [store]);
  return store.state;
}
