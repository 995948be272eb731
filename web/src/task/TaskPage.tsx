import { PageHead } from "../ui/PageHead";

export function TaskPage({ id }: { id: string }) {
  return <PageHead title={id} />;
}
