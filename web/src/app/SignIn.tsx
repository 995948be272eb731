import { type FormEvent, useState } from "react";
import { useSignIn } from "../api/session";
import { Button } from "../ui/Button";
import { ErrorBox } from "../ui/ErrorBox";
import { TextField } from "../ui/Field";
import { Mark } from "./Mark";
import styles from "./SignIn.module.css";

/** The form that signs in; the page behind it is shown afterwards, at the same address. */
export function SignIn() {
  const signIn = useSignIn();
  const [username, setUsername] = useState("");
  const [password, setPassword] = useState("");
  const submit = (event: FormEvent) => {
    event.preventDefault();
    signIn.mutate({ username, password }, { onError: () => setPassword("") });
  };
  return (
    <main className={styles.page}>
      <title>Sign in · Longhaul</title>
      <form className={styles.form} onSubmit={submit}>
        <h1 className={styles.title}>
          <Mark /> Sign in to Longhaul
        </h1>
        <TextField
          label="Name"
          name="username"
          autoComplete="username"
          autoCapitalize="none"
          spellCheck={false}
          required
          autoFocus
          value={username}
          onChange={(event) => setUsername(event.target.value)}
        />
        <TextField
          label="Password"
          name="password"
          type="password"
          autoComplete="current-password"
          required
          value={password}
          onChange={(event) => setPassword(event.target.value)}
        />
        {signIn.isError && <ErrorBox error={signIn.error} />}
        <Button look="primary" type="submit" isDisabled={signIn.isPending}>
          {signIn.isPending ? "Signing in…" : "Sign in"}
        </Button>
      </form>
    </main>
  );
}
