import { Button } from "../ui/Button";
import { CodeField, SelectField, TextField } from "../ui/Field";
import { Cross } from "../ui/icons";
import { plain } from "../ui/text";
import type { FieldErrors } from "./refusal";
import { type Draft, escapePointer, type Field } from "./schema";
import styles from "./start.module.css";

interface Props {
  field: Field;
  draft: Draft;
  /** The JSON pointer of the field's value, from the input's root. */
  pointer: string;
  errors: FieldErrors;
  onChange: (draft: Draft) => void;
}

/** A field of a form made from a schema, with those inside it. */
export function SchemaField(props: Props) {
  const { field, draft, pointer, errors, onChange } = props;
  const common = {
    label: field.required ? plain(field.label) : `${plain(field.label)} (optional)`,
    hint: field.hint ? <bdi>{plain(field.hint)}</bdi> : undefined,
    error: errors.get(pointer),
    "aria-required": field.required,
    "data-pointer": pointer,
  };
  const text = typeof draft === "string" ? draft : "";
  const onText = (event: { target: { value: string } }) => onChange(event.target.value);
  switch (field.kind) {
    case "object":
      return <Members {...props} field={field} />;
    case "list":
      return <Items {...props} field={field} />;
    case "boolean":
      return (
        <SelectField {...common} value={text} onChange={onText}>
          <option value="">Not given</option>
          <option value="true">Yes</option>
          <option value="false">No</option>
        </SelectField>
      );
    case "choice":
      return (
        <SelectField {...common} value={text} onChange={onText}>
          <option value="">Not given</option>
          {field.values.map((value, index) => (
            <option key={JSON.stringify(value)} value={index}>
              {typeof value === "string" ? plain(value) : JSON.stringify(value)}
            </option>
          ))}
        </SelectField>
      );
    case "json":
      return (
        <CodeField
          {...common}
          hint={
            <>
              {common.hint} JSON{field.secret && "; kept secret by the server, and visible while you write"}
            </>
          }
          rows={4}
          value={text}
          onChange={onText}
        />
      );
    default:
      return (
        <TextField
          {...common}
          type={field.secret ? "password" : "text"}
          autoComplete={field.secret ? "new-password" : "off"}
          inputMode={field.kind === "number" ? "decimal" : undefined}
          value={text}
          onChange={onText}
        />
      );
  }
}

function Members({ field, draft, pointer, errors, onChange }: Props & { field: Field & { kind: "object" } }) {
  const drafts = (typeof draft === "object" && !Array.isArray(draft) ? draft : {}) as Record<string, Draft>;
  const fields = field.fields.map((each) => (
    <SchemaField
      key={each.name}
      field={each}
      draft={Object.hasOwn(drafts, each.name) ? drafts[each.name] : undefined}
      pointer={`${pointer}/${escapePointer(each.name)}`}
      errors={errors}
      onChange={(next) => {
        const all = { ...drafts, [each.name]: next };
        // An object of which everything was cleared is not given, as before anything was written.
        onChange(Object.values(all).some((part) => part !== undefined && part !== "") ? all : undefined);
      }}
    />
  ));
  // The root needs no frame of its own.
  if (pointer === "") return fields;
  return (
    <fieldset className={styles.group}>
      <legend>{field.required ? plain(field.label) : `${plain(field.label)} (optional)`}</legend>
      {field.hint && <p className={styles.hint}>{plain(field.hint)}</p>}
      <GroupError message={errors.get(pointer)} />
      {fields}
    </fieldset>
  );
}

function Items({ field, draft, pointer, errors, onChange }: Props & { field: Field & { kind: "list" } }) {
  const items = Array.isArray(draft) ? draft : [];
  const set = (index: number, next: Draft) => onChange(items.map((item, at) => (at === index ? next : item)));
  return (
    <fieldset className={styles.group}>
      <legend>{field.required ? plain(field.label) : `${plain(field.label)} (optional)`}</legend>
      {field.hint && <p className={styles.hint}>{plain(field.hint)}</p>}
      <GroupError message={errors.get(pointer)} />
      {items.map((item, index) => (
        // biome-ignore lint/suspicious/noArrayIndexKey: items have no identity but their place
        <div key={index} className={styles.item}>
          <div className={styles.itemField}>
            <SchemaField
              field={{ ...field.item, label: `${field.label} ${index + 1}` }}
              draft={item}
              pointer={`${pointer}/${index}`}
              errors={errors}
              onChange={(next) => set(index, next)}
            />
          </div>
          <Button
            look="quiet"
            aria-label={`Remove ${plain(field.label)} ${index + 1}`}
            onPress={() => {
              const left = items.filter((_, at) => at !== index);
              onChange(left.length > 0 ? left : undefined);
            }}
          >
            <Cross />
          </Button>
        </div>
      ))}
      <div>
        <Button onPress={() => onChange([...items, field.item.kind === "text" ? "" : undefined])}>
          Add to {plain(field.label)}
        </Button>
      </div>
    </fieldset>
  );
}

function GroupError({ message }: { message: string | undefined }) {
  return message ? (
    <p role="alert" className={styles.error}>
      {message}
    </p>
  ) : null;
}
