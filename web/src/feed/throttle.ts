/**
 * A function that calls `run` at once, and when it was called again meanwhile, once more after `pause` milliseconds.
 * While the tab is hidden the call waits until it is shown.
 */
export function throttled(run: () => void, pause: number): () => void {
  let timer: ReturnType<typeof setTimeout> | undefined;
  let again = false;
  const begin = () => {
    if (typeof document !== "undefined" && document.hidden) {
      again = false;
      timer = undefined;
      document.addEventListener("visibilitychange", call, { once: true });
      return;
    }
    run();
    again = false;
    timer = setTimeout(() => {
      timer = undefined;
      if (again) begin();
    }, pause);
  };
  const call = () => {
    if (timer === undefined) begin();
    else again = true;
  };
  return call;
}
