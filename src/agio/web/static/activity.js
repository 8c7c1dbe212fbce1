// What was asked for and what became of it, the newest first.

import { html } from "./vendor/htm-preact-standalone.module.js";
import { grouped } from "./money.js";

const KINDS = { DEPOSIT: ["↓", "Deposit"], WITHDRAWAL: ["↑", "Withdrawal"], EXCHANGE: ["⇄", "Exchange"] };
const STATUS = { pending: "Pending", succeeded: "Done", rejected: "Rejected" };

export function Activity({ live }) {
  return html`
    <section class="card activity" aria-labelledby="activity-title">
      <h2 id="activity-title">Activity</h2>
      ${live.transactions.length === 0
        ? html`<p class="empty">What you do shows up here.</p>`
        : html`
            <ol data-testid="activity">
              ${live.transactions.map((one) => html`<${Entry} key=${one.transaction_id} one=${one} />`)}
            </ol>
          `}
      ${live.more && html`<button class="quiet" type="button" data-testid="more" onClick=${live.listMore}>Show earlier</button>`}
    </section>
  `;
}

function Entry({ one }) {
  const [sign, title] = KINDS[one.type];
  const time = one.decided_at ?? one.requested_at;
  return html`
    <li class=${one.status} data-testid="transaction" data-status=${one.status} data-id=${one.transaction_id}>
      <span class="kind" aria-hidden="true">${sign}</span>
      <span class="what">
        <b>${title}${one.type === "EXCHANGE" ? ` ${one.currency} → ${one.buy_currency}` : ""}</b>
        <span class="details">
          ${one.status === "rejected"
            ? html`<span class="reason" data-testid="reason">${one.message ?? one.reason}</span>`
            : details(one)}
        </span>
      </span>
      <span class="amounts"><${Amounts} one=${one} /></span>
      <span class="when">
        <span class="badge ${one.status}" data-testid="status">${STATUS[one.status]}</span>
        <time datetime=${time}>${new Date(time).toLocaleString([], { dateStyle: "medium", timeStyle: "short" })}</time>
      </span>
    </li>
  `;
}

function Amounts({ one }) {
  const given = `${grouped(one.amount ?? "")} ${one.currency}`;
  if (one.status === "rejected") return html`<s>${given}</s>`;
  if (one.type === "DEPOSIT") return html`<b class="plus">+${given}</b>`;
  if (one.type === "WITHDRAWAL") return html`<b>−${given}</b>`;
  return html`
    <b class="plus">${one.buy_amount ? `+${grouped(one.buy_amount)} ${one.buy_currency}` : `… ${one.buy_currency}`}</b>
    <span>−${given}</span>
  `;
}

function details(one) {
  if (one.type === "DEPOSIT") return one.card;
  if (one.type === "WITHDRAWAL") return `To ${one.iban.slice(0, 4)} •••• ${one.iban.slice(-4)}`;
  if (!one.rate) return "At the rate of the moment";
  const [base, quote] = one.rate.pair.split("-");
  return `1 ${base} = ${one.currency === base ? one.rate.bid : one.rate.ask} ${quote}`;
}

// One sentence about what became of a wish.
export function describe(one) {
  const given = `${grouped(one.amount ?? "")} ${one.currency}`;
  const title = KINDS[one.type][1];
  if (one.status === "rejected") return `${title} of ${given} rejected: ${one.message ?? one.reason}`;
  if (one.type === "EXCHANGE") return `Exchanged ${given} for ${grouped(one.buy_amount)} ${one.buy_currency}`;
  return `${title} of ${given} done`;
}
