// The page: a door for strangers, a dashboard for those who are signed in.

import { html, render, useEffect, useState } from "./vendor/htm-preact-standalone.module.js";
import { del, get } from "./api.js";
import { Dashboard } from "./dashboard.js";
import { useLive } from "./live.js";
import { Welcome } from "./welcome.js";

const root = document.getElementById("app");
const hasSession = root.dataset.session === "yes"; // the cookie itself is out of a script's reach

function App() {
  const [account, setAccount] = useState(undefined); // undefined: not known yet; null: signed out
  const [currencies, setCurrencies] = useState(undefined);
  const signedOut = () => setAccount(null);
  const live = useLive(account?.account_id, setAccount, signedOut);

  useEffect(() => {
    const begin = async () => {
      try {
        const found = await get("/api/currencies");
        setCurrencies(new Map(found.map((currency) => [currency.code, currency])));
        setAccount(hasSession ? await get("/api/account") : null);
      } catch (error) {
        if (error.status === 401) signedOut();
        else setTimeout(begin, 1000);
      }
    };
    begin();
  }, []);

  const signOut = async () => {
    await del("/api/session").catch(() => undefined);
    signedOut();
  };

  if (currencies === undefined || account === undefined) {
    return html`<p class="starting" role="status">Opening the exchange …</p>`;
  }
  return html`
    <${Header} account=${account} connected=${live.connected} signOut=${signOut} />
    ${account === null
      ? html`<${Welcome} currencies=${currencies} live=${live} onSignedIn=${setAccount} />`
      : html`<${Dashboard} key=${account.account_id} account=${account} currencies=${currencies} live=${live} />`}
  `;
}

function Header({ account, connected, signOut }) {
  return html`
    <header class="top">
      <div class="brand"><${Mark} /><span>agio</span></div>
      <p class="connection ${connected ? "on" : "off"}" role="status" data-testid="connection">
        ${connected ? "Live" : "Connecting …"}
      </p>
      ${account &&
      html`
        <p class="who" data-testid="who">${account.name}</p>
        <button class="quiet" type="button" onClick=${signOut} data-testid="sign-out">Sign out</button>
      `}
    </header>
  `;
}

function Mark() {
  return html`
    <svg class="mark" viewBox="0 0 32 32" aria-hidden="true">
      <rect width="32" height="32" rx="9" />
      <path d="M9 13h13l-3.6-3.6M23 19H10l3.6 3.6" />
    </svg>
  `;
}

render(html`<${App} />`, root);
