// Asking for the key of a service that wants one.

import { signedIn, signIn, signOut } from "../service";
import { button, element, field, heading, paragraph, show, showError } from "../ui";

const WRONG = "The service did not accept that key. Check that you copied all of it, or ask whoever runs the service for a new one.";
const EMPTY = "Enter your API key or access token.";

export function signInPage(): void {
  const key = element("input", { id: "key", class: "govuk-input govuk-input--width-30", type: "password", autocomplete: "off", spellcheck: "false" });
  const box = field("API key or access token", key, "It is kept in this browser tab only, until you close it.");
  const refuse = (why: string) => {
    box.querySelector(".govuk-error-message")?.remove();
    key.before(element("p", { class: "govuk-error-message", id: "key-error" }, element("span", { class: "govuk-visually-hidden" }, "Error: "), why));
    box.classList.add("govuk-form-group--error");
    key.classList.add("govuk-input--error");
    key.setAttribute("aria-invalid", "true");
    key.setAttribute("aria-describedby", "key-hint key-error");
    document.title = `Error: ${document.title.replace("Error: ", "")}`;
    showError(new Error(why), key);
  };
  const form: HTMLFormElement = element("form", { novalidate: "" }, box, button("Sign in", () => form.requestSubmit()));
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    if (!key.value.trim()) return refuse(EMPTY);
    signIn(key.value.trim());
    location.reload();
  });
  show(
    "Sign in",
    [],
    heading(1, "Sign in"),
    paragraph("This service shows cases and plans only to people with a key. Whoever runs it for your council or partnership can give you one."),
    form,
  );
  if (signedIn()) {
    signOut();
    refuse(WRONG);
  }
}
