// What somebody sees who is signed in.

import { html, useState } from "./vendor/htm-preact-standalone.module.js";
import { Activity, describe } from "./activity.js";
import { Deposit } from "./deposit.js";
import { Exchange } from "./exchange.js";
import { Tabs } from "./field.js";
import { Rates } from "./rates.js";
import { Wallet } from "./wallet.js";
import { Withdraw } from "./withdraw.js";

const TICKETS = { exchange: Exchange, deposit: Deposit, withdraw: Withdraw };
const TABS = [
  ["exchange", "Exchange"],
  ["deposit", "Deposit"],
  ["withdraw", "Withdraw"],
];

export function Dashboard({ account, currencies, live }) {
  const [opened, setOpened] = useState(undefined);
  const empty = (live.wallet?.balances ?? []).length === 0;
  const chosen = opened ?? (empty ? "deposit" : "exchange");
  return html`
    <main class="dashboard">
      <${Wallet} account=${account} wallet=${live.wallet} currencies=${currencies} />
      <section class="card ticket" aria-label="Move money">
        <${Tabs} label="What to do" panel="ticket" items=${TABS} chosen=${chosen} onChoose=${setOpened} />
        <div id="ticket" role="tabpanel" aria-labelledby="tab-${chosen}">
          <${TICKETS[chosen]}
            key=${chosen}
            account=${account}
            currencies=${currencies}
            live=${live}
            onSubmit=${() => setOpened(chosen)}
          />
        </div>
      </section>
      <${Activity} currencies=${currencies} live=${live} />
      <${Rates} rates=${live.rates} />
      <p class="news" role="status" aria-live="polite" data-testid="news">
        ${live.news && html`<span key=${live.news.transaction_id} class=${live.news.status}>${describe(live.news)}</span>`}
      </p>
    </main>
  `;
}
