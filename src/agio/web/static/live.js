// Live events: one stream for the page. What it tells becomes the page's state.

import { useEffect, useReducer } from "./vendor/htm-preact-standalone.module.js";
import { get } from "./api.js";
import { compare } from "./money.js";

const HISTORY = 32;
const PAGE = 20;

const EMPTY = { connected: false, rates: new Map(), wallet: undefined, transactions: [], more: false, news: undefined };

function withRates(state, quotes) {
  const rates = new Map(state.rates);
  for (const quote of quotes) {
    const before = rates.get(quote.pair);
    const direction = before ? compare(quote.bid, before.bid) || before.direction : 0;
    const history = before ? (before.bid === quote.bid ? before.history : [...before.history, quote.bid]) : [quote.bid];
    rates.set(quote.pair, { ...quote, direction, history: history.slice(-HISTORY) });
  }
  return { ...state, rates };
}

function withWallet(state, wallet) {
  const before = state.wallet?.total;
  const direction = before ? compare(wallet.total.amount, before.amount) : 0;
  return { ...state, wallet: { ...wallet, direction } };
}

// Transactions in the order in which they were asked for, the newest first; decided ones never become pending again.
function withTransactions(state, found) {
  const known = new Map(state.transactions.map((one) => [one.transaction_id, one]));
  for (const one of found) {
    if (known.get(one.transaction_id)?.status !== "pending" && known.has(one.transaction_id)) continue;
    known.set(one.transaction_id, one);
  }
  const order = (one) => one.requested_at ?? one.decided_at ?? "";
  return [...known.values()].sort((one, other) => (order(one) < order(other) ? 1 : order(one) > order(other) ? -1 : 0));
}

function reduce(state, [what, data]) {
  switch (what) {
    case "connected":
      return { ...state, connected: data };
    case "rate":
      return withRates(state, data);
    case "wallet":
      return withWallet(state, data);
    case "transaction": {
      const before = state.transactions.find((one) => one.transaction_id === data.transaction_id);
      const decided = data.status !== "pending" && before?.status !== data.status;
      return { ...state, transactions: withTransactions(state, [data]), news: decided ? data : state.news };
    }
    case "listed":
      return {
        ...state,
        transactions: withTransactions(state, data.transactions),
        more: data.transactions.length === PAGE && (data.before !== undefined || state.transactions.length <= PAGE),
      };
    case "reset":
      return { ...EMPTY, rates: state.rates };
  }
}

// The live state of a person, or of a stranger (undefined), who sees rates only.
export function useLive(accountId, onAccount, onSignedOut) {
  const [state, tell] = useReducer(reduce, EMPTY);
  const list = async (before) => {
    const query = before === undefined ? "" : `&before=${encodeURIComponent(before)}`;
    tell(["listed", { before, transactions: await get(`/api/transactions?limit=${PAGE}${query}`) }]);
  };
  useEffect(() => {
    tell(["reset"]);
    let source, again;
    const connect = () => {
      source = new EventSource("/api/events");
      source.addEventListener("open", () => {
        tell(["connected", true]);
        if (accountId) list().catch((error) => error.status === 401 && onSignedOut());
      });
      source.addEventListener("error", () => {
        tell(["connected", false]);
        if (source.readyState === EventSource.CLOSED) again = setTimeout(connect, 1000);
      });
      for (const name of ["rate", "wallet", "transaction"]) {
        source.addEventListener(name, (event) => tell([name, JSON.parse(event.data)]));
      }
      source.addEventListener("account", (event) => onAccount(JSON.parse(event.data)));
    };
    connect();
    return () => {
      clearTimeout(again);
      source.close();
    };
  }, [accountId]);
  const note = (transaction) => tell(["transaction", transaction]);
  const listMore = () => list(state.transactions.at(-1)?.transaction_id);
  return { ...state, note, listMore };
}
