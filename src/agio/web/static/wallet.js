// The wallet: what it is worth in all, moving with the rates, and what is in it.

import { html } from "./vendor/htm-preact-standalone.module.js";
import { grouped } from "./money.js";

const SIGNS = { EUR: "€", USD: "$", GBP: "£", JPY: "¥", CNY: "¥", INR: "₹", KRW: "₩", BTC: "₿", ETH: "Ξ", ILS: "₪", TRY: "₺", PHP: "₱", THB: "฿" };

const STATUS = { pending: "Your account is being opened …", closed: "This account is closed." };

export function Wallet({ account, wallet, currencies }) {
  if (!wallet) return html`<section class="card wallet"><p class="empty">Loading your wallet …</p></section>`;
  const { total, balances, direction } = wallet;
  const [whole, decimals] = grouped(total.amount).split(".");
  const way = direction > 0 ? "up" : direction < 0 ? "down" : "";
  return html`
    <section class="card wallet" aria-labelledby="wallet-title">
      <h2 id="wallet-title">Total value</h2>
      <p class="total" data-testid="total">
        <span key=${total.amount} class="flash ${way}">${whole}${decimals !== undefined && html`<small>.${decimals}</small>`}</span>
        ${" "}<span class="code">${total.currency}</span>
      </p>
      <p class="note">
        ${account.status !== "active"
          ? html`<span class="badge pending" data-testid="account-status">${STATUS[account.status]}</span>`
          : total.as_of
            ? html`At rates of <time datetime=${total.as_of}>${clock(total.as_of)}</time>`
            : "Your balances, in your home currency"}
        ${total.missing.length > 0 && html` · without ${total.missing.join(", ")}, for which there is no rate`}
      </p>
      ${balances.length === 0
        ? html`<p class="empty">Nothing here yet. Deposit from your test card to begin.</p>`
        : html`
            <ul class="balances" data-testid="balances">
              ${balances.map(
                ({ currency, amount }) => html`
                  <li key=${currency} data-testid="balance-${currency}">
                    <${Coin} code=${currency} />
                    <span class="what"><b>${currency}</b><span>${currencies.get(currency)?.name}</span></span>
                    <span class="number">${grouped(amount)}</span>
                  </li>
                `,
              )}
            </ul>
          `}
    </section>
  `;
}

export function Coin({ code }) {
  const hue = [...code].reduce((sum, letter) => sum + letter.charCodeAt(0), 0) % 6;
  return html`<span class="coin hue-${hue}" aria-hidden="true">${SIGNS[code] ?? code.slice(0, 2)}</span>`;
}

export function clock(time) {
  return new Date(time).toLocaleTimeString([], { hour: "2-digit", minute: "2-digit", second: "2-digit" });
}
