import { createContext, useContext } from "react";
import { mayActAs, type Session } from "../api/session";
import type { Role } from "../api/types";

/** The session of whoever is signed in. */
export const SessionContext = createContext<Session | undefined>(undefined);

/** The session; only for components below the sign-in. */
export function useSession(): Session {
  const session = useContext(SessionContext);
  if (!session) throw new Error("useSession is for components of somebody who is signed in");
  return session;
}

/** True when the signed-in user may do what `role` may do: what a role may never do is not shown. */
export function useMay(role: Role): boolean {
  return mayActAs(useSession().role, role);
}
