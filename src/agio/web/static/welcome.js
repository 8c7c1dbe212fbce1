// The door: opening an account, signing in, and the rates for everybody.

import { html, useState } from "./vendor/htm-preact-standalone.module.js";
import { post } from "./api.js";
import { Field, Problem, Tabs } from "./field.js";
import { Rates } from "./rates.js";

const TABS = [
  ["sign-up", "Open an account"],
  ["sign-in", "Sign in"],
];

export function Welcome({ currencies, live, onSignedIn }) {
  const [chosen, setChosen] = useState("sign-up");
  return html`
    <main class="welcome">
      <section class="pitch">
        <h1>Your money in any currency, at the rate of this moment.</h1>
        <p>Deposit, exchange and withdraw. Watch what it is worth, live. Every booking is recorded once, for good.</p>
      </section>
      <section class="card door" aria-label="Sign up or sign in">
        <${Tabs} label="Account" panel="credentials" items=${TABS} chosen=${chosen} onChoose=${setChosen} />
        <div id="credentials" role="tabpanel" aria-labelledby="tab-${chosen}">
          <${Credentials} key=${chosen} newcomer=${chosen === "sign-up"} currencies=${currencies} onSignedIn=${onSignedIn} />
        </div>
      </section>
      <${Rates} rates=${live.rates} />
    </main>
  `;
}

function Credentials({ newcomer, currencies, onSignedIn }) {
  const [form, setForm] = useState({ username: "", password: "", name: "" });
  const [home, setHome] = useState("EUR");
  const [error, setError] = useState(undefined);
  const [busy, setBusy] = useState(false);
  const field = (name) => ({
    id: name,
    name,
    "data-testid": name,
    value: form[name],
    required: true,
    onInput: (event) => setForm({ ...form, [name]: event.target.value }),
  });
  const submit = async (event) => {
    event.preventDefault();
    setBusy(true);
    setError(undefined);
    const { username, password, name } = form;
    try {
      const account = newcomer
        ? await post("/api/accounts", { username, password, name, home_currency: home })
        : await post("/api/session", { username, password });
      onSignedIn(account);
    } catch (problem) {
      setError(problem);
      setBusy(false);
    }
  };
  return html`
    <form onSubmit=${submit} data-testid=${newcomer ? "sign-up" : "sign-in"}>
      ${newcomer &&
      html`<${Field} id="name" label="Your name"><input ...${field("name")} autocomplete="name" maxlength="100" /><//>`}
      <${Field} id="username" label="Username">
        <input ...${field("username")} autocomplete="username" autocapitalize="none" spellcheck="false" maxlength="64" />
      <//>
      <${Field} id="password" label="Password" hint=${newcomer ? "At least 10 characters." : undefined}>
        <input
          ...${field("password")}
          type="password"
          minlength=${newcomer ? 10 : undefined}
          autocomplete=${newcomer ? "new-password" : "current-password"}
        />
      <//>
      ${newcomer &&
      html`
        <${Field} id="home-currency" label="Home currency" hint="Totals are shown in it. You can hold any other.">
          <select
            id="home-currency"
            data-testid="home-currency"
            value=${home}
            onChange=${(event) => setHome(event.target.value)}
          >
            ${[...currencies.values()].map(
              ({ code, name }) =>
                html`<option key=${code} value=${code} selected=${code === home}>${code} · ${name}</option>`,
            )}
          </select>
        <//>
      `}
      <${Problem} error=${error} />
      <button class="main" type="submit" disabled=${busy} data-testid="submit">
        ${busy ? "One moment …" : newcomer ? "Open account" : "Sign in"}
      </button>
    </form>
  `;
}
