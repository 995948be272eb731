import { ErrorBox } from "../ui/ErrorBox";
import { Json } from "../ui/Json";
import { useInputAndOutputs } from "./useTask";

/** What the task was started with, and what its steps gave. Secrets are shown by the server as redacted. */
export function ValuesTab({ id }: { id: string }) {
  const values = useInputAndOutputs(id);
  if (values.isError) return <ErrorBox error={values.error} />;
  if (!values.data) return null;
  return (
    <>
      <Json title="Input" value={values.data.input ?? null} />
      <Json title="Outputs of its steps" value={values.data.outputs ?? {}} />
    </>
  );
}
