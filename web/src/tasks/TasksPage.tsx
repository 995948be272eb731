import { PageHead } from "../ui/PageHead";

export function TasksPage() {
  return <PageHead title="TasksPage" />;
}
