// Money in, from the test card.

import { html, useState } from "./vendor/htm-preact-standalone.module.js";
import { AmountField, Problem } from "./field.js";
import { useSubmit } from "./submit.js";

export function Deposit({ account, currencies, live, onSubmit }) {
  const [code, setCode] = useState(account.home_currency);
  const [amount, setAmount] = useState("");
  const { busy, error, send } = useSubmit("/api/deposits", live.note);
  const submit = async (event) => {
    event.preventDefault();
    onSubmit();
    if (await send({ amount: amount.trim(), currency: code })) setAmount("");
  };
  return html`
    <form onSubmit=${submit} data-testid="deposit">
      <div class="plastic" data-testid="card">
        <span class="chip"></span>
        <span>${account.card}</span>
        <small>Not a real card; it never runs dry.</small>
      </div>
      <${AmountField}
        id="deposit-amount"
        label="Amount"
        amount=${amount}
        onAmount=${setAmount}
        currency=${currencies.get(code)}
        currencies=${currencies}
        onCurrency=${setCode}
      />
      <${Problem} error=${error} />
      <button class="main" type="submit" disabled=${busy || account.status !== "active"} data-testid="deposit-submit">Deposit</button>
    </form>
  `;
}
