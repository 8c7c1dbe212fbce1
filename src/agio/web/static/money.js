// Amounts and prices, exactly: integers of minor units as BigInt. There is no floating-point number here.

const NUMBER = /^([0-9]{1,30})(?:\.([0-9]{1,30}))?$/;

// Read what somebody typed as minor units: {amount} or {problem}.
export function parseAmount(text, exponent) {
  const match = NUMBER.exec(text.trim());
  if (!match) return { problem: "Enter an amount such as 12.50, with a point and without other separators." };
  const decimals = match[2] ?? "";
  if (decimals.length > exponent) {
    const most = exponent === 0 ? "no decimals" : `at most ${exponent} decimals`;
    return { problem: `This currency has ${most}.` };
  }
  const amount = BigInt(match[1] + decimals.padEnd(exponent, "0"));
  return amount === 0n ? { problem: "Enter more than zero." } : { amount };
}

// Write minor units as a decimal number with all decimals of the currency.
export function formatAmount(amount, exponent) {
  const sign = amount < 0n ? "-" : "";
  const digits = String(amount < 0n ? -amount : amount).padStart(exponent + 1, "0");
  if (exponent === 0) return sign + digits;
  return `${sign}${digits.slice(0, -exponent)}.${digits.slice(-exponent)}`;
}

// Group the digits of a decimal number for reading: 1234567.89 is 1,234,567.89.
export function grouped(text) {
  const [whole, decimals] = text.split(".");
  const groups = whole.replace(/\B(?=(\d{3})+$)/g, ",");
  return decimals === undefined ? groups : `${groups}.${decimals}`;
}

// Read a decimal price as a fraction.
export function fraction(text) {
  const [whole, decimals = ""] = text.split(".");
  return { numerator: BigInt(whole + decimals), denominator: 10n ** BigInt(decimals.length) };
}

// Compare two decimal prices: -1, 0 or 1.
export function compare(one, other) {
  const a = fraction(one), b = fraction(other);
  const difference = a.numerator * b.denominator - b.numerator * a.denominator;
  return difference > 0n ? 1 : difference < 0n ? -1 : 0;
}

// Convert minor units at a price (a fraction, bought per sold), rounded down as the ledger does.
export function convertDown(amount, sold, bought, { numerator, denominator }) {
  return (amount * numerator * 10n ** BigInt(bought.exponent)) / (denominator * 10n ** BigInt(sold.exponent));
}

// The price of selling one currency for another: {price, text}; undefined without a quote of the pair.
export function sellingPrice(rates, sell, buy) {
  const direct = rates.get(`${sell}-${buy}`);
  if (direct) return { price: fraction(direct.bid), text: `1 ${sell} = ${direct.bid} ${buy}`, rate: direct };
  const inverse = rates.get(`${buy}-${sell}`);
  if (!inverse) return undefined;
  const { numerator, denominator } = fraction(inverse.ask);
  const price = { numerator: denominator, denominator: numerator };
  return { price, text: `1 ${buy} = ${inverse.ask} ${sell}`, rate: inverse };
}
