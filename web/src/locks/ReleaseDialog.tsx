import { useQuery, useQueryClient } from "@tanstack/react-query";
import { api, must } from "../api/client";
import { VerbDialog } from "../task/VerbDialog";
import { Dialog } from "../ui/Dialog";
import { ErrorBox } from "../ui/ErrorBox";

/** The dialog that takes the locks of the task `id`, as on the task's own page. */
export function ReleaseDialog({ id, onClose }: { id: string; onClose: () => void }) {
  const queries = useQueryClient();
  const task = useQuery({
    queryKey: ["task", id, "task"],
    queryFn: () => must(api.GET("/v1/tasks/{id}", { params: { path: { id }, query: { include: ["all"] } } })),
  });
  if (task.data) {
    return (
      <VerbDialog
        task={task.data}
        asked={{ verb: "release" }}
        onClose={() => {
          void queries.invalidateQueries({ queryKey: ["locks"] });
          onClose();
        }}
      />
    );
  }
  return (
    <Dialog title="Take its locks" onClose={onClose}>
      {task.isError ? <ErrorBox error={task.error} /> : <p>Reading the task…</p>}
    </Dialog>
  );
}
