/* The first screen: sign in, or open an account and be signed in at once. */
import { useMutation } from "@tanstack/react-query";
import { type FormEvent, useState } from "react";
import type { Session } from "@/client";
import { Brand, Button, Field, ProblemNote, ThemeToggle, fieldProblem } from "@/components/parts";

const FIELDS = ["username", "email", "password", "display_name"];

export function SignIn({ session }: { readonly session: Session }) {
  const [isNew, setNew] = useState(false);
  return (
    <main className="sign-in">
      <div className="sign-in-card">
        <header>
          <Brand />
          <ThemeToggle />
        </header>
        <h1>{isNew ? "Open an account" : "Welcome back"}</h1>
        {isNew ? <Register session={session} /> : <Login session={session} />}
        <p className="sign-in-other">
          {isNew ? "You have an account?" : "New here?"}{" "}
          <button type="button" className="link" onClick={() => setNew(!isNew)}>
            {isNew ? "Sign in" : "Open an account"}
          </button>
        </p>
      </div>
    </main>
  );
}

function Login({ session }: { readonly session: Session }) {
  const login = useMutation({ mutationFn: (form: FormData) => session.login(text(form, "name").trim(), text(form, "password")) });
  return (
    <form onSubmit={submitted(login.mutate)}>
      <Field label="Username or e-mail" name="name" autoComplete="username" required autoFocus autoCapitalize="none" />
      <Field label="Password" name="password" type="password" autoComplete="current-password" required />
      <ProblemNote error={login.error} />
      <Button type="submit" look="primary" busy={login.isPending}>
        {login.isPending ? "Signing in…" : "Sign in"}
      </Button>
    </form>
  );
}

function Register({ session }: { readonly session: Session }) {
  const register = useMutation({
    mutationFn: (form: FormData) =>
      session.register(text(form, "username").trim(), text(form, "email").trim(), text(form, "password"), text(form, "display_name").trim()),
  });
  const { error } = register;
  return (
    <form onSubmit={submitted(register.mutate)}>
      <Field label="Your name" name="display_name" autoComplete="name" maxLength={64} problem={fieldProblem(error, "display_name")} autoFocus />
      <Field label="Username" name="username" autoComplete="username" autoCapitalize="none" required maxLength={32} hint="Letters, digits, dots, dashes." problem={fieldProblem(error, "username")} />
      <Field label="E-mail" name="email" type="email" autoComplete="email" required problem={fieldProblem(error, "email")} />
      <Field label="Password" name="password" type="password" autoComplete="new-password" required minLength={8} maxLength={128} hint="At least 8 characters." problem={fieldProblem(error, "password")} />
      <ProblemNote error={error} fields={FIELDS} />
      <Button type="submit" look="primary" busy={register.isPending}>
        {register.isPending ? "Opening…" : "Open an account"}
      </Button>
    </form>
  );
}

function submitted(act: (form: FormData) => void) {
  return (event: FormEvent<HTMLFormElement>): void => {
    event.preventDefault();
    act(new FormData(event.currentTarget));
  };
}

function text(form: FormData, name: string): string {
  const value = form.get(name);
  return typeof value === "string" ? value : "";
}
