/**
 * The pages that mail links open, and the set-up of the first owner. A link's secret rides in the fragment, which is sent to no server,
 * and is used up only when somebody clicks: programs that follow links in mails spend nothing.
 */
const byId = (id) => document.getElementById(id);
const secret = new URLSearchParams(location.hash.replace(/^#(?:\/set-up\?)?/, ""));
const form = byId("form");
const [title, what, said, email, password] = ["title", "what", "said", "email", "password"].map(byId);

/** What each page asks for, sends, and says when it is done. */
const PAGES = {
  verify: {
    title: "Confirm your address",
    what: "Confirm that this mail address is yours.",
    button: "Confirm",
    send: ({ token, given }) => post("email/verify", { token, ...(given.password && { password: given.password }) }),
    done: "Your address is confirmed. You can close this page and go back to the app.",
  },
  reset: {
    title: "Choose a new password",
    what: "Every device that is signed in to your account will be signed out.",
    button: "Set the password",
    password: "New password",
    send: ({ token, given }) => post("password/reset", { token, password: given.password }),
    done: "Your new password is set. Go back to the app and sign in with it.",
  },
  forgot: {
    title: "Forgot your password?",
    what: "We mail you a link by which you choose a new one.",
    button: "Mail me a link",
    email: true,
    send: ({ given }) => post("password/forgot", given),
    done: "If there is an account with this address, a mail is on its way.",
  },
  invite: {
    title: "Welcome",
    what: "Choose a password for your account.",
    button: "Make my account",
    email: true,
    password: "Password",
    send: ({ token, as, given }) => post("sign-up", { invite: token, ...given, ...(as && { as }) }),
    done: "Your account is ready. You can sign in with it now.",
  },
  setUp: {
    title: "Set up Galley",
    what: "Make the first owner of this server. This link works once.",
    button: "Make the owner",
    email: true,
    password: "Password (at least 15 characters; 8 in development mode)",
    send: ({ token, given }) => post("sign-up", { invite: token, ...given, as: "admin" }),
    done: "You are the owner of this server now.",
  },
};

const name = location.hash.startsWith("#/set-up") ? "setUp" : location.pathname.split("/").at(-1);
const token = secret.get("token") ?? secret.get("code");
const page = name === "reset" && !token ? PAGES.forgot : PAGES[name];
const as = secret.get("as");
// The address bar, and with it the history, forget the secret.
history.replaceState(null, "", location.pathname);
if (!page || (!token && page !== PAGES.forgot)) {
  what.textContent = "This link is not whole. Open it from the mail once more, or ask for a new one.";
} else {
  document.title = page.title;
  title.textContent = page.title;
  what.textContent = page.what;
  form.querySelector("button").textContent = page.button;
  email.hidden = email.querySelector("input").disabled = !page.email;
  askPassword(page.password, "new-password");
  form.hidden = false;
  form.addEventListener("submit", submit);
}

/** Shows the field for a password, named so; undefined: none is asked for. */
function askPassword(label, autocomplete) {
  const input = password.querySelector("input");
  password.hidden = input.disabled = label === undefined;
  password.querySelector("span").textContent = label ?? "";
  input.autocomplete = autocomplete;
}

async function submit(event) {
  event.preventDefault();
  const button = form.querySelector("button");
  button.disabled = true;
  said.dataset.state = "";
  said.textContent = "One moment …";
  const given = Object.fromEntries(new FormData(form));
  const { ok, error } = await page
    .send({ token, as, given })
    .catch(() => ({ error: { message: "The server cannot be reached." } }));
  button.disabled = false;
  if (ok) {
    form.hidden = true;
    what.textContent = page.done;
    said.textContent = "";
    return;
  }
  if (error.details?.reason === "reauth_required") {
    askPassword("Your password", "current-password");
    said.textContent = "Give the password of your account as well, or open the link where you are signed in.";
    password.querySelector("input").focus();
    return;
  }
  said.dataset.state = "ill";
  const faults = error.details?.faults?.map(({ message }) => message) ?? [];
  said.textContent = faults.length > 0 ? faults.join(". ") : error.message;
}

/** Sends a request of accounts. A session that came with it ends: this page is nobody's app. */
async function post(path, body) {
  const send = (to, what) =>
    fetch(`/v1/auth/${to}`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify(what),
      credentials: "omit",
    });
  const answer = await send(path, body);
  const text = await answer.text();
  const json = text === "" ? {} : JSON.parse(text);
  if (json.session) await send("sign-out", { refreshToken: json.session.refreshToken });
  return { ok: answer.ok, error: json.error };
}
