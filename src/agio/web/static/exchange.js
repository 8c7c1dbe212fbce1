// One currency for another, at the rate when the ledger decides; the estimate is the ledger's own arithmetic.

import { html, useState } from "./vendor/htm-preact-standalone.module.js";
import { AmountField, CurrencySelect, Problem } from "./field.js";
import { convertDown, formatAmount, grouped, parseAmount, sellingPrice } from "./money.js";
import { useSubmit } from "./submit.js";

// What one loses at most to rates that move before the decision, per thousand.
const PROTECTION_PER_MILLE = 5n;

export function Exchange({ account, currencies, live, onSubmit }) {
  const { rates } = live;
  const balances = new Map((live.wallet?.balances ?? []).map((balance) => [balance.currency, balance.amount]));
  const partners = partnersOf(rates);
  const [chosen, setChosen] = useState({ sell: undefined, buy: undefined });
  const [amount, setAmount] = useState("");
  const [protectedPrice, setProtectedPrice] = useState(true);
  const { busy, error, send } = useSubmit("/api/exchanges", live.note);

  if (partners.size === 0) return html`<p class="empty">There are no rates at the moment, so nothing can be exchanged.</p>`;
  const sell = partners.has(chosen.sell) ? chosen.sell : firstChoice(partners, balances, account);
  const buyable = partners.get(sell);
  const buy = buyable.includes(chosen.buy) ? chosen.buy : buyable.includes(account.home_currency) ? account.home_currency : buyable[0];

  const quote = sellingPrice(rates, sell, buy);
  const sold = currencies.get(sell), bought = currencies.get(buy);
  const parsed = parseAmount(amount, sold.exponent).amount;
  const estimate = parsed === undefined ? undefined : convertDown(parsed, sold, bought, quote.price);
  const least = estimate === undefined ? 0n : (estimate * (1000n - PROTECTION_PER_MILLE)) / 1000n;

  const submit = async (event) => {
    event.preventDefault();
    onSubmit();
    const wish = { sell, buy, sell_amount: amount.trim() };
    if (protectedPrice && least > 0n) wish.min_buy_amount = formatAmount(least, bought.exponent);
    if (await send(wish)) setAmount("");
  };
  const swap = () => setChosen({ sell: buy, buy: sell });

  return html`
    <form onSubmit=${submit} data-testid="exchange">
      <${AmountField}
        id="sell-amount"
        label="You sell"
        amount=${amount}
        onAmount=${setAmount}
        currency=${sold}
        currencies=${currencies}
        codes=${[...partners.keys()]}
        onCurrency=${(code) => setChosen({ sell: code, buy: code === buy ? sell : buy })}
        balance=${balances.get(sell)}
      />
      <div class="swap">
        <button class="round" type="button" onClick=${swap} data-testid="swap" aria-label="Swap the currencies">⇅</button>
        <p data-testid="indicative-rate">${quote.text}</p>
      </div>
      <div class="field">
        <span class="label" id="buy-label">You get about</span>
        <div class="amount">
          <output for="sell-amount sell-amount-currency buy-currency" aria-labelledby="buy-label" data-testid="estimate">
            ${estimate === undefined ? "–" : grouped(formatAmount(estimate, bought.exponent))}
          </output>
          <${CurrencySelect}
            id="buy-currency"
            label="You get: currency"
            codes=${buyable}
            value=${buy}
            onChange=${(code) => setChosen({ sell, buy: code })}
          />
        </div>
      </div>
      <label class="check">
        <input
          type="checkbox"
          data-testid="protect"
          checked=${protectedPrice}
          onChange=${(event) => setProtectedPrice(event.target.checked)}
        />
        <span>
          Only if I get at least
          ${" "}${estimate === undefined ? "99.5 % of it" : `${grouped(formatAmount(least, bought.exponent))} ${buy}`}
        </span>
      </label>
      <${Problem} error=${error} />
      <button class="main" type="submit" disabled=${busy || account.status !== "active"} data-testid="exchange-submit">Exchange</button>
    </form>
  `;
}

// For each currency with a rate, in alphabetical order, those it can be exchanged for.
function partnersOf(rates) {
  const partners = new Map();
  const add = (one, other) => partners.set(one, [...(partners.get(one) ?? []), other]);
  for (const pair of [...rates.keys()].sort()) {
    const [base, quote] = pair.split("-");
    add(base, quote);
    add(quote, base);
  }
  return new Map([...partners].sort(([one], [other]) => (one < other ? -1 : 1)));
}

function firstChoice(partners, balances, account) {
  const held = [...balances.keys()].filter((code) => partners.has(code));
  if (held.includes(account.home_currency)) return account.home_currency;
  return held[0] ?? (partners.has(account.home_currency) ? account.home_currency : partners.keys().next().value);
}
