import { keepPreviousData, useQuery } from "@tanstack/react-query";
import { api, must } from "../api/client";

/** All accounts, by name; for administrators. */
export function useUsers() {
  return useQuery({
    queryKey: ["users"],
    queryFn: () => must(api.GET("/v1/users")),
    select: (page) => page.elements,
  });
}

/** Sessions of a page of 50. */
export const SESSIONS = 50;

/** Who is logged in: one's own sessions, or as an administrator everybody's, or those of `user`. */
export function useSessions(user: string | undefined, page = 1) {
  return useQuery({
    queryKey: ["sessions", user, page],
    placeholderData: keepPreviousData,
    queryFn: () =>
      must(
        api.GET("/v1/sessions", {
          params: { query: { pageNumber: page, pageSize: SESSIONS, ...(user ? { user } : {}) } },
        }),
      ),
  });
}
