import { useCallback } from "react";
import { useTicking } from "../ui/Time";

/** The instant of `end`, or the present, in steps of a second, while there is none. */
export function useEndOrNow(end: string | undefined): number {
  const text = useTicking(useCallback((now: number) => end ?? String(Math.floor(now / 1000) * 1000), [end]));
  return end ? Date.parse(end) : Number(text);
}
