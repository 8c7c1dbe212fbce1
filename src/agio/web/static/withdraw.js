// Money out, to a bank account.

import { html, useState } from "./vendor/htm-preact-standalone.module.js";
import { AmountField, Problem } from "./field.js";
import { useSubmit } from "./submit.js";

// The example of the IBAN standard's registry; no such account exists.
const TEST_IBAN = "DE89 3704 0044 0532 0130 00";

export function Withdraw({ account, currencies, live, onSubmit }) {
  const balances = new Map((live.wallet?.balances ?? []).map((balance) => [balance.currency, balance.amount]));
  const [chosen, setChosen] = useState(undefined);
  const [amount, setAmount] = useState("");
  const [iban, setIban] = useState("");
  const { busy, error, send } = useSubmit("/api/withdrawals", live.note);
  const code = chosen ?? (balances.has(account.home_currency) ? account.home_currency : ([...balances.keys()][0] ?? account.home_currency));
  const submit = async (event) => {
    event.preventDefault();
    onSubmit();
    if (await send({ amount: amount.trim(), currency: code, iban })) setAmount("");
  };
  return html`
    <form onSubmit=${submit} data-testid="withdraw">
      <${AmountField}
        id="withdraw-amount"
        label="Amount"
        amount=${amount}
        onAmount=${setAmount}
        currency=${currencies.get(code)}
        currencies=${currencies}
        onCurrency=${setChosen}
        balance=${balances.get(code)}
      />
      <div class="field">
        <div class="label-row">
          <label for="iban">To bank account (IBAN)</label>
          <button class="link" type="button" data-testid="test-iban" onClick=${() => setIban(TEST_IBAN)}>Use test IBAN</button>
        </div>
        <input
          id="iban"
          data-testid="iban"
          value=${iban}
          required
          maxlength="64"
          autocomplete="off"
          autocapitalize="characters"
          spellcheck="false"
          onInput=${(event) => setIban(event.target.value)}
        />
      </div>
      <${Problem} error=${error} />
      <button class="main" type="submit" disabled=${busy || account.status !== "active"} data-testid="withdraw-submit">Withdraw</button>
    </form>
  `;
}
