// Paint once per animation frame, however often something changes.

// Return a function that has `paint` called in the next frame, once, no matter how often it is asked.
export function perFrame(paint) {
  let asked = false;
  return () => {
    if (asked) return;
    asked = true;
    requestAnimationFrame(() => {
      asked = false;
      paint();
    });
  };
}
