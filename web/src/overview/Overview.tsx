import { PageHead } from "../ui/PageHead";

export function Overview() {
  return <PageHead title="Overview" />;
}
