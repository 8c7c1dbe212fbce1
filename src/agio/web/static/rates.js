// The rates: bid, ask, which way they moved, and a line of where they came from.

import { html } from "./vendor/htm-preact-standalone.module.js";
import { compare, fraction } from "./money.js";

export function Rates({ rates }) {
  const pairs = [...rates.values()].sort((one, other) => (one.pair < other.pair ? -1 : 1));
  return html`
    <section class="card rates" aria-labelledby="rates-title">
      <h2 id="rates-title">Rates</h2>
      ${pairs.length === 0
        ? html`<p class="empty">No rates yet.</p>`
        : html`
            <div class="scroll" tabindex="0" role="region" aria-labelledby="rates-title">
              <table data-testid="rates">
                <thead>
                  <tr>
                    <th scope="col">Pair</th>
                    <th scope="col" class="line"><span class="unseen">Recently</span></th>
                    <th scope="col" class="number">We buy</th>
                    <th scope="col" class="number">We sell</th>
                  </tr>
                </thead>
                <tbody>
                  ${pairs.map((rate) => html`<${Rate} key=${rate.pair} rate=${rate} />`)}
                </tbody>
              </table>
            </div>
          `}
    </section>
  `;
}

function Rate({ rate }) {
  const [base, quote] = rate.pair.split("-");
  const way = rate.direction > 0 ? "up" : rate.direction < 0 ? "down" : "flat";
  return html`
    <tr data-testid="rate-${rate.pair}">
      <th scope="row"><b>${base}</b><span class="slash">/</span>${quote}</th>
      <td class="line"><${Sparkline} history=${rate.history} /></td>
      <td class="number ${way}">
        <span key=${rate.bid} class="tick">${rate.bid}</span>
        <span class="arrow" aria-hidden="true">${way === "up" ? "▲" : way === "down" ? "▼" : "·"}</span>
      </td>
      <td class="number">${rate.ask}</td>
    </tr>
  `;
}

const WIDTH = 64n;
const HEIGHT = 20n;

// Prices are scaled to whole pixels, so a line needs no floating-point number either.
function Sparkline({ history }) {
  const digits = history.reduce((most, text) => Math.max(most, text.split(".")[1]?.length ?? 0), 0);
  const prices = history.map((text) => {
    const { numerator, denominator } = fraction(text);
    return (numerator * 10n ** BigInt(digits)) / denominator;
  });
  const low = prices.reduce((least, price) => (price < least ? price : least), prices[0]);
  const high = prices.reduce((most, price) => (price > most ? price : most), prices[0]);
  const trend = compare(history.at(-1), history[0]);
  const range = high > low ? high - low : 1n;
  const last = BigInt(Math.max(prices.length - 1, 1));
  const points = prices.map((price, index) => {
    const x = (BigInt(index) * WIDTH) / last;
    const y = high === low ? HEIGHT / 2n : HEIGHT - ((price - low) * HEIGHT) / range;
    return `${x},${y + 2n}`;
  });
  return html`
    <svg class="sparkline ${trend > 0 ? "up" : trend < 0 ? "down" : ""}" viewBox="0 0 64 24" aria-hidden="true"><polyline points=${points.join(" ")} /></svg>
  `;
}
