// The parts that forms are made of.

import { html, useState } from "./vendor/htm-preact-standalone.module.js";
import { grouped, parseAmount } from "./money.js";

// Tabs above a panel whose id is `panel`. `items`: [name, title] of each.
export function Tabs({ label, panel, items, chosen, onChoose }) {
  const onKey = (event) => {
    const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (!step) return;
    const place = items.findIndex(([name]) => name === chosen);
    const next = (place + step + items.length) % items.length;
    onChoose(items[next][0]);
    event.currentTarget.children[next].focus();
  };
  return html`
    <div class="tabs" role="tablist" aria-label=${label} onKeyDown=${onKey}>
      ${items.map(
        ([name, title]) => html`
          <button
            key=${name}
            role="tab"
            type="button"
            id="tab-${name}"
            data-testid="tab-${name}"
            aria-selected=${chosen === name}
            aria-controls=${panel}
            tabindex=${chosen === name ? 0 : -1}
            onClick=${() => onChoose(name)}
          >
            ${title}
          </button>
        `,
      )}
    </div>
  `;
}

export function Field({ id, label, hint, children }) {
  return html`
    <div class="field">
      <label for=${id}>${label}</label>
      ${children}
      ${hint && html`<p class="hint" id=${`${id}-hint`}>${hint}</p>`}
    </div>
  `;
}

export function CurrencySelect({ id, label, codes, value, onChange }) {
  return html`
    <select id=${id} aria-label=${label} data-testid=${id} value=${value} onChange=${(event) => onChange(event.target.value)}>
      ${codes.map((code) => html`<option key=${code} value=${code} selected=${code === value}>${code}</option>`)}
    </select>
  `;
}

// An amount and its currency in one box.
export function AmountField({ id, label, amount, onAmount, currency, currencies, codes, onCurrency, balance }) {
  const [left, setLeft] = useState(false);
  const problem = amount === "" ? undefined : parseAmount(amount, currency.exponent).problem;
  return html`
    <div class="field">
      <div class="label-row">
        <label for=${id}>${label}</label>
        ${balance !== undefined &&
        html`<button class="link" type="button" data-testid="${id}-max" onClick=${() => onAmount(balance)}>
          You have ${grouped(balance)} ${currency.code}
        </button>`}
      </div>
      <div class="amount ${left && problem ? "wrong" : ""}">
        <input
          id=${id}
          data-testid=${id}
          value=${amount}
          placeholder=${currency.exponent === 0 ? "0" : `0.${"0".repeat(Math.min(currency.exponent, 2))}`}
          inputmode="decimal"
          autocomplete="off"
          maxlength="64"
          required
          aria-invalid=${Boolean(left && problem)}
          aria-describedby="${id}-hint"
          onInput=${(event) => onAmount(event.target.value)}
          onBlur=${() => setLeft(true)}
        />
        <${CurrencySelect}
          id="${id}-currency"
          label="${label}: currency"
          codes=${codes ?? [...currencies.keys()]}
          value=${currency.code}
          onChange=${onCurrency}
        />
      </div>
      <p class="hint problem" id="${id}-hint">${left && problem}</p>
    </div>
  `;
}

export function Problem({ error }) {
  return html`<p class="problem" role="alert" data-testid="problem">${error?.message}</p>`;
}
