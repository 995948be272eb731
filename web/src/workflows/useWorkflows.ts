import { useQuery } from "@tanstack/react-query";
import { api, must } from "../api/client";

/** All workflows, by name. */
export function useWorkflows() {
  return useQuery({
    queryKey: ["workflows"],
    queryFn: () => must(api.GET("/v1/workflows")),
    select: (page) => page.elements,
  });
}

/** One version of a workflow, the newest unless `version` is given. */
export function useWorkflow(name: string, version: number | undefined) {
  return useQuery({
    queryKey: ["workflow", name, version],
    queryFn: () =>
      must(
        api.GET("/v1/workflows/{name}", {
          params: { path: { name }, query: version === undefined ? {} : { version } },
        }),
      ),
  });
}
