// Sending a wish: once, however often the button is pressed or the connection breaks.

import { useRef, useState } from "./vendor/htm-preact-standalone.module.js";
import { get, newKey, post } from "./api.js";

const WAIT_S = 20;

// Gives {busy, error, send}; `send` tells whether the wish was recorded. Its outcome comes by way of `note`.
export function useSubmit(path, note) {
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState(undefined);
  const attempt = useRef(undefined); // the wish whose answer we never got, and its key
  const send = async (wish) => {
    const content = JSON.stringify(wish);
    if (attempt.current?.content !== content) attempt.current = { content, key: newKey() };
    setBusy(true);
    setError(undefined);
    try {
      const accepted = await post(path, wish, { "Idempotency-Key": attempt.current.key });
      attempt.current = undefined;
      follow(accepted.transaction_id, note);
      return true;
    } catch (problem) {
      if (problem.status >= 400 && problem.status < 500) attempt.current = undefined;
      setError(problem);
      return false;
    } finally {
      setBusy(false);
    }
  };
  return { busy, error, send };
}

// The live events tell the outcome too; this is for when they are interrupted.
async function follow(transactionId, note) {
  const path = `/api/transactions/${transactionId}`;
  try {
    note(await get(path));
    note(await get(`${path}?wait=${WAIT_S}`));
  } catch {
    // the list is read again when the live events are back
  }
}
