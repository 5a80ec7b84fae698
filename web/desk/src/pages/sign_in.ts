// Asking for the key of a service that wants one.

import { signIn } from "../service";
import { button, element, field, heading, paragraph, show } from "../ui";

export function signInPage(reason: string): void {
  const key = element("input", { id: "key", class: "govuk-input", type: "password", autocomplete: "off" });
  show(
    "Sign in",
    [],
    heading(1, "Sign in"),
    paragraph(reason),
    field("API key or access token", key, "It is kept in this browser tab only, until you close it."),
    button("Sign in", () => {
      signIn(key.value.trim());
      location.reload();
    }),
  );
}
